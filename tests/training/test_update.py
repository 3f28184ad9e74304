"""One update: named optimisers against plain optax, optax's own as they are, schedules and averages."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from genjax.algorithms.autoencoder import AutoencoderConfig, autoencoder
from genjax.algorithms.contrastive import RBMConfig, contrastive
from genjax.algorithms.gan_game import GANConfig
from genjax.errors import UserError
from genjax.training.config import split
from genjax.training.optimisers import SCHEDULES, Adam, Constant, Cosine, Lion, Nesterov, RMSprop, Sgd
from genjax.training.options import build
from genjax.training.update import first, learning_rate_at, tail_average, transformation, update
from genjax.typing import Batch, Example

HYPER = {name: jnp.asarray(v, jnp.float32) for name, v in {"momentum": 0.7, "weight_decay": 0.1}.items()}


def updates(chain: optax.GradientTransformation) -> list[np.ndarray]:
    """Parameters after each of four steps."""
    parameters = {"w": jnp.asarray([1.0, -2.0]), "b": jnp.asarray([3.0])}
    state, seen = chain.init(parameters), []
    for step in range(4):
        gradient = jax.tree.map(lambda x, step=step: jnp.sin(3 * x + step), parameters)
        change, state = chain.update(gradient, state, parameters)
        parameters = optax.apply_updates(parameters, change)
        seen.append(np.concatenate(jax.tree.leaves(parameters)))
    return seen


DECAYED = {"w": True, "b": False}


@pytest.mark.parametrize(
    ("optimiser", "direction"),
    [
        (Sgd(0.7), optax.trace(0.7)),
        (Nesterov(0.7), optax.trace(0.7, nesterov=True)),
        (Adam(0.7), optax.scale_by_adam(b1=0.7)),
        (Adam(0.7, 0.9), optax.scale_by_adam(b1=0.7, b2=0.9)),
        (RMSprop(0.7), optax.chain(optax.scale_by_rms(), optax.trace(0.7))),
        (Lion(0.7), optax.scale_by_lion(b1=0.7)),
    ],
)
def test_each_is_the_optax_chain(optimiser, direction):
    """The momentum is that of `hyper`, whatever the value's own."""
    ours = updates(transformation(type(optimiser)(0.1, *second(optimiser)), HYPER, jnp.asarray(0.05), DECAYED))
    plain = optax.chain(direction, optax.add_decayed_weights(0.1, mask=DECAYED), optax.scale(-0.05))
    np.testing.assert_allclose(ours, updates(plain), rtol=1e-5)


def second(optimiser) -> tuple[float, ...]:
    return (optimiser.second_moment,) if isinstance(optimiser, Adam) else ()


def test_a_function_of_the_rate_is_called_with_it_and_decay_is_decoupled():
    ours = updates(transformation(optax.adam, HYPER, jnp.asarray(0.05), DECAYED))
    plain = optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(0.1, mask=DECAYED), optax.scale(-0.05))
    np.testing.assert_allclose(ours, updates(plain), rtol=1e-5)


def test_a_finished_transformation_is_used_as_it_is():
    finished = optax.adam(0.3)
    ours = updates(transformation(finished, HYPER, jnp.asarray(0.05), DECAYED))
    np.testing.assert_array_equal(ours, updates(finished))


@pytest.mark.parametrize("beside", [{"learning_rate": 0.1}, {"schedule": Constant()}, {"weight_decay": 0.1}])
def test_rates_beside_a_finished_transformation_are_refused(beside):
    (name,) = beside
    said = f"`{name}` has no effect: `optimiser` is a finished optax transformation"
    with pytest.raises(UserError, match=said):
        AutoencoderConfig(optimiser=optax.adam(0.1), **beside).check()
    with pytest.raises(UserError, match=said):  # at its default, too
        build(AutoencoderConfig, {"optimiser": optax.adam(0.1), name: getattr(AutoencoderConfig(), name)})


def test_rates_beside_a_finished_transformation_of_one_player_are_the_others():
    one = {"optimiser": optax.adam(0.1), "schedule": Cosine(), "weight_decay": 0.1}
    build(GANConfig, one).check()
    with pytest.raises(UserError, match="`learning_rate` has no effect: `optimiser`"):
        build(GANConfig, one | {"learning_rate": 5e-4})
    both = {"discriminator_optimiser": optax.adam(0.1)}
    with pytest.raises(UserError, match="`discriminator_learning_rate` has no effect: `discriminator_optimiser`"):
        build(GANConfig, both | {"discriminator_learning_rate": 5e-4})
    with pytest.raises(UserError, match="`schedule` has no effect"):
        build(GANConfig, one | both)


X = jnp.asarray(np.random.default_rng(0).random((20, 6)), jnp.float32)
EXAMPLE = Example(Batch(X), X.mean(0), X.var(0))


