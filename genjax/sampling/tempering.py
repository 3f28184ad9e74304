"""Parallel tempering over a ladder of machines, by the non-reversible even/odd scheme (DEO).

A ladder is a machine (any `Energy`) whose leaves carry a leading axis, one rung each: a path of temperatures
(`path_ladder`), or any machines of one shape (`jax.tree.map(lambda *x: jnp.stack(x), *machines)`, such as the
checkpoints of a run). Even rounds try to swap the rungs (0, 1), (2, 3), ..., odd rounds (1, 2), (3, 4), ..., every
chain for itself: replicas travel in one direction until a swap is refused, and a round trip takes O(rungs) rounds
instead of O(rungs^2) (Okabe et al. 2001; Syed, Bouchard-Cote, Deligiannidis and Doucet 2022, "Non-reversible parallel
tempering").

What is swapped are the even layers, the odd ones summed out in closed form:

    log acceptance = log f_i(x_j) + log f_j(x_i) - log f_i(x_i) - log f_j(x_j),    f_i(even) = sum_odd exp(-E_i)

This is Metropolis for the product of the rungs' marginals over the even layers. A sweep first redraws the odd layers
from the even ones and never reads the old ones, so it acts on the even layers alone and keeps the same marginal; with
every round of swaps followed by a sweep, the joint states are right too. A swap of all layers by the joint energy
would be right as well, but is refused more often: its rejection rate is a total variation, and summing out can only
lower that. f_i has to be the marginal of rung i itself: at an inverse temperature beta it is not the power beta of the
marginal at 1.

`Tempered` is the kernel: the ladder of the path from the machine without couplings, with temperatures that it places.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer, Key, PyTree

from genjax import random
from genjax.boltzmann.machine import Clamp, States
from genjax.boltzmann.path import Beta, interpolate, with_zeros
from genjax.errors import UserError
from genjax.sampling.gibbs import initial_states, sweep
from genjax.training.mesh import sharded
from genjax.typing import Energy

SUMMED_OUT = 1  # the parity that a sweep draws first: whatever a swap leaves in those layers is never read
ADAPT_EVERY = 100  # rounds between two placements of the temperatures
LEAST_REJECTION = 1e-6  # keeps the barrier strictly rising where two rungs never refuse


class State(NamedTuple):
    """All rungs of all chains, and where their replicas come from.

    - `states`: one array a layer, `(rungs, chains, units)`; rung r is distributed as machine r of the ladder.
    - `replica`: `(rungs, chains)`, which replica stands on the rung, numbered by the rung where it began.
    - `heading`: `(rungs, chains)`, 1 for a replica that came from the bottom, -1 for one that went from the bottom to
      the top and is on its way back, 0 for one that has not been at the bottom yet.
    - `round`: how many rounds of swaps there have been; its parity decides which pairs come next.
    """

    states: States
    replica: Int[Array, "rungs chains"]
    heading: Int[Array, "rungs chains"]
    round: Int[Array, ""]


class Info(NamedTuple):
    """What happened in one round, or in many: Infos add up, entry by entry.

    - `rounds`: how many rounds.
    - `attempts`: `(pairs,)`, rounds in which the pair (k, k + 1) tried to swap, in all chains at once.
    - `accepted`: `(pairs,)`, the acceptance probability, averaged over chains and summed over those rounds. It has the
      expectation of the share of accepted swaps and less variance.
    - `trips`: `(chains,)`, round trips completed: bottom, top, bottom.
    """

    rounds: Int[Array, ""]
    attempts: Int[Array, " pairs"]
    accepted: Float[Array, " pairs"]
    trips: Int[Array, " chains"]


class Report(NamedTuple):
    """Summary of an `Info`.

    - `swap_rate`: `(pairs,)`, mean acceptance probability; NaN for a pair that never tried.
    - `barrier`: the sum of the rejection rates, an estimate of the communication barrier Lambda (Syed et al. 2022),
      which no number of rungs lowers. About 2 Lambda rungs are best.
    - `round_trips`: total of all replicas and chains.
    - `round_trip_rate`: round trips a round and chain. It is at most 1/2; where sweeps forget a rung's past it is
      1 / (2 + 2 sum_k r_k / (1 - r_k)), r the rejection rates, and a lower value asks for more sweeps.
    """

    swap_rate: Float[Array, " pairs"]
    barrier: Float[Array, ""]
    round_trips: Int[Array, ""]
    round_trip_rate: Float[Array, ""]


def path_ladder(base: Energy, machine: Energy, betas: Float[Array, " rungs"]) -> Any:
    """The ladder of a path: rung r is `machine` at inverse temperature `betas[r]`, where 0 is `base` and 1 itself."""
    return jax.vmap(interpolate, (None, None, 0))(base, machine, betas)


def rungs_of(ladder: Any) -> int:
    """How many machines a ladder has."""
    return jax.tree.leaves(ladder)[0].shape[0]


@partial(jax.jit, static_argnames=("chains",))
def init(key: Key[Array, ""], ladder: Any, chains: int) -> State:
    """Chains whose units are drawn from their biases alone, every replica on the rung of its own number."""
    states = jax.vmap(lambda k, rung: initial_states(k, rung, chains))(_keys(key, rungs_of(ladder)), ladder)
    return starting_at(states)


def starting_at(states: States) -> State:
    """Chains at these states, `(rungs, chains, units)` a layer, every replica on the rung of its own number."""
    rungs, chains = jax.tree.leaves(states)[0].shape[:2]
    if rungs < 2:
        raise UserError(f"A ladder has at least two rungs to swap; this one has {rungs}.")
    replica = jnp.broadcast_to(jnp.arange(rungs, dtype=jnp.int32)[:, None], (rungs, chains))
    heading = jnp.zeros((rungs, chains), jnp.int32).at[0].set(1)
    return State(states, replica, heading, jnp.zeros((), jnp.int32))


def log_acceptance(ladder: Any, states: States, partner: Int[Array, " rungs"]) -> Float[Array, "rungs chains"]:
    """Log of the Metropolis ratio of swapping each rung with its partner, in nats; 0 where it is its own partner."""
    log_f = jax.vmap(lambda rung, x: rung.marginal(x, SUMMED_OUT))
    gain = log_f(ladder, jax.tree.map(lambda x: x[partner], states)) - log_f(ladder, states)
    return gain + gain[partner]


def swap(key: Key[Array, ""], ladder: Any, state: State) -> tuple[State, Info]:
    """One round of swaps, even pairs or odd ones. The odd layers have to be redrawn before anything reads them."""
    rungs = state.replica.shape[0]
    rung = jnp.arange(rungs)
    lower = (rung - state.round) % 2 == 0  # rungs that try to swap with the one above them in this round
    partner = jnp.where(lower, rung + 1, rung - 1)
    partner = jnp.where((partner < 0) | (partner >= rungs), rung, partner)

    probability = jnp.exp(jnp.minimum(log_acceptance(ladder, state.states, partner), 0.0))
    # Chains first: the noise of an entry then depends on its chain and rung, not on how many chains there are.
    accepted = random.bernoulli_of_mean(key, probability.T).T > 0
    accepted = accepted[jnp.minimum(rung, partner)]  # one decision for both of a pair: the lower rung's

    def exchange(x: Array) -> Array:
        return jnp.where(accepted.reshape(accepted.shape + (1,) * (x.ndim - 2)), x[partner], x)

    states, replica, heading = jax.tree.map(exchange, (state.states, state.replica, state.heading))
    info = Info(
        rounds=jnp.ones((), jnp.int32),
        attempts=lower[:-1].astype(jnp.int32),
        accepted=jnp.where(lower[:-1], jnp.mean(probability[:-1], axis=1), 0.0),
        trips=(heading[0] == -1).astype(jnp.int32),
    )
    heading = heading.at[0].set(1)
    heading = heading.at[-1].set(-jnp.abs(heading[-1]))  # who has not been at the bottom (0) earns nothing at the top
    return State(states, replica, heading, state.round + 1), info


def step(
    key: Key[Array, ""], ladder: Any, state: State, sweeps: int = 1, clamp: Clamp | None = None
) -> tuple[State, Info]:
    """One round of swaps, then `sweeps` (at least 1) Gibbs sweeps of every rung; it keeps the product of the rungs.

    `clamp` holds units of even layers, layer by layer, at values that a chain has on all rungs alike. Raises
    `UserError` where it holds any of an odd layer, which swaps sum out as free.
    """
    refuse_summed_out(clamp)
    if sweeps < 1:
        raise UserError(f"sweeps must be at least 1: a sweep redraws the layers that a swap sums out; got {sweeps}.")
    rungs = state.replica.shape[0]
    state, info = swap(random.subkey(key, "swap"), ladder, state)
    sweep_key = random.subkey(key, "sweep")

    def one(states: States, index: Array) -> tuple[States, None]:
        keys = _keys(jax.random.fold_in(sweep_key, index), rungs)
        return sharded(jax.vmap(partial(sweep, clamp=clamp))(keys, ladder, states), axis=1), None

    states, _ = jax.lax.scan(one, state.states, jnp.arange(sweeps))
    return state._replace(states=states), info


def run(
    key: Key[Array, ""],
    ladder: Any,
    state: State,
    rounds: int,
    sweeps: int = 1,
    observe: Callable[[State], PyTree] | None = None,
    clamp: Clamp | None = None,
) -> tuple[State, Info, Any]:
    """`rounds` steps on the device: the last state, the sum of the Infos, and what `observe(state)` returned, stacked.

    Memory grows with `rounds` only by the observations (None without `observe`). A step draws from
    `fold_in(key, state.round)`: a run and the same run in two parts, under one key, agree. `clamp` as in `step`.
    """

    def one(carry: tuple[State, Info], _: None) -> tuple[tuple[State, Info], Any]:
        state, total = carry
        state, info = step(jax.random.fold_in(key, state.round), ladder, state, sweeps, clamp)
        return (state, jax.tree.map(jnp.add, total, info)), None if observe is None else observe(state)

    (state, info), observed = jax.lax.scan(one, (state, no_info(*state.replica.shape)), None, length=rounds)
    return state, info, observed


def refuse_summed_out(clamp: Clamp | None) -> None:
    """Raise `UserError` where units are held that swaps would sum out."""
    for layer in range(SUMMED_OUT, len(clamp or ()), 2):
        if clamp is not None and clamp[layer] is not None:
            raise UserError(
                f"`clamp` holds units of layer {layer}, which tempering sums out as free; condition the machine "
                "on that layer instead (boltzmann.machine.condition)."
            )


def no_info(rungs: int, chains: int) -> Info:
    """Of no rounds: where sums begin."""
    return Info(
        rounds=jnp.zeros((), jnp.int32),
        attempts=jnp.zeros(rungs - 1, jnp.int32),
        accepted=jnp.zeros(rungs - 1, jnp.float32),
        trips=jnp.zeros(chains, jnp.int32),
    )


def report(info: Info) -> Report:
    """Swap rates, the communication barrier and round trips of the rounds that `info` sums."""
    swap_rate = info.accepted / info.attempts
    round_trips = jnp.sum(info.trips)
    return Report(
        swap_rate=swap_rate,
        barrier=jnp.sum(1 - swap_rate),
        round_trips=round_trips,
        round_trip_rate=round_trips / (info.rounds * info.trips.shape[0]),
    )


def adapt(betas: Float[Array, " rungs"], rejection: Float[Array, " pairs"]) -> Float[Array, " rungs"]:
    """The same number of betas, with the same ends, placed so that all pairs would refuse at one rate.

    The barrier from the bottom up to a beta is the sum of the rejection rates up to it (Syed et al. 2022, section 4);
    between the rungs it is taken as linear, and the new betas divide it evenly. It takes a few rounds of measuring and
    adapting where rates are near 1, which say little about distance.
    """
    steps = jnp.maximum(rejection, LEAST_REJECTION)
    barrier = jnp.concatenate([jnp.zeros(1, steps.dtype), jnp.cumsum(steps)])
    inner = jnp.interp(jnp.linspace(0.0, 1.0, betas.shape[0], dtype=betas.dtype)[1:-1], barrier / barrier[-1], betas)
    return jnp.concatenate([betas[:1], inner, betas[-1:]])  # the ends are kept to the last bit


def tuned(
    key: Key[Array, ""],
    base: Energy,
    machine: Energy,
    betas: Float[Array, " rungs"],
    chains: int,
    rounds: int,
    iterations: int,
    sweeps: int = 1,
) -> tuple[Float[Array, " rungs"], State, Report]:
    """Betas of a path adapted `iterations` times, each after `rounds` (at least 2) rounds with the betas so far.

    Returns the betas, the chains (adapted ladders differ ever less, so they go on from one to the next and are where
    sampling starts), and the reports, stacked: entry i tells of the ladder before adaptation i.
    """
    if rounds < 2:
        raise UserError(f"rounds must be at least 2, so that even and odd pairs both swap; got {rounds}.")

    def one(carry: tuple[Array, State], _: None) -> tuple[tuple[Array, State], Report]:
        betas, state = carry
        state, info, _ = run(random.subkey(key, "run"), path_ladder(base, machine, betas), state, rounds, sweeps)
        summary = report(info)
        return (adapt(betas, 1 - summary.swap_rate), state), summary

    state = init(random.subkey(key, "init"), path_ladder(base, machine, betas), chains)
    (betas, state), reports = jax.lax.scan(one, (betas, state), None, length=iterations)
    return betas, state, reports


class PathState(NamedTuple):
    """Chains on the ladder of a path whose temperatures are placed by what is refused between them.

    - `chains`: at all temperatures; the last rung is the machine itself.
    - `base`: where the path begins, with leaves like the machine's.
    - `betas`: `(rungs,)`, from 0 to 1.
    - `info`: the sum of the Infos since the temperatures were placed.
    """

    chains: State
    base: Any
    betas: Float[Array, " rungs"]
    info: Info


def start_path(machine: Energy, rungs: int, chains_on: Callable[[Any], State]) -> PathState:
    """Evenly spaced temperatures from the machine without couplings, and the chains that `chains_on(ladder)` gives."""
    betas, base = jnp.linspace(0.0, 1.0, rungs, dtype=jnp.float32), with_zeros(machine.uncoupled(), machine)
    chains = chains_on(path_ladder(base, machine, betas))
    return PathState(chains, base, betas, no_info(*chains.replica.shape))


def step_path(
    key: Key[Array, ""],
    machine: Energy,
    state: PathState,
    sweeps: int = 1,
    clamp: Clamp | None = None,
    adapts: bool | Array = True,
) -> tuple[PathState, Info]:
    """One `step` on the ladder of the path; every 100 rounds the temperatures are placed anew, where `adapts`."""
    ladder = path_ladder(state.base, machine, state.betas)
    chains, info = step(key, ladder, state.chains, sweeps, clamp)
    since = jax.tree.map(jnp.add, state.info, info)
    due = (since.rounds >= ADAPT_EVERY) & adapts
    betas = jnp.where(due, adapt(state.betas, 1 - report(since).swap_rate), state.betas)
    since = jax.tree.map(lambda x: jnp.where(due, jnp.zeros_like(x), x), since)
    return PathState(chains, state.base, betas, since), info


def top(state: State) -> States:
    """The chains of the last rung, `(chains, units)` a layer."""
    return jax.tree.map(lambda x: x[-1], state.states)


@dataclass(frozen=True)
class Tempered:
    """Parallel tempering: chains at several temperatures that swap states, for machines with far modes.

    A sweep is one round of swaps and one Gibbs sweep of every rung. The rungs lie on the path from the machine without
    couplings, whose biases are the machine's: modes far from what these favour are reached seldom. The temperatures
    are placed by the rates of refused swaps during the first `burn_in` sweeps.
    """

    rungs: int = 10
    """Number of temperatures."""
    burn_in: int = 500
    """Sweeps during which the temperatures are placed, every 100; from then on they stay."""

    kind: ClassVar[str] = "tempered"

    def __post_init__(self) -> None:
        if self.rungs < 2 or self.burn_in < 0:
            raise UserError(f"`rungs` is at least 2 and `burn_in` at least 0; got {self.rungs} and {self.burn_in}.")

    def init(self, key: Key[Array, ""], machine: Energy, states: States) -> PathState:
        """Chains that begin at these states on all rungs, so that clamped units have one value on all of them."""
        everywhere = jax.tree.map(lambda x: jnp.repeat(x[None], self.rungs, axis=0), states)
        return start_path(machine, self.rungs, lambda _: starting_at(everywhere))

    def step(
        self,
        key: Key[Array, ""],
        machine: Energy,
        state: PathState,
        sweeps: int = 1,
        beta: Beta = 1.0,
        base: Energy | None = None,
        clamp: Clamp | None = None,
        first: int | Integer[Array, ""] = 0,
    ) -> tuple[PathState, Info]:
        """The chains after so many sweeps, and how they swapped.

        Raises `UserError` for a `beta`, a `base` (the ladder is its own path), and units of odd layers in `clamp`.
        """
        if base is not None or not (isinstance(beta, float) and beta == 1.0):
            raise UserError(
                "The kernel `tempered` has its own temperatures; leave `beta` and `base` out, or use gibbs."
            )

        def one(carry: tuple[PathState, Info], index: Array) -> tuple[tuple[PathState, Info], None]:
            state, so_far = carry
            adapts = state.chains.round < self.burn_in
            state, info = step_path(jax.random.fold_in(key, index), machine, state, 1, clamp, adapts)
            return (state, jax.tree.map(jnp.add, so_far, info)), None

        start = (state, no_info(*state.chains.replica.shape))
        return jax.lax.scan(one, start, first + jnp.arange(sweeps))[0]

    def states(self, state: PathState) -> States:
        """The chains of the machine itself, `(chains, units)` a layer."""
        return top(state.chains)

    def summary(self, state: PathState, info: Info) -> dict[str, Array]:
        """`report(info)` by name, and the temperatures: `betas` `(rungs,)`."""
        return {**report(info)._asdict(), "betas": state.betas}


def _keys(key: Key[Array, ""], rungs: int) -> Key[Array, " rungs"]:
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(rungs))
