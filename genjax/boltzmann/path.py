"""Between two machines: interpolation in their natural parameters, and the uncoupled machine where a path begins."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.boltzmann.machine import Machine, States, fields, product

Beta = Float[Array, "..."] | float
"""Inverse temperature: a scalar, or one a chain."""


def mix(at_machine, at_base, beta: Beta):
    """beta * at_machine + (1 - beta) * at_base, one beta for all or one a chain; a missing base counts as zero."""
    if isinstance(beta, float) and beta == 1.0:
        return at_machine
    scale = jnp.asarray(beta)
    scale = scale[..., None] if scale.ndim else scale
    return scale * at_machine if at_base is None else scale * at_machine + (1 - scale) * at_base


def path_fields(machine: Machine, state: States, layer: int, beta: Beta = 1.0, base: Machine | None = None):
    """Fields of one layer on the path: beta * fields(machine) + (1 - beta) * fields(base), `(*batch, units)`."""
    at_base = None if base is None else fields(base, state, layer)
    return mix(fields(machine, state, layer), at_base, beta)


def path_quadratic(machine: Machine, layer: int, beta: Beta = 1.0, base: Machine | None = None):
    """Quadratic coefficients on the path; without a base they stay, since a density without them has no integral."""
    own = machine.quadratic(layer)
    return own if own is None or base is None else mix(own, base.quadratic(layer), beta)


def interpolate(base: Machine, machine: Machine, beta: Beta) -> Machine:
    """The machine at `beta` (one number) on the path from `base` (0) to `machine` (1)."""
    weights = tuple(
        None if w is None and w0 is None else mix(0.0 if w is None else w, w0, beta)
        for w, w0 in zip(machine.weights, base.weights)
    )
    biases = tuple(mix(b, b0, beta) for b, b0 in zip(machine.biases, base.biases))
    quadratics = tuple(path_quadratic(machine, layer, beta, base) for layer in range(machine.depth))
    return dataclasses.replace(
        machine, weights=weights, biases=biases, quadratics=quadratics if machine.quadratics else ()
    )


def uncoupled(machine: Machine, images: Float[Array, "images visible"]) -> Machine:
    """The base of a path: no weights, the same quadratic terms, and biases from the data's means.

    The lowest layer has the images' base rates, each layer above the mean of what the images' means send up to it:
    a shorter path than from hidden units at one half (as in Salakhutdinov and Murray 2008).
    """
    state: list[Array] = [images]
    for layer in range(1, machine.depth):
        field = machine.biases[layer] + product(state[-1], machine.weights[layer - 1])
        state.append(machine.units[layer].mean(field, machine.quadratic(layer)))
    biases = tuple(
        unit.field_of_mean(jnp.mean(x, axis=0), machine.quadratic(layer))
        for layer, (unit, x) in enumerate(zip(machine.units, state))
    )
    return dataclasses.replace(machine, weights=(None,) * (machine.depth - 1), biases=biases)
