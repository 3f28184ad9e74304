"""One example in its three shapes: flat, as the caller gave it, and (height, width, channels)."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped

from genjax.data import values
from genjax.errors import UserError

MOST = 2**31 - 1  # examples
Rows = Shaped[np.ndarray, "examples values"]


def image_shape(shape: tuple[int, ...], name: str) -> tuple[int, int, int]:
    """Height, width and channels of examples in an array of this shape; flat values are a square where they can be.

    Raises `UserError` that begins with `name` for other than (n, values), (n, height, width) and (n, height, width,
    channels).
    """
    if len(shape) not in (2, 3, 4) or 0 in shape:
        raise UserError(
            f"{name} has shape {shape}; give (n, values), (n, height, width) or (n, height, width, channels), none of "
            "them 0."
        )
    if len(shape) == 2:
        side = math.isqrt(shape[1])
        return (side, side, 1) if side * side == shape[1] else (1, shape[1], 1)
    if len(shape) == 3:
        return (shape[1], shape[2], 1)
    if shape[3] not in (1, 3):
        raise UserError(
            f"{name} has shape {shape}, so {shape[3]} channels; give 1 (grey) or 3 (RGB) as the last axis, or flat "
            "examples (n, values)."
        )
    return (shape[1], shape[2], shape[3])


def usual(shape: tuple[int, int, int]) -> tuple[int, ...]:
    """The shape of an example whose source has none of its own: without the axis of a single channel."""
    return shape[:2] if shape[2] == 1 else shape


def rows(x: Any, shape: tuple[int, int, int], example_shape: tuple[int, ...], name: str) -> Rows:
    """Flat rows of examples that come flat, as (height, width, channels), as `usual`, or as the data were given.

    Raises `UserError` that names both shapes for any other.
    """
    array, size = plain(x, name), math.prod(shape)
    known = {(size,), tuple(shape), usual(shape), tuple(example_shape)}
    if array.ndim < 1 or array.shape[1:] not in known:
        shaped = ", ".join(map(str, ("n", *example_shape)))
        flat = f" or (n, {size})" if tuple(example_shape) != (size,) else ""
        raise UserError(
            f"{name} has shape {array.shape}, and one example of these data has shape {tuple(example_shape)}; give "
            f"({shaped}){flat}."
        )
    return array.reshape(len(array), size)


def flatten(
    x: Any, shape: tuple[int, int, int], example_shape: tuple[int, ...], name: str = "`x`", finite: bool = True
) -> Float32[np.ndarray, "examples values"]:
    """A new float32 array (n, values) of examples, flat or shaped, with values as `Dataset.from_arrays` takes them.

    Without `finite`, NaN may stand where a value is unknown. Raises `UserError` for other shapes and values.
    """
    flat = rows(x, shape, example_shape, name)
    scaled = values.scaled({name: flat}, finite=finite)[name]
    return values.intensities(scaled, values.white(scaled))


def shaped(x: Any, example_shape: tuple[int, ...]) -> Shaped[np.ndarray, "..."]:
    """`(..., values)` as `(..., *example_shape)`."""
    array = np.asarray(x)
    return array.reshape(*array.shape[:-1], *example_shape)


def plain(x: Any, name: str) -> Shaped[np.ndarray, "..."]:
    """As a numpy array, not copied where it is one. Raises `UserError` where rows differ in length."""
    if np.ma.is_masked(x):
        raise UserError(f"{name} is masked; fill what is masked, or leave those examples out.")
    try:
        array = np.asarray(x)
    except (ValueError, TypeError) as error:
        raise UserError(f"{name} is no array ({str(error).splitlines()[0]}); give rows of equal length.") from None
    if array.ndim and len(array) > MOST:
        raise UserError(f"{name} has {len(array)} rows; give at most {MOST}.")
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array
