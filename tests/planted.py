"""Small mistakes that the tests must notice: what `tests.mutants` plants, one at a time.

A needle is found wherever it stands in genjax, so that moving code from file to file leaves the table as it is. Tests
are named below tests/, the fastest that should notice; a file stands for all that it holds.
"""

from typing import NamedTuple


class Mutant(NamedTuple):
    """A mistake: its name, what stands in genjax exactly once, what is planted there, and the tests that must fail."""

    name: str
    needle: str
    replacement: str
    tests: tuple[str, ...]


def mutant(name: str, needle: str, replacement: str, *tests: str) -> Mutant:
    """One row of the table."""
    return Mutant(name, needle, replacement, tests)


BOLTZMANN = (
    mutant(
        "the precision's slope has the other sign",
        "None if g is None else g * slope for",
        "None if g is None else -g * slope for",
        "boltzmann/test_coordinates.py::test_the_slope_is_the_chain_rule",
    ),
    mutant(
        "slopes are divided by the pixels' scale",
        "biases=gradient.biases), 1)",
        "biases=gradient.biases), -1)",
        "boltzmann/test_coordinates.py::test_the_slope_is_the_chain_rule",
    ),
    mutant(
        "biases are counted from the wrong side of the offset",
        "_scaled(_shifted(machine, offsets, -1), -1)",
        "_scaled(_shifted(machine, offsets, 1), -1)",
        "boltzmann/test_coordinates.py::test_there_and_back",
    ),
    mutant(
        "precisions of hidden layers are learned as well",
        "None if g is None else jnp.zeros_like(g) for g in others",
        "g for g in others",
        "boltzmann/test_coordinates.py::test_the_slope_is_the_chain_rule[rectified hidden units]",
    ),
    mutant(
        "Gaussian units have the mean t g",
        '"""t / g."""\n        return field / quadratic',
        '"""t / g."""\n        return field * quadratic',
        "boltzmann/test_units.py::test_the_mean_is_the_slope_of_the_cumulant",
    ),
    mutant(
        "Gaussian noise has the variance 1 / g^2",
        "random.normal(key, field.shape) / jnp.sqrt(quadratic)",
        "random.normal(key, field.shape) / quadratic",
        "boltzmann/test_units.py::test_draws_of_curved_types_follow_their_law",
    ),
    mutant(
        "spins are drawn at half their field",
        "2 * random.bernoulli(key, 2 * field) - 1",
        "2 * random.bernoulli(key, field) - 1",
        "boltzmann/test_units.py::test_draws_of_discrete_types_follow_their_law",
    ),
    mutant(
        "a categorical draw is off by one level",
        "below[..., :-1] <= (u",
        "below[..., 1:] <= (u",
        "boltzmann/test_units.py::test_draws_of_discrete_types_follow_their_law",
    ),
    mutant(
        "rectified draws are not cut off at zero but shifted",
        "ndtri(u * jax.scipy.special.ndtr(near))",
        "ndtri(u)",
        "boltzmann/test_units.py::test_draws_of_curved_types_follow_their_law",
    ),
    mutant(
        "rectified units far out have no variance left",
        "jnp.where(a < 10 * FAR, far**-2 - 6 * far**-4 + 50 * far**-6, 1 - m * (m - a))",
        "1 - m * (m - a)",
        "boltzmann/test_units.py::test_curved_types_by_quadrature",
    ),
    mutant(
        "the wrong side is summed out by default",
        "return int(odd > even)",
        "return int(odd < even)",
        "boltzmann/test_machine.py::test_the_larger_side_is_summed_out_by_default",
    ),
    mutant(
        "a clamped layer sends its message with the other sign",
        "biases[layer - 1] += numerics.exact(",
        "biases[layer - 1] -= numerics.exact(",
        "boltzmann/test_machine.py::test_condition_is_the_conditional_machine",
    ),
    mutant(
        "an RBM between two others is not halved",
        "w if i in (0, len(machines) - 1) else 0.5 * w",
        "w if i in (0, len(machines) - 1) else w",
        "boltzmann/test_dbm.py::test_a_shared_layers_field_is_half_of_what_each_rbm_gives",
    ),
    mutant(
        "a bias that two RBMs share is their sum",
        "0.5 * (lower.biases[1] + upper.biases[0])",
        "(lower.biases[1] + upper.biases[0])",
        "boltzmann/test_dbm.py::test_a_shared_layers_field_is_half_of_what_each_rbm_gives",
    ),
    mutant(
        "the recognition pass does not double what nothing is above",
        "field + (message if known is None else",
        "field + (0 * message if known is None else",
        "boltzmann/test_mean_field.py::test_the_recognition_pass_doubles_what_nothing_is_above",
    ),
    mutant(
        "the mean-field bound counts the entropy's field twice",
        "own = jnp.sum((machine.biases[layer] - field)",
        "own = jnp.sum((machine.biases[layer] - 2 * field)",
        "boltzmann/test_mean_field.py::test_the_bound_is_brute_forces_at_the_same_q",
    ),
    mutant(
        "mean field damps the new field away",
        "field + damping * (old[layer] - field)",
        "old[layer] + damping * (old[layer] - field)",
        "boltzmann/test_mean_field.py::test_a_damped_pass_ends_where_an_undamped_one_does",
        "boltzmann/test_mean_field.py::test_it_never_exceeds_the_truth_and_undamped_never_falls",
    ),
    mutant(
        "the log weight of a belief network forgets the way up",
        "marginal(network.top, (states[-1], None), 1) - log_up(network, states)",
        "marginal(network.top, (states[-1], None), 1)",
        "algorithms/test_updown.py::test_bound_and_estimate_are_those_of_enumeration",
    ),
    mutant(
        "withheld ratings count as known",
        "return x >= 1\n",
        "return x != 0\n",
        "algorithms/test_recommender.py::test_what_is_missing_changes_nothing",
        "algorithms/test_recommender.py::test_conditionals_and_energy_are_those_of_the_enumerated_machine",
    ),
    mutant(
        "a rating is predicted from itself too",
        "others = row.fields - jnp.sum(",
        "others = row.fields - 0 * jnp.sum(",
        "algorithms/test_recommender.py::test_predictions_are_the_conditional_probabilities",
    ),
    mutant(
        "a rating says something of the offset that predicts it",
        "(row.pull - loading * jnp.sum(own * score))",
        "(row.pull - 0 * loading * jnp.sum(own * score))",
        "algorithms/test_recommender.py::test_predictions_are_the_conditional_probabilities",
    ),
    mutant(
        "an offset is as sure of one rating as of many",
        "1 + jnp.matmul(known(x).astype(jnp.float32), offset.loadings**2",
        "1 + 0 * jnp.matmul(known(x).astype(jnp.float32), offset.loadings**2",
        "algorithms/test_recommender.py::test_the_offset_is_a_shrunk_bias",
    ),
)

