"""RBMs whose visible or hidden layer is there more than once, with the same parameters.

An RBM with two copies of its visible layer, both set to the image, has twice the message from below at its hidden
units, and once the message back: the bottom of a stack that is to become a deep Boltzmann machine. The top one has its
hidden layer twice (Salakhutdinov and Hinton 2009, section 3.1).
"""

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array

from genjax.boltzmann.machine import Machine

Copies = tuple[int, int]
"""How many equal parts the visible and the hidden layer have, `(lower, upper)`."""


def _parts(machine: Machine, copies: Copies, answer: Callable[[Array], Array]) -> Machine:
    """`answer` of each parameter, whose equal parts are at axes 0 (biases) or 0 and 2 (weights)."""
    lower, upper = copies

    def of_layer(x: Array | None, count: int) -> Array | None:
        return None if x is None else answer(x.reshape(count, -1))

    weights = machine.weights[0]
    inner = (weights.shape[0] // lower, weights.shape[1] // upper)
    return dataclasses.replace(
        machine,
        weights=(answer(weights.reshape(lower, inner[0], upper, inner[1])),),
        biases=tuple(of_layer(b, count) for b, count in zip(machine.biases, copies)),
        quadratics=tuple(of_layer(g, count) for g, count in zip(machine.quadratics, copies)),
    )


def _mean(x: Array) -> Array:
    return jnp.mean(x, axis=(0, 2) if x.ndim == 4 else 0)


def tied(machine: Machine, copies: Copies) -> Machine:
    """The machine (or gradient) of two layers with every copy at the mean of all: equal parts stay equal."""

    def equal(x: Array) -> Array:
        axes = (0, 2) if x.ndim == 4 else (0,)
        wide = jnp.broadcast_to(jnp.mean(x, axis=axes, keepdims=True), x.shape)
        return wide.reshape(x.shape[0] * x.shape[1], -1) if x.ndim == 4 else wide.reshape(-1)

    return machine if copies == (1, 1) else _parts(machine, copies, equal)


def merged(machine: Machine, copies: Copies) -> Machine:
    """One copy of each layer."""
    return _parts(machine, copies, _mean)
