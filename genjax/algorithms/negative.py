"""Negative phases: where the model's own samples come from at each step of learning.

A phase is two functions. `init(key, machine, chains)` makes what it carries from step to step, any pytree;
`advance(key, machine, carried, data)` returns the new one and the samples, `(chains, units)` a layer with expected
odd layers. `chains_of(carried)` finds the chains that belong to the machine itself.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from genjax.boltzmann.machine import Machine, States, marginal, mean
from genjax.likelihood.ais import uncoupled_log_z
from genjax.random import subkey
from genjax.sampling import tempering
from genjax.sampling.gibbs import draw, initial_state, update

ADAPT_EVERY = 100  # steps between two placements of the temperatures
LOWEST_RATE = 0.3  # a machine joins its trajectory where swaps with the last one that did get rarer
SMOOTH = 20  # the running mean is over one in so many of the steps so far
RECENT = 0.2  # weight of the newest swap rate in the running one
FAST, SLOW = 0.2, 0.05  # what the overlap may lose from one round of swaps to the next: above, they come oftener
MEMORY = 500  # over how many measurements a log ratio between two fixed machines is averaged


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


class Tempered(NamedTuple):
    """Chains at all temperatures; `info` counts the swaps since the temperatures were placed."""

    chains: tempering.State
    base: Machine
    betas: Float[Array, " rungs"]
    info: tempering.Info


def tempered(k: int, rungs: int) -> Negative:
    """PCD by parallel tempering (Desjardins et al. 2010), temperatures placed anew as the machine grows.

    Rungs lie on the path from a machine without weights to the machine; each costs k sweeps.
    """

    def init(key: Key[Array, ""], machine: Machine, chains: int) -> Tempered:
        betas, base = jnp.linspace(0.0, 1.0, rungs), without_weights(machine)
        state = tempering.init(key, tempering.path_ladder(base, machine, betas), chains)
        return Tempered(state, base, betas, tempering.no_info(rungs, chains))

    def advance(key: Key[Array, ""], machine: Machine, carried: Tempered, data: States) -> tuple[Tempered, States]:
        ladder = tempering.path_ladder(carried.base, machine, carried.betas)
        chains, info = tempering.step(key, ladder, carried.chains, k)
        info = jax.tree.map(jnp.add, carried.info, info)
        due = info.rounds >= ADAPT_EVERY
        betas = jnp.where(due, tempering.adapt(carried.betas, 1 - tempering.report(info).swap_rate), carried.betas)
        info = jax.tree.map(lambda x: jnp.where(due, jnp.zeros_like(x), x), info)
        new = Tempered(chains, carried.base, betas, info)
        return new, expected(machine, chains_of(new))

    return Negative(init, advance)


class Trajectory(NamedTuple):
    """Chains of past machines, of the present one, and of the smooth one between.

    The present machine shakes at the pace of its learning rate, and two such machines may share no states although
    both are good. `smooth`, the mean over about the last twentieth of the steps, moves on a shorter way.

    - `past`: a ladder of R machines that once were smooth, the first without weights.
    - `smooth`: the running mean.
    - `chains`: R + 2 rungs, those of the past, the smooth one, the present one; pair p is (rung p, rung p + 1).
    - `rates`: `(R + 1,)`, running swap rates of the pairs.
    - `log_ratios`: `(R + 1,)`, running estimates of log Z of the upper machine over the lower one, in nats; those of
      the last two pairs are of moving machines as they last were.
    - `measured`: `(R + 1,)`, how many measurements each of them averages.
    """

    past: Machine
    smooth: Machine
    chains: tempering.State
    rates: Float[Array, " pairs"]
    log_ratios: Float[Array, " pairs"]
    measured: Float[Array, " pairs"]
    steps: Int[Array, ""]
    due: Int[Array, ""]  # the step of the next round of swaps
    pause: Int[Array, ""]  # steps between the last one and that
    reached: Float[Array, ""]  # the overlap of the newest of the past and the smooth machine, at the last one


def trajectory(k: int, rungs: int, every: int) -> Negative:
    """PCD whose chains also wander along the machine's own past (Bereux, Decelle, Furtlehner and Seoane 2025).

    Every `every`-th step, oftener while the machine changes fast, all rungs are swept and swapped with their
    neighbours; otherwise only the present machine's chains move, k sweeps. The smooth machine joins the R = `rungs` of
    the past when swaps with the last one that did get rare, in the place of the one that is missed least. The chains
    of neighbours also give the ratios of their partition functions, so log Z comes along with learning (`log_z`).
    """

    def init(key: Key[Array, ""], machine: Machine, chains: int) -> Trajectory:
        past = jax.tree.map(lambda x: jnp.repeat(x[None], rungs, axis=0), without_weights(machine))
        smooth = jax.tree.map(jnp.copy, machine)
        state = tempering.init(key, with_top(past, smooth, machine), chains)
        zeros = jnp.zeros(rungs + 1)
        number = jnp.zeros((), jnp.int32)
        return Trajectory(
            past, smooth, state, jnp.ones(rungs + 1), zeros, zeros, number, number, number + 1, jnp.ones(())
        )

    def advance(key: Key[Array, ""], machine: Machine, carried: Trajectory, data: States) -> tuple[Trajectory, States]:
        share = SMOOTH / (carried.steps + SMOOTH)
        smooth = jax.tree.map(lambda old, new: old + share * (new - old), carried.smooth, machine)
        carried = carried._replace(smooth=smooth)
        carried = jax.lax.cond(
            carried.steps >= carried.due,
            lambda: wander(subkey(key, "wander"), machine, carried, every),
            lambda: stay(subkey(key, "stay"), machine, carried, k),
        )
        return carried._replace(steps=carried.steps + 1), expected(machine, chains_of(carried))

    return Negative(init, advance)


def chains_of(carried: Any) -> States:
    """The chains of the machine itself, whatever else a phase carries."""
    if isinstance(carried, Tempered | Trajectory):
        return tuple(x[-1] for x in carried.chains.states)
    return carried


def stay(key: Key[Array, ""], machine: Machine, carried: Trajectory, k: int) -> Trajectory:
    """k sweeps of the present machine's chains alone."""
    top, _ = sweeps(key, machine, chains_of(carried), k)
    states = tuple(x.at[-1].set(y) for x, y in zip(carried.chains.states, top))
    return carried._replace(chains=carried.chains._replace(states=states))