SAMPLING = (
    mutant(
        "binary units are drawn the other way round",
        "return 2.0**24 + v < (2.0**24 - v) * jnp.exp(logits)",
        "return 2.0**24 + v > (2.0**24 - v) * jnp.exp(logits)",
        "test_random.py",
    ),
    mutant(
        "noise is counted from each device's first chain",
        "jnp.arange(count, dtype=jnp.uint32) + jnp.asarray(first, jnp.uint32)",
        "jnp.arange(count, dtype=jnp.uint32)",
        "test_random.py::test_words_depend_on_the_global_index_alone",
    ),
    mutant(
        "both parities are drawn from one key",
        "key[layer] if isinstance(key, tuple) else jax.random.fold_in(key, layer)",
        "key[layer] if isinstance(key, tuple) else key",
        "sampling/test_gibbs.py::test_the_sweep_follows_its_matrix[sizes0-plain-counter]",
    ),
    mutant(
        "noise that is prepared is that of one layer for all",
        "random.noise(fold(keys, layer), chains, size // unit.width)",
        "random.noise(fold(keys, 0), chains, size // unit.width)",
        "sampling/test_gibbs.py::test_noise_prepared_for_many_sweeps_is_the_noise_of_each[few, one chain]",
    ),
    mutant(
        "every block of sweeps has the noise of the first",
        "noise(first + number * length + jnp.arange(length))",
        "noise(first + jnp.arange(length))",
        "sampling/test_gibbs.py::test_noise_prepared_for_many_sweeps_is_the_noise_of_each[blocks, chains]",
    ),
    mutant(
        "fast numbers are exact",
        'jnp.float32 if numbers == "exact" else jnp.bfloat16',
        "jnp.float32",
        "test_numerics.py::test_fast_sampling_is_exact_sampling_of_the_rounded_machine",
    ),
    mutant(
        "clamps are ignored",
        "new[layer] = drawn if kept is None else jnp.where(kept, states[layer], drawn)",
        "new[layer] = drawn",
        "sampling/test_gibbs.py::test_clamped_units_keep_their_values_for_each_chain",
    ),
    mutant(
        "swaps are accepted where they should be refused",
        "return gain + gain[partner]",
        "return -gain - gain[partner]",
        "sampling/test_tempering.py::test_log_acceptance_of_every_pair_of_states",
    ),
    mutant(
        "only even pairs swap",
        "(rung - state.round) % 2 == 0",
        "rung % 2 == 0",
        "sampling/test_tempering.py::test_even_and_odd_rounds_swap_their_own_pairs",
    ),
    mutant(
        "each of a pair decides for itself whether to swap",
        "accepted = accepted[jnp.minimum(rung, partner)]",
        "accepted = accepted[rung]",
        "sampling/test_tempering.py::test_even_and_odd_rounds_swap_their_own_pairs",
        "sampling/test_tempering.py::test_swap_rates_are_the_exact_ones",
    ),
    mutant(
        "inpainting clamps the hole and frees the rest",
        "clamp = (jnp.broadcast_to(~missing, visible.shape)",
        "clamp = (jnp.broadcast_to(missing, visible.shape)",
        "sampling/test_inpainting.py",
    ),
    mutant(
        "imputation takes every proposal",
        "taken = (jnp.log(u) < ratio) | (index < burn_in // 2)",
        "taken = jnp.log(u) < jnp.inf",
        "sampling/test_imputation.py",
    ),
    mutant(
        "autocorrelations count once",
        "tau = -1 + 2 * jnp.sum(jnp.where(kept",
        "tau = -1 + jnp.sum(jnp.where(kept",
        "sampling/test_diagnostics.py::test_stored_traces_agree_with_arviz",
    ),
    mutant(
        "R-hat without the variance within",
        "jnp.sqrt(between / within + (draws - 1) / draws)",
        "jnp.sqrt(between / within)",
        "sampling/test_diagnostics.py::test_stored_traces_agree_with_arviz",
        "sampling/test_diagnostics.py::test_r_hat_sees_chains_that_have_not_mixed",
    ),
    mutant(
        "the error of a mean takes its draws as independent",
        "jnp.sqrt(variance * tau / total)",
        "jnp.sqrt(variance / total)",
        "sampling/test_diagnostics.py::test_autocorrelation_time_and_error_of_known_chains",
    ),
    mutant(
        "tempering takes a clamp on what it sums out",
        "range(SUMMED_OUT, len(clamp or ()), 2)",
        "range(1 - SUMMED_OUT, 0, 2)",
        "sampling/test_tempering.py::test_a_clamp_is_kept_on_even_layers_and_refused_on_odd_ones",
    ),
    mutant(
        "tempering frees what is clamped",
        "jax.vmap(partial(sweep, clamp=clamp))",
        "jax.vmap(sweep)",
        "sampling/test_tempering.py::test_a_clamp_is_kept_on_even_layers_and_refused_on_odd_ones",
    ),
)

