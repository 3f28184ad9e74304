"""Pseudo-likelihood against the exact conditionals, and against scikit-learn on the same numbers."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.neural_network import BernoulliRBM

from genjax.likelihood.pseudo import one_pixel_pseudo_log_likelihood, pseudo_log_likelihood
from tests.machines import all_states, index_of, log_sum_exp, random_machine


def test_exact_over_all_pixels():
    """log p(v_i | rest) from p(v) by enumeration."""
    machine = random_machine((5, 4))
    visible = all_states((5,))[0]
    hidden = np.logaddexp(0, visible @ np.asarray(machine.weights[0], np.float64) + np.asarray(machine.biases[1]))
    log_p = visible @ np.asarray(machine.biases[0], np.float64) + hidden.sum(1)
    truth = np.zeros(len(visible))
    for pixel in range(5):
        flipped = visible.copy()
        flipped[:, pixel] = 1 - flipped[:, pixel]
        other = log_p[index_of([flipped])]
        truth += [a - log_sum_exp(np.array([a, b])) for a, b in zip(log_p, other)]
    np.testing.assert_allclose(
        pseudo_log_likelihood(machine, (jnp.asarray(visible, jnp.float32), None)), truth, atol=1e-5
    )


def test_one_pixel_estimate_is_unbiased():
    machine = random_machine((5, 4))
    visible = jnp.asarray(all_states((5,))[0][:8], jnp.float32)
    keys = jax.random.split(jax.random.key(0), 4000)
    once = jax.jit(jax.vmap(one_pixel_pseudo_log_likelihood, (0, None, None)))
    draws = np.asarray(once(keys, machine, (visible, None)))
    error = (draws.mean(0) - np.asarray(pseudo_log_likelihood(machine, (visible, None)))) / (
        draws.std(0) / np.sqrt(4000)
    )
    assert np.all(np.abs(error) < 5.5)
    several = one_pixel_pseudo_log_likelihood(keys[0], machine, (visible, None), draws=2000)
    np.testing.assert_allclose(several, pseudo_log_likelihood(machine, (visible, None)), rtol=0.2)


def test_it_is_what_scikit_learn_prints():
    machine = random_machine((6, 4))
    theirs = BernoulliRBM(n_components=4, random_state=0)
    visible = np.random.default_rng(1).integers(0, 2, (20_000, 6)).astype(np.float64)
    theirs.components_ = np.asarray(machine.weights[0], np.float64).T
    theirs.intercept_visible_, theirs.intercept_hidden_ = (np.asarray(b, np.float64) for b in machine.biases)
    theirs.random_state_ = np.random.RandomState(0)
    ours = np.asarray(
        one_pixel_pseudo_log_likelihood(jax.random.key(1), machine, (jnp.asarray(visible, jnp.float32), None))
    )
    scores = theirs.score_samples(visible)
    error = np.sqrt(ours.var() / len(ours) + scores.var() / len(scores))
    assert abs(ours.mean() - scores.mean()) < 5.5 * error
