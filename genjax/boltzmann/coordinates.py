"""The coordinates in which a machine learns: those of data as spread as binary ones, precisions by their logarithms.

Units with a term g x^2 / 2 have a scale, 1 / sqrt(g). What is learned of them is the weights and biases that act on
x sqrt(g) / 4, and log g, so that one learning rate does for pixels of any type and spread and g stays positive. Biases
are counted from the offset mu, as c = b - g mu: a new g then leaves the unit's mean near mu where it is. Machines
without such units are their own coordinates.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from genjax.boltzmann.machine import Machine

LEAST_DEVIATION = 0.1
"""Standard deviations stay above it: a pixel that never changes would have an infinite density."""
DEVIATION = 0.25
"""What a standard deviation of 1 / sqrt(g) counts as: about that of a binary pixel, whose learning rates then do."""


def scales(machine: Machine) -> tuple[Array, ...]:
    """sqrt(g) of each layer times `DEVIATION`, 1 where it has none."""
    return tuple(
        jnp.ones((), jnp.float32)
        if machine.quadratic(layer) is None
        else DEVIATION * jnp.sqrt(machine.quadratic(layer))  # type: ignore[arg-type]
        for layer in range(machine.depth)
    )


def _scaled(machine: Machine, power: int) -> Machine:
    """Weights and biases times their layers' sqrt(g) to this power."""
    s = [x**power for x in scales(machine)]
    weights = tuple(
        None if w is None else w * jnp.broadcast_to(below, w.shape[:1])[:, None] * above
        for w, below, above in zip(machine.weights, s, s[1:])
    )
    return dataclasses.replace(machine, weights=weights, biases=tuple(b * x for b, x in zip(machine.biases, s)))


def _shifted(machine: Machine, offsets: tuple[Array, ...], sign: int) -> Machine:
    """Biases plus or minus g mu."""
    biases = tuple(
        b if machine.quadratic(layer) is None else b + sign * machine.quadratic(layer) * mu  # type: ignore[operator]
        for layer, (b, mu) in enumerate(zip(machine.biases, offsets))
    )
    return dataclasses.replace(machine, biases=biases)


def learned(machine: Machine, offsets: tuple[Array, ...]) -> Machine:
    """The machine's coordinates."""
    if not machine.quadratics:
        return machine
    inside = _scaled(_shifted(machine, offsets, -1), -1)
    return dataclasses.replace(inside, quadratics=jax.tree.map(jnp.log, machine.quadratics))


def slope(machine: Machine, gradient: Machine) -> Machine:
    """A gradient with respect to the machine's plain parameters (centred, g's too) in those coordinates.

    Only the lowest layer's precisions are learned: a hidden unit's scale is its weights' already.
    """
    if not machine.quadratics:
        return gradient
    inside: Any = _scaled(dataclasses.replace(machine, weights=gradient.weights, biases=gradient.biases), 1)
    lowest, *others = (
        None if g is None else g * slope for g, slope in zip(machine.quadratics, gradient.quadratics, strict=True)
    )
    fixed = tuple(None if g is None else jnp.zeros_like(g) for g in others)
    return dataclasses.replace(inside, quadratics=(lowest, *fixed))


def plain(coordinates: Machine, before: Machine, offsets: tuple[Array, ...]) -> Machine:
    """The machine with these coordinates, scaled as `before` was."""
    if not before.quadratics:
        return coordinates
    most = -2 * jnp.log(LEAST_DEVIATION)
    quadratics = jax.tree.map(lambda x: jnp.exp(jnp.minimum(x, most)), coordinates.quadratics)
    scaled = dataclasses.replace(before, weights=coordinates.weights, biases=coordinates.biases)
    return _shifted(dataclasses.replace(_scaled(scaled, 1), quadratics=quadratics), offsets, 1)
