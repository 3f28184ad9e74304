"""Negative phases: where the model's own samples come from at each step of learning.

A phase is a frozen value with these methods; another one needs no more, and what a learner does differently for it
stands in them (`trajectory.Trajectory` is one too).

- `start(key, machine, batch_size)`: what it carries from step to step, any pytree.
- `advance(key, machine, carried, data)`: the new one, and the samples, `(chains, units)` a layer with expected odd
  layers. `data` are the batch's states, None for layers that are not known.
- `chains_of(carried)`: persistent chains of the machine itself, `(chains, units)` a layer; None where there are none.
- `from_data(key, machine, data, carried)`: what it carries after a handover, where the machine is new.
- `observe(carried, machine, log_densities)`: metrics; `log_densities` are those of the batches by prefix, nats.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from genjax.boltzmann.machine import Machine, States, for_sampling
from genjax.boltzmann.mean_field import recognition
from genjax.errors import UserError
from genjax.numerics import Numbers
from genjax.random import subkey
from genjax.sampling import tempering
from genjax.sampling.gibbs import initial_states
from genjax.training.mesh import sharded
from genjax.typing import Energy, Metrics


def expected(machine: Energy, state: States) -> States:
    """The state with its odd layers at their expected values given the even ones: exact."""
    return machine.expected(state)


def sweeps(
    key: Key[Array, ""], machine: Energy, state: States, k: int, numbers: Numbers = "exact"
) -> tuple[States, States]:
    """k sweeps that end on the hidden side. Returns the chains, and their states with expected hidden units.

    The chains go on from drawn hidden units whose fields also give the expectation: two products a sweep. With "fast"
    `numbers` a rounded machine moves the chains; the expectation is the machine's own.
    """
    sampler = for_sampling(machine, numbers)

    def one(i: int | Array, state: States) -> States:
        state = sampler.update(jax.random.fold_in(key, 2 * i), state, 0)
        return sharded(sampler.update(jax.random.fold_in(key, 2 * i + 1), state, 1))

    state = jax.lax.fori_loop(0, k - 1, one, sharded(state))
    state = one(k - 1, state)  # outside the loop, where XLA finds that the expectation takes the same product
    return state, expected(machine, state)


def at_least(phase: Any, **limits: int) -> None:
    """Raise `UserError` where an option of a phase is below its limit."""
    for name, limit in limits.items():
        if getattr(phase, name) < limit:
            raise UserError(f"`{name}` {getattr(phase, name)} is out of range; give at least {limit}.")


@dataclass(frozen=True)
class PCD:
    """Persistent contrastive divergence: chains that are never restarted (Tieleman 2008)."""

    k: int = 1
    """Gibbs sweeps per training step."""
    chains: int = 200
    """Number of persistent chains."""
    numbers: Numbers = "exact"
    """Precision of the chains' sweeps: float32, or bfloat16 weights, which is faster on accelerators."""

    kind: ClassVar[str] = "pcd"

    def __post_init__(self) -> None:
        at_least(self, k=1, chains=1)

    def start(self, key: Key[Array, ""], machine: Energy, batch_size: int) -> States:
        """Chains whose units are drawn from their biases alone."""
        return initial_states(key, machine, self.chains)

    def advance(self, key: Key[Array, ""], machine: Energy, carried: States, data: States) -> tuple[States, States]:
        """k sweeps of the chains."""
        return sweeps(key, machine, carried, self.k, self.numbers)

    def chains_of(self, carried: States) -> States:
        """All that it carries."""
        return carried

    def from_data(self, key: Key[Array, ""], machine: Machine, data: States, carried: States) -> States:
        """Chains that start at the data (repeated where they are fewer), hidden layers drawn in one pass upwards."""
        some = jax.tree.map(lambda x: jnp.resize(x, (self.chains, x.shape[-1])), data)
        return tuple(
            x if field is None else unit.sample(jax.random.fold_in(key, layer), field, machine.quadratic(layer))
            for layer, (x, field, unit) in enumerate(zip(some, recognition(machine, some), machine.units))
        )

    def observe(self, carried: States, machine: Energy, log_densities: dict[str, Array]) -> Metrics:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class CD:
    """Contrastive divergence: chains that start at each batch's data, as many as it has examples (Hinton 2002)."""

    k: int = 1
    """Gibbs sweeps per training step."""
    numbers: Numbers = "exact"
    """Precision of the chains' sweeps: float32, or bfloat16 weights, which is faster on accelerators."""

    kind: ClassVar[str] = "cd"

    def __post_init__(self) -> None:
        at_least(self, k=1)

    def start(self, key: Key[Array, ""], machine: Energy, batch_size: int) -> States:
        """States of a batch's shape, which are not read."""
        return initial_states(key, machine, batch_size)

    def advance(self, key: Key[Array, ""], machine: Energy, carried: States, data: States) -> tuple[States, States]:
        """k sweeps from the data. Even layers have to be known."""
        start = machine.update(subkey(key, "restart"), expected(machine, data), 1)
        return sweeps(key, machine, start, self.k, self.numbers)

    def chains_of(self, carried: States) -> None:
        """None: no chain goes on."""
        return

    def from_data(self, key: Key[Array, ""], machine: Machine, data: States, carried: States) -> States:
        """The same."""
        return carried

    def observe(self, carried: States, machine: Energy, log_densities: dict[str, Array]) -> Metrics:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class Tempered:
    """PCD by parallel tempering: chains at several temperatures that swap states (Desjardins et al. 2010).

    Rungs lie on the path from a machine without weights to the machine; their temperatures are placed anew every 100
    steps as the machine grows.
    """

    k: int = 1
    """Gibbs sweeps of every temperature per training step."""
    chains: int = 200
    """Number of persistent chains at each temperature."""
    rungs: int = 10
    """Number of temperatures."""

    kind: ClassVar[str] = "tempered"

    def __post_init__(self) -> None:
        at_least(self, k=1, chains=1, rungs=2)

    def start(self, key: Key[Array, ""], machine: Energy, batch_size: int) -> tempering.PathState:
        """Evenly spaced temperatures, and chains whose units are drawn from their biases alone."""
        return tempering.start_path(machine, self.rungs, lambda ladder: tempering.init(key, ladder, self.chains))

    def advance(
        self, key: Key[Array, ""], machine: Energy, carried: tempering.PathState, data: States
    ) -> tuple[tempering.PathState, States]:
        """A round of swaps and k sweeps of all rungs."""
        carried, _ = tempering.step_path(key, machine, carried, self.k)
        return carried, expected(machine, self.chains_of(carried))

    def chains_of(self, carried: tempering.PathState) -> States:
        """Those of the last rung."""
        return tempering.top(carried.chains)

    def from_data(
        self, key: Key[Array, ""], machine: Machine, data: States, carried: tempering.PathState
    ) -> tempering.PathState:
        """The same: its chains find the data by themselves."""
        return carried

    def observe(self, carried: tempering.PathState, machine: Energy, log_densities: dict[str, Array]) -> Metrics:
        """Nothing."""
        return {}
