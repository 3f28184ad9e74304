"""The contract of everything that learns: `Algorithm`, three pure functions (see also `genjax.training.loop`)."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float, Int, Key, PyTree

State = PyTree
"""What an algorithm carries from step to step; `state.hyper` holds every number that a grid may vary."""

Metrics = dict[str, Array]
"""Scalars by name."""

Hyper = dict[str, Float[Array, ""]]
"""Traced rates (learning rate, momentum, total steps, ...): float32 scalars, so that a new value never compiles."""


class Batch(NamedTuple):
    """Examples as the algorithm sees them: flat, already binarised by the loop."""

    x: Float[Array, "batch pixels"]
    label: Int[Array, " batch"]


class Example(NamedTuple):
    """What `init` may look at: one batch, and the moments of the whole training set."""

    batch: Batch
    mean: Float[Array, " pixels"]
    variance: Float[Array, " pixels"]


def accept(batch: Batch) -> None:
    """Take any examples."""


class Algorithm(NamedTuple):
    """A learner, as an optax `GradientTransformation` is an optimiser.

    - `init(key, example, hyper) -> state`
    - `step(key, state, batch) -> (state, metrics)`; metrics include `parameter_max`, the largest magnitude
      among the parameters, by which the loop knows a run that has exploded.
    - `observe(key, state, train_batch, held_out) -> metrics`, once a chunk; `held_out` may be None.
    - `check(batch)`, on the host before any work: raises `UserError` where these examples are none that it can learn.

    Factories take an `axis_name`, with which `step` averages over devices, under `jax.pmap` or `jax.shard_map` (with
    `check_vma` or without). Each device has its own part of the batch and, of a Boltzmann machine, its own
    `state.chains`; the key is the same on all devices, and so are metrics and all else of the state, before and after.
    """

    init: Callable[[Key[Array, ""], Example, Hyper], Any]
    step: Callable[[Key[Array, ""], Any, Batch], tuple[Any, Metrics]]
    observe: Callable[[Key[Array, ""], Any, Batch, Batch | None], Metrics]
    check: Callable[[Batch], None] = accept
