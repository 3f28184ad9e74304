"""Examples as their source stores them, a byte a value, in memory or mapped from a file; they read as float32."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Integer, Shaped, UInt8
from numpy.lib.mixins import NDArrayOperatorsMixin

BLOCK = 2**24
"""Values that are turned into floats together."""
HIGH, LOW = np.float32(257 / 2**16), np.float32(1 / 255 - 257 / 2**16)
"""1 / 255 in two parts. The first has few digits, so that its product with a byte is exact."""


@dataclass(frozen=True, eq=False, repr=False)
class Stored(NDArrayOperatorsMixin):
    """Rows of a flat array: uint8 are bytes, of which 255 stands for 1; bool are 0 and 1; float32 are what they are.

    It reads as the float32 array of these values: whatever is asked of it or done with it, indexing included, gives new
    arrays of floats, as large as what is asked for. `raw` and `take` make none.
    """

    array: Shaped[np.ndarray, "all values"]
    rows: Integer[np.ndarray, " examples"]
    """Which of them the examples are, in their order."""

    dtype = np.dtype(np.float32)
    ndim = 2

    @classmethod
    def whole(cls, array: Shaped[np.ndarray, "all values"]) -> Any:
        """All rows of an array, which is not copied."""
        return cls(array, np.arange(len(array)))

    @property
    def shape(self) -> tuple[int, int]:
        """Examples and values."""
        return len(self.rows), self.array.shape[1]

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.rows) * self.array.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of the examples as they are stored."""
        return self.size * self.array.dtype.itemsize

    def raw(self, index: Any = slice(None), columns: slice = slice(None)) -> Shaped[np.ndarray, "..."]:
        """Values as they are stored, a new array."""
        return np.ascontiguousarray(self.array[:, columns][self.rows[index]])

    def take(self, index: Any) -> "Stored":
        """Some of the examples, of which nothing is read."""
        return Stored(self.array, self.rows[index])

    def min(self, axis: Any = None, **options: Any) -> Any:
        """The least value; along an axis, that of the floats."""
        return self._extreme(np.min, axis, options)

    def max(self, axis: Any = None, **options: Any) -> Any:
        """The largest value; along an axis, that of the floats."""
        return self._extreme(np.max, axis, options)

    def _extreme(self, of: Any, axis: Any, options: dict[str, Any]) -> Any:
        options = {name: value for name, value in options.items() if value is not None}
        if axis is not None or options or not self.size:
            return of(np.asarray(self), axis, **options)
        return floats(np.array([of([of(block) for block in raw_blocks(self)])]))[0]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, tuple) or (np.ndim(index) > 1 and np.asarray(index).dtype == bool):
            return np.asarray(self)[index]
        return floats(self.raw(index))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = np.empty(self.shape, np.float32)
        first = 0
        for block in blocks(self):
            values[first : first + len(block)] = block
            first += len(block)
        return values if dtype is None else values.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*(np.asarray(x) if isinstance(x, Stored) else x for x in inputs), **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"no array has {name}")
        return getattr(np.asarray(self), name)

    def __repr__(self) -> str:
        return f"Stored {self.array.dtype}{list(self.shape)}"


if TYPE_CHECKING:  # it answers as an array does, and programs need not tell the two apart
    Array2D = np.ndarray
else:
    Array2D = np.ndarray | Stored

Examples = Float32[Array2D, "_ values"]
"""Examples of a data set: an array, or what reads as one."""


def floats(raw: Shaped[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """The values of what is stored: bytes divided by 255, anything else as it is."""
    if raw.dtype == np.uint8:
        return np.divide(raw, np.float32(255), dtype=np.float32)
    return raw.astype(np.float32, copy=False)


def shown(raw: Float[Array, "..."] | UInt8[Array, "..."] | Bool[Array, "..."]) -> Float[Array, "..."]:
    """`floats` inside jit, the same to the last bit on every device; what is neither bytes nor bool stays as it is.

    A quotient would not be: compilers multiply by the rounded 1 / 255 instead, and devices divide in their own ways.
    The exact first product and the rest of 1 / 255 add up to the rounded quotient for each of the 256 bytes.
    """
    if raw.dtype == jnp.uint8:
        byte = raw.astype(jnp.float32)
        return byte * HIGH + byte * LOW
    return raw.astype(jnp.float32) if raw.dtype == jnp.bool_ else raw


def raw_blocks(x: Shaped[np.ndarray, "..."] | Stored) -> Iterator[Shaped[np.ndarray, "..."]]:
    """Some rows after others as they are stored, about `BLOCK` values together; an array as it is."""
    if not isinstance(x, Stored):
        yield x
        return
    rows = max(1, BLOCK // max(1, x.shape[1]))
    for first in range(0, len(x), rows):
        yield x.raw(slice(first, first + rows))


def blocks(x: Shaped[np.ndarray, "..."] | Stored) -> Iterator[Shaped[np.ndarray, "..."]]:
    """The same, what is stored as floats."""
    return map(floats, raw_blocks(x)) if isinstance(x, Stored) else iter((x,))


def take(x: Examples, index: Any) -> Examples:
    """Some of the examples, of those stored without reading them."""
    return x.take(index) if isinstance(x, Stored) else x[index]


def joined(*parts: Examples) -> Examples:
    """Examples of all, one after another: stored where they are rows of one array."""
    first = parts[0]
    if isinstance(first, Stored) and all(isinstance(part, Stored) and part.array is first.array for part in parts):
        return Stored(first.array, np.concatenate([part.rows for part in parts]))  # type: ignore[union-attr]
    return np.concatenate([np.asarray(part) for part in parts])


def mean(x: Examples) -> Float32[np.ndarray, " values"]:
    """Of each value over all examples, which are added up in float64, one after another."""
    if isinstance(x, np.ndarray):
        return x.mean(0, dtype=np.float64).astype(np.float32)
    total = np.zeros(x.shape[1])
    for block in blocks(x):
        total = np.concatenate([total[None], block], dtype=np.float64).sum(0)
    return (total / len(x)).astype(np.float32)


def brightness(x: Examples) -> float:
    """The mean of all values, added up in float64, rounded to float32: the same however many rows are read at once."""
    return float(np.float32(sum(float(block.sum(dtype=np.float64)) for block in blocks(x)) / x.size))
