"""Many runs in one program: `vmap` over seeds and rates, every run on the same shuffled, binarised batches.

The runs of a grid share their data and their plan, and differ in the seed of their noise and in the numbers of
`state.hyper`. Sizes that differ are the algorithm's to pad (`padding.cut`). What one run of a grid does, it does in
any other grid with the same data key: neighbours change nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from genjax.random import subkey
from genjax.training import loop
from genjax.typing import Algorithm, Batch, Hyper, Metrics


class GridState(NamedTuple):
    """All runs' states along a leading axis, and the seed of each run's noise."""

    runs: Any
    seeds: Int[Array, " runs"]


class GridChunk(NamedTuple):
    """What `on_chunk` callables are told: steps done, metrics by name `(runs,)` (chunk means), and the states."""

    step: int
    epoch: float
    metrics: dict[str, np.ndarray]
    states: Any


@cache
def many(algorithm: Algorithm) -> Algorithm:
    """`step` and `observe` for all runs at once; a run's key is the grid's with its own seed folded in."""

    def keys(key: Key[Array, ""], state: GridState) -> Key[Array, " runs"]:
        return jax.vmap(jax.random.fold_in, (None, 0))(key, state.seeds)

    def init(key: Key[Array, ""], example: Any, hyper: Hyper) -> GridState:
        raise NotImplementedError("a grid begins with `initial`, which knows its seeds")

    def step(key: Key[Array, ""], state: GridState, batch: Batch) -> tuple[GridState, Metrics]:
        runs, metrics = jax.vmap(algorithm.step, (0, 0, None))(keys(key, state), state.runs, batch)
        return GridState(runs, state.seeds), metrics

    def observe(key: Key[Array, ""], state: GridState, train: Batch, held_out: Batch | None) -> Metrics:
        return jax.vmap(algorithm.observe, (0, 0, None, None))(keys(key, state), state.runs, train, held_out)

    return Algorithm(init, step, observe)


def initial(
    key: Key[Array, ""],
    algorithm: Algorithm,
    data: loop.TrainingSet,
    plan: loop.Plan,
    hypers: Sequence[Hyper],
    seeds: Sequence[int],
) -> GridState:
    """The runs before their first step: run i has `hypers[i]` and begins as its seed alone says."""
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *hypers)
    numbers = jnp.asarray(seeds, jnp.int32)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(subkey(key, "init"), numbers)
    runs = jax.jit(jax.vmap(algorithm.init, (0, None, 0)))(keys, loop.example(data, plan), stacked)
    return GridState(runs, numbers)


def train(
    key: Key[Array, ""],
    algorithm: Algorithm,
    data: loop.TrainingSet,
    plan: loop.Plan,
    state: GridState,
    total_steps: int,
    on_chunk: Sequence[Callable[[GridChunk], None]] = (),
) -> GridState:
    """All runs for `total_steps` (whole epochs); a run that diverges goes on as NaN and leaves the others alone."""
    together = many(algorithm)
    for first in range(0, total_steps, plan.part * plan.parts):
        parts = min(plan.parts, (total_steps - first) // plan.part)
        state, steps = loop.run_chunk(key, state, data, jnp.asarray(first), together, plan, parts, ravel=False)
        done = first + parts * plan.part
        observed = loop.observe(subkey(key, "observe"), done, state, data, together, plan)
        means = {name: np.asarray(values).reshape(-1, len(state.seeds)).mean(0) for name, values in steps.items()}
        metrics = means | {name: np.asarray(values) for name, values in observed.items()}
        report = GridChunk(done, done / plan.steps_per_epoch, metrics, state.runs)
        for call in on_chunk:
            call(report)
    return state


def split(runs: Sequence[Any], bytes_of_one: int, most: int = 2**31) -> Iterator[Sequence[Any]]:
    """The runs in groups whose states, counted four times for what a step needs beside them, stay within `most`."""
    size = max(1, most // (4 * bytes_of_one))
    return (runs[i : i + size] for i in range(0, len(runs), size))


def run_of(states: Any, index: int) -> Any:
    """One run's state."""
    return jax.tree.map(lambda x: x[index], states)
