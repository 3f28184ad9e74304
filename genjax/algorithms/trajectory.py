"""A negative phase whose chains move along the machine's own past, which also estimates log Z while it learns.

The idea is trajectory tempering's (Bereux, Decelle, Furtlehner and Seoane 2025): the machines that a run has been share
more states with their neighbours than the temperatures of one machine do. Here the past is a polyline: from a machine
without weights through means over ever longer windows of the run to the present machine. The rungs stand along it, no
matter how few corners it has, at places that make neighbours equally far apart. Means, because a machine shakes at the
pace of its learning rate: two snapshots may share no states though both are good, and the way between them is long.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from genjax.algorithms.negative import at_least, expected, sweeps
from genjax.boltzmann.machine import States
from genjax.boltzmann.path import interpolate, with_zeros
from genjax.likelihood.bridge import log_changes, log_ratios
from genjax.random import subkey
from genjax.sampling import tempering
from genjax.typing import Energy, Metrics

PAST = 8  # corners of the polyline that stay
FIRST, LONGER = 300, 4  # steps of the first window; each window ends after so many times the steps of the last one
MEMORY = 500  # over how many rounds a log ratio between two machines that no longer change is averaged


class PastState(NamedTuple):
    """Chains on R rungs along the past.

    - `past`: `(PAST, ...)` machines, the first without weights.
    - `smooth`: the mean over the present window.
    - `chains`: the rungs' chains; the last rung is the present machine.
    - `places`: `(R,)`, from 0 to PAST + 1: corner 0, ..., PAST - 1, the smooth machine, the present one.
    - `log_ratios`: `(R - 1,)`, log Z of each rung's upper neighbour over its own, in nats.
    - `measured`: `(R - 1,)`, how many rounds each of them averages.
    """

    past: Any
    smooth: Any
    chains: tempering.State
    places: Float[Array, " rungs"]
    log_ratios: Float[Array, " pairs"]
    measured: Float[Array, " pairs"]
    steps: Int[Array, ""]
    window: Int[Array, ""]  # steps that `smooth` is the mean of
    until: Int[Array, ""]  # the step at which it becomes a corner
    rounds: Int[Array, ""]  # of swaps in this window


@dataclass(frozen=True)
class Trajectory:
    """PCD whose chains swap states with those of the run's own past machines, which also estimate the log-likelihood.

    Rungs stand along a line from a machine without weights through means of past machines to the present one.
    """

    k: int = 1
    """Gibbs sweeps of the present machine's chains per training step."""
    chains: int = 200
    """Number of persistent chains at each rung."""
    rungs: int = 10
    """Number of machines along the run's past."""
    swap_every: int = 10
    """Steps from one round of swaps, with a sweep of all rungs, to the next."""

    kind: ClassVar[str] = "trajectory"

    def __post_init__(self) -> None:
        at_least(self, k=1, chains=1, rungs=2, swap_every=1)

    def start(self, key: Key[Array, ""], machine: Energy, batch_size: int) -> PastState:
        """No past yet: evenly spaced places, and chains whose units are drawn from their biases alone."""
        first = with_zeros(machine.uncoupled(), machine)
        past = jax.tree.map(lambda x: jnp.repeat(x[None], PAST, axis=0), first)
        smooth, places = jax.tree.map(jnp.copy, machine), jnp.linspace(0.0, PAST + 1, self.rungs, dtype=jnp.float32)
        chains = tempering.init(key, ladder_at(past, smooth, machine, places), self.chains)
        nothing, number = jnp.zeros(self.rungs - 1, jnp.float32), jnp.zeros((), jnp.int32)
        return PastState(past, smooth, chains, places, nothing, nothing, number, number, number + FIRST, number)

    def advance(
        self, key: Key[Array, ""], machine: Energy, carried: PastState, data: States
    ) -> tuple[PastState, States]:
        """k sweeps of the present machine's chains, and now and then a round of swaps and a sweep of all rungs."""
        carried = extend_window(machine, carried)
        top, _ = sweeps(subkey(key, "stay"), machine, self.chains_of(carried), self.k)
        states = tuple(x.at[-1].set(y) for x, y in zip(carried.chains.states, top))
        carried = carried._replace(chains=carried.chains._replace(states=states))
        carried = jax.lax.cond(
            carried.steps % self.swap_every == 0,
            lambda: exchange(subkey(key, "wander"), machine, carried),
            lambda: carried,
        )
        return carried, expected(machine, self.chains_of(carried))

    def chains_of(self, carried: PastState) -> States:
        """Those of the last rung."""
        return tempering.top(carried.chains)

    def from_data(self, key: Key[Array, ""], machine: Energy, data: States, carried: PastState) -> PastState:
        """The same: its chains find the data by themselves."""
        return carried

    def observe(self, carried: PastState, machine: Energy, log_densities: dict[str, Array]) -> Metrics:
        """`log_likelihood` of each batch in nats: the mean log-density less this machine's log Z."""
        now = log_z(carried, machine)
        return {prefix + "log_likelihood": jnp.mean(density) - now for prefix, density in log_densities.items()}


