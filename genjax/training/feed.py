"""Batches of a set for which the device has no room: gathered on the host, and sent while the device computes.

The order is drawn as it is on the device, and a batch holds the same examples in the same order: a run is what it is
with its set on the device, but for the rounding of sums that are compiled apart.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Int, Integer, Key

from genjax.random import subkey
from genjax.training.sets import TrainingSet, sent
from genjax.typing import Batch

PIECE = 2**28
"""Bytes of examples that are sent together, at most, though at least a step's."""


class Piece(NamedTuple):
    """Batches of `steps` steps from step `first` on, `(longest, batch, ...)`, as they are stored; others are idle."""

    first: int
    steps: int
    batches: Batch


def order_of(key: Key[Array, ""], epoch: Int[Array, ""] | int, examples: int) -> Int[Array, " examples"]:
    """In which order an epoch of the run with this key takes its examples."""
    return jax.random.permutation(jax.random.fold_in(subkey(key, "order"), epoch), examples)


class Feed:
    """The pieces of these chunks (first steps and lengths), one after another; the next is always on its way."""

    def __init__(
        self,
        key: Key[Array, ""],
        data: TrainingSet,
        batch_size: int,
        longest_chunk: int,
        chunks: Iterable[tuple[int, int]],
    ):
        self.data, self.batch_size, self.steps_per_epoch = data, batch_size, len(data.x) // batch_size
        most = max(1, PIECE // (batch_size * data.x.nbytes // len(data.x)))
        self.steps = -(-longest_chunk // -(-longest_chunk // most))  # a chunk's pieces are of one length
        self._order = jax.jit(partial(order_of, key, examples=len(data.x)))
        self._drawn = -1, np.arange(0)  # an epoch and its order
        self._pieces = self._gathered(chunks)
        self.fetch()

    @property
    def piece(self) -> Piece:
        """What is to be done now."""
        assert self._next is not None
        return self._next

    def fetch(self) -> None:
        """Gather the next piece and send it: after the device has been given this one, which it does meanwhile."""
        self._next = next(self._pieces, None)

    def _gathered(self, chunks: Iterable[tuple[int, int]]) -> Iterator[Piece]:
        for begin, count in chunks:
            for first in range(begin, begin + count, self.steps):
                length = min(self.steps, begin + count - first)
                index = np.stack([self._index(step) for step in range(first, first + length)])
                yield Piece(first, length, sent(self.data, np.pad(index, ((0, self.steps - length), (0, 0)))))

    def _index(self, step: int) -> Integer[np.ndarray, " batch"]:
        epoch, number = divmod(step, self.steps_per_epoch)
        if epoch != self._drawn[0]:
            self._drawn = epoch, np.asarray(self._order(epoch))
        return self._drawn[1][number * self.batch_size :][: self.batch_size]
