"""Between two machines: interpolation in their natural parameters, of any `Energy` (`genjax.typing`)."""

from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

Beta = Float[Array, "..."] | float
"""Inverse temperature: a scalar, or one a chain."""

Parameters = TypeVar("Parameters", bound=PyTree)


def mix(at_machine, at_base, beta: Beta):
    """beta * at_machine + (1 - beta) * at_base, one beta for all or one a chain; a missing base counts as zero."""
    if isinstance(beta, float) and beta == 1.0:
        return at_machine
    scale = jnp.asarray(beta)
    scale = scale[..., None] if scale.ndim else scale
    return scale * at_machine if at_base is None else scale * at_machine + (1 - scale) * at_base


def interpolate(base: Parameters, machine: Parameters, beta: Beta) -> Parameters:
    """The machine at `beta` (one number) on the path from `base` (0) to `machine` (1).

    Parameters that one of them lacks (None), such as the weights of an uncoupled base, count as zero there.
    """

    def one(at_machine: Array | None, at_base: Array | None):
        if at_machine is None and at_base is None:
            return None
        return mix(0.0 if at_machine is None else at_machine, at_base, beta)

    return jax.tree.map(one, machine, base, is_leaf=_is_none)


def with_zeros(base: Parameters, machine: Parameters) -> Parameters:
    """The base with zeros where it lacks a parameter (None) that the machine has: leaves of the same shapes."""
    return jax.tree.map(
        lambda at_machine, at_base: (
            jnp.zeros_like(at_machine) if at_base is None and at_machine is not None else at_base
        ),
        machine,
        base,
        is_leaf=_is_none,
    )


def _is_none(x: object) -> bool:
    return x is None
