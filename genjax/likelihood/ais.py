"""Annealed importance sampling of log Z (Neal 2001; for these machines Salakhutdinov and Murray 2008), any depth.

Chains start in an uncoupled base machine whose log Z is known and follow a path of temperatures to the machine. One
parity of layers is summed out in closed form, so a chain's state is the other parity, and the fields that give the
weight's increment also draw the layers that were summed out: a temperature costs one sweep.

A path is a tuple of machines, its knots: the base first, the machine last, each stretch between neighbours geometric.
Knot i of n + 1 stands at beta = i / n. Down the path, from samples of the machine to the base, the same steps estimate
1 / Z: reverse AIS. Its transitions need no other order, since what a sweep leaves in the layers kept is reversible.

Machines of any connections (`Energy` in `genjax.typing`) are taken, if one parity of their layers can be summed out.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from genjax.boltzmann.machine import States
from genjax.boltzmann.path import interpolate
from genjax.errors import UserError
from genjax.likelihood.estimate import from_log_weights, inverted
from genjax.random import subkey
from genjax.training.mesh import sharded
from genjax.typing import Energy, Estimate, Kernel, Progress

Path = tuple[Energy, ...]
"""Knots: an uncoupled base, machines in between if any, the machine."""

BLOCK = 250  # temperatures a dispatch: the host shows progress and adds their increments in float64


def temperatures(count: int) -> np.ndarray:
    """`count` values of beta from 0 to 1 (at least 2), float64: dense near 1, where coupled machines change fastest."""
    return np.sin(np.linspace(0, np.pi / 2, count))


def summed_parity(machine: Energy) -> int:
    """The parity whose layers are summed out: the larger one, or the odd one where the machine does not say."""
    larger = getattr(machine, "larger_parity", None)
    return 1 if larger is None else larger()


def log_ratio(
    machine: Energy, base: Energy, states: States, parity: int, now: Array, before: Array
) -> Float[Array, " chains"]:
    """log f_now - log f_before of states whose layers of `parity` are summed out, `(chains,)` nats."""
    precise = getattr(machine, "log_ratio", None)
    if precise is not None:
        return precise(base, states, parity, now, before)
    at_now, at_before = (interpolate(base, machine, beta).marginal(states, parity) for beta in (now, before))
    return at_now - at_before


# As one program each, where op by op a score of them are compiled.
uncoupled = jax.jit(lambda machine, x: machine.uncoupled(x))
_log_z = jax.jit(lambda base: base.log_z())


@partial(jax.jit, static_argnames=("chains",))
def _start(key: Key[Array, ""], base: Any, chains: int) -> tuple[States, Float[Array, ""]]:
    return sharded(base.draw(key, chains)), base.log_z()


def _transition(
    key: Key[Array, ""], machine: Energy, base: Energy, states: States, beta: Array, parity: int, kernel: Kernel | None
) -> States:
    """One that leaves the layers kept at `beta`: those of `parity` are drawn anew first, as they are summed out."""
    states = machine.update(key, states, parity, beta, base)
    if kernel is None:
        return machine.update(key, states, 1 - parity, beta, base)  # other layers, so other subkeys
    own = subkey(key, "kernel")
    return kernel.states(kernel.step(own, machine, kernel.init(own, machine, states), 1, beta, base)[0])


@partial(jax.jit, static_argnames=("parity", "kernel"), donate_argnames=("state",))
def _anneal(
    key: Key[Array, ""],
    machine: Energy,
    base: Energy,
    state: States,
    betas: Array,
    first: Array,
    parity: int,
    kernel: Kernel | None = None,
) -> tuple[States, Float[Array, " chains"], Float[Array, " steps"]]:
    """Along `betas` (the first one is where the chains stand), up or down.

    Returns the increments of the log weights, summed, and the standard deviation of each over the chains.
    """

    def one(carry: tuple[States, Array], step: Array) -> tuple[tuple[States, Array], Array]:
        state, total = carry
        before, now = betas[step], betas[step + 1]
        increment = log_ratio(machine, base, state, parity, now, before)
        here = jax.random.fold_in(key, first + step)
        state = _transition(here, machine, base, state, now, parity, kernel)
        return sharded((state, total + increment)), increment

    chains = state[0].shape[0]
    (state, total), increments = jax.lax.scan(
        one, (state, jnp.zeros(chains, jnp.float32)), jnp.arange(betas.shape[0] - 1)
    )
    return state, total, jnp.std(increments, axis=1)  # once: many devices would wait for each other at each step


def rough_log_z(
    key: Key[Array, ""],
    machine: Energy,
    x: Float[Array, "chains visible"] | None = None,
    count: int = 200,
    chains: int = 50,
) -> float:
    """Log Z in nats by short AIS: what a run may afford again and again, too low where the machine is hard.

    Few temperatures and chains, but the same noise each time, so that a run's estimates differ by its machines.
    """
    found = upward(key, (machine.uncoupled(x), machine), temperatures(count), chains).log_weights
    return float(np.logaddexp.reduce(found) - np.log(chains))


class Annealed(NamedTuple):
    """What a run along a path leaves.

    - `log_weights`: `(chains,)` nats, float64; the mean of their exponentials estimates Z without bias (1 / Z for a
      run down the path).
    - `betas`: `(steps + 1,)`, where the chains stood, in their order.
    - `deviations`: `(steps,)` nats, the standard deviation of each step's increment over the chains.
    - `states`: where the chains have come to, `(chains, units)` a layer: weighed, they stand for that end of the path.
    """

    log_weights: np.ndarray
    betas: np.ndarray
    deviations: np.ndarray
    states: States = ()


def upward(
    key: Key[Array, ""],
    path: Path,
    betas: Sequence[float] | np.ndarray,
    chains: int,
    progress: Progress | None = None,
    kernel: Kernel | None = None,
) -> Annealed:
    """AIS: `chains` runs from the uncoupled base through `betas` (rising, 0 first, 1 last) to the machine.

    A transition is a Gibbs update of either parity, the one summed out first; with a `kernel`, which has to serve
    `beta` and `base`, an update of what is summed out and one sweep of the kernel.
    """
    state, start = _start(jax.random.fold_in(key, 0), path[0], chains)
    run = _along(jax.random.fold_in(key, 1), path, betas, state, True, progress, kernel)
    return run._replace(log_weights=run.log_weights + float(start))


def downward(
    key: Key[Array, ""],
    path: Path,
    betas: Sequence[float] | np.ndarray,
    samples: States,
    progress: Progress | None = None,
    kernel: Kernel | None = None,
) -> Annealed:
    """Reverse AIS: from `samples` of the machine, `(chains, units)` a layer, through the same `betas` to the base.

    The estimate is as good as the samples: only exact draws make the mean of the weights one of 1 / Z without bias.
    Of the layers summed out nothing is read. `kernel` as in `upward`.
    """
    state = jax.tree.map(jnp.copy, samples)  # its buffers are given away
    run = _along(jax.random.fold_in(key, 1), path, betas, state, False, progress, kernel)
    return run._replace(log_weights=run.log_weights - float(_log_z(path[0])))


def _along(
    key: Key[Array, ""],
    path: Path,
    betas: Sequence[float] | np.ndarray,
    state: States,
    up: bool,
    progress: Progress | None,
    kernel: Kernel | None,
) -> Annealed:
    """Chains from one end of the path to the other; weights start at 1."""
    if len(betas) < 2 or betas[0] != 0 or not np.isclose(betas[-1], 1):
        raise UserError(f"AIS takes at least 2 temperatures, from 0 to 1; got {len(betas)}.")
    parity, stretches = summed_parity(path[-1]), len(path) - 1
    everywhere = np.asarray(betas, np.float64) * stretches
    within = [np.unique(np.clip(everywhere - s, 0, 1).round(12)) for s in range(stretches)]  # knots are met exactly
    block = min(BLOCK, max(len(local) for local in within) - 1)
    total, deviations, stood = np.zeros(state[0].shape[0]), [], []
    blocks, done = sum(-(-(len(local) - 1) // block) for local in within), 0
    for s in range(stretches) if up else reversed(range(stretches)):
        local = within[s] if up else within[s][::-1]
        steps = len(local) - 1
        for first in range(0, steps, block):
            # The last block is filled up with its own end: increments of exactly 0, and no second compilation.
            part = local[np.minimum(np.arange(first, first + block + 1), steps)]
            here, number = jnp.asarray(part, jnp.float32), jnp.asarray(done * block)
            state, increments, spread = _anneal(key, path[s + 1], path[s], state, here, number, parity, kernel)
            total += np.asarray(increments, np.float64)
            deviations.append(np.asarray(spread, np.float64)[: steps - first])
            done += 1
            if progress is not None:
                progress(done / blocks)
        stood.append((s + local[len(stood) > 0 :]) / stretches)
    return Annealed(total, np.concatenate(stood), np.concatenate(deviations), state)


def log_weights(
    key: Key[Array, ""],
    machine: Energy,
    base: Energy,
    betas: Sequence[float] | np.ndarray,
    chains: int,
    progress: Progress | None = None,
) -> np.ndarray:
    """Log importance weights of `chains` runs of AIS along the plain path, float64 `(chains,)` nats (`upward`)."""
    return upward(key, (base, machine), betas, chains, progress).log_weights


def log_z(
    key: Key[Array, ""],
    machine: Energy,
    base: Energy,
    temperatures_count: int = 10_000,
    chains: int = 500,
    progress: Progress | None = None,
) -> Estimate:
    """AIS estimate of log Z in nats with its interval and verdict (`Estimate`); `base` as `uncoupled` makes it."""
    return forward_log_z(upward(key, (base, machine), temperatures(temperatures_count), chains, progress))


def forward_log_z(run: Annealed) -> Estimate:
    """Log Z from a run up a path: in expectation a lower bound; above it by a nats with a probability under e^-a."""
    return from_log_weights(run.log_weights, f"AIS, {len(run.betas)} temperatures, {len(run.log_weights)} chains")


def reverse_log_z(run: Annealed) -> Estimate:
    """Log Z from a run down a path: in expectation an upper bound; below it by a nats with a probability under e^-a.

    Both hold for exact samples (Grosse, Ghahramani and Adams 2015, "Sandwiching the marginal likelihood using
    bidirectional Monte Carlo"); long-run ones are as good as they are long.
    """
    text = f"reverse AIS, {len(run.betas)} temperatures, {len(run.log_weights)} chains"
    return inverted(from_log_weights(run.log_weights, text))
