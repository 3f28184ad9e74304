"""Damaged files, folders that cannot be written, full disks, two processes at once, and what writing costs."""

import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.faults.kills import KINDS
from benchmarks.faults.process import Process, Row, differences, in_a_process


def damaged(content: bytes, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """A file cut, and with bits flipped, in several places."""
    for _ in range(3):
        place = chance.randrange(len(content))
        yield "cut", content[:place]
        yield "bit", content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]


def damages(place: Path, whole: Path, chance: random.Random) -> Iterator[Row]:
    """Of a run that is done: its newest checkpoint, its config or its metrics damaged, then resumed."""
    place.mkdir()
    newest = max(
        (p for p in (whole / "checkpoints" / "train").iterdir() if p.name.isdigit()), key=lambda p: int(p.name)
    )
    largest = max((p for p in newest.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    victims = {"checkpoint": largest, "config": whole / "config.json", "metrics": whole / "metrics.jsonl"}
    for what, victim in victims.items():
        tried = survived = went_on = 0
        for how, content in damaged(victim.read_bytes(), chance):
            tried += 1
            run = shutil.copytree(whole, place / f"{what}-{tried}-{how}")
            (run / victim.relative_to(whole)).write_bytes(content)
            process = Process(["train", "rbm", "--resume", run.name], place)
            process.wait(120)
            survived += process.clear
            equal = process.status == 0 and in_a_process(differences, run, whole)
            went_on += equal == [] or (what == "metrics" and equal == ["steps of metrics.jsonl"])
            if not process.clear:
                print(run.name, process.status, process.sentence)
        yield Row(
            f"{what} cut or a bit flipped", tried, survived, f"{went_on} went on, the others said what is damaged"
        )


def no_room(place: Path) -> Row:
    """A run on a disk of 300 kB (a tmpfs; a limit on the size of files where none can be mounted)."""
    place.mkdir()
    small = place / "small"
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(small)]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def limit() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    try:
        process = Process([*KINDS["RBM"], "--out", str(small / "run")], place, (lambda: None) if mounted else limit)
        status = process.wait(300)
        said, clear = process.sentence.split("/")[-1], status == 2 and process.clear
        shutil.copytree(small / "run", place / "run")  # where there is room
        went_on = Process(["train", "rbm", "--resume", "run"], place).wait(300) == 0
        return Row(f"full disk ({'tmpfs' if mounted else 'limit of size'})", 1, int(clear and went_on), said)
    finally:
        if mounted:
            subprocess.run(["umount", str(small)], check=False)


def read_only(place: Path, whole: Path) -> Row:
    """A run in a folder that cannot be written (a mount; root writes past permissions), resumed and evaluated."""
    place.mkdir()
    run = shutil.copytree(whole, place / "run")
    said, well = "no mount: not tried", 0
    command = f"mount --bind {run} {run} && mount -o remount,ro,bind {run}"
    if subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode != 0:
        return Row("read-only run folder", 0, 0, said)
    try:
        process = Process(["train", "rbm", "--resume", "run", "--epochs", "401"], place)
        well = process.wait(120) == 2 and process.clear
        said = process.sentence
        opened = Process(["export", "run", "weights.npz"], place)
        well = well and opened.wait(120) == 0
    finally:
        subprocess.run(["umount", str(run)], check=False)
    return Row("read-only run folder", 1, int(well), f"{said[:130]} (and it can be opened)")


def two_at_once(place: Path) -> Row:
    """Two trainings into one folder: the second is refused; the first is killed, and the next goes on."""
    place.mkdir()
    first = Process([*KINDS["RBM"], "--out", "run"], place)
    while not list(place.glob("run/checkpoints/train/[0-9]*")) and not first.ended():
        time.sleep(0.01)
    second = Process(["train", "rbm", "--resume", "run"], place)
    refused, said = second.wait(120) == 2 and "being trained by another process" in second.sentence, second.sentence
    first.send(signal.SIGKILL)
    first.wait()
    went_on = Process(["train", "rbm", "--resume", "run"], place).wait(300) == 0
    return Row("second training into a folder; its holder killed", 2, refused + went_on, said)


def cost(whole: Path) -> Row:
    """The share of a long run that checkpoints take: the time of one over the 15 s between two."""
    from genjax import load
    from genjax.training.checkpoint import MOST_OF_TIME, Checkpoints

    state, times = load(whole).state, []
    checkpoints = Checkpoints(Path(tempfile.mkdtemp()))
    for step in range(12):
        began = time.perf_counter()
        checkpoints.save(step, state)
        times.append(time.perf_counter() - began)
    usual = float(np.median(times))
    pause = max(15.0, usual / MOST_OF_TIME)  # as `Pause` has it
    well = sum(time / pause <= MOST_OF_TIME for time in times)
    return Row("writing a checkpoint", 12, well, f"{usual:.2f} s, each {pause:.0f} s: {100 * usual / pause:.2f} %")
