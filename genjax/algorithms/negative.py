"""Negative phases: where the model's own samples come from at each step of learning.

A phase is two functions. `init(key, machine, chains)` makes what it carries from step to step, any pytree;
`advance(key, machine, carried, data)` returns the new one and the samples, `(chains, units)` a layer with expected
odd layers. `chains_of(carried)` finds the chains that belong to the machine itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from genjax.boltzmann.machine import Machine, States, mean
from genjax.boltzmann.mean_field import recognition
from genjax.random import subkey
from genjax.sampling import tempering
from genjax.sampling.gibbs import draw, initial_state, update
from genjax.training.config import at_least
from genjax.typing import Metrics

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


class TemperedState(NamedTuple):
    """Chains at all temperatures; `info` counts the swaps since the temperatures were placed."""

    chains: tempering.State
    base: Machine
    betas: Float[Array, " rungs"]
    info: tempering.Info


def tempered(k: int, rungs: int) -> Negative:
    """PCD by parallel tempering (Desjardins et al. 2010), temperatures placed anew as the machine grows.

    Rungs lie on the path from a machine without weights to the machine; each costs k sweeps.
    """

    def init(key: Key[Array, ""], machine: Machine, chains: int) -> TemperedState:
        betas, base = jnp.linspace(0.0, 1.0, rungs, dtype=jnp.float32), without_weights(machine)
        state = tempering.init(key, tempering.path_ladder(base, machine, betas), chains)
        return TemperedState(state, base, betas, tempering.no_info(rungs, chains))

    def advance(
        key: Key[Array, ""], machine: Machine, carried: TemperedState, data: States
    ) -> tuple[TemperedState, States]:
        ladder = tempering.path_ladder(carried.base, machine, carried.betas)
        chains, info = tempering.step(key, ladder, carried.chains, k)
        info = jax.tree.map(jnp.add, carried.info, info)
        due = info.rounds >= ADAPT_EVERY
        betas = jnp.where(due, tempering.adapt(carried.betas, 1 - tempering.report(info).swap_rate), carried.betas)
        info = jax.tree.map(lambda x: jnp.where(due, jnp.zeros_like(x), x), info)
        new = TemperedState(chains, carried.base, betas, info)
        return new, expected(machine, chains_of(new))

    return Negative(init, advance)


def chains_of(carried: Any) -> States:
    """The chains of the machine itself, whatever else a phase carries."""
    ladder = getattr(carried, "chains", None)
    return tuple(x[-1] for x in ladder.states) if isinstance(ladder, tempering.State) else carried


def without_weights(machine: Machine) -> Machine:
    """The machine at zero weights, as arrays: where ladders begin."""
    return Machine(jax.tree.map(jnp.zeros_like, machine.weights), machine.biases, machine.units, machine.quadratics)


class _Phase:
    """Until the phases are written as values."""

    def near(self, key: Key[Array, ""], machine: Machine, data: States, carried: Any) -> Any:
        """After a handover: as it is."""
        return carried

    def observe(self, carried: Any, machine: Machine, log_densities: dict[str, Array]) -> Metrics:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class PCD(_Phase):
    """Persistent contrastive divergence: chains that are never restarted (Tieleman 2008)."""

    k: int = 1
    """Gibbs sweeps a step."""
    chains: int = 200
    """Number of persistent chains."""

    kind: ClassVar[str] = "pcd"

    def __post_init__(self) -> None:
        at_least(self, 1, "k", "chains")

    def start(self, key: Key[Array, ""], machine: Machine, batch_size: int) -> States:
        """Fresh chains."""
        return initial_state(key, machine, self.chains)

    def advance(self, key: Key[Array, ""], machine: Machine, carried: States, data: States) -> tuple[States, States]:
        """k sweeps."""
        return persistent(self.k).advance(key, machine, carried, data)

    def chains_of(self, carried: States) -> States:
        """All of it."""
        return carried

    def near(self, key: Key[Array, ""], machine: Machine, data: States, carried: States) -> States:
        """Chains that start at the data, hidden layers drawn in one pass upwards."""
        some = jax.tree.map(lambda x: jnp.resize(x, (self.chains, x.shape[-1])), data)
        return tuple(
            x if field is None else unit.sample(jax.random.fold_in(key, layer), field, machine.quadratic(layer))
            for layer, (x, field, unit) in enumerate(zip(some, recognition(machine, some), machine.units))
        )


@dataclass(frozen=True)
class CD(_Phase):
    """Contrastive divergence: chains that start at each batch's data (Hinton 2002)."""

    k: int = 1
    """Gibbs sweeps a step."""

    kind: ClassVar[str] = "cd"

    def __post_init__(self) -> None:
        at_least(self, 1, "k")

    def start(self, key: Key[Array, ""], machine: Machine, batch_size: int) -> States:
        """Of a batch's shape."""
        return initial_state(key, machine, batch_size)

    def advance(self, key: Key[Array, ""], machine: Machine, carried: States, data: States) -> tuple[States, States]:
        """k sweeps from the data."""
        return restarted(self.k).advance(key, machine, carried, data)

    def chains_of(self, carried: States) -> None:
        """None."""
        return


@dataclass(frozen=True)
class Tempered(_Phase):
    """PCD by parallel tempering (Desjardins et al. 2010)."""

    k: int = 1
    """Gibbs sweeps a step."""
    chains: int = 200
    """Number of persistent chains at each temperature."""
    rungs: int = 10
    """Number of temperatures."""

    kind: ClassVar[str] = "tempered"

    def __post_init__(self) -> None:
        at_least(self, 1, "k", "chains")
        at_least(self, 2, "rungs")

    def start(self, key: Key[Array, ""], machine: Machine, batch_size: int) -> TemperedState:
        """Evenly spaced temperatures."""
        return tempered(self.k, self.rungs).init(key, machine, self.chains)

    def advance(self, key: Key[Array, ""], machine: Machine, carried: Any, data: States) -> tuple[Any, States]:
        """A round of swaps and k sweeps."""
        return tempered(self.k, self.rungs).advance(key, machine, carried, data)

    def chains_of(self, carried: Any) -> States:
        """Of the last rung."""
        return chains_of(carried)
