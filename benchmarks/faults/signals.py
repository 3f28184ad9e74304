"""SIGTERM and SIGINT in every phase of a run, from the loading of data to the pictures at its end."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.faults.kills import length
from benchmarks.faults.process import Process, Row

LIMIT = 5.0  # seconds on the clock
RUN = ["train", "rbm", "--hidden", "40", "--temperatures", "40000", "--quick"]
TRIES = 4  # until a signal comes within its phase


class Phase(NamedTuple):
    """A phase of a run: how it is known that it has begun, and that it is over, and seconds that may pass before the
    signal."""

    begun: Callable[[Process, Path], bool]
    over: Callable[[Process, Path], bool]
    within: float
    epochs: int = 100


def says(words: str) -> Callable[[Process, Path], bool]:
    """Whether a process has said this."""
    return lambda process, run: words in process.words


PHASES = {
    "data loading": Phase(lambda process, run: True, says("training"), 0.6),
    "compilation": Phase(says("training   0 %"), lambda process, run: length(run) > 0, 1.5),
    "training": Phase(lambda process, run: length(run) > 0, says("training 100 %"), 0.4, 3000),
    "evaluation": Phase(says("training 100 %"), says("drawing"), 3.0),
    "drawing": Phase(says("drawing"), says("next: "), 1.0),
}


def without_cache() -> None:
    """So that compilation takes its time."""
    import jax

    jax.config.update("jax_enable_compilation_cache", False)


class Sent(NamedTuple):
    """One signal: whether it came within its phase, whether the process ended in time with a sentence and its run goes
    on, after how many seconds, and what it said."""

    within: bool
    well: bool
    seconds: float
    said: str


def interrupted(name: str, number: int, place: Path, chance: random.Random) -> Sent:
    """One run, and one signal in this phase."""
    phase, run = PHASES[name], place / f"{name.replace(' ', '-')}-{chance.randrange(10**9)}"
    process = Process([*RUN, "--epochs", str(phase.epochs), "--out", run.name], place, without_cache)
    process.wait_until(lambda: phase.begun(process, run))
    process.wait_until(lambda: phase.over(process, run), chance.uniform(0, phase.within))
    if process.ended() or phase.over(process, run):
        process.wait(0)
        return Sent(False, False, 0.0, f"over before: {process.sentence}")
    process.send(number)
    began = time.monotonic()
    status, seconds = process.wait(), time.monotonic() - began
    well, said = status == 128 + number and process.sentence.startswith("genjax: SIG"), process.sentence
    if (run / "config.json").exists():
        again = Process(["train", "rbm", "--resume", run.name, "--no-evaluate"], place)
        well, said = (well, said) if again.wait() == 0 else (False, again.sentence)
    return Sent(True, well and seconds <= LIMIT, seconds, said)


def within(name: str, number: int, place: Path, chance: random.Random) -> Sent:
    """The same, until a signal has come within the phase, and once more where it was late on a machine that had more
    to do than it has cores."""
    sent = interrupted(name, number, place, chance)
    for _ in range(TRIES - 1):
        late = sent.seconds > LIMIT and os.getloadavg()[0] > (os.cpu_count() or 1)
        if sent.within and not late:
            break
        sent = interrupted(name, number, place, chance)
    return sent


def signals(place: Path, times: int, chance: random.Random, phases: tuple[str, ...] = tuple(PHASES)) -> Row:
    """Both, so many times in each phase: how many came within it, the longest time, and the load of the machine."""
    place.mkdir()
    survived, longest, tried, load = 0, 0.0, 0, 0.0
    for phase in phases:
        for moment in range(times):
            sent = within(phase, (signal.SIGTERM, signal.SIGINT)[moment % 2], place, chance)
            tried, survived, longest = tried + 1, survived + sent.well, max(longest, sent.seconds)
            load = max(load, os.getloadavg()[0])
            if not sent.well:
                print(phase, moment, f"{sent.seconds:.1f} s", sent.said, flush=True)
    note = f"{times} in each of {', '.join(phases)}: ended within {longest:.1f} s, load up to {load:.0f}"
    return Row("SIGTERM and SIGINT in every phase", tried, survived, note)
