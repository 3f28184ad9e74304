"""Many runs in one program: `vmap` over whole runs, each with its own key, batches, noise and rates.

What a run of a grid does it does alone too, and in any other grid: its key is its own, and neighbours change nothing.
Sizes that differ are the algorithm's to pad (`padding.padded`).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Int, Key

from genjax.random import subkey
from genjax.training import loop
from genjax.training.mesh import on, placed, sharded_runs, whole
from genjax.typing import Algorithm, Hyper


class GridChunk(NamedTuple):
    """What callables in `on_chunk` get after each chunk, every field with the runs along its leading axis."""

    step: int  # steps done
    epoch: float
    metrics: dict[str, np.ndarray]  # `(runs,)`: means over the chunk, and what `observe` says
    states: Any
    steps: dict[str, np.ndarray]  # the metrics of each step, `(runs, steps)`


@partial(jax.jit, static_argnames=("step", "plan"), donate_argnames=("states",))
def _chunks(
    keys: Key[Array, " runs"],
    states: Any,
    data: loop.TrainingSet,
    first: Int[Array, ""],
    count: Int[Array, ""],
    step: loop.Step,
    plan: loop.Plan,
    batches: Key[Array, ""] | None,
) -> tuple[Any, dict[str, Array]]:
    keys, states = sharded_runs((keys, states))
    run = jax.vmap(lambda key, state: loop.chunk(key, state, data, first, count, step, plan, batches))
    return whole(run(keys, states))


@partial(jax.jit, static_argnames=("observe", "plan"))
def _observations(
    keys: Key[Array, " runs"],
    states: Any,
    data: loop.TrainingSet,
    number: Int[Array, ""],
    observe: loop.Observe,
    plan: loop.Plan,
) -> dict[str, Array]:
    keys, states = sharded_runs((keys, states))
    run = jax.vmap(lambda key, state: loop.observation(key, state, data, number, observe, plan))
    return whole(run(keys, states))


def stacked(items: Sequence[Any]) -> Any:
    """Pytrees of one structure as one, along a new leading axis."""
    return jax.tree.map(lambda *x: jnp.stack(x), *items)


def initial(
    keys: Key[Array, " runs"], algorithm: Algorithm, data: loop.TrainingSet, plan: loop.Plan, hypers: Sequence[Hyper]
) -> Any:
    """The states before the first step, each as `loop.initial` makes it of its key and rates."""
    loop.check(algorithm, data, plan)
    inits = jax.vmap(lambda key: subkey(key, "init"))(keys)
    return jax.jit(jax.vmap(algorithm.init, (0, None, 0)))(inits, loop.example(data, plan), stacked(hypers))


def train(
    keys: Key[Array, " runs"],
    algorithm: Algorithm,
    data: loop.TrainingSet,
    plan: loop.Plan,
    states: Any,
    total_steps: int,
    on_chunk: Sequence[Callable[[GridChunk], None]] = (),
    ends: Sequence[int] = (),
    batches: Key[Array, ""] | None = None,
    mesh: Mesh | None = None,
    first_step: int = 0,
) -> Any:
    """All runs from `first_step` to `total_steps`; returns their last states, and leaves `states` as they are.

    Chunks end at `ends` too, where a caller wants to keep what shorter runs have become. A run that diverges goes on
    as NaN and leaves the others alone (`diverged` tells). With `batches`, a key, all share order and binarisation. On a
    `mesh` (`training.mesh`) the runs are split over its devices.
    """
    states = jax.tree.map(jnp.copy, states)  # each chunk is given the buffers of the one before it
    keys, states, data, batches = placed((keys, states, data, batches), mesh)
    stops = sorted({end for end in ends if 0 < end < total_steps} | {total_steps})
    for begin, end in zip([0, *stops], stops):
        for first, count in loop.chunks(max(begin, first_step), end, plan):
            numbers = jnp.asarray(first), jnp.asarray(count)
            done = first + count
            with on(mesh):
                states, steps = _chunks(keys, states, data, *numbers, algorithm.step, plan, batches)
                observe_keys = jax.vmap(lambda key: subkey(key, "observe"))(keys)
                after = _observations(observe_keys, states, data, jnp.asarray(done), algorithm.observe, plan)
            each = {name: np.asarray(values)[:, :count] for name, values in steps.items()}
            metrics = {name: values.mean(1) for name, values in each.items()}
            metrics |= {name: np.asarray(values) for name, values in after.items()}
            report = GridChunk(done, done / plan.steps_per_epoch, metrics, states, each)
            for call in on_chunk:
                call(report)
    return states


def diverged(chunk: GridChunk, run: int) -> str | None:
    """What `loop.train` would say of this run, where it would have ended it; None where it is well."""
    observed = {name: values[run] for name, values in chunk.metrics.items() if name not in chunk.steps}
    each = {name: values[run] for name, values in chunk.steps.items()}
    try:
        loop.refuse_divergence(each | observed, chunk.step - len(next(iter(each.values()))))
    except loop.Diverged as error:
        return str(error)
    return None


def split(runs: Sequence[Any], bytes_of_one: int, most: int = 2**31) -> Iterator[Sequence[Any]]:
    """The runs in groups whose states, counted four times for what a step needs beside them, stay within `most`."""
    size = max(1, most // (4 * bytes_of_one))
    return (runs[i : i + size] for i in range(0, len(runs), size))


def run_of(states: Any, index: int) -> Any:
    """One run's state."""
    return jax.tree.map(lambda x: x[index], states)
