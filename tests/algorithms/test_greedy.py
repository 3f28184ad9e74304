"""Greedy stages: each RBM on what those below make of the images, copies equal, and the stack composed at the end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.algorithms.contrastive import DBMConfig, hidden_samples, trained_machine
from genjax.algorithms.greedy import copies_of, stages
from genjax.boltzmann.copies import merged
from genjax.boltzmann.dbm import composed
from genjax.boltzmann.mean_field import log_density
from genjax.errors import UserError
from genjax.likelihood import exact
from genjax.training import loop
from genjax.training.stages import begin, key_of, train
from tests.algorithms.configs import made


@pytest.fixture(scope="module", name="digits")
def digits_fixture() -> loop.TrainingSet:
    images = data.binarise_fixed(data.load("digits").train, "threshold", 0)
    return loop.TrainingSet(jnp.asarray(images), jnp.zeros(len(images), jnp.int32), None)


@pytest.fixture(scope="module", name="ended")
def ended_fixture(digits):
    """All stages of a small machine: the last state of each."""
    plan = loop.plan(len(digits.x), 100, "none")
    config = made(DBMConfig, layers=(8, 6), pretraining=40)
    parts = stages(config, 100 * plan.steps_per_epoch, plan.steps_per_epoch)
    key, states = jax.random.key(0), []
    state = None
    for stage in parts:
        state = begin(key, stage, digits, plan, state)
        states.append(jax.tree.map(jnp.copy, state))
        state = loop.train(key_of(key, stage), stage.algorithm, digits, plan, state, stage.steps)
        states.append(jax.tree.map(jnp.copy, state))
    return parts, states


def test_the_ends_of_a_stack_are_doubled():
    assert [copies_of(n, 2) for n in range(2)] == [(2, 1), (1, 2)]
    assert [copies_of(n, 4) for n in range(4)] == [(2, 1), (1, 1), (1, 1), (1, 2)]
    assert copies_of(0, 1) == (1, 1)


@pytest.mark.slow
def test_stages_hand_over_what_they_learned(ended):
    parts, states = ended
    assert [stage.name for stage in parts] == ["layer-1", "layer-2", "train"]
    bottom, second, top, joint = (states[i] for i in (1, 2, 3, 4))
    assert trained_machine(bottom).sizes == (128, 8)
    assert trained_machine(top).sizes == (8, 12)
    for weights in (trained_machine(bottom).weights[0], bottom.machine.weights[0]):
        np.testing.assert_allclose(weights[:64], weights[64:], atol=1e-6)
    np.testing.assert_allclose(top.machine.weights[0][:, :6], top.machine.weights[0][:, 6:], atol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, second.below[0], trained_machine(bottom))
    jax.tree.map(np.testing.assert_array_equal, top.below, second.below)  # those below stay as they are
    stack = [merged(trained_machine(bottom), (2, 1)), merged(trained_machine(top), (1, 2))]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), joint.machine, composed(stack))
    assert joint.below == ()


@pytest.mark.slow
def test_the_next_rbm_sees_twice_the_message(ended, digits):
    _, states = ended
    bottom = trained_machine(states[1])
    one = merged(bottom, (2, 1))
    x = jnp.tile(digits.x[:1], (20_000, 1))
    found = hidden_samples(jax.random.key(1), states[2].below, x).mean(0)
    probability = jax.nn.sigmoid(one.biases[1] + 2 * digits.x[0] @ one.weights[0])
    np.testing.assert_allclose(found, probability, atol=0.02)


@pytest.mark.slow
def test_pretraining_and_joint_training_learn(ended, digits):
    """The bound, against the exact log Z: the stack is better than base rates, all layers together better still."""
    _, states = ended
    scores = []
    for machine in (states[4].machine, trained_machine(states[5])):
        density = log_density(machine, (digits.x, None, None))
        scores.append(float(density.mean()) - exact.log_z(machine))
    mean = jnp.clip(digits.x.mean(0), 1e-3, 1 - 1e-3)
    rates = float((digits.x @ jnp.log(mean) + (1 - digits.x) @ jnp.log(1 - mean)).mean())
    assert rates < scores[0] < scores[1] - 0.5


def test_without_pretraining_there_is_one_stage():
    (only,) = stages(made(DBMConfig, layers=(8, 6), pretraining=0), 100, 10)
    assert only.name == "train"
    assert only.handover is None


def test_the_last_stages_program_does_not_depend_on_the_stages_before_it():
    parts = [
        stages(made(DBMConfig, layers=(8, 6), pretraining=epochs, pretraining_rate=0.01 * epochs), 100, 10)
        for epochs in (3, 5)
    ]
    assert [stage.steps for stage in parts[1]] == [50, 50, 100]
    assert parts[0][-1].algorithm.step is parts[1][-1].algorithm.step
    assert parts[0][0].algorithm.step is parts[1][0].algorithm.step


def test_only_binary_layers_are_pretrained():
    with pytest.raises(UserError, match="`hidden_type` spin has no pretraining; give `pretraining` 0"):
        stages(made(DBMConfig, hidden_type="spin"), 100, 10)


@pytest.mark.slow
def test_train_runs_all_stages(ended, digits):
    parts, states = ended
    steps: list[int] = []
    plan = loop.plan(len(digits.x), 100, "none")
    state = train(jax.random.key(0), parts, digits, plan, [lambda chunk: steps.append(chunk.step)])
    jax.tree.map(np.testing.assert_array_equal, state, states[-1])
    assert [step for step, later in zip(steps, [*steps[1:], 0]) if later < step] == [stage.steps for stage in parts]