LIKELIHOOD = (
    mutant(
        "AIS weighs with the other sign",
        "total += jnp.sum(new - old, axis=-1)",
        "total += jnp.sum(old - new, axis=-1)",
        "likelihood/test_ais.py::test_the_bases_log_z_and_the_log_ratio",
    ),
    mutant(
        "reverse AIS adds the base's log Z",
        "run.log_weights - float(_log_z(path[0]))",
        "run.log_weights + float(_log_z(path[0]))",
        "likelihood/test_bidirectional.py::test_both_ways_are_unbiased_and_their_logs_lie_on_either_side",
    ),
    mutant(
        "reverse AIS goes up the path",
        "local = within[s] if up else within[s][::-1]",
        "local = within[s]",
        "likelihood/test_bidirectional.py::test_both_ways_are_unbiased_and_their_logs_lie_on_either_side",
    ),
    mutant(
        "the interval of reverse AIS is not turned over",
        "low=-inverse.high, high=-inverse.low",
        "low=-inverse.low, high=-inverse.high",
        "likelihood/test_bidirectional.py::test_the_interval_of_reverse_ais_covers_the_truth_in_95_of_100",
    ),
    mutant(
        "the interval of a likelihood is not turned over",
        "low=mean - log_z.high, high=mean - log_z.low",
        "low=mean - log_z.low, high=mean - log_z.high",
        "likelihood/test_ais.py::test_log_likelihood_carries_the_interval_over",
    ),
    mutant(
        "the bracket blames the wrong side",
        '"more temperatures are needed" if gap > 0 else',
        '"more temperatures are needed" if gap < 0 else',
        "likelihood/test_bidirectional.py::test_sides_that_disagree_are_not_trusted",
    ),
    mutant(
        "an estimate above what the images sum to is refuted",
        "bound <= log_z.high",
        "bound >= log_z.high",
        "likelihood/test_ais.py::test_a_missed_mode_is_refuted_by_the_images",
    ),
    mutant(
        "blocks of states count alike in exact moments",
        "shares = np.exp(shares - np.logaddexp.reduce(shares))",
        "shares = np.ones_like(shares) / len(shares)",
        "likelihood/test_exact.py::test_log_z_over_many_blocks",
    ),
    mutant(
        "one pixel's pseudo-likelihood stands for itself alone",
        "return pixels * total / draws",
        "return total / draws",
        "likelihood/test_pseudo.py::test_one_pixel_estimate_is_unbiased",
    ),
    mutant(
        "the pseudo-likelihood forgets a pixel's own bias",
        "gain = change * own_bias + jnp.sum(there - here, axis=-1)",
        "gain = jnp.sum(there - here, axis=-1)",
        "likelihood/test_pseudo.py::test_exact_over_all_pixels",
    ),
    mutant(
        "the estimate of importance sampling is the mean log weight",
        "return total / draws, peak + jnp.log(mean), spread",
        "return total / draws, total / draws, spread",
        "algorithms/test_vae.py::test_with_another_encoder_many_draws_meet_the_likelihood",
    ),
    mutant(
        "errors of importance sampling are those of single draws",
        "jnp.maximum(squares / draws - mean**2, 0.0) / (draws - 1)",
        "jnp.maximum(squares / draws - mean**2, 0.0)",
        "algorithms/test_vae.py::test_errors_are_those_of_repetitions_and_few_draws_are_not_trusted",
    ),
    mutant(
        "knots of averaged moments run from the machine to the base",
        "lambda m0, m1: (1 - b) * m0 + b * m1",
        "lambda m0, m1: b * m0 + (1 - b) * m1",
        "likelihood/test_averaging.py::test_moments_of_the_knots",
    ),
    mutant(
        "temperatures are dense where nothing happens",
        "length / length[-1], run.betas)",
        "run.betas, length / length[-1])",
        "likelihood/test_schedule.py::test_adapted_temperatures_equalise_the_increments_and_do_not_bias",
    ),
    mutant(
        "draws are worth what their number says",
        "(1 + (found.draws - 1) * found.standard_errors**2)",
        "(1 + found.standard_errors**2)",
        "likelihood/test_importance.py::test_draws_are_worth_what_kish_says",
    ),
    mutant(
        "few draws that carry all the weight are trusted",
        "trusted=enough and not poor",
        "trusted=enough",
        "likelihood/test_importance.py::test_few_draws_are_not_trusted",
    ),
    mutant(
        "the error of log Z is left out of the interval",
        "float(np.hypot(answer.mean - answer.low, log_z.high - log_z.mean))",
        "(answer.mean - answer.low)",
        "algorithms/test_updown.py::test_errors_of_both_estimates_add_up_as_squares",
    ),
    mutant(
        "what a recognition model misses is not looked for",
        "if gap < LEAST_BIAS:\n        return answer",
        "if gap > -np.inf:\n        return answer",
        "likelihood/test_importance.py::test_states_that_are_never_drawn_are_found_in_samples_of_the_model",
    ),
)

LEARNING = (
    mutant(
        "the least likely class is told",
        "jax.nn.log_softmax(jax.lax.map(joint,",
        "jax.nn.log_softmax(-jax.lax.map(joint,",
        "algorithms/test_learning.py::test_class_probabilities_are_those_of_enumeration",
        "algorithms/test_learning.py::test_labels_are_told",
    ),
    mutant(
        "the rate of upper weights is ignored",
        'state.hyper.get("upper_rate", 1.0)',
        "1.0",
        "algorithms/test_learning.py::test_upper_weights_learn_at_their_share_of_the_rate",
    ),
    mutant(
        "temperatures are placed by acceptance",
        "1 - report(since).swap_rate",
        "report(since).swap_rate",
        "algorithms/test_negative.py::test_temperatures_come_to_refuse_at_one_rate",
    ),
    mutant(
        "the asleep phase pushes the recognition model away",
        "- jnp.mean(log_up(network, asleep))",
        "+ jnp.mean(log_up(network, asleep))",
        "algorithms/test_updown.py::test_fine_tuning_raises_the_likelihood",
    ),
    mutant(
        "the gradient climbs for the model and not for the data",
        "((positive, 1.0), (negative, -1.0))",
        "((positive, -1.0), (negative, 1.0))",
        "algorithms/test_contrastive.py::test_the_gradient_is_the_formula_of_the_paper",
    ),
    mutant(
        "the centred gradient is corrected the wrong way",
        "biases[layer] = biases[layer] - numerics.exact(weights, means[layer + 1]",
        "biases[layer] = biases[layer] + numerics.exact(weights, means[layer + 1]",
        "algorithms/test_contrastive.py::test_the_gradient_is_the_formula_of_the_paper",
    ),
    mutant(
        "offsets follow ten times as fast",
        "mu + 0.01 * (mean - mu)",
        "mu + 0.1 * (mean - mu)",
        "algorithms/test_contrastive.py::test_offsets_are_the_datas_means",
    ),
    mutant(
        "one sweep, whatever k says",
        "jax.lax.fori_loop(0, k - 1, one, sharded(state))",
        "jax.lax.fori_loop(0, 0, one, sharded(state))",
        "algorithms/test_negative.py::test_k_sweeps_are_k_steps_of_the_exact_chain",
    ),
    mutant(
        "chains of CD go on",
        'subkey(key, "restart"), expected(machine, data), 1',
        'subkey(key, "restart"), carried, 1',
        "algorithms/test_contrastive.py::test_persistent_chains_go_on_and_cd_chains_restart",
    ),
    mutant(
        "biases decay",
        "return jax.tree.map(lambda leaf: leaf.ndim > 1, parameters)",
        "return jax.tree.map(lambda leaf: leaf.ndim > 0, parameters)",
        "algorithms/test_contrastive.py::test_weight_decay_and_schedule_act_as_said",
        "algorithms/test_vae.py::test_kernels_decay_and_biases_do_not",
    ),
    mutant(
        "a new corner of the trajectory takes the last machine alone",
        "share = 1 / (carried.window + 1)",
        "share = 1.0",
        "algorithms/test_trajectory.py::test_windows_hold_the_means_of_the_steps_they_cover",
    ),
    mutant(
        "log ratios of the trajectory have the other sign",
        "return log_f(upper, below) - own[:-1], own[1:] - log_f(lower, above)",
        "return own[:-1] - log_f(upper, below), log_f(lower, above) - own[1:]",
        "algorithms/test_trajectory.py::test_log_ratios_are_those_of_the_partition_functions",
    ),
    mutant(
        "the ends of a stack are not doubled",
        "return (2, 1) if number == 0 else",
        "return (1, 1) if number == 0 else",
        "algorithms/test_greedy.py::test_the_ends_of_a_stack_are_doubled",
    ),
    mutant(
        "dropout leaves the mean smaller",
        "return x * kept / (1 - share)",
        "return x * kept",
        "algorithms/test_discriminative.py::test_dropout_keeps_the_mean",
    ),
    mutant(
        "a rating stands for itself alone in the pseudo-likelihood, and not for those that were not drawn",
        "weight = drawn * (ratings / jnp.maximum(here, 1))[:, None]",
        "weight = drawn * (0 * ratings + 1)[:, None]",
        "algorithms/test_recommender.py::test_the_pseudo_gradient_of_a_part_is_unbiased",
    ),
    mutant(
        "the prior of ratings pulls away from zero",
        'weights=slope.weights + jnp.einsum("kl,ilh->ikh", own, machine.weights',
        'weights=slope.weights - jnp.einsum("kl,ilh->ikh", own, machine.weights',
        "algorithms/test_recommender.py::test_data_and_prior_are_divided_alike",
    ),
    mutant(
        "the negative phase of ratings draws what nobody rated",
        "drawn = jnp.where(where, drawn, x)",
        "drawn = jnp.abs(drawn) + (x == 0)",
        "algorithms/test_recommender.py::test_the_negative_phase_samples_the_users_own_machine",
    ),
    mutant(
        "grey pixels are binary",
        "(values != 0) & (values != 1)",
        "(values < 0) | (values > 1)",
        "algorithms/test_examples.py::test_examples_that_cannot_be_learned_are_refused",
    ),
    mutant(
        "intensities may be above 1",
        "if low < 0 or high > 1:",
        "if low < 0 and high > 1:",
        "algorithms/test_examples.py::test_examples_that_cannot_be_learned_are_refused",
    ),
    mutant(
        "examples may hold what is no number",
        "np.isfinite(block).all() for block",
        "np.isfinite(block).any() for block",
        "algorithms/test_examples.py::test_examples_that_cannot_be_learned_are_refused",
    ),
    mutant(
        "there may be one label more than classes",
        "values.max() >= classes",
        "values.max() > classes",
        "algorithms/test_examples.py::test_examples_that_cannot_be_learned_are_refused",
    ),
    mutant(
        "labels may be missing",
        "values.size and values.min() < 0",
        "values.size and values.max() < 0",
        "algorithms/test_examples.py::test_examples_that_cannot_be_learned_are_refused",
    ),
)

