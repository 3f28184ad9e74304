"""Rates: what a config says is what is learned with, and no value of it makes another program."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms.contrastive import RBMConfig, contrastive
from genjax.algorithms.vae import VAEConfig, vae
from genjax.errors import UserError
from genjax.training.config import choices, completed, split, static_part, traced
from genjax.training.optimisers import Adam, Sgd
from genjax.training.options import flat
from genjax.typing import Batch, Example
from tests.algorithms.configs import made
from tests.algorithms.test_contract import CASES

X = (jnp.arange(48).reshape(4, 12) % 5 < 2).astype(jnp.float32)
EXAMPLE = Example(Batch(X, jnp.zeros(4, jnp.int32)), X.mean(0), X.var(0))


def rates(config) -> set[str]:
    """Names of all rates, those of its choices too, but such as are constants of the program."""
    names = {f.name for f in dataclasses.fields(config) if f.metadata.get("rate")}
    for f, chosen in choices(config):
        own = dataclasses.fields(getattr(config, f.name))
        names |= {chosen.prefix + g.name for g in own if g.metadata.get("rate") and not g.metadata["constant"]}
    return names


@pytest.mark.parametrize("name", CASES)
def test_configs_that_differ_in_rates_share_their_program(name):
    factory, config = CASES[name]
    own = {rate: 0.5 * value for rate, value in flat(config).items() if rate in rates(config)}
    assert {"learning_rate", "momentum", "weight_decay"} <= set(own)
    one, other = factory(config), factory(made(config, **own))
    assert other.step is one.step
    assert other.observe is one.observe
    assert factory(config) == one  # what is keyed on the whole algorithm is kept, too
    assert factory(split(config, 10)[0]).step is one.step


def first_rates(name, hyper):
    """The rates that a state begins with, traced so that nothing is compiled."""
    factory, config = CASES[name]
    init, seen = factory(config).init, {}

    def trace(key):
        seen.update(init(key, EXAMPLE, hyper).hyper)
        return 0

    jax.eval_shape(trace, jax.random.key(0))
    return set(seen)


@pytest.mark.parametrize("name", CASES)
def test_every_state_has_every_rate(name):
    assert first_rates(name, {"total_steps": 10}) == rates(CASES[name][1]) | {"total_steps"}


@pytest.mark.parametrize("name", ["pcd", "recommender", "vae", "autoencoder", "gan", "classifier", "fine-tuning"])
def test_a_rate_of_the_config_is_that_of_the_state_unless_hyper_has_another(name):
    factory, config = CASES[name]
    learner = factory(made(config, learning_rate=0.25, weight_decay=0.125))
    state = jax.jit(lambda hyper: learner.init(jax.random.key(0), EXAMPLE, hyper).hyper)
    given = state({"total_steps": jnp.asarray(7.0), "weight_decay": jnp.asarray(0.5)})
    assert (float(given["learning_rate"]), float(given["weight_decay"]), float(given["total_steps"])) == (0.25, 0.5, 7)
    assert all(x.dtype == jnp.float32 and x.shape == () for x in given.values())


@pytest.mark.slow
def test_the_rate_of_the_config_is_what_is_learned_with():
    learner = contrastive(made(RBMConfig, hidden=3, chains=4, learning_rate=0.5, schedule="constant"))
    state = jax.jit(learner.init)(jax.random.key(0), EXAMPLE)  # without an end
    step = jax.jit(learner.step)
    new, metrics = step(jax.random.key(1), state, EXAMPLE.batch)
    assert float(metrics["learning_rate"]) == 0.5
    slow = contrastive(made(RBMConfig, hidden=3, chains=4, learning_rate=0.125, schedule="constant"))
    other, _ = step(jax.random.key(1), jax.jit(slow.init)(jax.random.key(0), EXAMPLE), EXAMPLE.batch)
    far, near = (np.asarray(s.machine.biases[0] - state.machine.biases[0]) for s in (new, other))
    np.testing.assert_allclose(far, 4 * near, rtol=1e-4, atol=1e-6)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((new.machine, new.average)))


@pytest.mark.slow
def test_a_run_without_an_end_has_no_share_of_itself():
    with pytest.raises(UserError, match=r"`warm_up` 0\.5 is a share of the run; give `total_steps`"):
        vae(made(VAEConfig, warm_up=0.5)).init(jax.random.key(0), EXAMPLE, {})
    learner = vae(made(VAEConfig, latents=(2,), layers=(3,)))
    state = jax.jit(learner.init)(jax.random.key(0), EXAMPLE)
    _, metrics = jax.jit(learner.step)(jax.random.key(1), state, EXAMPLE.batch)
    assert float(metrics["beta"]) == 1


def test_a_name_that_is_no_rate_is_refused():
    with pytest.raises(UserError, match="`learning_rat` is no rate of RBMConfig; it has learning_rate"):
        contrastive(RBMConfig()).init(jax.random.key(0), EXAMPLE, {"learning_rat": 0.1})


def test_rates_of_a_choice_are_traced_under_their_flat_names():
    static, hyper = split(RBMConfig(optimiser=Sgd(0.7)), 10)
    assert static.optimiser == Sgd()
    assert float(hyper["momentum"]) == pytest.approx(0.7)
    assert float(traced(static.optimiser, hyper).momentum) == pytest.approx(0.7)
    assert traced(static.optimiser, {"other_momentum": jnp.ones(())}, "other_").momentum == 1


def test_a_constant_rate_is_traced_where_it_is_another_or_asked_for():
    """Adam's second beta: at its default it is rounded as XLA rounds constants, as it always was."""
    assert "second_moment" not in split(VAEConfig(), 10)[1]
    config = VAEConfig(optimiser=Adam(second_moment=0.9))
    assert float(split(config, 10)[1]["second_moment"]) == pytest.approx(0.9)
    assert static_part(config) == static_part(VAEConfig())
    assert float(completed(VAEConfig(), {"second_moment": 0.95})["second_moment"]) == pytest.approx(0.95)


def test_what_a_field_does_not_take_is_refused():
    with pytest.raises(UserError, match="`negative` 'cd' is none of its values; give PCD, CD, Tempered or Trajectory"):
        contrastive(RBMConfig(negative="cd"))
    with pytest.raises(UserError, match=r"`optimiser`.*Adam.* is none of its values"):
        contrastive(RBMConfig(optimiser=Adam))

    @dataclasses.dataclass
    class Open:
        def __call__(self, progress):
            return progress

    with pytest.raises(UserError, match=r"`schedule`.* cannot be hashed.*frozen dataclass"):
        contrastive(RBMConfig(schedule=Open()))


@pytest.mark.slow
def test_a_config_made_anew_compiles_nothing_and_neither_does_another_rate_inside_a_value():
    def config(momentum):
        return made(RBMConfig, hidden=3, negative="pcd", chains=4, optimiser="nesterov", momentum=momentum)

    programs, step = [], jax.jit(lambda key, state, step: step(key, state, EXAMPLE.batch), static_argnums=2)
    moved = []
    for momentum in (0.5, 0.5, 0.25):
        learner = contrastive(config(momentum))
        state = learner.init(jax.random.key(0), EXAMPLE, {"total_steps": 9})
        state, _ = step(jax.random.key(1), state, learner.step)
        moved.append(step(jax.random.key(2), state, learner.step)[0].machine.weights[0])
        programs.append(step._cache_size())
    assert programs == [1, 1, 1]
    np.testing.assert_array_equal(moved[0], moved[1])
    assert np.abs(moved[0] - moved[2]).max() > 1e-6