@pytest.mark.slow
def test_line_searches_get_the_loss_and_its_function():
    """L-BFGS on one batch falls further in 15 steps than gradient descent does, and its metrics have no rate."""
    lost = {}
    for name, optimiser in {"lbfgs": optax.lbfgs(), "sgd": Sgd()}.items():
        config = AutoencoderConfig(layers=(3,), optimiser=optimiser, average=0.0)
        static, hyper = split(config, 15)
        algorithm = autoencoder(static)
        state, step = jax.jit(algorithm.init)(jax.random.key(0), EXAMPLE, hyper), jax.jit(algorithm.step)
        losses = []
        for _ in range(15):
            state, metrics = step(jax.random.key(1), state, EXAMPLE.batch)
            losses.append(float(metrics["loss"]))
        assert ("learning_rate" in metrics) == (name == "sgd")
        assert (np.diff(losses) < 1e-5).all()
        lost[name] = losses[0] - losses[-1]
    assert lost["lbfgs"] > 3 * lost["sgd"] > 0


@pytest.mark.slow
def test_on_several_devices_a_line_search_is_that_of_the_whole_batch():
    config = AutoencoderConfig(layers=(3,), optimiser=optax.lbfgs(), average=0.0)
    static, hyper = split(config, 15)
    alone, across = autoencoder(static), autoencoder(static, axis_name="devices")
    state = jax.jit(alone.init)(jax.random.key(0), EXAMPLE, hyper)
    halves = Batch(X.reshape(2, 10, 6))
    both = jax.jit(jax.vmap(across.step, (None, None, 0), axis_name="devices"))
    one, _ = jax.jit(alone.step)(jax.random.key(1), state, EXAMPLE.batch)
    two, _ = both(jax.random.key(1), state, halves)
    for a, b in zip(jax.tree.leaves(one.parameters), jax.tree.leaves(two.parameters)):
        np.testing.assert_allclose(b, jnp.stack([a, a]), atol=1e-5)


def test_an_optimiser_that_asks_for_a_loss_that_is_not_there_is_refused():
    algorithm = contrastive(RBMConfig(hidden=3, optimiser=optax.lbfgs()))
    state = jax.eval_shape(algorithm.init, jax.random.key(0), Example(Batch(X.round()), X.mean(0), X.var(0)))
    with pytest.raises(UserError, match="`optimiser` asks for the value of a loss"):
        jax.eval_shape(algorithm.step, jax.random.key(0), state, Batch(X))


def test_metrics_are_those_of_the_mean_gradient_and_the_new_parameters():
    config = AutoencoderConfig(optimiser=Sgd(), learning_rate=0.5, average=0.0)

    class State(NamedTuple):
        optimiser: Any
        average: Any
        step: jax.Array
        hyper: dict

    hyper = split(config, 10)[1]
    parameters = {"w": jnp.asarray([[1.0, -2.0]])}
    state = State(**first(config, hyper, parameters))
    slopes = {"w": jnp.asarray([[[2.0, 0.0]], [[4.0, 8.0]]])}
    step = jax.vmap(lambda slope: update(config, state, parameters, slope, axis_name="devices"), axis_name="devices")
    new, after, metrics = step(slopes)
    np.testing.assert_allclose(new["w"][0], [[1.0 - 0.5 * 3, -2.0 - 0.5 * 4]])
    assert {name: float(x[0]) for name, x in metrics.items()} == {
        "parameter_max": 4.0,
        "gradient_norm": 5.0,
        "learning_rate": 0.5,
    }
    assert after.step.tolist() == [1, 1]


@pytest.mark.parametrize(("schedule", "expected"), [*zip(SCHEDULES, ([2, 2, 2], [2, 1, 0], [2, 1, 0]))])
def test_schedules(schedule, expected):
    hyper = {"learning_rate": jnp.asarray(2.0), "total_steps": jnp.asarray(10.0)}
    rates = [float(learning_rate_at(schedule(), hyper, jnp.asarray(step))) for step in (0, 5, 10)]
    assert rates == pytest.approx(expected, abs=1e-6)


def test_a_schedule_may_be_any_function_of_the_progress():
    hyper = {"learning_rate": jnp.asarray(2.0), "total_steps": jnp.asarray(10.0)}
    assert float(learning_rate_at(lambda progress: progress**2, hyper, jnp.asarray(5))) == 0.5


def test_cosine_between():
    hyper = {"learning_rate": jnp.asarray(2.0), "total_steps": jnp.asarray(10.0)}
    assert float(learning_rate_at(Cosine(), hyper, jnp.asarray(2))) == pytest.approx(1 + np.cos(0.2 * np.pi), abs=1e-5)


def test_a_run_made_longer_averages_nothing_from_before():
    """Against the mean by hand; without `averaged_from` what was averaged so far would count."""
    values = np.random.default_rng(0).normal(size=30).astype(np.float32)
    hyper = {"total_steps": jnp.asarray(20.0)}
    average = jnp.asarray(values[0])
    for step in range(20):
        average = tail_average(0.75, average, jnp.asarray(values[step]), jnp.asarray(step), hyper)
    assert float(average) == pytest.approx(values[5:20].mean(), abs=1e-6)
    for total, start in ((24.0, 20), (100.0, 25)):  # the window of 24 steps has begun at step 6, that of 100 at 25
        longer, after = {"total_steps": jnp.asarray(total), "averaged_from": jnp.asarray(20.0)}, average
        for step in range(20, 30):
            after = tail_average(0.75, after, jnp.asarray(values[step]), jnp.asarray(step), longer)
        assert float(after) == pytest.approx(values[start:30].mean(), abs=1e-6)
