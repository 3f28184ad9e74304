"""Training in stages: one algorithm after another, each beginning with what the one before it has learned."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Key

from genjax.random import subkey
from genjax.training import loop
from genjax.typing import Algorithm, Example, Hyper

LAST = "train"  # the name of the stage whose state is the run's result


class Stage(NamedTuple):
    """One part of a run.

    - `name`: of its checkpoints; that of the last one is `LAST`.
    - `steps`: how many.
    - `handover(key, state, example, hyper)`: the stage's first state from the last state of the one before; None for
      the first stage, which begins with `algorithm.init`.
    """

    name: str
    algorithm: Algorithm
    hyper: Hyper
    steps: int
    handover: Callable[[Key[Array, ""], Any, Example, Hyper], Any] | None = None


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