NETWORKS = (
    mutant(
        "the divergence from the prior counts twice",
        "return 0.5 * jnp.sum(variance + q.mean**2 - 1",
        "return jnp.sum(variance + q.mean**2 - 1",
        "networks/test_latent.py::test_the_divergence_is_that_of_monte_carlo",
    ),
    mutant(
        "the ELBO adds the divergence",
        "return image - inputs.beta * kl, image - kl",
        "return image + inputs.beta * kl, image - kl",
        "algorithms/test_vae.py::test_the_divergence_is_subtracted_with_its_weight",
    ),
    mutant(
        "the bound of IWAE is a sum",
        "jax.nn.logsumexp(weights, axis=0) - jnp.log(weights.shape[0])",
        "jax.nn.logsumexp(weights, axis=0)",
        "algorithms/test_vae.py::test_with_the_exact_posterior_every_bound_is_the_likelihood[30]",
    ),
    mutant(
        "shares of the doubly reparameterised gradient are not squared",
        "again = (1 - inputs.beta + inputs.beta * share)",
        "again = (1 - inputs.beta + inputs.beta * share**0)",
        "algorithms/test_vae.py::test_both_gradients_agree_with_two_layers",
    ),
    mutant(
        "samples of a VAE come from a prior twice as wide",
        'top = sharded(normal(subkey(key, "top")',
        'top = sharded(2 * normal(subkey(key, "top")',
        "cli/test_variational.py::test_samples_follow_the_prior",
    ),
    mutant(
        "samples of a VAE pass its lower latents by",
        "here = p.mean + jnp.exp(p.log_deviation) * noise",
        "here = p.mean",
        "cli/test_variational.py::test_samples_follow_the_prior",
    ),
    mutant(
        "pairs of a stack that do not learn decay",
        "return leaf.ndim > 1 and any(",
        "return leaf.ndim > 1 or any(",
        "algorithms/test_autoencoder.py::test_a_pair_learns_alone",
    ),
    mutant(
        "warm-up begins at full weight",
        "jnp.minimum((step + 1) / rising, 1.0)",
        "jnp.minimum(1.0 + step / rising, 1.0)",
        "algorithms/test_vae.py::test_the_divergences_weight_rises_over_the_first_part_of_the_run",
    ),
    mutant(
        "Gaussian pixels are scaled up where they should be scaled down",
        "scaled = (x - outputs) * jnp.exp(-log_deviation)",
        "scaled = (x - outputs) * jnp.exp(log_deviation)",
        "algorithms/test_vae.py::test_with_the_exact_posterior_every_bound_is_the_likelihood",
    ),
    mutant(
        "Gaussian pixels are given back as if they were binary",
        'if kind == "gaussian":\n        return outputs\n',
        'if kind == "gaussian":\n        return jax.nn.sigmoid(outputs)\n',
        "sampling/test_imputation.py",
        "cli/test_variational.py::test_samples_follow_the_prior",
    ),
    mutant(
        "the slope of a convolution is not turned round",
        "turned = kernel[::-1, ::-1].swapaxes(2, 3)",
        "turned = kernel.swapaxes(2, 3)",
        "networks/test_conv.py::test_values_and_slopes[mnist]",
    ),
    mutant(
        "pairs of a stack learn through those below them",
        "below = jax.lax.stop_gradient(model.encode(inputs.batch.x, 0, number))",
        "below = model.encode(inputs.batch.x, 0, number)",
        "algorithms/test_autoencoder.py::test_a_pair_learns_alone",
    ),
    mutant(
        "corruption keeps the share that it should hit",
        "return jnp.where(self.hit(key, x), salt, x)",
        "return jnp.where(self.hit(key, x), x, salt)",
        "algorithms/test_autoencoder.py::test_corruption_hits_the_share_that_it_says",
    ),
    mutant(
        "R1 is subtracted",
        "return self.penalty_weight * zero_centred_penalty(",
        "return -self.penalty_weight * zero_centred_penalty(",
        "algorithms/test_gan.py::test_two_updates_of_each_player_are_adam_on_its_objective[r1]",
    ),
    mutant(
        "the gradient penalty wants no slope at all",
        "jnp.mean((jnp.sqrt(squares + 1e-12) - 1) ** 2)",
        "jnp.mean(jnp.sqrt(squares + 1e-12) ** 2)",
        "algorithms/test_gan.py::test_penalties_of_a_quadratic_score",
    ),
    mutant(
        "the critic of Wasserstein favours fakes",
        "return jnp.mean(fake) - jnp.mean(real)",
        "return jnp.mean(real) - jnp.mean(fake)",
        "algorithms/test_gan.py::test_losses_are_their_formulas",
    ),
    mutant(
        "the moving average keeps what it should forget",
        "optax.incremental_update(new, average, 1 - decay)",
        "optax.incremental_update(new, average, decay)",
        "algorithms/test_gan.py::test_the_average_forgets_faster_at_the_beginning",
    ),
    mutant(
        "spectral normalisation is left out",
        "return nn.SpectralNorm(layer)(y, update_stats=train)",
        "return layer(y)",
        "algorithms/test_gan.py::test_spectral_normalisation_bounds_the_slope",
    ),
    mutant(
        "statistics of BatchNorm are not kept",
        'return answer[0], network._replace(statistics=answer[1].get("batch_stats", {}))',
        "return answer[0], network",
        "algorithms/test_gan.py::test_two_devices_with_half_a_batch_each_take_the_step_of_the_whole[options1]",
    ),
)

