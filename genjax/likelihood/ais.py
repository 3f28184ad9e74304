"""Annealed importance sampling of log Z (Neal 2001; for these machines Salakhutdinov and Murray 2008), any depth.

Chains start in an uncoupled base machine whose log Z is known and follow a path of temperatures to the machine. One
parity of layers is summed out in closed form, so a chain's state is the other parity, and the fields that give the
weight's increment also draw the layers that were summed out: a temperature costs one sweep.
"""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from genjax.boltzmann.machine import Machine, States, larger_parity
from genjax.boltzmann.path import mix, path_fields, path_quadratic
from genjax.errors import UserError
from genjax.likelihood.estimate import LogZ, from_log_weights
from genjax.sampling.gibbs import initial_state, update

BLOCK = 250  # temperatures a dispatch: the host shows progress and adds their increments in float64


def temperatures(count: int) -> np.ndarray:
    """`count` values of beta from 0 to 1 (at least 2), float64: dense near 1, where coupled machines change fastest."""
    return np.sin(np.linspace(0, np.pi / 2, count))


def uncoupled_log_z(machine: Machine) -> Float[Array, ""]:
    """Exact log Z of a machine without weights: the sum of its units' cumulants, in nats."""
    total = jnp.zeros((), jnp.float32)
    for layer, (unit, bias) in enumerate(zip(machine.units, machine.biases)):
        total += jnp.sum(unit.cumulant(bias, machine.quadratic(layer)))
    return total


def log_ratio(
    machine: Machine, base: Machine, state: States, parity: int, now: Array, before: Array
) -> Float[Array, " chains"]:
    """log f_now - log f_before of a state whose layers of `parity` are summed out, `(chains,)` nats.

    Differences are taken unit by unit: the two sums are hundreds of nats, what separates them thousandths.
    """
    total = jnp.zeros((), jnp.float32)
    for layer in machine.layers(1 - parity):
        linear = (now - before) * (machine.biases[layer] - base.biases[layer])
        total += jnp.matmul(state[layer], linear, precision=jax.lax.Precision.HIGHEST)
        quadratics = [path_quadratic(machine, layer, beta, base) for beta in (now, before)]
        if quadratics[0] is not None:
            energies = [machine.units[layer].energy(state[layer], q) for q in quadratics]
            total -= energies[0] - energies[1]
    for layer in machine.layers(parity):
        unit = machine.units[layer]
        full, start = path_fields(machine, state, layer), path_fields(base, state, layer)
        new, old = (
            unit.cumulant(mix(full, start, beta), path_quadratic(machine, layer, beta, base)) for beta in (now, before)
        )
        total += jnp.sum(new - old, axis=-1)
    return total


@partial(jax.jit, static_argnames=("chains",))
def _begin(key: Key[Array, ""], base: Machine, chains: int) -> tuple[States, Float[Array, ""]]:
    return initial_state(key, base, chains), uncoupled_log_z(base)


@partial(jax.jit, static_argnames=("parity",), donate_argnames=("state",))
def _anneal(
    key: Key[Array, ""], machine: Machine, base: Machine, state: States, betas: Array, first: Array, parity: int
) -> tuple[States, Float[Array, " chains"]]:
    """Through `betas` (the first one is where the chains stand); the increments of the log weights, summed."""

    def one(carry: tuple[States, Array], step: Array) -> tuple[tuple[States, Array], None]:
        state, total = carry
        before, now = betas[step], betas[step + 1]
        total += log_ratio(machine, base, state, parity, now, before)
        here = jax.random.fold_in(key, first + step)
        state = update(here, machine, state, parity, now, base)
        state = update(here, machine, state, 1 - parity, now, base)  # other layers, so other subkeys
        return (state, total), None

    chains = state[0].shape[0]
    (state, total), _ = jax.lax.scan(one, (state, jnp.zeros(chains)), jnp.arange(betas.shape[0] - 1))
    return state, total


def log_weights(
    key: Key[Array, ""],
    machine: Machine,
    base: Machine,
    betas: Sequence[float] | np.ndarray,
    chains: int,
    progress: Callable[[float], None] | None = None,
) -> np.ndarray:
    """Log importance weights of `chains` runs through `betas` (rising, 0 first, 1 last), float64 `(chains,)` nats.

    The mean of their exponentials is an unbiased estimate of Z. `progress` is called with the share done.
    """
    if len(betas) < 2 or betas[0] != 0 or not np.isclose(betas[-1], 1):
        raise UserError(f"AIS takes at least 2 temperatures, from 0 to 1; got {len(betas)}.")
    parity = larger_parity(machine)
    state, start = _begin(jax.random.fold_in(key, 0), base, chains)
    total = np.full(chains, float(start), np.float64)
    anneal_key = jax.random.fold_in(key, 1)
    betas = np.asarray(betas, np.float32)
    steps = len(betas) - 1
    for first in range(0, steps, BLOCK):
        # The last block is filled up with its own end: increments of exactly 0, and no second compilation.
        part = betas[np.minimum(np.arange(first, first + min(BLOCK, steps) + 1), steps)]
        state, increments = _anneal(anneal_key, machine, base, state, jnp.asarray(part), jnp.asarray(first), parity)
        total += np.asarray(increments, np.float64)
        if progress is not None:
            progress(min(1.0, (first + BLOCK) / steps))
    return total


def log_z(
    key: Key[Array, ""],
    machine: Machine,
    base: Machine,
    temperatures_count: int = 10_000,
    chains: int = 500,
    progress: Callable[[float], None] | None = None,
) -> LogZ:
    """AIS estimate of log Z in nats with its interval and verdict (`LogZ`); `base` as `uncoupled` makes it."""
    weights = log_weights(key, machine, base, temperatures(temperatures_count), chains, progress)
    return from_log_weights(weights, f"AIS, {temperatures_count} temperatures, {chains} chains")
