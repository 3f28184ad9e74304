"""Draws of an autoregressive model against enumeration, with and without given values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.networks import nade
from genjax.networks.nade import NADE
from genjax.sampling.ancestral import ancestral, chosen, completed, expected
from tests.networks.test_nade import STATES, VALUES, made

COUNT = 20_000
GIVEN = np.array([0, 1, 0, 0, 1, 0, 1, 1, 0], np.float32)


def posterior(model: NADE, missing: np.ndarray) -> np.ndarray:
    """p(state | given values), exactly, `(512,)`."""
    p = np.exp(np.asarray(nade.log_probability(model, jnp.asarray(STATES)), np.float64))
    p = p * np.all((STATES == GIVEN) | missing, axis=1)
    return p / p.sum()


def beyond(found: np.ndarray, truth: np.ndarray, draws: float) -> float:
    """The largest deviation of means of so many draws, in standard errors."""
    return float(np.max(np.abs(found - truth) / np.sqrt(truth * (1 - truth) / draws + 1e-6)))


@pytest.fixture(name="model", scope="module")
def model_fixture() -> NADE:
    return made(True, "tanh")


def test_draws_are_of_the_model(model):
    """Means of all values and of all products of two; 45 numbers, 6 standard errors."""
    found = ancestral(jax.random.key(0), model, COUNT)
    p = posterior(model, np.ones(VALUES, bool))
    first, second = np.triu_indices(VALUES)
    pairs = STATES[:, first] * STATES[:, second]
    x = np.asarray(found.x)
    assert beyond((x[:, first] * x[:, second]).mean(0), p @ pairs, COUNT) < 6
    assert beyond(np.asarray(found.means).mean(0), p @ STATES, COUNT) < 6
    np.testing.assert_allclose(found.weights, 1 / COUNT, rtol=1e-4)
    again = ancestral(jax.random.key(0), model, 10)  # a draw's noise is its own, however many there are
    np.testing.assert_array_equal(again.x, x[:10])


@pytest.mark.slow
def test_what_is_given_first_leaves_exact_draws_and_later_ones_weight_them(model):
    """A tenth of the particles' number stands for what resampling leaves of them."""
    order = np.asarray(model.order)
    for places in (np.arange(4), np.array([1, 4, 7, 8])):
        missing = np.ones(VALUES, bool)
        missing[order[places]] = False
        truth = posterior(model, missing) @ STATES
        hole, x = jnp.asarray(missing), jnp.asarray(GIVEN)
        found = ancestral(jax.random.key(2), model, COUNT, x, hole)
        first = places[-1] < 4
        assert bool(np.ptp(found.weights) < 1e-9) == first
        draws = COUNT if first else COUNT / 10
        means = np.asarray(expected(jax.random.key(3), model, x[None], hole[None], COUNT))[0]
        assert beyond(means[missing], truth[missing], draws) < 6
        np.testing.assert_array_equal(means[~missing], GIVEN[~missing])
        drawn = np.asarray(completed(jax.random.key(4), model, x, hole, COUNT, 10))
        assert beyond(drawn.mean(0)[missing], truth[missing], draws) < 6
        assert (drawn[:, ~missing] == GIVEN[~missing]).all()


def test_resampling_takes_each_particle_as_often_as_its_weight_says():
    weights = np.random.default_rng(0).dirichlet(np.ones(7))
    counts = np.bincount(chosen(jax.random.key(0), jnp.asarray(weights, jnp.float32), 1000), minlength=7)
    assert (np.abs(counts - 1000 * weights) < 1.01).all()
