"""Traced rates against plain optax on the same gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from genjax.training.optimiser import learning_rate_at, tail_average, transformation

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


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("sgd", optax.trace(0.7)),
        ("nesterov", optax.trace(0.7, nesterov=True)),
        ("adam", optax.scale_by_adam(b1=0.7)),
        ("rmsprop", optax.chain(optax.scale_by_rms(), optax.trace(0.7))),
        ("lion", optax.scale_by_lion(b1=0.7)),
    ],
)
def test_each_is_the_optax_chain(name, direction):
    decayed = {"w": True, "b": False}
    ours = updates(transformation(name, HYPER, jnp.asarray(0.05), decayed))
    plain = optax.chain(direction, optax.add_decayed_weights(0.1, mask=decayed), optax.scale(-0.05))
    np.testing.assert_allclose(ours, updates(plain), rtol=1e-5)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [("constant", [2, 2, 2]), ("linear", [2, 1, 0]), ("cosine", [2, 1, 0])],
)
def test_schedules(schedule, expected):
    hyper = {"learning_rate": jnp.asarray(2.0), "total_steps": jnp.asarray(10.0)}
    rates = [float(learning_rate_at(schedule, hyper, jnp.asarray(step))) for step in (0, 5, 10)]
    assert rates == pytest.approx(expected, abs=1e-6)


def test_cosine_between():
    hyper = {"learning_rate": jnp.asarray(2.0), "total_steps": jnp.asarray(10.0)}
    assert float(learning_rate_at("cosine", hyper, jnp.asarray(2))) == pytest.approx(1 + np.cos(0.2 * np.pi), abs=1e-5)


def test_a_run_made_longer_averages_nothing_from_before():
    """Against the mean by hand; without `averaged_from` what was averaged so far would count."""
    values = np.random.default_rng(0).normal(size=30).astype(np.float32)
    hyper = {"total_steps": jnp.asarray(20.0)}
    average = jnp.asarray(values[0])
    for step in range(20):
        average = tail_average(0.75, average, jnp.asarray(values[step]), jnp.asarray(step), hyper)
    assert float(average) == pytest.approx(values[5:20].mean(), abs=1e-6)
    for total, first in ((24.0, 20), (100.0, 25)):  # the window of 24 steps has begun at step 6, that of 100 at 25
        longer, after = {"total_steps": jnp.asarray(total), "averaged_from": jnp.asarray(20.0)}, average
        for step in range(20, 30):
            after = tail_average(0.75, after, jnp.asarray(values[step]), jnp.asarray(step), longer)
        assert float(after) == pytest.approx(values[first:30].mean(), abs=1e-6)
