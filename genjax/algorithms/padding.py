"""Smaller machines in the arrays of larger ones, so that a grid's hidden sizes share one program."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Int

from genjax.algorithms.contrastive import ContrastiveState
from genjax.boltzmann.machine import Machine

OFF = -1000.0  # the bias of a hidden unit that is not there: its probability is exactly 0 in float32


def cut(state: ContrastiveState, hidden: int | Int[Array, ""]) -> ContrastiveState:
    """The state before the first step as one of fewer binary hidden units, in arrays of the old size.

    The units from `hidden` on are never on, so their statistics, gradients and weights stay zero, whatever optimiser
    goes on from here: a mask that lives in the biases. `sliced` drops them.
    """
    there = jnp.arange(state.machine.sizes[1]) < hidden

    def masked(machine: Machine) -> Machine:
        weights = (machine.weights[0] * there, *(w * there[:, None] for w in machine.weights[1:]))
        biases = (machine.biases[0], jnp.where(there, machine.biases[1], OFF), *machine.biases[2:])
        return dataclasses.replace(machine, weights=weights, biases=biases)

    chains = tuple(x * there if layer == 1 else x for layer, x in enumerate(state.chains))
    offsets = tuple(mu * there if layer == 1 else mu for layer, mu in enumerate(state.offsets))
    average = None if state.average is None else masked(state.average)
    return state._replace(machine=masked(state.machine), chains=chains, offsets=offsets, average=average)


def sliced(machine: Machine, hidden: int) -> Machine:
    """The machine with its first `hidden` hidden units alone."""
    weights = (machine.weights[0][:, :hidden], *(w[:hidden] for w in machine.weights[1:]))
    return dataclasses.replace(
        machine, weights=weights, biases=(machine.biases[0], machine.biases[1][:hidden], *machine.biases[2:])
    )
