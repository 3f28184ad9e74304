"""Both sides of log Z: AIS from below, reverse AIS from above, along one path with the same temperatures.

The lower side is sure (in expectation). The upper one is as sure as the samples that it begins with: these come from
long chains, and a mode that all of them missed is missed by the bracket too.
"""

import time
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
from jaxtyping import Array, Float, Key

from genjax.boltzmann.machine import Machine, States
from genjax.errors import UserError
from genjax.likelihood import ais
from genjax.likelihood.averaging import averaged_path
from genjax.likelihood.schedule import MOST_CHAINS, MOST_SWEEPS, adapted, pilot, to_standard_error, unadapted
from genjax.random import subkey
from genjax.sampling.gibbs import GIBBS, initial_states
from genjax.typing import Energy, Estimate, Kernel, Progress

SWEEPS = 1000  # of the chains that reverse AIS begins with
FEWEST_CHAINS = 100  # below this many given ones, chains begin at images instead
KNOTS = 9  # inner ones of a path of averaged moments

PathKind = Literal["geometric", "averaged"]
Schedule = Literal["sine", "adapted"]


class Bracket(NamedTuple):
    """Estimates of log Z in nats from both sides."""

    forward: Estimate
    reverse: Estimate


class Both(NamedTuple):
    """A bracket and what it was made from.

    - `path`, `run`: what AIS went up, and what it left. `samples`: the states of the machine that reverse AIS began
      with. `seconds`: of a sweep of one chain.
    """

    bracket: Bracket
    path: ais.Path
    run: ais.Annealed
    samples: States
    seconds: float


@partial(jax.jit, static_argnames=("sweeps", "kernel"))
def _step(key: Key[Array, ""], machine: Energy, state: Any, sweeps: int, kernel: Kernel) -> Any:
    return kernel.step(key, machine, state, sweeps)[0]


def long_run(
    key: Key[Array, ""],
    machine: Energy,
    start: States,
    sweeps: int = SWEEPS,
    progress: Progress | None = None,
    kernel: Kernel = GIBBS,
) -> States:
    """States of chains after `sweeps` sweeps of a kernel, rounded up to whole hundreds."""
    state, dispatches = kernel.init(subkey(key, "init"), machine, start), -(-sweeps // 100)
    for number in range(dispatches):
        state = _step(jax.random.fold_in(key, number), machine, state, 100, kernel)
        if progress is not None:
            progress((number + 1) / dispatches)
    return kernel.states(state)


def starting_points(
    key: Key[Array, ""],
    machine: Energy,
    images: Float[Array, "images visible"],
    given: States | None,
    chains: int,
) -> States:
    """Where long chains begin, at most `chains` of them: given states if there are enough, otherwise on images.

    Each image is taken once; the layers above them are drawn from their biases, and the first sweep corrects that.
    """
    if given is not None and given[0].shape[0] >= min(FEWEST_CHAINS, chains):
        return jax.tree.map(lambda x: x[:chains], given)
    which = jax.random.permutation(subkey(key, "which"), images.shape[0])[:chains]
    return (images[which], *initial_states(subkey(key, "above"), machine, which.shape[0])[1:])


def both(
    key: Key[Array, ""],
    machine: Energy,
    images: Float[Array, "images visible"],
    start: States | None = None,
    temperatures: int = 10_000,
    chains: int = 500,
    progress: Progress | None = None,
    path: PathKind = "geometric",
    schedule: Schedule = "sine",
    standard_error: float | None = None,
    kernel: Kernel = GIBBS,
    most_seconds: float | None = None,
) -> Both:
    """Both estimates, and what they were made from.

    The base comes from the images' means, and reverse AIS begins where chains from `start` (states of
    about this machine, `(chains, units)` a layer, or None: from images) have come after 1000 sweeps.

    With a `standard_error` in nats for the forward estimate, temperatures and chains are chosen for it by a pilot run;
    the numbers given are not read. Reverse AIS takes the same temperatures and as many chains, if there are so many in
    `start`; neither takes more than half of `most_seconds`, as far as the pilot run can tell. `kernel` moves the long
    chains. An averaged path is of a layered `Machine` only.
    """
    go = [part(progress, *ends) for ends in ((0.0, 0.05), (0.05, 0.1), (0.1, 0.65), (0.65, 0.7), (0.7, 1.0))]
    base = ais.uncoupled(machine, images)
    most = chains if standard_error is None else MOST_CHAINS
    state = starting_points(subkey(key, "start"), machine, images, start, most)
    knots = (base, machine)
    if path == "averaged":
        if not isinstance(machine, Machine):
            raise UserError(f"`path` averaged takes a layered Machine; got {type(machine).__name__}: use geometric.")
        state = long_run(subkey(key, "to be averaged"), machine, state, SWEEPS, go[0], kernel)
        knots = averaged_path(subkey(key, "knots"), base, machine, KNOTS, state)
    note, clock = "", Clock()
    if standard_error is not None:
        first = pilot(key, knots, clock.watching(go[1]))
        seconds = clock.seconds / (len(first.betas) * len(first.log_weights))
        most_sweeps = MOST_SWEEPS if most_seconds is None else int(min(MOST_SWEEPS, most_seconds / (2 * seconds)))
        run, note = to_standard_error(key, knots, standard_error, first, clock.watching(go[2]), most_sweeps)
    else:
        betas = unadapted(knots, temperatures)
        if schedule == "adapted":
            betas = adapted(pilot(key, knots, go[1]), temperatures)
        run = ais.upward(key, knots, betas, chains, clock.watching(go[2]))
    state = jax.tree.map(lambda x: x[: len(run.log_weights)], state)
    samples = long_run(subkey(key, "long run"), machine, state, SWEEPS, go[3], kernel)
    back = ais.downward(subkey(key, "reverse"), knots, run.betas, samples, go[4])
    forward, reverse = ais.forward_log_z(run), ais.reverse_log_z(back)
    found = Bracket(
        forward._replace(reason=forward.reason + note),
        reverse._replace(estimator=f"{reverse.estimator} after {SWEEPS} sweeps"),
    )
    return Both(found, knots, run, samples, clock.seconds / (len(run.betas) * len(run.log_weights)))


def bracket(
    key: Key[Array, ""],
    machine: Energy,
    images: Float[Array, "images visible"],
    start: States | None = None,
    temperatures: int = 10_000,
    chains: int = 500,
    progress: Progress | None = None,
    **options: Any,
) -> Bracket:
    """The estimates of `both`, with its other options."""
    return both(key, machine, images, start, temperatures, chains, progress, **options).bracket


class Clock:
    """Seconds of the last work that reported its progress: from the first report on, as compilation comes before it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def watching(self, progress: Progress | None) -> Progress:
        """The same progress; each report sets the clock."""
        began, first = time.perf_counter(), 0.0

        def report(share: float) -> None:
            nonlocal began, first
            if share >= 1 and first == 0:  # all in one
                self.seconds = time.perf_counter() - began
            elif first == 0:
                began, first = time.perf_counter(), share
            else:
                self.seconds = (time.perf_counter() - began) / (share - first)
            if progress is not None:
                progress(share)

        return report


def part(progress: Progress | None, low: float, high: float) -> Progress | None:
    """Progress of a part of the work, as a share of the whole from `low` to `high`."""
    return None if progress is None else lambda share: progress(low + share * (high - low))
