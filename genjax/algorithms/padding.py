"""Smaller machines in the arrays of larger ones, so that a grid's hidden sizes share one program."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from genjax.algorithms.contrastive import ContrastiveState, RBMConfig
from genjax.algorithms.negative import CD, PCD
from genjax.boltzmann.machine import Machine
from genjax.boltzmann.units import BERNOULLI
from genjax.training.optimisers import Direction

OFF = -1000.0  # the bias of a hidden unit that is not there: its probability is exactly 0 in float32


def padded(state: ContrastiveState, hidden: int) -> ContrastiveState:
    """The state before the first step in arrays of `hidden` binary hidden units, from an RBM of as many or fewer.

    The units that are added are never on, so their statistics, gradients and weights stay zero, whatever optimiser
    goes on from here: a mask that lives in the biases. `sliced` drops them.
    """
    small = state.machine.sizes[1]

    def wider(x: Any, axis: int, value: float = 0.0) -> Any:
        widths = [(0, hidden - small if number == axis % x.ndim else 0) for number in range(x.ndim)]
        return jnp.pad(x, widths, constant_values=value)

    def machine(one: Machine, bias: float) -> Machine:
        """Of `one`, which is shaped like the machine."""
        weights, (visible, biases) = wider(one.weights[0], -1), one.biases
        return dataclasses.replace(one, weights=(weights,), biases=(visible, wider(biases, -1, bias)))

    def like_machine(x: Any) -> bool:
        return isinstance(x, Machine)

    def moments(x: Any) -> Any:
        """What an optimiser carries: machines, and numbers that have no size."""
        return machine(x, 0.0) if like_machine(x) else x

    return state._replace(
        machine=machine(state.machine, OFF),
        chains=(state.chains[0], wider(state.chains[1], -1)),
        offsets=(state.offsets[0], wider(state.offsets[1], -1)),
        optimiser=jax.tree.map(moments, state.optimiser, is_leaf=like_machine),
        average=None if state.average is None else machine(state.average, OFF),
    )


def sliced(machine: Machine, hidden: int) -> Machine:
    """The machine with its first `hidden` hidden units alone."""
    weights = (machine.weights[0][:, :hidden], *(w[:hidden] for w in machine.weights[1:]))
    return dataclasses.replace(
        machine, weights=weights, biases=(machine.biases[0], machine.biases[1][:hidden], *machine.biases[2:])
    )


def unpadded(state: ContrastiveState, hidden: int) -> ContrastiveState:
    """The state with its first `hidden` hidden units alone: `padded` turned back."""

    def narrower(x: Any) -> Any:
        return sliced(x, hidden) if isinstance(x, Machine) else x

    return state._replace(
        machine=sliced(state.machine, hidden),
        chains=(state.chains[0], state.chains[1][:, :hidden]),
        offsets=(state.offsets[0], state.offsets[1][:hidden]),
        optimiser=jax.tree.map(narrower, state.optimiser, is_leaf=lambda x: isinstance(x, Machine)),
        average=None if state.average is None else sliced(state.average, hidden),
    )


def paddable(config: RBMConfig) -> bool:
    """Whether hidden units may be added that are never on: binary ones, whose chains are plain arrays."""
    plain = isinstance(config.negative, PCD | CD) and isinstance(config.optimiser, Direction)
    return config.hidden_type == BERNOULLI and plain and not config.classes
