"""SIGKILL, again and again, of five kinds of run, half of the times within the writing of a checkpoint."""

import random
import signal
import time
from collections.abc import Iterator
from itertools import count, cycle
from pathlib import Path
from typing import NamedTuple

from benchmarks.faults.process import Process, Row, differences, in_a_process

SAVED = ["--checkpoint-seconds", "0", "--no-evaluate"]  # after every chunk
KINDS: dict[str, list[str]] = {
    "RBM": ["train", "rbm", "--hidden", "10", "--epochs", "400", *SAVED],
    "DBM": ["train", "dbm", "--layers", "10", "6", "--pretraining", "200", "--epochs", "200", *SAVED],
    "VAE": ["train", "vae", "--layers", "16", "--epochs", "240", *SAVED],
    "GAN": ["train", "gan", "--layers", "16", "--epochs", "240", *SAVED[:2], "--quick"],  # with its classifier
    "grid": ["grid", "rbm", "--hidden", "4", "6", "--seeds", "2", "--epochs", "400", "--batch-size", "100", *SAVED],
}
MOMENTS = ("write", "line", "write", "time")


class Killed(NamedTuple):
    """A run that was killed so many times, so many of them within a write, and what it lacks at its end."""

    times: int
    within: int
    lost: list[str]


def kills(kind: str, place: Path, times: int, chance: random.Random) -> tuple[Row, Row]:
    """Runs of this kind that are killed so many times in all, beside one in peace: all kills, and those in a write."""
    (place / "whole").mkdir(parents=True)
    reference = Process([*KINDS[kind], "--out", "run"], place / "whole")
    if reference.wait() != 0:
        return Row(f"SIGKILL, {kind}", 1, 0, reference.sentence), Row("", 0, 0)
    moments, runs = cycle(MOMENTS), []
    for number in count():
        left = times - sum(run.times for run in runs)
        if not left or number == times:
            break
        runs.append(killed(kind, place / f"killed-{number}", place / "whole" / "run", left, moments, chance))
    well = [run for run in runs if not run.lost]
    lost = next((f"; differs: {run.lost[:4]}" for run in runs if run.lost), "")
    note = f"bit-equal, metrics whole: {len(well)} of {len(runs)} runs{lost}"
    of_all = Row(f"SIGKILL, {kind}", sum(run.times for run in runs), sum(run.times for run in well), note)
    return of_all, Row("", sum(run.within for run in runs), sum(run.within for run in well))


def killed(kind: str, place: Path, whole: Path, most: int, moments: Iterator[str], chance: random.Random) -> Killed:
    """One run, killed until it comes to its end, or as often as is wanted and then left in peace."""
    place.mkdir()
    times, within, run = 0, 0, place / "run"
    while True:
        begun = (run / "config.json").exists()
        process = Process([*KINDS[kind][:2], "--resume", "run"] if begun else [*KINDS[kind], "--out", "run"], place)
        if times < most:
            moment = next(moments)
            done = at_moment(moment, process, run, chance)
            times, within = times + done, within + (done and moment == "write")
        if process.wait() not in (0, -signal.SIGKILL):
            return Killed(times, within, [process.sentence])
        if process.status == 0:
            return Killed(times, within, in_a_process(differences, run, whole))


def at_moment(moment: str, process: Process, run: Path, chance: random.Random) -> bool:
    """SIGKILL within a write, some milliseconds after a line of metrics, or some seconds after the start; False where
    the process ends before."""
    if moment == "write":
        return within_a_write(process, run, chance.randint(1, 3))
    if moment == "line":
        lines = length(run) + chance.randint(1, 4)
        process.wait_until(lambda: length(run) >= lines)
        process.wait_until(lambda: False, chance.uniform(0, 0.05))
    else:
        process.wait_until(lambda: False, chance.uniform(0, 2.5))
    if process.ended():
        return False
    process.send(signal.SIGKILL)
    return True


def within_a_write(process: Process, run: Path, writes: int) -> bool:
    """SIGKILL while a checkpoint is half written, which is looked for while the process is stopped, after some other
    writes; False where it ends before."""
    seen = whole(run)
    first = len(seen)
    while not process.ended():
        if half_written(run) and len(seen) - first >= writes - 1:
            process.send(signal.SIGSTOP)
            time.sleep(0.02)  # until it has stopped
            if half_written(run):
                process.send(signal.SIGKILL)
                return True
            process.send(signal.SIGCONT)
        seen |= whole(run)
        time.sleep(0.001)
    return False


def half_written(run: Path) -> set[str]:
    """Checkpoints of the run that are being written now."""
    return {path.name for path in run.glob("checkpoints/*/*") if "tmp" in path.name}


def whole(run: Path) -> set[str]:
    """Checkpoints of the run that are there."""
    return {f"{path.parent.name}/{path.name}" for path in run.glob("checkpoints/*/*") if "tmp" not in path.name}


def length(run: Path) -> int:
    """Lines of its metrics."""
    path = run / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0