TRAINING = (
    mutant(
        "the tail average begins half way to the newest machine",
        "weight = 1 / jnp.maximum(since + 1, 1)",
        "weight = 1 / jnp.maximum(since + 2, 1)",
        "algorithms/test_contrastive.py::test_the_tail_average_is_the_mean_of_the_last_machines",
    ),
    mutant(
        "the learning rate rises",
        "return 1 - progress",
        "return progress",
        "training/test_update.py::test_schedules",
    ),
    mutant(
        "momentum is ignored",
        "return optax.trace(self.momentum)\n",
        "return optax.trace(0.0)\n",
        "training/test_update.py::test_each_is_the_optax_chain",
    ),
    mutant(
        "everything decays",
        "optax.add_decayed_weights(decay, mask=decayed)",
        "optax.add_decayed_weights(decay)",
        "training/test_update.py::test_each_is_the_optax_chain",
    ),
    mutant(
        "the rate of a shortened run jumps",
        '"learning_rate": now / share',
        '"learning_rate": now',
        "training/test_early.py::test_the_rate_goes_on_from_where_it_is_and_ends_with_the_run",
    ),
    mutant(
        "a damaged checkpoint passes",
        'whole = digest(leaves) == record["digest"]',
        "whole = True",
        "training/test_checkpoint.py",
    ),
    mutant(
        "the digest of a checkpoint knows no names",
        "zlib.crc32(name.encode(), total)",
        "total",
        "training/test_checkpoint.py::test_the_digest_is_of_names_and_bytes",
    ),
    mutant(
        "every epoch has one permutation",
        'jax.random.fold_in(subkey(key, "order"), epoch)',
        'subkey(key, "order")',
        "training/test_loop.py::test_permutations_differ_between_epochs",
    ),
    mutant(
        "all steps draw from one key",
        "here = jax.random.fold_in(key, number)",
        "here = key",
        "training/test_loop.py::test_every_step_has_a_key_of_its_own",
    ),
    mutant(
        "an image is always binarised alike",
        "drawn = here if batches is None else",
        "drawn = key if batches is None else",
        "training/test_loop.py::test_binarisation_is_drawn_anew_at_each_showing",
    ),
    mutant(
        "labels are those of the first images",
        "batch = rows(data, index)",
        "batch = rows(data, index)._replace(target=data.target[: plan.batch_size])",
        "training/test_loop.py::test_labels_are_those_of_the_images_shown",
    ),
    mutant(
        "chunks are counted from where a process begins",
        "min(plan.chunk - first % plan.chunk, total - first)",
        "min(plan.chunk, total - first)",
        "training/test_loop.py::test_chunks_end_at_the_same_steps_wherever_a_run_begins",
    ),
    mutant(
        "the last step of a chunk is left out",
        "jnp.minimum(last, end), partial",
        "jnp.minimum(last - 1, end), partial",
        "training/test_loop.py::test_a_run_takes_exactly_the_steps_asked_for_and_leaves_its_argument_alive[5]",
    ),
    mutant(
        "a run destroys the state that it is given",
        "state = copied(state)",
        "state = jax.tree.map(lambda x: x, state)",
        "training/test_loop.py::test_a_run_takes_exactly_the_steps_asked_for_and_leaves_its_argument_alive[13]",
    ),
    mutant(
        "metrics of a short chunk count steps that never were",
        "np.asarray(values)[:count] for",
        "np.asarray(values) for",
        "training/test_loop.py::test_a_run_takes_exactly_the_steps_asked_for_and_leaves_its_argument_alive[5]",
    ),
    mutant(
        "a parameter that explodes is noticed when it is infinite",
        "bad |= values > EXPLODED",
        "bad |= values > np.inf",
        "training/test_loop.py::test_a_parameter_that_is_finite_can_be_too_large",
    ),
    mutant(
        "divergence is told of the step before",
        "int(bad.argmax()) if bad.ndim else 0) + 1",
        "int(bad.argmax()) if bad.ndim else 0)",
        "training/test_loop.py::test_divergence_names_the_step[value]",
    ),
    mutant(
        "images held out may be what cannot be learned",
        "algorithm.check(data.held_out)",
        "pass",
        "training/test_loop.py::test_images_held_out_are_checked_before_work_begins",
    ),
    mutant(
        "what cannot be learned is begun with",
        "    check(algorithm, data, plan)\n    return jax.jit(algorithm.init)",
        "    return jax.jit(algorithm.init)",
        "training/test_loop.py::test_what_cannot_be_learned_is_refused_before_work_begins",
    ),
    mutant(
        "all runs of a grid draw from one key",
        "lambda key, state: loop.chunk(key, state,",
        "lambda key, state: loop.chunk(keys[0], state,",
        "training/test_grid.py::test_seeds_differ_in_everything_that_is_random",
    ),
    mutant(
        "all runs of a grid begin alike",
        'lambda key: subkey(key, "init"))(keys)',
        'lambda key: subkey(keys[0], "init"))(keys)',
        "training/test_grid.py::test_runs_begin_each_with_its_own_key_and_rates",
    ),
    mutant(
        "all runs of a grid have the first one's rates",
        "loop.example(data, plan), stacked(hypers))",
        "loop.example(data, plan), stacked([hypers[0]] * len(hypers)))",
        "training/test_grid.py::test_runs_begin_each_with_its_own_key_and_rates",
    ),
    mutant(
        "every run is told of the first one's divergence",
        "values[run] for name, values in chunk.steps.items()",
        "values[0] for name, values in chunk.steps.items()",
        "training/test_grid.py::test_a_run_that_diverges_leaves_the_others_alone_and_is_told",
    ),
    mutant(
        "chunks of a grid pass the ends of shorter runs",
        "{end for end in ends if 0 < end < total_steps} | {total_steps}",
        "{total_steps}",
        "training/test_grid.py::test_chunks_end_where_a_caller_wants_to_keep_runs",
    ),
    mutant(
        "early stopping lengthens a run",
        "return min(total, step + max(1, round(0.1 * step)))",
        "return step + max(1, round(0.1 * step))",
        "training/test_early.py::test_a_stopped_run_ends_a_tenth_later_and_never_after_its_end",
    ),
    mutant(
        "a narrow gap stops a run",
        "mean - SURE * error > limit",
        "mean - SURE * error < limit",
        "training/test_early.py::test_a_gap_is_too_wide_above_its_limit",
    ),
    mutant(
        "the state that was worst on held-out examples is kept",
        "if not now > self.best:",
        "if now > self.best > -np.inf:",
        "training/test_best.py::test_the_state_that_was_best_is_copied_and_a_run_that_goes_on_ends_alike",
    ),
    mutant(
        "the last state answers for the best one",
        'return worse and self.settings.keep == "best"',
        'return worse and self.settings.keep == "last"',
        "api/test_best.py::test_the_best_answers_where_the_last_is_worse",
    ),
    mutant(
        "the average of a stopped run begins at its new end",
        '"averaged_from": jnp.asarray(step, jnp.float32)',
        '"averaged_from": jnp.asarray(total, jnp.float32)',
        "training/test_early.py::test_the_average_of_a_shortened_run_begins_where_it_was_stopped",
    ),
    mutant(
        "rates of a config are ignored",
        "algorithm.init(key, example, completed(config, hyper))",
        "algorithm.init(key, example, completed(static_part(config), hyper))",
        "training/test_config.py::test_a_rate_of_the_config_is_that_of_the_state_unless_hyper_has_another[vae]",
    ),
    mutant(
        "rates given at the beginning are those of the config",
        '(own | {"total_steps": math.inf} | dict(hyper)).items()',
        '({"total_steps": math.inf} | dict(hyper) | own).items()',
        "training/test_config.py::test_a_rate_of_the_config_is_that_of_the_state_unless_hyper_has_another[vae]",
    ),
    mutant(
        "a misspelt rate is taken",
        'if name not in (*known, "total_steps", *READ_IF_GIVEN):',
        "if name in READ_IF_GIVEN:",
        "training/test_config.py::test_a_name_that_is_no_rate_is_refused",
    ),
    mutant(
        "configs may say what they like",
        "        config.check()\n        algorithm: Algorithm",
        "        algorithm: Algorithm",
        "algorithms/test_examples.py::test_a_config_that_contradicts_itself_is_refused_by_the_factory",
    ),
    mutant(
        "devices take the sum of their gradients",
        "jax.lax.pmean(x, axis_name)",
        "jax.lax.psum(x, axis_name)",
        "training/test_devices.py::test_each_device_has_its_own_key_and_all_have_the_mean",
    ),
    mutant(
        "all devices draw the same",
        "jax.random.fold_in(key, jax.lax.axis_index(axis_name))",
        "key",
        "training/test_devices.py::test_each_device_has_its_own_key_and_all_have_the_mean",
    ),
    mutant(
        "shard_map sums gradients before they are averaged",
        "jnp.where(everywhere, x, x), parameters)",
        "x, parameters)",
        "training/test_devices.py::test_a_step_of_an_autoencoder_is_the_mean_of_eight_and_wrong_means_are_seen",
    ),
    mutant(
        "every device makes all images of a generator",
        'z = sharded(latents(subkey(key, "latents"), game, (steps + 1) * each).reshape(steps + 1, each, -1), axis=1)',
        'z = latents(subkey(key, "latents"), game, (steps + 1) * each).reshape(steps + 1, each, -1)',
        "api/test_devices.py::test_each_device_does_its_share",
    ),
    mutant(
        "every device moves all chains",
        "place(machine, sharded(sweep(source, machine, states, beta, base, clamp)), mesh)",
        "place(machine, sweep(source, machine, states, beta, base, clamp), mesh)",
        "api/test_devices.py::test_each_device_does_its_share",
    ),
    mutant(
        "more devices than there are",
        "if not 1 <= devices <= there:",
        "if not 1 <= devices:",
        "api/test_devices.py::test_what_is_no_number_of_devices_is_refused_before_any_work",
    ),
    mutant(
        "all stages draw from the run's key",
        "return key if stage.name == LAST else subkey(key, stage.name)",
        "return key",
        "training/test_stages.py::test_no_two_stages_share_random_numbers",
    ),
)

