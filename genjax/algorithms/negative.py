"""Negative phases: where the model's own samples come from at each step of learning.

A phase is two functions. `init(key, machine, chains)` makes what it carries from step to step, any pytree;
`advance(key, machine, carried, data)` returns the new one and the samples, `(chains, units)` a layer with expected
odd layers. `chains_of(carried)` finds the chains that belong to the machine itself.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from genjax.boltzmann.machine import Machine, States, mean
from genjax.random import subkey
from genjax.sampling import tempering
from genjax.sampling.gibbs import draw, initial_state, update

ADAPT_EVERY = 100  # steps between two placements of the temperatures


class Negative(NamedTuple):
    """One way to sample the machine while it learns."""

    init: Callable[[Key[Array, ""], Machine, int], Any]
    advance: Callable[[Key[Array, ""], Machine, Any, States], tuple[Any, States]]


def expected(machine: Machine, state: States) -> States:
    """The state with its odd layers at their expected values given the even ones: exact."""
    return tuple(x if layer % 2 == 0 else mean(machine, state, layer) for layer, x in enumerate(state))


def sweeps(key: Key[Array, ""], machine: Machine, state: States, k: int) -> tuple[States, States]:
    """k sweeps that end on the hidden side. Returns the chains, and their states with expected hidden units.

    The chains go on from drawn hidden units whose fields also give the expectation: two products a sweep.
    """

    def one(i: int | Array, state: States) -> States:
        state = update(jax.random.fold_in(key, 2 * i), machine, state, 0)
        return update(jax.random.fold_in(key, 2 * i + 1), machine, state, 1)

    state = jax.lax.fori_loop(0, k - 1, one, state)
    state = one(k - 1, state)  # outside the loop, where XLA finds that the expectation takes the same product
    return state, expected(machine, state)


def persistent(k: int) -> Negative:
    """PCD (Tieleman 2008): chains that are never restarted. k sweeps."""

    def advance(key: Key[Array, ""], machine: Machine, state: States, data: States) -> tuple[States, States]:
        return sweeps(key, machine, state, k)

    return Negative(initial_state, advance)


def restarted(k: int) -> Negative:
    """CD (Hinton 2002): chains that start at each batch's data, as many as it has. k sweeps."""

    def advance(key: Key[Array, ""], machine: Machine, state: States, data: States) -> tuple[States, States]:
        hidden = draw(subkey(key, "restart"), machine, data, 1)
        start = tuple(hidden if layer == 1 else x for layer, x in enumerate(data))
        return sweeps(key, machine, start, k)

    return Negative(initial_state, advance)


class Tempered(NamedTuple):
    """Chains at all temperatures; `info` counts the swaps since the temperatures were placed."""

    chains: tempering.State
    base: Machine
    betas: Float[Array, " rungs"]
    info: tempering.Info


def tempered(k: int, rungs: int) -> Negative:
    """PCD by parallel tempering (Desjardins et al. 2010), temperatures placed anew as the machine grows.

    Rungs lie on the path from a machine without weights to the machine; each costs k sweeps.
    """

    def init(key: Key[Array, ""], machine: Machine, chains: int) -> Tempered:
        betas, base = jnp.linspace(0.0, 1.0, rungs, dtype=jnp.float32), without_weights(machine)
        state = tempering.init(key, tempering.path_ladder(base, machine, betas), chains)
        return Tempered(state, base, betas, tempering.no_info(rungs, chains))

    def advance(key: Key[Array, ""], machine: Machine, carried: Tempered, data: States) -> tuple[Tempered, States]:
        ladder = tempering.path_ladder(carried.base, machine, carried.betas)
        chains, info = tempering.step(key, ladder, carried.chains, k)
        info = jax.tree.map(jnp.add, carried.info, info)
        due = info.rounds >= ADAPT_EVERY
        betas = jnp.where(due, tempering.adapt(carried.betas, 1 - tempering.report(info).swap_rate), carried.betas)
        info = jax.tree.map(lambda x: jnp.where(due, jnp.zeros_like(x), x), info)
        new = Tempered(chains, carried.base, betas, info)
        return new, expected(machine, chains_of(new))

    return Negative(init, advance)


def chains_of(carried: Any) -> States:
    """The chains of the machine itself, whatever else a phase carries."""
    ladder = getattr(carried, "chains", None)
    return tuple(x[-1] for x in ladder.states) if isinstance(ladder, tempering.State) else carried


def without_weights(machine: Machine) -> Machine:
    """The machine at zero weights, as arrays: where ladders begin."""
    return Machine(jax.tree.map(jnp.zeros_like, machine.weights), machine.biases, machine.units, machine.quadratics)
