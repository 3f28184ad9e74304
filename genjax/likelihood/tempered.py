"""Log Z, and samples of a machine, by parallel tempering along a path: for machines whose modes AIS cannot reach.

Rungs stand along the path, chains of all rungs swap states (`sampling.tempering`), and neighbours' log Z differ by what
both rungs' chains say of it (Bennett 1976). A chain swaps with none but its own replicas, so chains are independent of
each other, and their scatter gives the error: also where they are slow, as long as each of them comes around.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from genjax import numerics
from genjax.boltzmann.machine import States
from genjax.boltzmann.path import interpolate, with_zeros
from genjax.likelihood import ais
from genjax.likelihood.ais import Annealed, Path
from genjax.likelihood.bridge import log_changes, log_ratios
from genjax.likelihood.estimate import NORMAL
from genjax.likelihood.schedule import adapted
from genjax.random import subkey
from genjax.sampling import tempering
from genjax.typing import Estimate, Progress

FEWEST, MOST_RUNGS = 8, 100
APART = 1.0  # deviations of the log ratio of neighbours: about half of all swaps are accepted
ROUNDS = 50  # a dispatch
ENOUGH_TRIPS = 2.0  # round trips of each chain's replicas together, in the half that is measured
ENOUGH_STATES = 5.0  # of each chain, over which it has forgotten where it began, after as long a burn-in
DIRECTIONS = 5


class Tempered(NamedTuple):
    """What tempering leaves.

    - `samples`: states of the machine, `(chains, units)` a layer; the first half of the chains began where it was told
      to, the others far from everything.
    - `log_z`: nats; trusted where replicas have come around.
    """

    samples: States
    log_z: Estimate


def rungs_for(pilot: Annealed) -> int:
    """How many rungs the path needs, by the length that a pilot run found."""
    return int(np.clip(np.ceil(pilot.deviations.sum() / APART) + 1, FEWEST, MOST_RUNGS))


def tempered(
    key: Key[Array, ""],
    path: Path,
    pilot: Annealed,
    start: States,
    far: States | None,
    rounds: int,
    rungs: int,
    progress: Progress | None = None,
) -> Tempered:
    """Twice as many chains as in `start`, half of which begin there and half at the states `far`, on all rungs (None:
    at the base), so many rounds of swaps and sweeps; the first half of them burns in.

    While it burns in, rungs are placed so that neighbours lie equally far apart.
    """
    places = jnp.asarray(adapted(pilot, rungs), jnp.float32)
    corners = jax.tree.map(lambda *x: jnp.stack(x), *(with_zeros(machine, path[-1]) for machine in path))
    state = tempering.starting_at(_everywhere(subkey(key, "base"), path[0], start, far, rungs))
    blocks = max(1, rounds // (2 * ROUNDS))
    done, ratios, trips = 0, None, 0.0
    for number in range(blocks):
        here = jax.random.fold_in(subkey(key, "burn in"), number)
        last = number + 1 == blocks
        state, ratios, places = _settle(here, corners, state, places, len(path) - 1, not last)
        done = _say(progress, done + 1, 2 * blocks)
    sums, seen = np.zeros(()), np.zeros(())
    origin = jax.tree.map(jnp.copy, tempering.top(state))
    directions = principal(origin[0])
    for number in range(blocks):
        here = jax.random.fold_in(subkey(key, "measured"), number)
        state, more, count, watched = _measure(here, corners, state, places, ratios, origin, directions, len(path) - 1)
        sums, trips = sums + np.asarray(more, np.float64), trips + float(count)
        seen = seen + np.asarray(watched, np.float64)
        done = _say(progress, done + 1, 2 * blocks)
    text = f"tempering, {rungs} rungs, {state.replica.shape[1]} chains, {blocks * ROUNDS} rounds"
    found = bridged(
        float(ais._log_z(path[0])), np.asarray(ratios, np.float64), sums, trips, text, worth(seen, blocks * ROUNDS)
    )
    return Tempered(tempering.top(state), found)


def _say(progress: Progress | None, done: int, blocks: int) -> int:
    if progress is not None:
        progress(done / blocks)
    return done


def principal(visible: Array) -> Float[Array, "values directions"]:
    """The directions along which states vary most, which tell far modes apart."""
    x = np.asarray(visible, np.float64)
    return jnp.asarray(np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:DIRECTIONS].T, jnp.float32)


def worth(sums: Float[np.ndarray, "2 chains quantities"], rounds: int) -> float:
    """How many independent states each chain is worth, by sums of quantities and of their squares: of the worst one.

    Means over chains that have moved between all modes are alike; those of chains that stay where they began are not.
    """
    means, squares = sums / rounds
    variance = squares.mean(0) - means.mean(0) ** 2
    return float(np.min(variance / np.maximum(means.var(0, ddof=1), 1e-12 + 1e-6 * variance)))


def bridged(
    first: float,
    ratios: np.ndarray,
    sums: Float[np.ndarray, "2 pairs chains"],
    trips: float,
    text: str,
    effective: float,
) -> Estimate:
    """Log Z in nats from that of the first rung and Bennett's sums of each chain about the `ratios`, with its error."""
    means = sums.mean(-1)
    value = first + float(np.sum(ratios + np.log(means[0]) - np.log(means[1])))
    of_chains = (sums[0] / means[0][:, None] - sums[1] / means[1][:, None]).sum(0)
    chains = len(of_chains)
    error = float(of_chains.std(ddof=1) / np.sqrt(chains))
    each = trips / chains
    trusted = bool(each >= ENOUGH_TRIPS and effective >= ENOUGH_STATES and np.isfinite(value))
    verdict = "enough" if trusted else f"too few: {ENOUGH_TRIPS:g} and {ENOUGH_STATES:g} are needed"
    reason = f"{each:.1f} round trips of each chain, worth {effective:.1f} independent states, {verdict}"
    low, high = value - NORMAL * error, value + NORMAL * error
    return Estimate(value, low, high, error, np.nan, "estimate", text, trusted, reason)


