"""Log Z of machines whose first bracket is not to be trusted: more temperatures, and tempering beside them.

    forward, reverse = gone_on(key, both, chains, until)

Each attempt takes four times the effort of the one before: temperatures that a pilot run has placed, and reverse AIS
from chains that tempering has brought to equilibrium (`likelihood.tempered`), half of which began far from everything
and half where the chains before had come to. What is estimated last counts. Where AIS's own weights collapse
again, tempering's estimate takes its place, if its chains came around, do not depend on where they began, and AIS and
reverse AIS, the bounds, do not contradict it.
"""

import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key

from genjax.boltzmann.machine import States
from genjax.likelihood import ais
from genjax.likelihood.bidirectional import Both, part
from genjax.likelihood.equilibrium import MOST_STRANGE, apart, spread_out, strange
from genjax.likelihood.estimate import contradict
from genjax.likelihood.schedule import PILOT_CHAINS, PILOT_TEMPERATURES, adapted, pilot
from genjax.likelihood.tempered import Tempered, rungs_for, tempered
from genjax.random import subkey
from genjax.typing import Energy, Estimate, Progress

MORE = 4.0  # times the temperatures and rounds of the attempt before
ROUNDS, FEWEST_ROUNDS = 250, 25  # of tempering, before the first attempt
CHAINS = 100  # of either half
OF_A_ROUND = 3.0  # sweeps that a round of tempering costs: a sweep, what swaps and log ratios take
PILOT = 1.5 * PILOT_TEMPERATURES * PILOT_CHAINS  # sweeps; it may compile anew
LEAST = 1.5  # times the effort before, below which another attempt is not worth its time

Say = Callable[[str], None]


def to_stderr(sentence: str) -> None:
    """A line for people."""
    print(sentence, file=sys.stderr, flush=True)


class Effort(NamedTuple):
    """Of one attempt."""

    temperatures: int
    chains: int
    rounds: int
    rungs: int

    @property
    def sweeps(self) -> float:
        """What it costs, in sweeps of one chain."""
        back = min(self.chains, 2 * CHAINS)
        return self.temperatures * (self.chains + back) + OF_A_ROUND * self.rounds * self.rungs * 2 * CHAINS

    def times(self, factor: float) -> "Effort":
        """So many times longer."""
        return self._replace(temperatures=int(factor * self.temperatures), rounds=int(factor * self.rounds))


def judged(both: Both, strangers: States | None) -> tuple[Estimate, Estimate]:
    """Both sides of log Z, trusted where each can be, the chains of the two stand for one machine, and strangers found
    no mode that AIS lacks: chains that began far from everything (`equilibrium.spread_out`)."""
    forward, reverse = both.bracket
    if strangers is not None and forward.trusted:
        share = strange(both.path[-1], both.run, strangers)
        if share > MOST_STRANGE:
            why = f"{100 * share:.0f} % of chains that began far from everything came to where AIS has not been"
            forward = forward._replace(trusted=False, reason=f"{forward.reason}, but {why}")
    if (
        forward.trusted
        and reverse.trusted
        and apart(both.path[-1], both.run.states, both.samples, both.run.log_weights)
    ):
        why = "its chains are not where AIS ends: they are not in equilibrium"
        reverse = reverse._replace(trusted=False, reason=f"{reverse.reason}, but {why}")
    return of_both_sides(forward, reverse), reverse


def of_both_sides(forward: Estimate, reverse: Estimate) -> Estimate:
    """The forward estimate, not trusted where the reverse one is not, or contradicts it."""
    answer = contradict(forward, reverse) if forward.trusted else forward
    if not answer.trusted or reverse.trusted:
        return answer
    return answer._replace(trusted=False, reason=f"reverse AIS is not to be trusted: {reverse.reason}")


