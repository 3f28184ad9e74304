"""The training loop: runs any `Algorithm` over data on the device, one dispatch a chunk, and knows none of them."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from genjax.data.binarisation import Binarisation, binarise
from genjax.errors import Diverged
from genjax.random import subkey
from genjax.typing import Algorithm, Batch, Example, Hyper

EXPLODED = 1e4  # a parameter of this magnitude is no longer a model's; float32 would go on in silence


class Plan(NamedTuple):
    """How a run is cut up: decided once, kept on resume."""

    batch_size: int
    steps_per_epoch: int
    part: int  # steps that share one permutation; divides steps_per_epoch
    parts: int  # how many of these make a chunk, which is one dispatch
    binarisation: Binarisation


class TrainingSet(NamedTuple):
    """What the loop reads, on the device: intensities, labels, and images held out (binarised once) or None."""

    images: Float[Array, "images pixels"]
    labels: Int[Array, " images"]
    held_out: Batch | None


class Chunk(NamedTuple):
    """What callables in `on_chunk` are told after each chunk."""

    step: int  # steps done
    epoch: float
    seconds: float  # since this process began to train
    metrics: dict[str, float]
    state: Any  # its buffers are given to the next chunk: copy what is to be kept
    steps: dict[str, np.ndarray]  # the metrics of each step, of which `metrics` holds the means


def plan(images: int, batch_size: int, binarisation: Binarisation, longest_chunk: int = 250) -> Plan:
    """Whole batches, an epoch cut into equal chunks of about `longest_chunk` steps; of a short epoch, several make one.

    Every epoch is a new permutation, so what the last incomplete batch leaves out is another part each time.
    """
    batch_size = min(batch_size, images)
    steps = images // batch_size
    part = max(d for d in range(1, steps + 1) if steps % d == 0 and d <= longest_chunk)
    if 5 * part < min(steps, longest_chunk):  # a prime number of steps, say
        part = steps
    return Plan(batch_size, steps, part, max(1, longest_chunk // steps), binarisation)


@partial(jax.jit, static_argnames=("algorithm", "plan", "parts", "ravel"), donate_argnames=("state",))
def run_chunk(
    key: Key[Array, ""],
    state: Any,
    data: TrainingSet,
    first: Int[Array, ""],
    algorithm: Algorithm,
    plan: Plan,
    parts: int,
    ravel: bool = True,
) -> tuple[Any, dict[str, Array]]:
    """Steps `first` to `first + parts * plan.part` of the run; metrics are stacked, one entry a step.

    Of a grid, whose metrics are not scalars, they stay `(parts, steps, ...)`: `ravel=False`.

    Step s of the run always sees the same images, noise and subkeys, whatever came before in this process.
    """

    def one(order: Array, state: Any, step: Array) -> tuple[Any, dict[str, Array]]:
        here = jax.random.fold_in(key, step)
        start = (step % plan.steps_per_epoch) * plan.batch_size
        index = jax.lax.dynamic_slice(order, (start,), (plan.batch_size,))
        x = binarise(subkey(here, "binarise"), data.images[index], plan.binarisation)
        return algorithm.step(subkey(here, "step"), state, Batch(x, data.labels[index]))

    def part(state: Any, start: Array) -> tuple[Any, dict[str, Array]]:
        epoch = start // plan.steps_per_epoch
        order = jax.random.permutation(jax.random.fold_in(subkey(key, "order"), epoch), data.images.shape[0])
        return jax.lax.scan(partial(one, order), state, start + jnp.arange(plan.part))

    state, metrics = jax.lax.scan(part, state, first + plan.part * jnp.arange(parts))
    return state, jax.tree.map(jnp.ravel, metrics) if ravel else metrics


def example(data: TrainingSet, plan: Plan) -> Example:
    """What `init` looks at: the first batch, binarised by threshold so that it needs no key, and the moments."""
    how = "none" if plan.binarisation == "none" else "threshold"
    x = binarise(jax.random.key(0), data.images[: plan.batch_size], how)
    return Example(Batch(x, data.labels[: plan.batch_size]), data.images.mean(0), data.images.var(0))


def initial(key: Key[Array, ""], algorithm: Algorithm, data: TrainingSet, plan: Plan, hyper: Hyper) -> Any:
    """The state before the first step."""
    return jax.jit(algorithm.init)(subkey(key, "init"), example(data, plan), hyper)


@partial(jax.jit, static_argnames=("algorithm", "how"))
def _observe(
    key: Key[Array, ""], state: Any, seen: Batch, held_out: Batch | None, algorithm: Algorithm, how: Binarisation
) -> dict[str, Array]:
    x = binarise(subkey(key, "binarise"), seen.x, how)
    return algorithm.observe(subkey(key, "observe"), state, Batch(x, seen.label), held_out)


def observe(
    key: Key[Array, ""], step: int, state: Any, data: TrainingSet, algorithm: Algorithm, plan: Plan
) -> dict[str, Array]:
    """What the algorithm says after `step` steps of the first 1000 training images and of the ones held out."""
    seen = Batch(data.images[:1000], data.labels[:1000])
    return _observe(jax.random.fold_in(key, step), state, seen, data.held_out, algorithm, plan.binarisation)


def train(
    key: Key[Array, ""],
    algorithm: Algorithm,
    data: TrainingSet,
    plan: Plan,
    state: Any,
    total_steps: int,
    first_step: int = 0,
    on_chunk: Sequence[Callable[[Chunk], None]] = (),
) -> Any:
    """From `first_step` to `total_steps` (whole epochs); returns the last state.

    After each chunk every callable gets a `Chunk` (its metrics: means over the chunk and what `observe` says). What
    they raise ends the run. Raises `Diverged`, before they see the chunk, where a metric is not finite or a parameter
    is larger than 10^4.
    """
    began = time.perf_counter()
    for first in range(first_step, total_steps, plan.part * plan.parts):
        parts = min(plan.parts, (total_steps - first) // plan.part)
        state, steps = run_chunk(key, state, data, jnp.asarray(first), algorithm, plan, parts)
        done = first + parts * plan.part
        observed = observe(subkey(key, "observe"), done, state, data, algorithm, plan)
        each = {name: np.asarray(values) for name, values in steps.items()}
        metrics = each | {name: np.asarray(value) for name, value in observed.items()}
        refuse_divergence(metrics, first)
        means = {name: float(values.mean()) for name, values in metrics.items()}
        report = Chunk(done, done / plan.steps_per_epoch, time.perf_counter() - began, means, state, each)
        for call in on_chunk:
            call(report)
    return state


def refuse_divergence(metrics: dict[str, np.ndarray], first: int) -> None:
    """Raise `Diverged` with the step and the metric, where one of a chunk's metrics has left the finite numbers."""
    for name, values in metrics.items():
        bad = ~np.isfinite(values)
        if name == "parameter_max":
            bad |= values > EXPLODED
        if bad.any():
            step = first + (int(bad.argmax()) if bad.ndim else 0) + 1
            value = values[bad].flat[0] if values.ndim else values
            raise Diverged(f"Training diverged at step {step}: {name} is {float(value):.4g}")
