"""NADE against its formula, written out, and against enumeration."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.networks import nade
from genjax.networks.nade import NADE, Weights

VALUES, HIDDEN = 9, 5
STATES = ((np.arange(2**VALUES)[:, None] >> np.arange(VALUES)) & 1).astype(np.float32)
CASES = [(False, "sigmoid"), (True, "tanh")]


def made(shuffled: bool, activation: str) -> NADE:
    """One whose weights are all large enough to matter."""
    model = nade.nade(jax.random.key(1), HIDDEN, jnp.linspace(0.1, 0.9, VALUES), activation, shuffled)
    rng = np.random.default_rng(0)
    weights = jax.tree.map(lambda w: w + jnp.asarray(rng.normal(size=w.shape), jnp.float32), model.weights)
    return dataclasses.replace(model, weights=weights)


def written_out(weights: Weights, model: NADE, x: jax.Array) -> jax.Array:
    """log p of each row, value by value (Larochelle and Murray 2011, equations 4 and 5, with direct connections)."""
    x, total = x[:, model.order], 0.0
    for i in range(VALUES):
        units = getattr(jax.nn, model.activation)(weights.hidden_biases + x[:, :i] @ weights.inputs[:i])
        logit = weights.biases[i] + x[:, :i] @ weights.direct[i, :i] + units @ weights.outputs[i]
        total += jnp.where(x[:, i] > 0, jax.nn.log_sigmoid(logit), jax.nn.log_sigmoid(-logit))
    return total


@pytest.mark.slow
@pytest.mark.parametrize(("shuffled", "activation"), CASES)
def test_it_is_the_formula_and_sums_to_one_over_all_512_images_of_nine_pixels(shuffled, activation):
    model = made(shuffled, activation)
    found = nade.log_probability(model, jnp.asarray(STATES))
    np.testing.assert_allclose(found, written_out(model.weights, model, jnp.asarray(STATES)), atol=2e-5)
    assert np.exp(np.asarray(found, np.float64)).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("shuffled", "activation"), CASES)
def test_the_gradient_is_that_of_the_formula(shuffled, activation):
    model = made(shuffled, activation)
    x = jnp.asarray(STATES[::7])

    def mean(weights: Weights) -> jax.Array:
        return jnp.mean(nade.log_probability(dataclasses.replace(model, weights=weights), x))

    gradient = jax.grad(mean)(model.weights)
    truth = jax.grad(lambda weights: jnp.mean(written_out(weights, model, x)))(model.weights)
    for name, one, other in zip(Weights._fields, gradient, truth):
        np.testing.assert_allclose(one, other, atol=2e-5, err_msg=name)
    assert not np.triu(gradient.direct).any()  # no value hears of itself or of later ones


def test_it_begins_near_the_base_rates():
    model = nade.nade(jax.random.key(0), 50, jnp.linspace(0.1, 0.9, VALUES))
    p = np.exp(nade.log_probability(model, jnp.asarray(STATES)))
    np.testing.assert_allclose(p @ STATES, np.linspace(0.1, 0.9, VALUES), atol=0.15)
