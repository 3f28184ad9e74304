"""The unrolled network begins as mean field, forgets nothing of its machine, and learns labels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.algorithms.discriminative import (
    DiscriminativeConfig,
    discriminative,
    dropped,
    first_state,
    inputs,
    logits,
    trained_parameters,
    with_posterior,
)
from genjax.algorithms.labels import without_label
from genjax.boltzmann.mean_field import mean_field, means
from genjax.boltzmann.rbm import with_classes
from genjax.networks.unrolled import Unrolled
from genjax.training import loop
from genjax.training.config import split
from genjax.typing import Batch
from tests.algorithms.configs import made
from tests.machines import random_machine


def top_of_the_network(machine, config, x):
    """What the softmax would see before the first step: one dense layer on top that hands it on."""
    static, hyper = split(config, 10)
    state = first_state(machine, static, hyper)
    parameters = state.parameters["params"] | {"out": {"kernel": jnp.eye(config.classes), "bias": jnp.zeros(3)}}
    return Unrolled(config.layers, config.classes).apply({"params": parameters}, *inputs(machine, x, static))


@pytest.mark.slow
def test_a_dbms_network_begins_as_its_mean_field():
    machine = random_machine((6, 5, 4, 3), 0.7)
    x = jnp.asarray(np.random.default_rng(0).random((8, 6)), jnp.float32)
    found = mean_field(machine, (x, None, None, None), iterations=500, tolerance=1e-7)
    truth = means(machine, (x, None, None, None), found.fields)[3]
    config = made(DiscriminativeConfig, layers=(5, 4, 3), classes=3, mean_field=500, tolerance=1e-7)
    np.testing.assert_allclose(top_of_the_network(machine, config, x), truth, atol=1e-5)
    labelled = with_classes(jax.random.key(0), machine, 10)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, without_label(labelled), machine))
    assert without_label(machine) is machine


def test_without_a_posterior_it_is_one_pass_upwards():
    machine = random_machine((6, 5, 3))
    x = jnp.asarray(np.random.default_rng(0).random((8, 6)), jnp.float32)
    config = made(DiscriminativeConfig, layers=(5, 3), classes=3, posterior=False)
    first = jax.nn.sigmoid(x @ machine.weights[0] + machine.biases[1])
    truth = jax.nn.sigmoid(first @ machine.weights[1] + machine.biases[2])
    np.testing.assert_allclose(top_of_the_network(machine, config, x), truth, atol=1e-5)


def test_dropout_keeps_the_mean():
    x = jnp.full((400, 500), 2.0)
    found = dropped(jax.random.key(0), x, jnp.asarray(0.3))
    assert set(np.unique(found)) == {0.0, np.float32(2.0) / np.float32(0.7)}
    assert abs(float(jnp.mean(found == 0)) - 0.3) < 5 * np.sqrt(0.21 / x.size)
    np.testing.assert_array_equal(dropped(jax.random.key(0), x, jnp.asarray(0.0)), x)


@pytest.mark.slow
def test_it_learns_labels_and_leaves_the_machine_alone():
    """Digits, from small random weights: under 10 % of held-out labels wrong."""
    digits = data.load("digits")
    held_out = Batch(jnp.asarray(digits.validation), jnp.asarray(digits.labels.validation))
    training = loop.TrainingSet(jnp.asarray(digits.train), jnp.asarray(digits.labels.train), held_out)
    plan = loop.plan(len(digits.train), 100, "none")
    config = made(DiscriminativeConfig, layers=(40, 30), learning_rate=0.02, dropout=0.0, input_dropout=0.0)
    total = 120 * plan.steps_per_epoch
    static, hyper = split(config, total)
    algorithm = discriminative(static)
    state = loop.initial(jax.random.key(0), algorithm, training, plan, hyper)
    machine = jax.tree.map(np.asarray, state.machine)
    state = loop.train(jax.random.key(0), algorithm, training, plan, state, total)
    told = jnp.argmax(logits(state, held_out.x, static), -1)
    assert float(jnp.mean(told != held_out.target)) < 0.1
    assert jax.tree.all(jax.tree.map(np.array_equal, machine, state.machine))
    assert trained_parameters(state) is state.average


def test_a_posterior_that_stands_behind_the_pixels_is_the_one_found_in_the_step():
    machine = random_machine((6, 5, 4, 3), 1.0)
    config = made(DiscriminativeConfig, layers=(5, 4, 3), classes=3)
    x = jnp.asarray(np.random.default_rng(0).random((7, 6)), jnp.float32)
    both = with_posterior(machine, x, config)
    assert both.shape == (7, 6 + 4 + 3)
    for found, wanted in zip(
        jax.tree.leaves(inputs(machine, both, config)), jax.tree.leaves(inputs(machine, x, config))
    ):
        np.testing.assert_array_equal(found, wanted)
