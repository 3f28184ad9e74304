"""A negative phase whose chains wander along the machine's own past, and so know its log Z while it learns.

The idea is trajectory tempering's (Bereux, Decelle, Furtlehner and Seoane 2025): the machines that a run has been share
more states with their neighbours than the temperatures of one machine do. Here the past is a polyline: from a machine
without weights through means over ever longer windows of the run to the present machine. The rungs stand along it, no
matter how few corners it has, at places that make neighbours equally far apart. Means, because a machine shakes at the
pace of its learning rate: two snapshots may share no states though both are good, and the way through them is long.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from genjax.algorithms.negative import Negative, _Phase, chains_of, expected, sweeps, without_weights
from genjax.boltzmann.machine import Machine, States, marginal
from genjax.boltzmann.path import interpolate
from genjax.likelihood.ais import uncoupled_log_z
from genjax.random import subkey
from genjax.sampling import tempering
from genjax.training.config import at_least
from genjax.typing import Metrics

PAST = 8  # corners of the polyline that stay
FIRST, LONGER = 300, 4  # steps of the first window; each window ends after so many times the steps of the last one
MEMORY = 500  # over how many rounds a log ratio between two resting machines is averaged


class PastState(NamedTuple):
    """Chains on R rungs along the past.

    - `past`: `(PAST, ...)` machines, the first without weights.
    - `smooth`: the mean over the present window.
    - `chains`: the rungs' chains; the last rung is the present machine.
    - `places`: `(R,)`, from 0 to PAST + 1: corner 0, ..., PAST - 1, the smooth machine, the present one.
    - `log_ratios`: `(R - 1,)`, log Z of each rung's upper neighbour over its own, in nats.
    - `measured`: `(R - 1,)`, how many rounds each of them averages.
    """

    past: Machine
    smooth: Machine
    chains: tempering.State
    places: Float[Array, " rungs"]
    log_ratios: Float[Array, " pairs"]
    measured: Float[Array, " pairs"]
    steps: Int[Array, ""]
    window: Int[Array, ""]  # steps that `smooth` is the mean of
    until: Int[Array, ""]  # the step at which it becomes a corner
    rounds: Int[Array, ""]  # of swaps in this window


def trajectory(k: int, rungs: int, every: int) -> Negative:
    """PCD whose chains, k sweeps a step, swap with those of all rungs every `every` steps, and all are swept."""

    def init(key: Key[Array, ""], machine: Machine, chains: int) -> PastState:
        past = jax.tree.map(lambda x: jnp.repeat(x[None], PAST, axis=0), without_weights(machine))
        smooth, places = jax.tree.map(jnp.copy, machine), jnp.linspace(0.0, PAST + 1, rungs, dtype=jnp.float32)
        state = tempering.init(key, ladder_at(past, smooth, machine, places), chains)
        nothing, number = jnp.zeros(rungs - 1, jnp.float32), jnp.zeros((), jnp.int32)
        return PastState(past, smooth, state, places, nothing, nothing, number, number, number + FIRST, number)

    def advance(key: Key[Array, ""], machine: Machine, carried: PastState, data: States) -> tuple[PastState, States]:
        carried = remembered(machine, carried)
        top, _ = sweeps(subkey(key, "stay"), machine, chains_of(carried), k)
        states = tuple(x.at[-1].set(y) for x, y in zip(carried.chains.states, top))
        carried = carried._replace(chains=carried.chains._replace(states=states))
        carried = jax.lax.cond(
            carried.steps % every == 0, lambda: wander(subkey(key, "wander"), machine, carried), lambda: carried
        )
        return carried, expected(machine, chains_of(carried))

    return Negative(init, advance)


def ladder_at(past: Machine, smooth: Machine, machine: Machine, places: Float[Array, " rungs"]) -> Machine:
    """The machines at the places along the polyline, stacked."""
    corners = jax.tree.map(lambda xs, *more: jnp.stack([*xs, *more]), past, smooth, machine)

    def at(place: Array) -> Machine:
        below = jnp.clip(jnp.floor(place).astype(jnp.int32), 0, PAST)
        lower, upper = (jax.tree.map(lambda x, i=i: x[i], corners) for i in (below, below + 1))
        return interpolate(lower, upper, place - below)

    return jax.vmap(at)(places)


def remembered(machine: Machine, carried: PastState) -> PastState:
    """One step further: the machine in the window's mean, which becomes a corner when the window is full."""
    share = 1 / (carried.window + 1)
    smooth = jax.tree.map(lambda old, new: old + share * (new - old), carried.smooth, machine)
    carried = carried._replace(smooth=smooth, window=carried.window + 1, steps=carried.steps + 1)
    return jax.lax.cond(carried.steps == carried.until, lambda: cornered(machine, carried), lambda: carried)


def cornered(machine: Machine, carried: PastState) -> PastState:
    """The smooth machine as the newest corner, the oldest but the first gone; a new window begins.

    Every rung stays where it was, but for those on the two sides of the lost corner: they move onto its short cut.
    """
    past = jax.tree.map(lambda x, new: jnp.concatenate([x[:1], x[2:], new[None]]), carried.past, carried.smooth)
    places = jnp.where(carried.places < 2, carried.places / 2, carried.places - 1).at[-1].set(PAST + 1)
    nothing = jnp.zeros_like(carried.window)
    return carried._replace(
        past=past, smooth=machine, places=places, window=nothing, until=LONGER * carried.until, rounds=nothing
    )