DATA = (
    mutant(
        "binary draws show the negative",
        "random.bernoulli_of_mean(key, x.astype(jnp.float32))",
        "random.bernoulli_of_mean(key, 1 - x.astype(jnp.float32))",
        "data/test_binarisation.py::test_sampled_has_the_intensities_as_means",
    ),
    mutant(
        "the threshold shows the negative",
        "return (x > 0.5).astype(jnp.float32)",
        "return (x < 0.5).astype(jnp.float32)",
        "data/test_binarisation.py::test_threshold_and_none",
    ),
    mutant(
        "generated ratings know no noise",
        "(2 * self.noise**2)",
        "(0.2 * self.noise**2)",
        "data/test_ratings.py::test_generated_ratings_have_the_noise_that_they_say",
    ),
    mutant(
        "ratings to be predicted stay among those learned from",
        "train[ratings.users[rows], ratings.items[rows]] = WITHHELD",
        "pass",
        "data/test_ratings.py::test_the_split_keeps_every_rating_once_and_every_user_and_item_known",
    ),
    mutant(
        "the last tenth is held out",
        "    return held_out(labels, count, seed)\n",
        "    return np.arange(len(labels) - count), np.arange(len(labels) - count, len(labels))\n",
        "data/test_splits.py::test_arrays_sorted_by_class_lose_none",
    ),
    mutant(
        "sets known by name may lose a class",
        "if set(labels[:first]) <= set(labels[first:]):",
        "if len(labels):",
        "data/test_splits.py::test_a_copy_of_a_known_set_in_another_order_loses_no_class",
    ),
    mutant(
        "images are held out whatever their class",
        "stratify=labels if by_class else None",
        "stratify=None",
        "data/test_dataset.py::test_held_out_is_by_class_and_repeatable",
    ),
    mutant(
        "the only image of a class is held out first",
        'np.argsort(kept, kind="stable")',
        'np.argsort(~kept, kind="stable")',
        "data/test_splits.py::test_small_classes_stay_in_training",
    ),
    mutant(
        "images for validation and for testing are exchanged",
        "[stored.take(examples, rows.train), stored.take(examples, rows.validation), test]",
        "[stored.take(examples, rows.train), test, stored.take(examples, rows.validation)]",
        "data/test_values.py::test_uint8_above_one_anywhere_is_bytes_everywhere",
    ),
    mutant(
        "labels for validation and for testing are exchanged",
        "labels[rows.train], labels[rows.validation], labels[rows.test] if",
        "labels[rows.train], labels[rows.test], labels[rows.validation] if",
        "data/test_splits.py::test_arrays_sorted_by_class_lose_none",
    ),
    mutant(
        "labels stay where images are mixed",
        "labels=Labels(labels.train[first], labels.validation[second], labels.test)",
        "labels=labels",
        "data/test_splits.py::test_own_splits_keep_their_order_and_are_mixed_for_the_first_few",
    ),
    mutant(
        "a split of the source is drawn from, too",
        "return not images.validation and shares.validation != 0",
        "return shares.validation != 0",
        "data/test_dataset.py::test_a_validation_split_of_the_source_is_kept",
    ),
    mutant(
        "labels keep the source's numbers",
        "np.searchsorted(numbers, part)",
        "part",
        "data/test_classes.py::test_labels_become_the_numbers_of_those_that_occur",
    ),
    mutant(
        "class 10 comes before class 9",
        "tuple(sorted(names, key=Fraction) if numbers else names)",
        "tuple(names)",
        "data/test_classes.py::test_numbers_stand_in_numeric_order",
    ),
    mutant(
        "bytes of zeros and ones are bytes everywhere",
        "255 if any(x.dtype",
        "255 if all(x.dtype",
        "data/test_values.py::test_uint8_above_one_anywhere_is_bytes_everywhere",
    ),
    mutant(
        "a folder called val is not for validation",
        'validation=len(labels["validation"]) if "validation" in labels else None',
        "validation=None",
        "data/test_folder.py::test_folders_of_splits_by_any_usual_name",
    ),
    mutant(
        "files of a folder stand in order of class",
        "np.random.default_rng(0).permutation(len(files))",
        "range(len(files))",
        "data/test_folder.py::test_files_of_own_splits_do_not_stand_in_order_of_class",
    ),
    mutant(
        "a class is the innermost folder",
        'return parts[0] if len(parts) > 1 else ""',
        'return parts[-2] if len(parts) > 1 else ""',
        "data/test_folder.py::test_a_class_is_the_outermost_folder",
    ),
    mutant(
        "a run takes data in another order for its own",
        "if kept.ordered != now.ordered:",
        "if kept.ordered == now.unordered:",
        "data/test_record.py::test_what_differs_is_said",
    ),
    mutant(
        "a run takes data with other labels for its own",
        "kept.labelled != now.labelled:",
        "kept.class_names != now.class_names:",
        "data/test_record.py::test_what_differs_is_said",
    ),
    mutant(
        "a run of an earlier version takes data with other labels for its own",
        "if kept.labels != now.labels else None",
        "if kept.class_names != now.class_names else None",
        "data/test_record.py::test_a_record_of_an_earlier_version_is_read",
    ),
    mutant(
        "images in another order are others",
        "np.sort(np.concatenate(list(rows.values())))",
        "np.concatenate(list(rows.values()))",
        "data/test_record.py::test_what_differs_is_said",
    ),
)

