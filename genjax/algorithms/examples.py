"""What examples an algorithm can learn: each function raises `UserError`, on the host, where they are none."""

import numpy as np
from jaxtyping import Array, Float, PyTree

from genjax.boltzmann.units import Rectified, Unit
from genjax.data.stored import Array2D, Stored, blocks, raw_blocks
from genjax.errors import UserError

Values = Float[Array | Array2D, "examples values"]


def finite(x: Values) -> None:
    """Refuse what is no number."""
    if not all(np.isfinite(block).all() for block in raw_blocks(_on_host(x))):
        raise UserError("The examples hold values that are not finite; leave these examples out, or mend them.")


def intensities(x: Values, wanted: str) -> None:
    """Refuse values outside [0, 1]; `wanted` names the argument that takes no others."""
    finite(x)
    low, high = _extremes(x)
    if low < 0 or high > 1:
        raise UserError(f"{wanted} takes intensities from 0 to 1, and these go from {low:g} to {high:g}; rescale them.")


def binary(x: Values, wanted: str, others: str, noun: str = "pixels") -> None:
    """Refuse values that are neither 0 nor 1; `others` says what takes them."""
    for values in blocks(_on_host(x)):
        grey = (values != 0) & (values != 1)
        if grey.any():
            raise UserError(
                f"{wanted} takes binary {noun}, and `binarisation` none leaves others, such as "
                f"{values[grey].flat[0]:g}; choose sampled or threshold, or {others}."
            )


def units(unit: Unit, x: Values, wanted: str) -> None:
    """Refuse pixels that are none of this type; `wanted` names the argument that chose it."""
    if unit.states == 2 and unit.width == 1:
        binary(x, wanted, "another type")
    elif unit.states is not None:
        intensities(x, wanted)
    else:
        finite(x)
    lowest, _ = _extremes(x)
    if isinstance(unit, Rectified) and lowest < 0:
        raise UserError(f"{wanted} takes values of at least 0, and these begin at {lowest:g}; shift them.")


def _on_host(x: Values) -> np.ndarray | Stored:
    return x if isinstance(x, Stored) else np.asarray(x)


def _extremes(x: Values) -> tuple[float, float]:
    """The least and the largest of 0 and all values."""
    values = _on_host(x)
    return (min(float(values.min()), 0.0), max(float(values.max()), 0.0)) if values.size else (0.0, 0.0)


def labels(target: PyTree, classes: int) -> None:
    """Refuse targets that are no class numbers, or more than there are classes."""
    if target is None:
        raise UserError(f"`classes` {classes}: the examples have no labels; leave it out, or give class numbers.")
    if not isinstance(target, Array | np.ndarray) or target.ndim != 1 or not np.issubdtype(target.dtype, np.integer):
        raise UserError(f"`classes` {classes}: the targets are not class numbers, an integer for each example.")
    values = np.asarray(target)
    if values.size and values.min() < 0:
        raise UserError(f"`classes` {classes}: there are examples without labels; leave it out.")
    if values.size and values.max() >= classes:
        raise UserError(f"`classes` {classes} is less than the {values.max() + 1} labels of the examples.")
