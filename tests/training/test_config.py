"""Rates: what a config says is what is learned with, and no value of it makes another program."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms.contrastive import ContrastiveConfig, contrastive
from genjax.algorithms.vae import VAEConfig, vae
from genjax.errors import UserError
from genjax.training.config import split
from genjax.typing import Batch, Example
from tests.algorithms.test_contract import CASES

X = (jnp.arange(48).reshape(4, 12) % 5 < 2).astype(jnp.float32)
EXAMPLE = Example(Batch(X, jnp.zeros(4, jnp.int32)), X.mean(0), X.var(0))


def rates(config) -> dict[str, float]:
    return {f.name: f.default for f in dataclasses.fields(config) if f.metadata.get("rate")}


@pytest.mark.parametrize("name", CASES)
def test_configs_that_differ_in_rates_share_their_program(name):
    factory, config = CASES[name]
    own = {rate: 0.5 * getattr(config, rate) for rate in ("learning_rate", "momentum", "weight_decay")}
    one, other = factory(config), factory(dataclasses.replace(config, **own))
    assert other.step is one.step
    assert other.observe is one.observe
    assert factory(config) == one  # what is keyed on the whole algorithm is kept, too
    assert factory(split(config, 10)[0]).step is one.step


def begun(name, hyper, **own):
    """The rates that a state begins with, traced so that nothing is compiled."""
    factory, config = CASES[name]
    init, seen = factory(dataclasses.replace(config, **own)).init, {}

    def look(key):
        seen.update(init(key, EXAMPLE, hyper).hyper)
        return 0

    jax.eval_shape(look, jax.random.key(0))
    return set(seen)


@pytest.mark.parametrize("name", CASES)
def test_every_state_has_every_rate(name):
    assert begun(name, {"total_steps": 10}) == set(rates(CASES[name][1])) | {"total_steps"}


@pytest.mark.parametrize("name", ["pcd", "recommender", "vae", "autoencoder", "gan", "classifier", "fine-tuning"])
def test_a_rate_of_the_config_is_that_of_the_state_unless_hyper_has_another(name):
    factory, config = CASES[name]
    learner = factory(dataclasses.replace(config, learning_rate=0.25, weight_decay=0.125))
    state = jax.jit(lambda hyper: learner.init(jax.random.key(0), EXAMPLE, hyper).hyper)
    given = state({"total_steps": jnp.asarray(7.0), "weight_decay": jnp.asarray(0.5)})
    assert (float(given["learning_rate"]), float(given["weight_decay"]), float(given["total_steps"])) == (0.25, 0.5, 7)
    assert all(x.dtype == jnp.float32 and x.shape == () for x in given.values())


def test_the_rate_of_the_config_is_what_is_learned_with():
    learner = contrastive(ContrastiveConfig(hidden=3, chains=4, learning_rate=0.5, schedule="constant"))
    state = jax.jit(learner.init)(jax.random.key(0), EXAMPLE)  # without an end
    step = jax.jit(learner.step)
    new, metrics = step(jax.random.key(1), state, EXAMPLE.batch)
    assert float(metrics["learning_rate"]) == 0.5
    slow = contrastive(ContrastiveConfig(hidden=3, chains=4, learning_rate=0.125, schedule="constant"))
    other, _ = step(jax.random.key(1), jax.jit(slow.init)(jax.random.key(0), EXAMPLE), EXAMPLE.batch)
    far, near = (np.asarray(s.machine.biases[0] - state.machine.biases[0]) for s in (new, other))
    np.testing.assert_allclose(far, 4 * near, rtol=1e-4, atol=1e-6)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((new.machine, new.average)))


def test_a_run_without_an_end_has_no_share_of_itself():
    with pytest.raises(UserError, match=r"`warm_up` 0\.5 is a share of the run; give `total_steps`"):
        vae(VAEConfig(warm_up=0.5)).init(jax.random.key(0), EXAMPLE, {})
    learner = vae(VAEConfig(latents=(2,), layers=(3,)))
    state = jax.jit(learner.init)(jax.random.key(0), EXAMPLE)
    _, metrics = jax.jit(learner.step)(jax.random.key(1), state, EXAMPLE.batch)
    assert float(metrics["beta"]) == 1


def test_a_name_that_is_no_rate_is_refused():
    with pytest.raises(UserError, match="`learning_rat` is no rate of ContrastiveConfig; it has learning_rate"):
        contrastive(ContrastiveConfig()).init(jax.random.key(0), EXAMPLE, {"learning_rat": 0.1})
