"""The training loop: runs any `Algorithm`, one dispatch a chunk, and knows none of them."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Int, Key

from genjax.data.binarisation import Shown, binarise
from genjax.data.stored import Stored
from genjax.errors import Diverged, UserError
from genjax.random import subkey
from genjax.training.feed import Feed, order_of
from genjax.training.mesh import on, own, placed, sharded, whole
from genjax.training.sets import TrainingSet, blocks, moments, on_device, rows
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics

Step = Callable[[Key[Array, ""], Any, Batch], tuple[Any, Metrics]]
Observe = Callable[[Key[Array, ""], Any, Batch, Batch | None], Metrics]

EXPLODED = 1e4  # a parameter of this magnitude is no longer a model's; float32 would go on in silence
WATCHED = 1000  # the first training examples, which are observed


class Plan(NamedTuple):
    """How a run is cut up: decided once, kept on resume."""

    batch_size: int
    steps_per_epoch: int
    chunk: int  # most steps of one dispatch
    binarisation: Shown


class Chunk(NamedTuple):
    """What callables in `on_chunk` get after each chunk."""

    step: int  # steps done
    epoch: float
    seconds: float  # since this process began to train
    metrics: dict[str, float]
    state: Any  # its buffers are given to the next chunk: copy what is to be kept
    steps: dict[str, np.ndarray]  # the metrics of each step, of which `metrics` holds the means


def plan(images: int, batch_size: int, binarisation: Shown, longest_chunk: int = 250) -> Plan:
    """Whole batches, and chunks of at most `longest_chunk` steps: several epochs, or an epoch in equal parts.

    Where an epoch has no equal parts of a useful length (a prime number of steps, say), chunks end within epochs.
    Every epoch is a new permutation, so what the last incomplete batch leaves out is another part each time.
    """
    batch_size = min(batch_size, images)
    steps = images // batch_size
    if steps <= longest_chunk:
        return Plan(batch_size, steps, steps * (longest_chunk // steps), binarisation)
    part = max(d for d in range(1, longest_chunk + 1) if steps % d == 0)
    return Plan(batch_size, steps, part if 5 * part >= longest_chunk else longest_chunk, binarisation)


def chunk(
    key: Key[Array, ""],
    state: Any,
    data: TrainingSet,
    first: Int[Array, ""],
    count: Int[Array, ""],
    step: Step,
    plan: Plan,
    batches: Key[Array, ""] | None = None,
) -> tuple[Any, dict[str, Array]]:
    """The `count` steps of a run from step `first` on, at most `plan.chunk` of them; pure, for `jit` and `vmap`.

    Metrics are stacked, one entry a step, `(plan.chunk, ...)`: those from `count` on are zeros. Both numbers are
    traced, so that one program serves every length. Step s of the run always sees the same images, noise and subkeys,
    whatever came before in this process. With `batches`, a key, order and binarisation are those of the run whose key
    it is.
    """

    def one(order: Array, number: Array, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        start = (number % plan.steps_per_epoch) * plan.batch_size
        index = jax.lax.dynamic_slice(order, (start,), (plan.batch_size,))
        batch = rows(data, index)
        return forward(number, batch, carry)

    def epoch(number: Array, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        order = order_of(key if batches is None else batches, number, data.x.shape[0])
        begin, end = number * plan.steps_per_epoch, (number + 1) * plan.steps_per_epoch
        return jax.lax.fori_loop(jnp.maximum(first, begin), jnp.minimum(last, end), partial(one, order), carry)

    last = first + count
    forward, metrics = stepping(key, state, rows(data, slice(plan.batch_size)), first, step, plan, batches)
    epochs = first // plan.steps_per_epoch, -(-last // plan.steps_per_epoch)
    return whole(jax.lax.fori_loop(*epochs, epoch, (state, metrics)))


def piece(
    key: Key[Array, ""],
    state: Any,
    batches: Batch,
    first: Int[Array, ""],
    count: Int[Array, ""],
    step: Step,
    plan: Plan,
) -> tuple[Any, dict[str, Array]]:
    """The same steps on `batches` that were sent, `(plan.chunk, batch, ...)`: those of step `first` and after."""
    given = TrainingSet(*batches)
    forward, metrics = stepping(key, state, rows(given, 0), first, step, plan)

    def one(number: Array, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        return forward(number, rows(given, number - first), carry)

    return whole(jax.lax.fori_loop(first, first + count, one, (state, metrics)))


def stepping(
    key: Key[Array, ""],
    state: Any,
    one_batch: Batch,
    first: Int[Array, ""],
    step: Step,
    plan: Plan,
    batches: Key[Array, ""] | None = None,
) -> tuple[Callable[[Array, Batch, tuple[Any, Any]], tuple[Any, Any]], dict[str, Array]]:
    """What goes a step forward with its number and batch, and room for the metrics of `plan.chunk` steps."""

    def forward(number: Array, batch: Batch, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        state, metrics = carry
        here = jax.random.fold_in(key, number)
        drawn = here if batches is None else jax.random.fold_in(batches, number)
        x = binarise(subkey(drawn, "binarise"), batch.x, plan.binarisation)
        state, of_step = traced(subkey(here, "step"), state, sharded(batch._replace(x=x)))
        return state, jax.tree.map(lambda all, new: all.at[number - first].set(new), metrics, of_step)

    traced = jax.jit(step, inline=True)  # once, for its shapes and for the loop
    shapes = jax.eval_shape(traced, key, state, one_batch)[1]
    return forward, jax.tree.map(lambda x: jnp.zeros((plan.chunk, *x.shape), x.dtype), shapes)


run_chunk = jax.jit(chunk, static_argnames=("step", "plan"), donate_argnames=("state",))
run_piece = jax.jit(piece, static_argnames=("step", "plan"), donate_argnames=("state",))


def example(data: TrainingSet, plan: Plan) -> Example:
    """What `init` takes: the first batch, binarised by threshold so that it needs no key, and the moments."""
    batch = _first(on_device(data, slice(plan.batch_size))._replace(held_out=None), plan)
    return Example(batch, *moments(data.x))


@partial(jax.jit, static_argnames="plan")
def _first(data: TrainingSet, plan: Plan) -> Batch:
    return _thresholded(rows(data, slice(plan.batch_size)), plan)


@partial(jax.jit, static_argnames="plan")
def _thresholded(batch: Batch, plan: Plan) -> Batch:
    how = "none" if plan.binarisation == "none" else "threshold"
    return batch._replace(x=binarise(jax.random.key(0), batch.x, how))


copied = jax.jit(partial(jax.tree.map, jnp.copy))


def check(algorithm: Algorithm, data: TrainingSet, plan: Plan) -> None:
    """Raise the algorithm's `UserError` where it cannot learn from these data (binarised by threshold, if at all)."""
    for batch in blocks(data):
        algorithm.check(_thresholded(batch, plan))
    if data.held_out is not None:
        algorithm.check(data.held_out)


