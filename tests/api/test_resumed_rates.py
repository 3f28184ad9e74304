"""The rates of a run that goes on are those that it had, also those that its algorithm has added."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import pytest

import genjax
from genjax.api.training import Position, going_on
from genjax.training.settings import RunConfig
from genjax.typing import Algorithm, Stage


class State(NamedTuple):
    hyper: dict[str, Any]


def test_a_rate_that_the_algorithm_has_added_stays():
    """Without it the same number would be a constant of the program, which XLA rounds otherwise."""
    given = {"learning_rate": jnp.float32(0.1)}
    state = State(given | {"second_moment": jnp.float32(0.9)})
    stage = Stage("train", Algorithm(None, None, None), given, 8)  # type: ignore[arg-type]
    run = RunConfig(steps=8)
    here, _, _ = going_on("run", genjax.rbm(), run, run, Position(0, state, 4), (stage,), {}, print)
    assert here.state.hyper == state.hyper


@pytest.mark.slow
def test_a_gan_that_was_interrupted_is_the_uninterrupted_one(bits, same):
    def interrupt(chunk):
        raise KeyboardInterrupt

    options: dict[str, Any] = {"steps": 500, "batch_size": 20, "progress": False}
    model = genjax.gan(layers=(8,))
    half = genjax.fit(model, bits, **options, on_chunk=[interrupt])
    assert half.step < 500
    same(genjax.fit(half, steps=500, progress=False).state, genjax.fit(model, bits, **options).state)