def wander(key: Key[Array, ""], machine: Machine, carried: PastState) -> PastState:
    """A round of swaps and a sweep of all rungs; then what the chains say of log ratios, and of the rungs' places.

    The rungs are placed anew after 1, 2, 4, 8, ... rounds of a window, so that their averages get time to be good.
    """
    ladder = ladder_at(carried.past, carried.smooth, machine, carried.places)
    chains, _ = tempering.step(key, ladder, carried.chains)
    of_lower, of_upper = log_changes(ladder, chains.states)
    measured = jnp.where(moving(carried), 1.0, jnp.minimum(carried.measured + 1, MEMORY))
    ratios = carried.log_ratios + (log_ratios(of_lower, of_upper) - carried.log_ratios) / measured
    carried = carried._replace(chains=chains, log_ratios=ratios, measured=measured, rounds=carried.rounds + 1)
    due = (carried.rounds & (carried.rounds - 1)) == 0
    # The mean of of_upper - of_lower is the symmetrised divergence of neighbours, which no rejection rate
    # measures where all is rejected; its root adds up along a line.
    apart = jnp.sqrt(jnp.maximum(of_upper.mean(1) - of_lower.mean(1), 0.0))
    places = jnp.where(due, tempering.adapt(carried.places, apart), carried.places)
    return carried._replace(places=places, measured=jnp.where(due, 0.0, measured))


def moving(carried: PastState) -> Bool[Array, " pairs"]:
    """The pairs whose machines still change as the machine learns: those above the newest corner."""
    return carried.places[1:] > PAST - 1


def log_changes(ladder: Machine, states: States) -> tuple[Float[Array, "pairs chains"], Float[Array, "pairs chains"]]:
    """log f of each rung's upper neighbour over its own, nats: at the lower rung's chains, and at the upper one's."""
    log_f = jax.vmap(lambda machine, x: marginal(machine, x, tempering.SUMMED_OUT))
    upper, lower = (jax.tree.map(lambda x, part=part: x[part], ladder) for part in (slice(1, None), slice(None, -1)))
    above, below = (tuple(x[part] for x in states) for part in (slice(1, None), slice(None, -1)))
    own = log_f(ladder, states)
    return log_f(upper, below) - own[:-1], own[1:] - log_f(lower, above)


def log_ratios(
    of_lower: Float[Array, "pairs chains"], of_upper: Float[Array, "pairs chains"]
) -> Float[Array, " pairs"]:
    """log Z of each machine over that of the one below it, in nats, from both machines' chains (Bennett 1976).

    The root of: mean over the lower chains of sigmoid(g - root) = mean over the upper ones of sigmoid(root - g), g the
    log change of the unnormalised marginal (`log_changes`). It is the estimate of least variance from both samples.
    """

    def halve(_: int | Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        up = jax.nn.sigmoid(of_lower - middle[:, None]).mean(1) > jax.nn.sigmoid(middle[:, None] - of_upper).mean(1)
        return jnp.where(up, middle, low), jnp.where(up, high, middle)

    both = jnp.concatenate([of_lower, of_upper], axis=1)
    low, high = jax.lax.fori_loop(0, 40, halve, (both.min(1), both.max(1)))
    return 0.5 * (low + high)


def log_z(carried: PastState, machine: Machine) -> Float[Array, ""]:
    """log Z in nats of the present machine, from the chains as they are."""
    ladder = ladder_at(carried.past, carried.smooth, machine, carried.places)
    now = log_ratios(*log_changes(ladder, carried.chains.states))
    ratios = jnp.where(moving(carried) | (carried.measured == 0), now, carried.log_ratios)
    return uncoupled_log_z(jax.tree.map(lambda x: x[0], carried.past)) + jnp.sum(ratios)


def at_rest(
    key: Key[Array, ""], carried: PastState, machine: Machine, rounds: int
) -> tuple[tempering.State, tempering.Info, Float[Array, " rounds"]]:
    """The chains after `rounds` rounds with `machine` on top and nothing learned, how they swapped, and log Z.

    One estimate a round, in nats: their mean is that of `rounds` times the chains, as far as rounds forget each other.
    """
    ladder = ladder_at(carried.past, carried.smooth, machine, carried.places)
    bottom = uncoupled_log_z(jax.tree.map(lambda x: x[0], carried.past))

    def estimate(state: tempering.State) -> Array:
        return bottom + jnp.sum(log_ratios(*log_changes(ladder, state.states)))

    return tempering.run(key, ladder, carried.chains, rounds, observe=estimate)


@dataclass(frozen=True)
class Trajectory(_Phase):
    """PCD whose chains swap with those of the run's own past, which also estimates the log-likelihood."""

    k: int = 1
    """Gibbs sweeps a step."""
    chains: int = 200
    """Number of persistent chains at each rung."""
    rungs: int = 10
    """Number of machines along the run's past."""
    swap_every: int = 10
    """Steps from one round of swaps to the next."""

    kind: ClassVar[str] = "trajectory"

    def __post_init__(self) -> None:
        at_least(self, 1, "k", "chains", "swap_every")
        at_least(self, 2, "rungs")

    def start(self, key: Key[Array, ""], machine: Machine, batch_size: int) -> PastState:
        """No past yet."""
        return trajectory(self.k, self.rungs, self.swap_every).init(key, machine, self.chains)

    def advance(self, key: Key[Array, ""], machine: Machine, carried: Any, data: States) -> tuple[Any, States]:
        """k sweeps, and now and then swaps."""
        return trajectory(self.k, self.rungs, self.swap_every).advance(key, machine, carried, data)

    def chains_of(self, carried: Any) -> States:
        """Of the last rung."""
        return chains_of(carried)

    def observe(self, carried: Any, machine: Machine, log_densities: dict[str, Array]) -> Metrics:
        """`log_likelihood` of each batch, nats."""
        now = log_z(carried, machine)
        return {prefix + "log_likelihood": jnp.mean(density) - now for prefix, density in log_densities.items()}