def ladder_at(past: Any, smooth: Any, machine: Energy, places: Float[Array, " rungs"]) -> Any:
    """The machines at the places along the polyline, stacked."""
    corners = jax.tree.map(lambda xs, *more: jnp.stack([*xs, *more]), past, smooth, machine)

    def at(place: Array) -> Any:
        below = jnp.clip(jnp.floor(place).astype(jnp.int32), 0, PAST)
        lower, upper = (jax.tree.map(lambda x, i=i: x[i], corners) for i in (below, below + 1))
        return interpolate(lower, upper, place - below)

    return jax.vmap(at)(places)


def extend_window(machine: Energy, carried: PastState) -> PastState:
    """One step further: the machine in the window's mean, which becomes a corner when the window is full."""
    share = 1 / (carried.window + 1)
    smooth = jax.tree.map(lambda old, new: old + share * (new - old), carried.smooth, machine)
    carried = carried._replace(smooth=smooth, window=carried.window + 1, steps=carried.steps + 1)
    return jax.lax.cond(carried.steps == carried.until, lambda: close_window(machine, carried), lambda: carried)


def close_window(machine: Energy, carried: PastState) -> PastState:
    """The smooth machine as the newest corner, the oldest but the first gone; a new window begins.

    Every rung stays where it was, but for those on the two sides of the lost corner: they move onto its short cut.
    """
    past = jax.tree.map(lambda x, new: jnp.concatenate([x[:1], x[2:], new[None]]), carried.past, carried.smooth)
    places = jnp.where(carried.places < 2, carried.places / 2, carried.places - 1).at[-1].set(PAST + 1)
    nothing = jnp.zeros_like(carried.window)
    return carried._replace(
        past=past, smooth=machine, places=places, window=nothing, until=LONGER * carried.until, rounds=nothing
    )


def exchange(key: Key[Array, ""], machine: Energy, carried: PastState) -> PastState:
    """A round of swaps and a sweep of all rungs; then the log ratios and the rungs' places by the chains.

    The rungs are placed anew after 1, 2, 4, 8, ... rounds of a window, so that their averages get time to be good.
    """
    ladder = ladder_at(carried.past, carried.smooth, machine, carried.places)
    chains, _ = tempering.step(key, ladder, carried.chains)
    of_lower, of_upper = log_changes(ladder, chains.states)
    measured = jnp.where(changing(carried), 1.0, jnp.minimum(carried.measured + 1, MEMORY))
    ratios = carried.log_ratios + (log_ratios(of_lower, of_upper) - carried.log_ratios) / measured
    carried = carried._replace(chains=chains, log_ratios=ratios, measured=measured, rounds=carried.rounds + 1)
    due = (carried.rounds & (carried.rounds - 1)) == 0
    # The mean of of_upper - of_lower is the symmetrised divergence of neighbours, which no rejection rate
    # measures where all is rejected; its root adds up along a line.
    apart = jnp.sqrt(jnp.maximum(of_upper.mean(1) - of_lower.mean(1), 0.0))
    places = jnp.where(due, tempering.adapt(carried.places, apart), carried.places)
    return carried._replace(places=places, measured=jnp.where(due, 0.0, measured))


def changing(carried: PastState) -> Bool[Array, " pairs"]:
    """The pairs whose machines still change as the machine learns: those above the newest corner."""
    return carried.places[1:] > PAST - 1


def log_z(carried: PastState, machine: Energy) -> Float[Array, ""]:
    """log Z in nats of the present machine, from the chains as they are."""
    ladder = ladder_at(carried.past, carried.smooth, machine, carried.places)
    now = log_ratios(*log_changes(ladder, carried.chains.states))
    ratios = jnp.where(changing(carried) | (carried.measured == 0), now, carried.log_ratios)
    return first_log_z(carried) + jnp.sum(ratios)


def first_log_z(carried: PastState) -> Float[Array, ""]:
    """Exact log Z in nats of the past's first machine, which has no weights."""
    return jax.tree.map(lambda x: x[0], carried.past).uncoupled().log_z()


def repeated_log_z(
    key: Key[Array, ""], carried: PastState, machine: Energy, rounds: int
) -> tuple[tempering.State, tempering.Info, Float[Array, " rounds"]]:
    """The chains after `rounds` rounds with `machine` on top and no learning, how they swapped, and log Z.

    One estimate a round, in nats: their mean is that of `rounds` times the chains, as far as rounds forget each other.
    """
    ladder = ladder_at(carried.past, carried.smooth, machine, carried.places)
    first = first_log_z(carried)

    def estimate(state: tempering.State) -> Array:
        return first + jnp.sum(log_ratios(*log_changes(ladder, state.states)))

    return tempering.run(key, ladder, carried.chains, rounds, observe=estimate)