def gone_on(
    key: Key[Array, ""],
    both: Both,
    strangers: States | None,
    until: float,
    past: ais.Path | None = None,
    say: Say = to_stderr,
    progress: Progress | None = None,
) -> tuple[Estimate, Estimate]:
    """Both sides of log Z in nats, after as many attempts as are needed and end before `until` (`time.perf_counter`).

    `past` is a path from an uncoupled machine to this one that the machine has taken as it learned; without it the path
    is `balanced`. What an attempt will cost is said before it begins. Where none is to be trusted, the reason says
    between what log Z is known.
    """
    sides, path, seconds = judged(both, strangers), past or balanced(both, strangers), both.seconds
    if sides[0].trusted:
        return sides
    if time.perf_counter() + PILOT * seconds > until:
        return unknown(sides, "there is no time to go on (`minutes`)")
    first = pilot(subkey(key, "going on"), path)
    rungs = rungs_for(first)
    half = (until - time.perf_counter()) / 2  # for the first attempt's tempering, at most
    rounds = int(np.clip(half / (MORE * OF_A_ROUND * rungs * 2 * CHAINS * seconds), FEWEST_ROUNDS, ROUNDS))
    effort = Effort(len(both.run.betas), len(both.run.log_weights), rounds, rungs)
    samples, number = both.samples, 0
    while not sides[0].trusted:
        left, wanted = until - time.perf_counter(), effort.times(MORE)
        factor = min(1.0, left / (wanted.sweeps * seconds))
        if MORE * factor < LEAST:
            return unknown(sides, "another attempt takes more time (`minutes`)")
        effort, number = wanted.times(factor), number + 1
        expected = effort.sweeps * seconds
        say(
            f"log Z: {sides[0].reason}; goes on with {effort.temperatures:,} temperatures where a pilot run places "
            f"them and {effort.rounds:,} rounds of tempering at {effort.rungs} rungs, about {duration(expected)} "
            f"(at most {duration(max(left, expected))})"
        )
        began = time.perf_counter()
        sides, samples = _attempt(jax.random.fold_in(key, number), path, first, effort, samples, progress)
        seconds *= (time.perf_counter() - began) / expected
    return sides


def balanced(both: Both, strangers: States | None) -> ais.Path:
    """The path of `both`; where strangers came to a mode that it does not reach, one that begins at their mean.

    A base at the data's mean leans towards the larger mode, and on the way every chain falls into it, however many
    temperatures there are. Strangers fall into each mode by chance, so that their mean leans less.
    """
    machine = both.path[-1]
    if strangers is None or strange(machine, both.run, strangers) <= MOST_STRANGE:
        return both.path
    return (ais.uncoupled(machine, strangers[0].mean(0)[None]), machine)


def duration(seconds: float) -> str:
    """In seconds, from two minutes on in minutes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _attempt(
    key: Key[Array, ""],
    path: ais.Path,
    first: ais.Annealed,
    effort: Effort,
    start: States,
    progress: Progress | None,
) -> tuple[tuple[Estimate, Estimate], States]:
    """Both sides, and the samples that the next attempt begins with."""
    machine = path[-1]
    some = jax.tree.map(lambda x: x[: min(CHAINS, start[0].shape[0])], start)
    far = spread_out(subkey(key, "far"), machine, some[0].shape[0])
    middle = part(progress, 0.0, 0.4)
    hot = tempered(subkey(key, "tempered"), path, first, some, far, effort.rounds, effort.rungs, middle)
    betas = adapted(first, effort.temperatures)
    run = ais.upward(subkey(key, "forward"), path, betas, effort.chains, part(progress, 0.4, 0.8))
    back = ais.downward(subkey(key, "reverse"), path, betas, hot.samples, part(progress, 0.8, 1.0))
    forward, reverse = ais.forward_log_z(run), ais.reverse_log_z(back)
    reverse = in_equilibrium(machine, hot, reverse)
    return (better(machine, run, forward, hot, reverse), reverse), hot.samples


def in_equilibrium(machine: Energy, hot: Tempered, reverse: Estimate) -> Estimate:
    """Reverse AIS, not trusted where the chains that it began with have not forgotten where they began."""
    half = hot.samples[0].shape[0] // 2
    from_chains, fresh = (jax.tree.map(lambda x, s=s: x[s], hot.samples) for s in (slice(half), slice(half, None)))
    reverse = reverse._replace(estimator=f"{reverse.estimator} after {hot.log_z.estimator}")
    if not hot.log_z.trusted:
        return reverse._replace(trusted=False, reason=f"{reverse.reason}, but its chains made {hot.log_z.reason}")
    if apart(machine, from_chains, fresh):
        why = "its chains still depend on where they began"
        return reverse._replace(trusted=False, reason=f"{reverse.reason}, but {why}")
    return reverse


def better(machine: Energy, run: ais.Annealed, forward: Estimate, hot: Tempered, reverse: Estimate) -> Estimate:
    """AIS's estimate where it can be trusted; else tempering's, where reverse AIS can and AIS is not above it."""
    if forward.trusted and apart(machine, run.states, hot.samples, run.log_weights):
        why = "AIS ends elsewhere than tempering: its chains missed a mode, or tempering's did"
        forward = forward._replace(trusted=False, reason=why)
    if forward.trusted or not reverse.trusted:
        return of_both_sides(forward, reverse)
    bridge = of_both_sides(hot.log_z, reverse)
    return bridge if forward.low <= bridge.high else forward


def unknown(sides: tuple[Estimate, Estimate], why: str) -> tuple[Estimate, Estimate]:
    """What remains is said: between what log Z is known."""
    forward, reverse = sides
    low, high = min(forward.low, reverse.low), max(forward.high, reverse.high)
    known = f"log Z is not known better than {low:.2f} to {high:.2f} nats"
    return forward._replace(reason=f"{forward.reason}; {known}, and {why}"), reverse
