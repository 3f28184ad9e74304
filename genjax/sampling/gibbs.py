"""Block Gibbs sampling of a machine of any depth. The machine is an argument: new parameters compile nothing."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Key, PyTree

from genjax.boltzmann.machine import Machine, States
from genjax.boltzmann.path import Beta, path_fields, path_quadratic
from genjax.sampling.sharding import place

Clamp = tuple[Bool[Array, "..."] | None, ...]
"""For each layer, which units keep their value: `(units,)` or `(*batch, units)`; None where all are free."""


def draw(
    key: Key[Array, ""],
    machine: Machine,
    state: States,
    layer: int,
    beta: Beta = 1.0,
    base: Machine | None = None,
) -> Float[Array, "..."]:
    """One layer drawn given its neighbours, `(*batch, units)`."""
    field = path_fields(machine, state, layer, beta, base)
    return machine.units[layer].sample(key, field, path_quadratic(machine, layer, beta, base))


def update(
    key: Key[Array, ""],
    machine: Machine,
    state: States,
    parity: int,
    beta: Beta = 1.0,
    base: Machine | None = None,
    clamp: Clamp | None = None,
) -> States:
    """All layers of one parity (0: even, 1: odd) drawn given the other. Their own old values matter where clamped."""
    new = list(state)
    for layer in machine.layers(parity):
        drawn = draw(jax.random.fold_in(key, layer), machine, state, layer, beta, base).astype(state[layer].dtype)
        kept = None if clamp is None else clamp[layer]
        new[layer] = drawn if kept is None else jnp.where(kept, state[layer], drawn)
    return tuple(new)


def sweep(
    key: Key[Array, ""],
    machine: Machine,
    state: States,
    beta: Beta = 1.0,
    base: Machine | None = None,
    clamp: Clamp | None = None,
) -> States:
    """One Gibbs update of all layers: the odd ones given the even, then the even ones given the odd.

    It leaves the density with the fields beta * fields(machine) + (1 - beta) * fields(base) as it is; without a
    base, that of beta times the energy. `clamp` holds single units at their values, layer by layer.
    """
    state = update(key, machine, state, 1, beta, base, clamp)
    return update(key, machine, state, 0, beta, base, clamp)


def sample(
    key: Key[Array, ""],
    machine: Machine,
    state: States,
    steps: int,
    every: int = 1,
    observe: Callable[[States], PyTree] | None = None,
    beta: Beta = 1.0,
    base: Machine | None = None,
    clamp: Clamp | None = None,
    mesh: Mesh | None = None,
    move: Callable[..., States] = sweep,
) -> tuple[States, Any]:
    """`steps` sweeps on the device; what `observe(state)` returns after every `every`-th is stacked.

    Returns the last state and the observations with a leading axis of `steps // every` (None without `observe`).
    Sweep i draws from `fold_in(key, i)`. With a `mesh`, chains are split over its axis `data` and the units of odd
    layers over its axis `model`, if it has one; each chain draws what it would have drawn on one device. `move` is
    the update, `sweep` or another with its arguments (`fused.sweep`).
    """
    machine, state = place(machine, state, mesh)

    def one(state: States, index: Array) -> tuple[States, None]:
        state = move(jax.random.fold_in(key, index), machine, state, beta, base, clamp)
        return place(machine, state, mesh)[1], None

    if observe is None:  # one loop: the inner one's bookkeeping is what a small machine's sweep costs
        return jax.lax.scan(one, state, jnp.arange(steps))

    def block(state: States, start: Array) -> tuple[States, Any]:
        state, _ = jax.lax.scan(one, state, start + jnp.arange(every))
        return state, observe(state)

    state, observed = jax.lax.scan(block, state, every * jnp.arange(steps // every))
    state, _ = jax.lax.scan(one, state, jnp.arange(steps - steps % every, steps))
    return state, observed


def initial_state(key: Key[Array, ""], machine: Machine, chains: int) -> States:
    """Independent starting points: every unit drawn from its bias alone, a tuple of `(chains, units)`."""
    return tuple(
        unit.sample(jax.random.fold_in(key, layer), jnp.broadcast_to(b, (chains, *b.shape)), machine.quadratic(layer))
        for layer, (unit, b) in enumerate(zip(machine.units, machine.biases))
    )
