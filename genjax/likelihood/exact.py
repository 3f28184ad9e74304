"""Exact sums: every state of the side with fewer of them is visited, the other side summed out in closed form."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from genjax.boltzmann.machine import Machine, States, marginal
from genjax.errors import UserError

MOST_STATES = 2**24
BLOCK = 2**13


def states_of(machine: Machine, parity: int) -> int | None:
    """How many joint states the layers of one parity have; None where a unit type of theirs cannot be enumerated."""
    total = 1
    for layer in machine.layers(parity):
        unit = machine.units[layer]
        if unit.states is None:
            return None
        total *= unit.states ** (machine.sizes[layer] // unit.width)
    return total


def visited_parity(machine: Machine) -> int:
    """The parity whose states are visited: the one with fewer, the other being summed (or integrated) out."""
    even, odd = (states_of(machine, parity) for parity in (0, 1))
    if even is None or odd is None:
        return 0 if odd is None else 1
    return 0 if even <= odd else 1


def states_to_visit(machine: Machine) -> int | None:
    """How many states an exact sum takes; None where neither side can be enumerated."""
    return states_of(machine, visited_parity(machine))


def enumerable(machine: Machine) -> bool:
    """Whether `log_z` and `moments` take this machine: one side has at most 2^24 states."""
    total = states_to_visit(machine)
    return total is not None and total <= MOST_STATES


def states_at(machine: Machine, index: Int[Array, " n"]) -> States:
    """States number `index` of the visited side: `(n, units)` for its layers, None for the others."""
    state: list[Array | None] = [None] * machine.depth
    for layer in machine.layers(visited_parity(machine)):
        unit = machine.units[layer]
        assert unit.states is not None
        count = machine.sizes[layer] // unit.width
        digits = []
        for _ in range(count):
            digits.append(index % unit.states)
            index = index // unit.states
        state[layer] = unit.encode(jnp.stack(digits, axis=-1))
    return tuple(state)


def _block_log_z(machine: Machine, start: Array, size: int, total: Array) -> Array:
    index = start + jnp.arange(size)
    values = marginal(machine, states_at(machine, index), 1 - visited_parity(machine))
    return jax.nn.logsumexp(jnp.where(index < total, values, -jnp.inf))


@partial(jax.jit, static_argnames=("size", "blocks"))
def _blocks_log_z(machine: Machine, total: Array, size: int, blocks: int) -> Array:
    return jax.lax.map(lambda b: _block_log_z(machine, b * size, size, total), jnp.arange(blocks))


@partial(jax.jit, static_argnames=("size",))
def _block_moments(machine: Machine, start: Array, total: Array, size: int) -> tuple[Array, Machine]:
    return jax.value_and_grad(_block_log_z)(machine, start, size, total)


def _partition(machine: Machine) -> tuple[int, int, int]:
    total = states_to_visit(machine)
    if total is None or total > MOST_STATES:
        size = "infinitely many" if total is None else f"2^{np.log2(float(total)):.0f}"
        raise UserError(f"Enumerating this machine of {machine.sizes} units takes {size} states; use AIS above 2^24.")
    size = min(BLOCK, total)
    return total, size, -(-total // size)


def log_z(machine: Machine) -> float:
    """Exact log Z in nats, any depth, in blocks of states so that memory stays flat.

    Raises `UserError` where the side with fewer states has more than 2^24.
    """
    total, size, blocks = _partition(machine)
    return float(np.logaddexp.reduce(np.asarray(_blocks_log_z(machine, jnp.asarray(total), size, blocks), np.float64)))


def moments(machine: Machine) -> Machine:
    """Exact expectations of what each parameter multiplies, shaped like the machine: the derivative of log Z.

    `<x_l x_{l+1}>` for the weights, `<x_l>` for the biases, `<-x_l^2 / 2>` for quadratic terms.
    """
    total, size, blocks = _partition(machine)
    parts = [_block_moments(machine, jnp.asarray(b * size), jnp.asarray(total), size) for b in range(blocks)]
    shares = np.asarray([value for value, _ in parts], np.float64)
    shares = np.exp(shares - np.logaddexp.reduce(shares))
    return jax.tree.map(
        lambda *leaves: jnp.asarray(sum(s * np.asarray(x, np.float64) for s, x in zip(shares, leaves)), jnp.float32),
        *[gradient for _, gradient in parts],
    )
