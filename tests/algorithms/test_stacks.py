"""RBMs on RBMs: what one has drawn is what the next one sees, of any type; and what a label is."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms import greedy
from genjax.algorithms.contrastive import DBMConfig, RBMConfig, contrastive, data_states, hidden_samples
from genjax.algorithms.labels import labelled, observed
from genjax.boltzmann.machine import mean
from genjax.boltzmann.rbm import with_classes
from genjax.errors import UserError
from genjax.typing import Batch, Example
from tests.algorithms.configs import made
from tests.machines import random_machine

X = jnp.asarray(np.random.default_rng(0).integers(0, 2, (300, 6)), jnp.float32)
BATCH = Batch(X, jnp.zeros(300, jnp.int32))
EXAMPLE = Example(BATCH, X.mean(0), X.var(0))
KINDS = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("bernoulli", "spin", "rectified")]
KINDS += ["categorical", "gaussian"]


def levels(kind: str, prefix: str = "") -> dict[str, int]:
    return {prefix + "levels": 3} if kind == "categorical" else {}


@cache
def stacked(kind: str):
    """The second RBM's state, its visible layer doubled, on a first one whose hidden units are of this kind."""
    below = made(RBMConfig, hidden=4, hidden_type=kind, **levels(kind, "hidden_"))
    above = made(RBMConfig, hidden=3, visible_type=kind, chains=5, **levels(kind))
    return jax.jit(greedy.on_top(above, (2, 1), ((below, (1, 1)),)).init)(jax.random.key(0), EXAMPLE)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_next_rbm_sees_what_the_one_below_has_drawn(kind):
    state = stacked(kind)
    (below,), key = state.below, jax.random.key(1)
    assert state.machine.units[0] == below.units[1]
    visible, hidden = data_states(key, state, BATCH)
    assert hidden is None
    drawn = hidden_samples(key, state.below, X)
    np.testing.assert_array_equal(visible, jnp.concatenate([drawn, drawn], axis=1))
    values = {"bernoulli": {0, 1}, "spin": {-1, 1}, "categorical": {0, 1}}.get(kind)
    assert values is None or set(np.unique(drawn).tolist()) == values
    if kind == "categorical":
        np.testing.assert_array_equal(drawn.reshape(300, 4, 3).sum(-1), 1)
    expected = mean(below, (below.units[0].of_intensities(X), None), 1)
    np.testing.assert_allclose(drawn.mean(0), expected.mean(0), atol=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_rbm_on_another_begins_at_the_means_of_what_it_sees(kind):
    state = stacked(kind)
    seen = data_states(jax.random.key(1), state, BATCH)[0]
    np.testing.assert_allclose(state.offsets[0], seen.mean(0), atol=0.35)
    if kind in ("gaussian", "rectified"):
        np.testing.assert_allclose(1 / state.machine.quadratics[0], seen.var(0), rtol=0.4)


def test_a_label_is_what_the_config_calls_one():
    hidden = made(DBMConfig, layers=(5, 1), hidden_type="categorical", hidden_levels=4)
    machine = jax.eval_shape(contrastive(hidden).init, jax.random.key(0), EXAMPLE).machine
    assert not labelled(machine)
    assert machine.sizes == (6, 20, 4)
    labels = with_classes(jax.random.key(0), random_machine((6, 3)), 4)
    assert labelled(labels)
    assert observed(labels, BATCH)[-1].shape == (300, 4)
    assert not labelled(labels.__class__(labels.weights[:-1], labels.biases[:-1], labels.units[:-1]))


def test_a_label_stands_on_top_and_is_one_variable():
    labels = with_classes(jax.random.key(0), random_machine((6, 3)), 4)
    wrong = labels.__class__(labels.weights[::-1], labels.biases, labels.units[::-1])
    with pytest.raises(UserError):
        wrong.check()
    assert labels.check() is labels


def test_a_one_variable_layer_is_hidden_though_there_are_labels():
    config = made(DBMConfig, layers=(4, 1), hidden_type="categorical", hidden_levels=3, chains=5)
    algorithm = contrastive(config)
    algorithm.check(BATCH._replace(target=jnp.full(300, 7)))  # nobody asks for them
    state = jax.eval_shape(algorithm.init, jax.random.key(0), EXAMPLE)
    assert lifted_layers(state) == [0]


def lifted_layers(state) -> list[int]:
    shapes = jax.eval_shape(data_states, jax.random.key(0), state, BATCH)
    return [layer for layer, x in enumerate(shapes) if x is not None]