def wander(key: Key[Array, ""], machine: Machine, carried: Trajectory, every: int) -> Trajectory:
    """A round of swaps and a sweep of all rungs; then what the chains say of swap rates and log ratios.

    The pause before the next one, at most `every` steps, follows how far the smooth machine has come in this one.
    """
    ladder = with_top(carried.past, carried.smooth, machine)
    chains, _ = tempering.step(key, ladder, carried.chains)
    of_lower, of_upper = log_changes(ladder, chains.states)
    overlap = jnp.mean(jnp.exp(jnp.minimum(of_lower - of_upper, 0.0)), axis=1)  # of all pairs, whoever's turn it was
    measured = jnp.minimum(carried.measured + 1, MEMORY).at[-2:].set(1.0)  # the last two pairs' machines are moving
    ratios = carried.log_ratios + (log_ratios(of_lower, of_upper) - carried.log_ratios) / measured
    rates = carried.rates + RECENT * (overlap - carried.rates)
    fell = carried.reached - overlap[-2]
    pause = jnp.where(fell > FAST, carried.pause // 2, jnp.where(fell < SLOW, 2 * carried.pause, carried.pause))
    pause = jnp.clip(pause, 1, every)
    carried = carried._replace(chains=chains, rates=rates, log_ratios=ratios, measured=measured)
    carried = carried._replace(reached=overlap[-2], pause=pause, due=carried.steps + pause)
    return jax.lax.cond(overlap[-2] < LOWEST_RATE, lambda: joined(carried), lambda: carried)


def joined(carried: Trajectory) -> Trajectory:
    """The smooth machine as the newest of the past; the inner one whose neighbours swap best without it goes."""
    rungs = carried.rates.shape[0] - 1
    gone = 1 + jnp.argmax(carried.rates[: rungs - 1] * carried.rates[1:rungs])
    place = jnp.arange(rungs)
    order = jnp.where(place < gone, place, place + 1)  # of the past and the smooth one, the R that stay
    later = jnp.minimum(place + 1, rungs - 1)

    def pairs(old: Array, merge: Callable[[Array, Array], Array], last: float) -> Array:
        below = old[:rungs]
        new = jnp.where(place < gone - 1, below, below[later])
        new = jnp.where(place == gone - 1, merge(below, below[later]), new)
        return jnp.append(new.at[-1].set(last), old[-1])

    states = tuple(x[jnp.append(order, jnp.array([rungs, rungs + 1]))] for x in carried.chains.states)
    return carried._replace(
        past=jax.tree.map(lambda x: x[order], with_top(carried.past, carried.smooth)),
        chains=carried.chains._replace(states=states),
        rates=pairs(carried.rates, jnp.multiply, 1.0),
        log_ratios=pairs(carried.log_ratios, jnp.add, 0.0),
        measured=pairs(carried.measured, jnp.minimum, 0.0),
        reached=jnp.ones(()),
    )


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


def log_z(carried: Trajectory, machine: Machine, judged: Machine) -> Float[Array, ""]:
    """log Z in nats of a machine near the present one (`judged`: say, an average), from the trajectory's chains."""
    bottom = jax.tree.map(lambda x: x[0], carried.past)
    moving = with_top(jax.tree.map(lambda x: x[-1:], carried.past), carried.smooth, machine)
    last = log_ratios(*log_changes(moving, tuple(x[-3:] for x in carried.chains.states)))
    here = chains_of(carried)
    change = marginal(judged, here, tempering.SUMMED_OUT) - marginal(machine, here, tempering.SUMMED_OUT)
    nudge = jax.nn.logsumexp(change) - jnp.log(change.shape[0])
    return uncoupled_log_z(bottom) + jnp.sum(carried.log_ratios[:-2]) + jnp.sum(last) + nudge


def without_weights(machine: Machine) -> Machine:
    """The machine at zero weights, as arrays: where ladders begin."""
    return Machine(jax.tree.map(jnp.zeros_like, machine.weights), machine.biases, machine.units, machine.quadratics)


def with_top(past: Machine, *machines: Machine) -> Machine:
    """A ladder with more machines on top."""
    return jax.tree.map(lambda xs, *more: jnp.concatenate([xs, *(x[None] for x in more)]), past, *machines)
