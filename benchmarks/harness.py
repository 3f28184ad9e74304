"""Paired, alternating timing: which of several samplers is faster, and by how much, on a machine that is not quiet.

Everything is measured in rounds: each round times every sampler once, in an order that rotates and turns round, so
that a disturbance hits all of them. A ratio is the median of the rounds' ratios, with its 95 % bootstrap interval.
Compilation happens before, and is reported apart. Clock and pause are arguments, so tests need no wall time.
"""

import importlib.metadata
import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from genjax.training.folder import commit as commit
from genjax.training.folder import environment

Run = Callable[[int], Any]
"""`run(sweeps)` advances all chains by so many sweeps, waits until that is done, and returns the visible layer."""


class Skip(Exception):
    """Why a sampler is not measured, in words."""


class Effort(NamedTuple):
    """How long to measure: `seconds` is what one measurement should last, `limit` the longest sweep waited for."""

    rounds: int = 15
    seconds: float = 0.25
    limit: float = 2.0


class Result(NamedTuple):
    """What one sampler took: `seconds` a sweep in each round `(rounds,)`; `build` and `compile` once, in seconds."""

    sweeps: int
    seconds: np.ndarray
    build: float
    compile: float


class Interval(NamedTuple):
    """A median and its 95 % interval."""

    median: float
    low: float
    high: float


def calibrate(run: Run, effort: Effort, clock: Callable[[], float]) -> tuple[int, float]:
    """Sweeps that last about `effort.seconds` (a power of two, run and so compiled already), and what compiling took.

    Raises `Skip` where one sweep takes longer than the limit.
    """

    def timed(sweeps: int) -> float:
        start = clock()
        run(sweeps)
        return clock() - start

    first = timed(1)
    sweeps, seconds = 1, timed(1)
    compilation = max(first - seconds, 0.0)
    if seconds > effort.limit:
        raise Skip(f"a sweep takes {seconds:.1f} s, more than {effort.limit:.0f} s: on an accelerator only")
    while seconds < effort.seconds / 2 and sweeps < 2**20:
        # The first guess counts what a call costs, not only its sweeps, so approach in bounded strides.
        stride = min(effort.seconds / max(seconds, 1e-9), 256.0)
        sweeps *= 2 ** max(1, int(np.log2(stride)))
        run(sweeps)
        seconds = timed(sweeps)
    return sweeps, compilation


def order(names: list[str], number: int) -> list[str]:
    """The order of one round: there and back, then the next rotation, so that nobody keeps place or neighbours."""
    turn = number // 2 % len(names)
    rotated = names[turn:] + names[:turn]
    return rotated[::-1] if number % 2 else rotated


def measure(
    makers: dict[str, Callable[[], Run]],
    effort: Effort,
    clock: Callable[[], float] = time.perf_counter,
    pause: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Result | str]:
    """All samplers against each other: a `Result` each, or why there is none. What others' code raises is a reason."""
    found: dict[str, Result | str] = {}
    runs: dict[str, tuple[Run, int, float, float]] = {}
    for name, make in makers.items():
        say(f"preparing {name}")
        try:
            start = clock()
            run = make()
            build = clock() - start
            runs[name] = (run, *calibrate(run, effort, clock), build)
        except Exception as error:
            found[name] = _reason(error)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(effort.rounds):
        say(f"round {number + 1} of {effort.rounds}")
        for name in order(list(times), number) if times else []:
            run, sweeps, *_ = runs[name]
            pause(min(0.05, effort.seconds / 5))  # idle worker threads of one library spin for a while: let them sleep
            try:
                start = clock()
                run(sweeps)
                times[name].append((clock() - start) / sweeps)
            except Exception as error:
                found[name] = _reason(error)
                del times[name]
    for name, seconds in times.items():
        _, sweeps, compilation, build = runs[name]
        found[name] = Result(sweeps, np.array(seconds), build, compilation)
    return {name: found[name] for name in makers}


def _reason(error: Exception) -> str:
    if isinstance(error, Skip):
        return str(error)
    lines = str(error).strip().splitlines()
    return f"failed: {type(error).__name__}: {lines[0][:200] if lines else ''}"


def ratio(times: np.ndarray, reference: np.ndarray) -> Interval:
    """How many times longer than the reference: the median of the rounds' ratios, 95 % by resampling the rounds."""
    ratios = np.asarray(times) / np.asarray(reference)
    rng = np.random.default_rng(0)
    medians = np.median(ratios[rng.integers(0, len(ratios), (10_000, len(ratios)))], axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return Interval(float(np.median(ratios)), float(low), float(high))


def where() -> dict[str, Any]:
    """Versions, device, commit, processor and cores: the first line of every file of results."""
    surroundings = environment("no data: random machines")
    for package in ("scikit-learn", "torch", "rbms", "thrml", "hamon", "jaxbm"):
        surroundings["versions"][package] = version(package)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = "unknown"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"kind": "environment", **surroundings, "processor": processor, "cores": cores}


def version(package: str) -> str | None:
    """What is installed, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def append(path: Path, entries: Iterable[dict[str, Any]]) -> None:
    """JSON lines, on disk when this returns; no NaN gets in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        file.writelines(json.dumps(entry, allow_nan=False) + "\n" for entry in entries)


def read(path: Path) -> list[dict[str, Any]]:
    """All whole lines; none where there is no file."""
    entries = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue
    return entries