SUPERVISED = (
    mutant(
        "what a network drops in training it drops after it",
        "x, **_switch(self.network, False)",
        "x, **_switch(self.network, True), rngs={'dropout': jax.random.key(0)}",
        "algorithms/test_supervised.py::test_a_network_that_drops_in_training_predicts_alike",
    ),
    mutant(
        "both penalties are of squares",
        "(jnp.abs, jnp.square)",
        "(jnp.square, jnp.square)",
        "algorithms/test_supervised.py::test_penalties_are_of_weights_and_draw_them_to_zero",
    ),
)

EVALUATION = (
    mutant(
        "Frechet's distance takes the root once",
        "- 2 * cross)",
        "- cross)",
        "evaluation/test_distances.py::test_frechet_of_two_gaussians_in_closed_form",
    ),
    mutant(
        "the kernel distance is biased by its diagonal",
        "return (k.sum() - np.trace(k)) / (len(a) * (len(a) - 1))",
        "return k.mean()",
        "evaluation/test_distances.py::test_kernel_distance_is_scikit_learns_kernel_without_its_diagonal",
    ),
    mutant(
        "balls reach one neighbour less",
        "np.partition(part, neighbours, axis=1)[:, neighbours]",
        "np.partition(part, neighbours - 1, axis=1)[:, neighbours - 1]",
        "evaluation/test_distances.py::test_support_is_counted_by_hand_and_by_prdc",
    ),
    mutant(
        "the density is not divided by the neighbours",
        "density=float(balls.mean() / neighbours)",
        "density=float(balls.mean())",
        "evaluation/test_distances.py::test_support_is_counted_by_hand_and_by_prdc",
    ),
    mutant(
        "copies are what lies far from the training images",
        "copied = ours <= threshold",
        "copied = ours >= threshold",
        "evaluation/test_coverage.py::test_planted_copies_are_found_and_held_out_digits_are_not",
    ),
    mutant(
        "the classifier score forgets the classes' shares",
        "(np.log(probabilities) - np.log(probabilities.mean(0)))",
        "np.log(probabilities)",
        "evaluation/test_modes.py::test_classifier_score_at_its_ends",
    ),
    mutant(
        "modes are caught within one deviation",
        "WIDTHS = 3.0",
        "WIDTHS = 1.0",
        "evaluation/test_modes.py::test_mixtures_know_their_own_draws_and_what_is_missing",
    ),
    mutant(
        "biases of users are not held back",
        "/ (user_counts + penalty)",
        "/ np.maximum(user_counts, 1)",
        "evaluation/test_ratings.py::test_biases_solve_the_normal_equations",
    ),
    mutant(
        "the interval of the RMSE takes errors as independent",
        "spread = np.bincount(users, values - values.mean())",
        "spread = values - values.mean()",
        "evaluation/test_ratings.py::test_errors_and_their_interval",
    ),
    mutant(
        "spherical walks cut through the sphere",
        "return np.where(straight, (1 - share) * a + share * b, circle)",
        "return (1 - share) * a + share * b",
        "evaluation/test_latent.py::test_walks",
    ),
    mutant(
        "bad luck is a missing class",
        "unlikely = bdtr(counts, summary.samples, levels.shares) <= CHANCE",
        "unlikely = bdtr(counts, summary.samples, levels.shares) <= 1",
        "evaluation/test_modes.py::test_no_class_of_real_images_is_called_missing",
    ),
    mutant(
        "a class is missing when it is absent",
        "(summary.shares < COVERED * levels.shares)",
        "(summary.shares == 0)",
        "evaluation/test_modes.py::test_one_class_below_a_fifth_of_its_share_is_missing",
    ),
    mutant(
        "an alarm that never was silent never counts",
        "if late or name in self.silent]",
        "if name in self.silent]",
        "evaluation/test_modes.py::test_alarms_wait_for_samples_that_are_well_but_not_for_ever",
    ),
    mutant(
        "alarms count before anything is learned",
        "if late or name in self.silent]",
        "if late or name not in self.silent]",
        "evaluation/test_modes.py::test_alarms_wait_for_samples_that_are_well_but_not_for_ever",
    ),
)

