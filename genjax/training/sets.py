"""A training set, as the loop reads it: on the device, or on the host where the device has no room for it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, Shaped

from genjax.data.stored import Examples, Stored, shown
from genjax.typing import Batch

ROOM = 2**30
"""Bytes of training examples that are kept on a device which does not say how much memory it has."""
SHARE = 4
"""Of other devices' memory they may take this part."""
TOGETHER = 2**28
"""Values that are turned into floats at once, where all are looked at before the first step."""


class TrainingSet(NamedTuple):
    """What the loop reads: intensities or other values, targets, and examples held out, or None.

    Of `x`, uint8 are bytes, of which 255 stands for 1, and become floats in a step, batch by batch; bool are 0 and 1.
    Examples that are `Stored` are on the host, as are their targets, and are sent when they are needed. A target is any
    pytree of arrays with the examples along their leading axes, or None. The examples held out are binarised once.
    """

    x: Shaped[Array, "examples values"] | Stored
    target: PyTree = None
    held_out: Batch | None = None


def training_set(x: Examples, target: PyTree = None, held_out: Batch | None = None) -> TrainingSet:
    """Examples of the host with their targets, on the device if it has room for them, as they are stored."""
    data = TrainingSet(x if isinstance(x, Stored) else Stored.whole(x), target, held_out)
    return data if too_large(data.x.nbytes) else on_device(data)


def too_large(nbytes: int) -> bool:
    """Whether the device has no room for so many bytes of training examples."""
    memory = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
    return nbytes > (ROOM if memory is None else memory // SHARE)


def on_device(data: TrainingSet, index: slice = slice(None)) -> TrainingSet:
    """A set that is kept on the host, or these examples of it, on the device; another as it is."""
    if not isinstance(data.x, Stored):
        return data
    return TrainingSet(*sent(data, index), data.held_out)


def sent(data: TrainingSet, index: Any) -> Batch:
    """Examples of the host on the device, as they are stored; `index` may have several axes."""
    assert isinstance(data.x, Stored)
    target = jax.tree.map(lambda leaf: jnp.asarray(leaf[index]), data.target)
    return Batch(jnp.asarray(data.x.raw(index)), target)


def rows(data: TrainingSet, index: Any) -> Batch:
    """These training examples with their targets, as floats."""
    if isinstance(data.x, Stored):
        data, index = on_device(data, index), slice(None)
    x: Any = data.x
    batch = jax.tree.map(lambda array: array[index], Batch(x, data.target))
    return batch._replace(x=shown(batch.x))


def blocks(data: TrainingSet) -> Iterator[Batch]:
    """All examples with their targets as floats, about `TOGETHER` values after others; floats of the device at once."""
    examples, values = data.x.shape
    of_floats = isinstance(data.x, jax.Array) and jnp.issubdtype(data.x.dtype, jnp.floating)
    size = examples if of_floats else max(1, TOGETHER // values)
    return (rows(data, slice(first, first + size)) for first in range(0, examples, size))


def moments(x: Shaped[Array, "examples values"] | Stored) -> tuple[Float[Array, " values"], Float[Array, " values"]]:
    """Mean and variance of each value, of whole columns at once: those of the set as floats, but for rounding."""
    if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jnp.floating):
        return x.mean(0), x.var(0)
    examples, values = x.shape
    width = max(1, -(-values // -(-examples * values // TOGETHER)))
    found = []
    for columns in (slice(begin, begin + width) for begin in range(0, values, width)):
        raw = jnp.asarray(x.raw(columns=columns)) if isinstance(x, Stored) else x[:, columns]
        floats = jax.jit(shown)(raw)
        found.append((floats.mean(0), floats.var(0)))
    mean, variance = (jnp.concatenate(parts) for parts in zip(*found))
    return mean, variance