def _everywhere(key: Key[Array, ""], base: Any, start: States, far: States | None, rungs: int) -> States:
    """Each rung's chains: half at `start`, half at states far from everything, or independent draws of the base."""
    chains = start[0].shape[0]
    other = base.draw(key, rungs * chains) if far is None else far

    def both(x: Array, y: Array) -> Array:
        y = jnp.repeat(y[None], rungs, 0) if far is not None else y.reshape(rungs, chains, -1)
        return jnp.concatenate([jnp.repeat(x[None], rungs, 0), y], 1)

    return jax.tree.map(both, start, other)


def _ladder(corners: Any, places: Float[Array, " rungs"], stretches: int) -> Any:
    def at(place: Array) -> Any:
        below = jnp.clip(jnp.floor(place * stretches).astype(jnp.int32), 0, stretches - 1)
        lower, upper = (jax.tree.map(lambda x, i=i: x[i], corners) for i in (below, below + 1))
        return interpolate(lower, upper, place * stretches - below)

    return jax.vmap(at)(places)


def _moved(key: Key[Array, ""], ladder: Any, state: tempering.State) -> tuple[tempering.State, Array]:
    """One round of swaps and a sweep; how many round trips it completed."""
    state, info = tempering.step(key, ladder, state)
    return state, jnp.sum(info.trips)


@partial(jax.jit, static_argnames=("stretches", "places_anew"), donate_argnames=("state",))
def _settle(
    key: Key[Array, ""], corners: Any, state: tempering.State, places: Array, stretches: int, places_anew: bool
) -> tuple[tempering.State, Array, Array]:
    """A block of rounds; then the log ratios of neighbours, and where rungs should stand."""
    ladder = _ladder(corners, places, stretches)

    def one(state: tempering.State, number: Array) -> tuple[tempering.State, None]:
        return _moved(jax.random.fold_in(key, number), ladder, state)[0], None

    state, _ = jax.lax.scan(one, state, jnp.arange(ROUNDS))
    lower, upper = log_changes(ladder, state.states)
    if places_anew:
        # The mean of upper - lower is the symmetrised divergence of neighbours; its root adds up along the path.
        places = tempering.adapt(places, jnp.sqrt(jnp.maximum(upper.mean(1) - lower.mean(1), 0.0)))
    return state, log_ratios(lower, upper), places


@partial(jax.jit, static_argnames=("stretches",), donate_argnames=("state",))
def _measure(
    key: Key[Array, ""],
    corners: Any,
    state: tempering.State,
    places: Array,
    ratios: Array,
    origin: States,
    directions: Float[Array, "values directions"],
    stretches: int,
) -> tuple[tempering.State, Float[Array, "2 pairs chains"], Array, Float[Array, "2 chains quantities"]]:
    """A block of rounds: Bennett's sums for each chain, round trips, and sums and squares of what is watched of the
    machine's own chains, counted from where they were at the `origin`."""
    ladder = _ladder(corners, places, stretches)
    machine = jax.tree.map(lambda x: x[-1], ladder)

    def one(carry: tuple[tempering.State, Array, Array, Array], number: Array) -> tuple[tuple, None]:
        state, sums, trips, seen = carry
        state, more = _moved(jax.random.fold_in(key, number), ladder, state)
        lower, upper = log_changes(ladder, state.states)
        gained = jnp.stack([jax.nn.sigmoid(lower - ratios[:, None]), jax.nn.sigmoid(ratios[:, None] - upper)])
        top = tempering.top(state)
        log_f = machine.marginal(top, tempering.SUMMED_OUT)[:, None] - centre
        here = jnp.concatenate([log_f, numerics.exact(top[0] - middle, directions)], 1)
        return (state, sums + gained, trips + more, seen + jnp.stack([here, here**2])), None

    pairs, chains = ratios.shape[0], state.replica.shape[1]
    middle, centre = origin[0].mean(0), machine.marginal(origin, tempering.SUMMED_OUT).mean()
    nothing = jnp.zeros((2, chains, directions.shape[1] + 1), jnp.float32)
    start = (state, jnp.zeros((2, pairs, chains), jnp.float32), jnp.zeros((), jnp.int32), nothing)
    return jax.lax.scan(one, start, jnp.arange(ROUNDS))[0]
