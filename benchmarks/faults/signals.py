"""SIGTERM and SIGINT in every phase of a run, from the loading of data to the pictures at its end."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.process import Process, Row

LIMIT = 5.0  # seconds on the clock
RUN = ["train", "rbm", "--hidden", "40", "--temperatures", "4000"]
PHASES: dict[str, tuple[str, float]] = {  # after which words of the process, and how many seconds at most
    "data loading": ("", 0.6),
    "compilation": ("training   0 %", 1.5),
    "training": ("", 0.4),  # after its first line of metrics
    "evaluation": ("evaluating   0 %", 0.5),
    "drawing": ("drawing   0 %", 2.0),
}


def without_cache() -> None:
    """So that compilation takes its time."""
    import jax

    jax.config.update("jax_enable_compilation_cache", False)


def in_phase(phase: str, process: Process, run: Path) -> Callable[[], bool]:
    """Whether the process has come to a phase."""
    words = PHASES[phase][0]
    return (lambda: (run / "metrics.jsonl").exists()) if phase == "training" else (lambda: words in process.words)


def interrupted(
    phase: str, number: int, place: Path, chance: random.Random, last: bool = False
) -> tuple[bool, float, str]:
    """One signal: whether the process ended in time with a sentence and its run goes on, after how many seconds, and
    what it said. Where it was late and the machine had more to do than it has cores, the clock is asked once more."""
    run = place / f"{phase.replace(' ', '-')}-{chance.randrange(10**9)}"
    epochs = "3000" if phase == "training" else "100"
    process = Process([*RUN, "--epochs", epochs, "--out", run.name], place, without_cache)
    process.wait_until(in_phase(phase, process, run))
    process.wait_until(lambda: False, chance.uniform(0, PHASES[phase][1]))
    if process.ended():
        return False, 0.0, f"ended before: {process.sentence}"
    process.send(number)
    began = time.monotonic()
    status, seconds = process.wait(), time.monotonic() - began
    if seconds > LIMIT and os.getloadavg()[0] > (os.cpu_count() or 1) and not last:
        return interrupted(phase, number, place, chance, last=True)
    well, said = status == 128 + number and process.sentence.startswith("genjax: SIG"), process.sentence
    if (run / "config.json").exists():
        again = Process(["train", "rbm", "--resume", run.name, "--no-evaluate"], place)
        well, said = (well, said) if again.wait() == 0 else (False, again.sentence)
    return well and seconds <= LIMIT, seconds, said


def signals(place: Path, times: int, chance: random.Random) -> Row:
    """As many of both as there are phases, so many times: the longest time, and the load of the machine then."""
    place.mkdir()
    survived, longest, tried, load = 0, 0.0, 0, 0.0
    for phase in PHASES:
        for moment in range(times):
            well, seconds, said = interrupted(phase, (signal.SIGTERM, signal.SIGINT)[moment % 2], place, chance)
            tried, survived, longest = tried + 1, survived + well, max(longest, seconds)
            load = max(load, os.getloadavg()[0])
            if not well:
                print(phase, moment, f"{seconds:.1f} s", said, flush=True)
    note = f"{times} in each of {', '.join(PHASES)}: ended within {longest:.1f} s, load up to {load:.0f}"
    return Row("SIGTERM and SIGINT in every phase", tried, survived, note)