COMMANDS = (
    mutant(
        "predictions of the biases leave the scale of ratings",
        "np.clip(biases.predict(wanted.users, wanted.items), values[0], values[-1])",
        "biases.predict(wanted.users, wanted.items)",
        "cli/test_recommender.py::test_predictions_of_the_biases_stay_on_the_scale",
    ),
    mutant(
        "the best recommendations come last",
        'np.argsort(-guess, kind="stable")',
        'np.argsort(guess, kind="stable")',
        "cli/test_recommender.py::test_recommendations_are_unrated_items_in_order",
    ),
    mutant(
        "samples of a label are those of another",
        "condition(machine, machine.depth - 1, machine.units[-1].encode(jnp.array([label])))",
        "condition(machine, machine.depth - 1, machine.units[-1].encode(jnp.array([0 * label])))",
        "cli/test_labels.py::test_a_clamped_label_gives_its_own_images",
    ),
    mutant(
        "reconstructions count the pixels that are right",
        "(p > 0.5) != (truth > 0.5)",
        "(p > 0.5) == (truth > 0.5)",
        "evaluation/test_reconstruction.py::test_errors_are_means_over_what_is_missing",
    ),
    mutant(
        "rows are removed from the other end",
        '"bottom": height - size, "rows"',
        '"bottom": 0, "rows"',
        "evaluation/test_reconstruction.py::test_rows_are_missing",
    ),
    mutant(
        "what is classified correctly counts as an error",
        'return share(~right(classify, x, labels), "classification error")',
        'return share(right(classify, x, labels), "classification error")',
        "evaluation/test_classes.py::test_accuracy_and_error_with_their_binomial_error",
    ),
    mutant(
        "all settings of a grid take the first one's data",
        "prepare(config, run, self.read[source])",
        "prepare(config, run, next(iter(self.read.values())))",
        "cli/test_grid.py::test_every_run_is_evaluated_on_its_own_data",
    ),
    mutant(
        "a grid has an effort of its own",
        "run.answer(run.settings.seed, effort | own)",
        "run.answer(run.settings.seed, {})",
        "cli/test_grid.py::test_options_of_the_estimate_count_and_divergence_is_reported",
    ),
    mutant(
        "explosions in a grid are not noticed",
        "self.diverged[i] = why\n",
        "pass\n",
        "cli/test_grid.py::test_options_of_the_estimate_count_and_divergence_is_reported",
    ),
    mutant(
        "an axis of a grid has only its first value",
        "given[name] = [[value] for value in values]",
        "given[name] = [[value] for value in values[:1]]",
        "cli/test_grid.py::test_options_with_several_values_are_the_axes",
    ),
    mutant(
        "seeds of a grid are counted from 0",
        "numbers = range(run.seed, run.seed + seeds)",
        "numbers = range(seeds)",
        "cli/test_grid.py::test_seeds_are_counted_from_the_first_and_scores_cost_only_where_asked_for",
    ),
    mutant(
        "all seeds of a grid are one",
        "random.key(member.run.seed, member.run.rng) for member in members",
        "random.key(members[0].run.seed, member.run.rng) for member in members",
        "cli/test_grid.py::test_seeds_are_counted_from_the_first_and_scores_cost_only_where_asked_for",
    ),
    mutant(
        "the interval over seeds is that of many",
        "stdtrit(len(values) - 1, 0.975)",
        "stdtrit(1e6, 0.975)",
        "cli/test_grid.py::test_a_line_of_the_table_is_the_mean_of_its_seeds_and_students_interval",
    ),
    mutant(
        "the error over seeds is their spread",
        "* values.std(ddof=1) / np.sqrt(len(values)))",
        "* values.std(ddof=1))",
        "cli/test_grid.py::test_a_line_of_the_table_is_the_mean_of_its_seeds_and_students_interval",
    ),
    mutant(
        "a run that was stopped goes on when it is resumed",
        "if stopped is not None and is_last:",
        "if stopped is not None and not is_last:",
        "cli/test_train.py::test_early_stopping_never_lengthens_a_run",
    ),
    mutant(
        "a run is stopped where its end is near",
        "may_stop and early.new_end(chunk.step, total) < total and too_long",
        "may_stop and too_long",
        "cli/test_train.py::test_early_stopping_never_lengthens_a_run",
    ),
    mutant(
        "seconds begin anew when a run is resumed",
        'time.perf_counter() - (entries[-1].get("seconds", 0.0) if entries else 0.0)',
        "time.perf_counter()",
        "cli/test_train.py::test_seconds_count_on_where_a_run_was_resumed",
    ),
    mutant(
        "a line of the log is the mean since the chunk began",
        "float(values[first:end].mean())",
        "float(values[:end].mean())",
        "cli/test_train.py::test_lines_of_the_log_are_means_over_as_many_steps_as_asked_for",
    ),
    mutant(
        "a lengthened run keeps the rates of the shorter",
        "rates = here.state.hyper | stage.hyper",
        "rates = stage.hyper | here.state.hyper",
        "cli/test_resume.py::test_more_epochs_stretch_the_schedule_and_average_anew",
    ),
    mutant(
        "the average of a lengthened run goes on",
        'return {"averaged_from": jnp.asarray(since, jnp.float32)} if average else {}',
        "return {}",
        "cli/test_resume.py::test_more_epochs_stretch_the_schedule_and_average_anew",
    ),
    mutant(
        "fresh and persistent chains share random numbers",
        'key = key if start == "fresh" else random.subkey(key, start)',
        "pass",
        "cli/test_figures.py::test_no_two_kinds_of_samples_share_random_numbers",
    ),
    mutant(
        "labels share random numbers",
        "return key if label is None else jax.random.fold_in(key, label)",
        "return key",
        "cli/test_figures.py::test_no_two_kinds_of_samples_share_random_numbers",
    ),
)

TRANSPORT = (
    mutant(
        "a divergence takes the whole of a set's own cost",
        "between - (of_x + of_y) / 2",
        "between - (of_x + of_y)",
        "transport/test_distances.py::test_the_divergence_of_a_shifted_set_is_its_squared_shift",
    ),
    mutant(
        "points that pad have weights",
        "(np.arange(size) < count for",
        "(np.arange(size) < size for",
        "transport/test_distances.py::test_the_divergence_of_a_shifted_set_is_its_squared_shift",
    ),
    mutant(
        "a barycentric map forgets what sources have",
        "/ plan.weights.sum(1, keepdims=True)",
        "/ plan.weights.sum()",
        "transport/test_plans.py::test_equal_shares_are_an_assignment",
    ),
)

MUTANTS: tuple[Mutant, ...] = (
    *BOLTZMANN,
    *SAMPLING,
    *LIKELIHOOD,
    *LEARNING,
    *SUPERVISED,
    *NETWORKS,
    *TRAINING,
    *DATA,
    *EVALUATION,
    *COMMANDS,
    *TRANSPORT,
)
