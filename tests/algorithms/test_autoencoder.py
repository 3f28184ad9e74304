"""Autoencoders against principal components; corruption by its shares; a stack in stages."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.algorithms.autoencoder import (
    AutoencoderConfig,
    Clean,
    GaussianNoise,
    Masking,
    SaltAndPepper,
    StepInputs,
    autoencoder,
    decayed,
    measured,
    pair_loss,
    stages,
    trained_model,
)
from genjax.networks.stack import Stack, stack_model
from genjax.training import loop
from genjax.training.config import split
from genjax.training.stages import begin, key_of
from genjax.typing import Batch
from tests.algorithms.configs import made


def test_a_linear_autoencoder_finds_the_principal_components():
    """The least squared error of any linear code (Baldi and Hornik 1989)."""
    rng = np.random.default_rng(0)
    images = (rng.normal(size=(1000, 3)) @ rng.normal(size=(3, 8)) + 0.5 * rng.normal(size=(1000, 8))).astype("f4")
    images -= images.mean(0)
    least = np.linalg.eigvalsh(np.cov(images.T, bias=True))[:-2].sum() / 8
    training = loop.TrainingSet(jnp.asarray(images), jnp.zeros(1000, jnp.int32), None)
    plan = loop.plan(1000, 100, "none")
    static, hyper = split(made(AutoencoderConfig, layers=(2,), learning_rate=0.02), 1500)
    algorithm, seen = autoencoder(static), []
    state = loop.initial(jax.random.key(0), algorithm, training, plan, hyper)
    state = loop.train(jax.random.key(0), algorithm, training, plan, state, 1500, 0, [seen.append])
    error = measured(trained_model(state), Batch(training.x, training.target))["reconstruction_error"]
    assert float(error) == pytest.approx(least, rel=0.01)
    assert float(error) > least * (1 - 1e-4)


@pytest.mark.slow
def test_corruption_hits_the_share_that_it_says():
    x, key = jnp.full((200, 500), 0.7), jax.random.key(0)
    error = 5.5 * np.sqrt(0.3 * 0.7 / x.size)
    masked = Masking(0.3).corrupt(key, x)
    assert set(np.unique(masked)) == {np.float32(0), np.float32(0.7)}
    assert abs(float((masked == 0).mean()) - 0.3) < error
    salted = SaltAndPepper(0.3).corrupt(key, x)
    for value in (0, 1):
        assert abs(float((salted == value).mean()) - 0.15) < error
    noise = GaussianNoise(0.3).corrupt(key, x) - x
    assert abs(float(noise.std()) - 0.3) < 5.5 * 0.3 / np.sqrt(2 * x.size)
    assert Clean().corrupt(key, x) is x


def test_a_pair_learns_alone():
    """Neither the pairs below it nor those above have a slope, or decay."""
    of = Stack((1, 8, 1), (6, 5, 4))
    model = jax.tree.map(lambda leaf: leaf + 0.1, stack_model(jax.random.key(0), of))
    batch = Batch(jnp.asarray(np.random.default_rng(0).random((7, 8)), jnp.float32), None)

    @jax.jit
    @jax.grad
    def slopes_of(model):
        return pair_loss(jax.random.key(1), model, StepInputs(batch, Clean()), 1)

    slopes = slopes_of(model)
    assert {name for name, part in slopes.parameters["params"].items() if np.any(flat(part))} == {"up_1", "down_1"}
    decay = decayed(model, 1).parameters["params"]
    assert {name for name, part in decay.items() if any(jax.tree.leaves(part))} == {"up_1", "down_1"}


@pytest.mark.slow
@pytest.mark.parametrize("channels", [(), (4,)])
def test_a_stack_learns_pair_by_pair_then_its_softmax_layer_then_together(channels):
    """On digits; while one part learns all others stand still, and each stage does what it is for."""
    found = data.load("digits")
    training = loop.TrainingSet(jnp.asarray(found.train), jnp.asarray(found.labels.train), None)
    test = Batch(jnp.asarray(found.test), jnp.asarray(found.labels.test))
    plan = loop.plan(len(found.train), 100, "none", longest_chunk=60)
    config = made(
        AutoencoderConfig, layers=(40, 20), channels=channels, linear_code=False, weight_decay=1e-3, learning_rate=5e-3
    )
    each = 20 * plan.steps_per_epoch
    parts = stages(config, each, each, 1e-2, found.shape, 10)
    wanted = ["layer-1", "layer-2", "layer-3"][: 2 + len(channels)]
    assert [stage.name for stage in parts] == [*wanted, "softmax", "train"]
    key, state, errors, moved, losses = jax.random.key(0), None, {}, {}, {}
    for stage in parts:
        state = begin(key, stage, training, plan, state)
        before = jax.tree.map(np.asarray, state.parameters["params"])
        seen = losses.setdefault(stage.name, [])
        watch = [lambda chunk, seen=seen: seen.append(chunk.metrics["loss"])]
        state = loop.train(key_of(key, stage), stage.algorithm, training, plan, state, stage.steps, 0, watch)
        errors[stage.name] = float(measured(trained_model(state), test)["error"])
        after = state.parameters["params"]
        moved[stage.name] = {name for name in before if not np.array_equal(*map(flat, (before[name], after[name])))}
    for number, name in enumerate(wanted):
        assert moved[name] == {f"up_{number}", f"down_{number}"}
    assert moved["softmax"] == {"head"}
    assert moved["train"] == set(before)
    again = float(measured(trained_model(state), test)["reconstruction_error"])
    assert again < 0.5 * float(jnp.mean(jnp.var(test.x, axis=0)))
    assert all(seen[-1] < 0.7 * seen[0] for seen in losses.values())
    assert errors["train"] < min(errors["softmax"], 0.07)


def flat(tree) -> np.ndarray:
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])
