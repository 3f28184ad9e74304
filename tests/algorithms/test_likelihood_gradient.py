"""Learning through the interface alone: its gradient against the layered one's, and machines that it never heard of."""

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms import contrastive, greedy, likelihood_gradient
from genjax.algorithms.contrastive import RBMConfig
from genjax.algorithms.conv import Convolutional, ConvRBMConfig
from genjax.algorithms.likelihood_gradient import Learner, learning
from genjax.algorithms.negative import PCD
from genjax.boltzmann.semi_restricted import semi_restricted
from genjax.boltzmann.windows import Places, downwards
from genjax.training.config import completed, split
from genjax.typing import Batch, Example
from tests.boltzmann.test_conv import exact_draws, machine
from tests.machines import all_states, random_machine

PLACES = Places((4, 4), 3, pooling=2)


def phases(sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [tuple(jnp.asarray(rng.random((n, s)), jnp.float32) for s in sizes) for n in (5, 7)]


def test_of_a_layered_machine_it_is_the_gradient_of_the_paper():
    """Read off the energy, without a word of layers."""
    layered, (positive, negative) = random_machine((4, 3, 2)), phases((4, 3, 2))
    offsets = tuple(jnp.linspace(0.1, 0.9, size) for size in (4, 3, 2))
    found = jax.jit(likelihood_gradient.gradient)(layered, positive, negative, offsets)
    wanted = jax.jit(contrastive.gradient)(layered, positive, negative, offsets)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.slow
def test_of_shared_weights_it_is_a_step_of_the_centred_parameters():
    """The step of W, b and c in E = -(v - m)(b + ...) - h (c + w (v - m)), carried back by hand."""
    model, (positive, negative) = machine(PLACES), phases((16, 8))
    means = jnp.linspace(0.1, 0.9, 16), jnp.linspace(0.2, 0.6, 8)
    pixel, unit = offsets = model.offsets(means)
    assert np.ptp(pixel) == 0
    of_filter = unit.reshape(4, 2)
    assert np.ptp(of_filter, axis=0).max() == 0

    def plain(of):
        to_pixels = downwards(PLACES, jnp.tile(of_filter[0], 4)[None], of.weights)[0]
        to_units = pixel[0] * of.weights.sum((1, 2))
        return dataclasses.replace(
            of, visible_biases=of.visible_biases - to_pixels, filter_biases=of.filter_biases - to_units
        )

    back = jax.tree.map(lambda x, y: 2 * x - y, model, plain(model))  # linear: its inverse
    zeros = jax.tree.map(jnp.zeros_like, offsets)
    slope = jax.grad(lambda of: likelihood_gradient.contrast(plain(of), positive, negative, zeros))(back)
    moved = jax.tree.map(lambda x, y: x - y, plain(jax.tree.map(lambda p, g: p + g, back, slope)), plain(back))
    found = likelihood_gradient.gradient(model, positive, negative, offsets)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(moved), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


@dataclass(frozen=True)
class Lateral(Learner):
    """Learning of a semi-restricted machine: where it begins is all that has to be said."""

    def first(self, key, example):
        return semi_restricted(key, 3, example.mean)


def exact_log_likelihood(model, x):
    (every,) = all_states((x.shape[-1],))
    every = jnp.asarray(every, jnp.float32)
    log_z = jax.nn.logsumexp(model.marginal((every, None), 1))
    return float(jnp.mean(model.marginal((x, None), 1)) - log_z)


RATES = {"lateral": 0.3, "convolutional": 3.0}  # of a filter as a mean over its places


@pytest.mark.slow
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("kind", list(RATES))
def test_any_energy_learns(kind, centred):
    """From the base rates nearly to the machine that the data are of, 0.3 nats above, by exact likelihood."""
    x = exact_draws(machine(PLACES, scale=2.0), 2000)[0]
    config = ConvRBMConfig(
        filters=2, width=3, pooling=2, negative=PCD(chains=200), centred=centred, learning_rate=RATES[kind]
    )
    static, hyper = split(config, 600)
    of = Lateral(static) if kind == "lateral" else Convolutional(static, PLACES)
    algorithm, example = learning(of), Example(Batch(x[:100]), x.mean(0), x.var(0))
    state = algorithm.init(jax.random.key(0), example, completed(config, hyper))
    before = exact_log_likelihood(state.machine, x)

    @jax.jit
    def run(state):
        def one(i, state):
            here = jax.random.fold_in(jax.random.key(1), i)
            return algorithm.step(here, state, Batch(jax.random.choice(here, x, (100,))))[0]

        return jax.lax.fori_loop(0, 600, one, state)

    state = run(state)
    assert exact_log_likelihood(likelihood_gradient.trained_machine(state), x) > before + 0.2
    metrics = algorithm.observe(jax.random.key(2), state, Batch(x[:50]), Batch(x[50:100]))
    assert {"free_energy", "held_out_free_energy", "free_energy_gap", "reconstruction_error"} <= set(metrics)


@pytest.mark.slow
def test_an_rbm_learns_on_a_convolutional_one():
    """The greedy stack takes it as its lowest machine: batches are pixels, visible units what is pooled."""
    below, config = machine(PLACES), RBMConfig(hidden=3)
    static, hyper = split(config, 10)
    x = exact_draws(below, 200)[0]
    example = Example(Batch(x), x.mean(0), x.var(0))
    state = greedy.first_state(jax.random.key(0), static, (1, 1), (below,), example, completed(config, hyper))
    assert state.machine.sizes == (2, 3)
    algorithm = contrastive.contrastive(static)
    after, metrics = jax.jit(algorithm.step)(jax.random.key(1), state, Batch(x))
    assert np.isfinite(float(metrics["parameter_max"]))
    assert not np.array_equal(after.machine.weights[0], state.machine.weights[0])
    seen = contrastive.hidden_samples(jax.random.key(2), (below,), jnp.repeat(x[:1], 20_000, 0))
    np.testing.assert_allclose(seen.mean(0), below.pooled(below.expected((x[:1], None))[1])[0], atol=0.02)