def initial(key: Key[Array, ""], algorithm: Algorithm, data: TrainingSet, plan: Plan, hyper: Hyper) -> Any:
    """The state before the first step. Raises `UserError` where the algorithm cannot learn from these data."""
    check(algorithm, data, plan)
    return jax.jit(algorithm.init)(subkey(key, "init"), example(data, plan), hyper)


def observation(
    key: Key[Array, ""],
    state: Any,
    data: TrainingSet,
    number: Int[Array, ""],
    observe: Observe,
    plan: Plan,
) -> dict[str, Array]:
    """What the algorithm observes after step `number` on the first 1000 training images and those held out; pure."""
    key = jax.random.fold_in(key, number)
    batch, held_out = sharded((rows(data, slice(WATCHED)), data.held_out))
    x = binarise(subkey(key, "binarise"), batch.x, plan.binarisation)
    return whole(observe(subkey(key, "observe"), state, batch._replace(x=x), held_out))


run_observation = jax.jit(observation, static_argnames=("observe", "plan"))


def train(
    key: Key[Array, ""],
    algorithm: Algorithm,
    data: TrainingSet,
    plan: Plan,
    state: Any,
    total_steps: int,
    first_step: int = 0,
    on_chunk: Sequence[Callable[[Chunk], None]] = (),
    mesh: Mesh | None = None,
) -> Any:
    """The steps from `first_step` to `total_steps`, exactly; returns the last state, and leaves `state` as it is.

    Where the training set lies, on the device or on the host, changes no batch and no draw: only a sum's rounding.
    After each chunk every callable gets a `Chunk` (its metrics: means over the chunk and what `observe` says). What
    they raise ends the run. Raises `Diverged`, before they see the chunk, where a metric is NaN or a parameter is
    larger than 10^4; `UserError` where more steps are done than asked for. On a `mesh` (`training.mesh`) every step is
    split over its devices, and the state is left on them: where they are those of several processes, on its own.
    """
    if first_step > total_steps:
        raise UserError(f"`total_steps` {total_steps} is less than the {first_step} steps done; give more of them.")
    started = time.perf_counter()
    state = copied(state)  # each chunk is given the buffers of the one before it
    parts = chunks(first_step, total_steps, plan)
    feed = Feed(key, data, plan.batch_size, plan.chunk, parts) if isinstance(data.x, Stored) else None
    data = placed(on_device(data, slice(WATCHED)), mesh)  # of a set on the host what is observed
    key, state = placed((key, state), mesh)
    for first, count in chunks(first_step, total_steps, plan):
        begin, length = jnp.asarray(first), jnp.asarray(count)
        done = first + count
        with on(mesh):
            if feed is None:
                state, steps = run_chunk(key, state, data, begin, length, algorithm.step, plan)
            else:
                state, steps = run_pieces(key, state, feed, count, algorithm.step, plan, mesh)
            after = run_observation(subkey(key, "observe"), state, data, jnp.asarray(done), algorithm.observe, plan)
        each = {name: np.asarray(values)[:count] for name, values in steps.items()}
        metrics = each | {name: np.asarray(value) for name, value in after.items()}
        refuse_divergence(metrics, first)
        means = {name: float(values.mean()) for name, values in metrics.items()}
        report = Chunk(done, done / plan.steps_per_epoch, time.perf_counter() - started, means, own(state), each)
        for call in on_chunk:
            call(report)
    return own(state)


