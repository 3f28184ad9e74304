"""Training in stages: one algorithm after another, each beginning with what the one before it has learned."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jaxtyping import Array, Key

from genjax.random import subkey
from genjax.training import loop
from genjax.typing import Stage

LAST = "train"  # the name of the stage whose state is the run's result


def key_of(key: Key[Array, ""], stage: Stage) -> Key[Array, ""]:
    """The stage's own key; the last stage has the run's."""
    return key if stage.name == LAST else subkey(key, stage.name)


def begin(key: Key[Array, ""], stage: Stage, data: loop.TrainingSet, plan: loop.Plan, before: Any = None) -> Any:
    """The stage's state before its first step; `before` is the last state of the stage before it."""
    key = key_of(key, stage)
    if stage.handover is None:
        return loop.initial(key, stage.algorithm, data, plan, stage.hyper)
    loop.check(stage.algorithm, data, plan)
    return jax.jit(stage.handover)(subkey(key, "init"), before, loop.example(data, plan), stage.hyper)


def train(
    key: Key[Array, ""],
    stages: Sequence[Stage],
    data: loop.TrainingSet,
    plan: loop.Plan,
    on_chunk: Sequence[Callable[[loop.Chunk], None]] = (),
) -> Any:
    """All stages, one after the other; returns the last state. Chunks count the steps of their own stage."""
    state = None
    for stage in stages:
        state = begin(key, stage, data, plan, state)
        state = loop.train(key_of(key, stage), stage.algorithm, data, plan, state, stage.steps, 0, on_chunk)
    return state
