"""Weights as the fused kernels read them: bfloat16 numbers, slice of inputs by slice of inputs.

A binary state is exact in bfloat16, so a product with weights of float32 is exact to float32's rounding when each of
them is the sum of three bfloat16 numbers of 8 bits. All three pieces of a slice follow each other: its states are read
once more for each piece, and nothing else in a kernel knows of them.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, BFloat16, Float


def up_to(size: int, multiple: int) -> int:
    """The least multiple that is not smaller."""
    return -(-size // multiple) * multiple


def count(dtype: jnp.dtype | type) -> int:
    """Pieces of a weight of this type: one of bfloat16, three of float32."""
    return 1 if dtype == jnp.bfloat16 else 3


def pieces(weights: Float[Array, "inputs units"]) -> BFloat16[Array, "pieces inputs units"]:
    """bfloat16 numbers that add up to the weights, exactly."""
    found, rest = [], weights
    for _ in range(count(weights.dtype)):
        rounded = lax.reduce_precision(rest, 8, 7)  # a cast there and back might be optimised away
        found.append(rounded.astype(jnp.bfloat16))
        rest = rest - rounded
    return jnp.stack(found)


def in_slices(
    sides: list[Float[Array, "_ units"]], widths: list[int], depth: int, columns: int
) -> BFloat16[Array, "rows padded"]:
    """The weights from all neighbours to one layer: of each slice of `depth` inputs its pieces, one below the other.

    Inputs are padded to `widths`, multiples of `depth`, one a neighbour, and units to `columns`, with zeros.
    """
    found = []
    for weights, width in zip(sides, widths, strict=True):
        inputs, units = weights.shape
        parts = jnp.pad(pieces(weights), ((0, 0), (0, width - inputs), (0, columns - units)))
        parts = parts.reshape(len(parts), width // depth, depth, columns).transpose(1, 0, 2, 3)
        found.append(parts.reshape(-1, columns))
    return jnp.concatenate(found)