def run_pieces(
    key: Key[Array, ""], state: Any, feed: Feed, count: int, step: Step, plan: Plan, mesh: Mesh | None
) -> tuple[Any, dict[str, np.ndarray]]:
    """A chunk of `count` steps, whose batches come from the host: while the device has one piece to do, the next is
    gathered."""
    plan, found = plan._replace(chunk=feed.steps), []
    while count > 0:
        given = feed.piece
        numbers = jnp.asarray(given.first), jnp.asarray(given.steps)
        state, steps = run_piece(key, state, placed(given.batches, mesh), *numbers, step, plan)
        feed.fetch()
        found.append({name: np.asarray(values)[: given.steps] for name, values in steps.items()})
        count -= given.steps
    return state, {name: np.concatenate([steps[name] for steps in found]) for name in found[0]}


def chunks(first: int, total: int, plan: Plan) -> Iterator[tuple[int, int]]:
    """The first step and the length of each chunk of a run; they end at the same steps wherever the run begins."""
    while first < total:
        count = min(plan.chunk - first % plan.chunk, total - first)
        yield first, count
        first += count


def refuse_divergence(metrics: dict[str, np.ndarray], first: int) -> None:
    """Raise `Diverged` with the step and the metric, where a metric is no number or a parameter has exploded."""
    for name, values in metrics.items():
        bad = np.isnan(values)  # infinite metrics there may be: an impossible image, say
        if name == "parameter_max":
            bad |= values > EXPLODED
        if bad.any():
            step = first + (int(bad.argmax()) if bad.ndim else 0) + 1
            value = values[bad].flat[0] if values.ndim else values
            raise Diverged(f"Training diverged at step {step}: {name} is {float(value):.4g}")
