"""Faults, tried for real: what is killed, interrupted, damaged or has no room, and what is left of it.

    python -m benchmarks.faults [--kills 6] [--out DIR]

Five kinds of run (RBM, DBM within a stage, VAE, GAN with its classifier, a grid), each trained once in peace, and once
killed by SIGKILL again and again, every second time within the writing of a checkpoint (seen while the process was
stopped), and resumed. About 15 minutes on two cores that do nothing else. Processes are forked from one that has
imported genjax and computed nothing. Into DIR (a temporary folder): faults.jsonl, and all runs.
"""

import argparse
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SAVED = ["--checkpoint-seconds", "0"]  # after every chunk
NETWORK = ["--layers", "16", "--epochs", "240"]
KINDS: dict[str, list[str]] = {
    "RBM": ["train", "rbm", "--hidden", "10", "--epochs", "400", "--no-evaluate"],
    "DBM": ["train", "dbm", "--layers", "10", "6", "--pretraining", "200", "--epochs", "200", "--no-evaluate"],
    "VAE": ["train", "vae", *NETWORK, "--no-evaluate"],
    "GAN": ["train", "gan", *NETWORK],
    "grid": ["grid", "rbm", "--hidden", "4", "6", "--seeds", "2", "--epochs", "400", "--batch-size", "100"],
}
MODULES = ("genjax.__main__", "genjax.api.fit", "genjax.api.grid", "genjax.api.load")


class Row(NamedTuple):
    """One line of the table."""

    fault: str
    tried: int
    survived: int
    note: str = ""


class Process:
    """The command in a process of its own, forked from this one; what it says goes into a file."""

    def __init__(self, arguments: list[str], place: Path, before: Callable[[], Any] = lambda: None):
        self.said = place / "said.txt"
        self.status: int | None = None
        sys.stdout.flush()
        self.number = os.fork()
        if self.number == 0:
            os.chdir(place)
            with open(self.said, "w") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            sys.argv = ["genjax", *arguments]
            try:
                before()
                importlib.import_module("genjax.__main__").console()
                sys.stdout.flush()
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
            os._exit(0)

    def ended(self) -> bool:
        """Whether it has."""
        if self.status is None:
            number, code = os.waitpid(self.number, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(code) if number else None
        return self.status is not None

    def wait(self, limit: float = 600.0) -> int:
        """Its exit status; it is killed after `limit` seconds, which is -9."""
        began = time.monotonic()
        while not self.ended():
            if time.monotonic() - began > limit:
                self.send(signal.SIGKILL)
            time.sleep(0.01)
        assert self.status is not None
        return self.status

    def send(self, number: int) -> None:
        """A signal."""
        os.kill(self.number, number)

    @property
    def sentence(self) -> str:
        """The last line that it said."""
        return (self.said.read_text(errors="replace").strip().splitlines() or [""])[-1]

    @property
    def clear(self) -> bool:
        """Whether it ended well, or with a sentence in place of a traceback."""
        return self.status == 0 or (self.sentence.startswith("genjax: ") and "Traceback" not in self.said.read_text())


def writing(run: Path) -> bool:
    """Whether a checkpoint of the run is half written now."""
    return any("tmp" in path.name for path in run.glob("checkpoints/*/*"))


def kill_within_a_write(process: Process, run: Path, writes: int) -> bool:
    """SIGKILL while a checkpoint is being written, after so many others; False where the process ends before."""
    seen: set[str] = set()
    while not process.ended():
        names = {path.name for path in run.glob("checkpoints/*/*")}
        if len(seen | names) > writes and any("tmp" in name for name in names - seen):
            process.send(signal.SIGSTOP)
            time.sleep(0.02)  # until it has stopped
            if writing(run):
                process.send(signal.SIGKILL)
                return True
            process.send(signal.SIGCONT)
        seen |= {name for name in names if "tmp" not in name}
        time.sleep(0.001)
    return False


def kill_after(process: Process, seconds: float) -> bool:
    """SIGKILL after some time; False where the process ends before."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not process.ended():
        time.sleep(0.002)
    if process.ended():
        return False
    process.send(signal.SIGKILL)
    return True


def parameters(run: Path) -> dict[str, np.ndarray]:
    """All arrays of the last checkpoint of a run, or of a grid's runs."""
    if (run / "parameters.npz").exists():
        return dict(np.load(run / "parameters.npz"))
    from genjax import load
    from genjax.training.checkpoint import named_leaves

    return {name: np.asarray(leaf) for name, leaf in named_leaves(load(run).state).items()}


def in_a_process(function: Callable[..., Any], *given: Any) -> Any:
    """What a function gives, as JSON, called in a process of its own: this one is to be forked, and starts no JAX."""
    reading, sending = os.pipe()
    if (number := os.fork()) == 0:
        os.close(reading)
        with os.fdopen(sending, "w") as file:
            json.dump(function(*given), file)
        os._exit(0)
    os.close(sending)
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(number, 0)
    return json.loads(text) if text else None


def differences(run: Path, whole: Path) -> list[str]:
    """In what a run is not the uninterrupted one, bit by bit; nothing where it is."""
    ours, theirs = parameters(run), parameters(whole)
    told = [name for name in theirs if name not in ours or not np.array_equal(ours[name], theirs[name], equal_nan=True)]
    told += ["names of the arrays"] if sorted(ours) != sorted(theirs) else []
    texts = ((one / "metrics.jsonl").read_text().splitlines() for one in (run, whole))
    lines, others = ([json.loads(line) for line in text] for text in texts)
    places, of_whole = ([(line.get("run"), line["step"]) for line in some] for some in (lines, others))
    told += ["steps of metrics.jsonl"] if sorted(places, key=str) != sorted(of_whole, key=str) else []
    seconds = [line["seconds"] for line in lines if "seconds" in line]
    return told + (["seconds"] if seconds != sorted(seconds) else [])


def kills(kind: str, place: Path, times: int, chance: random.Random) -> tuple[Row, Row]:
    """A run of this kind in peace, and one that is killed so many times: all kills, and those within a write."""
    (place / "whole").mkdir(parents=True)
    arguments, killed, within = KINDS[kind] + ([] if kind == "grid" else SAVED), 0, 0
    arguments += ["--checkpoint-seconds", "0", "--no-evaluate"] if kind == "grid" else []
    began = time.monotonic()
    reference = Process([*arguments, "--out", "run"], place / "whole")
    if reference.wait() != 0:
        return Row(f"SIGKILL, {kind}", 0, 0, reference.sentence), Row("", 0, 0)
    usual = time.monotonic() - began
    (place / "killed").mkdir()
    run, attempts = place / "killed" / "run", 0
    while killed < times and attempts < 3 * times:
        attempts += 1
        begun = (run / "config.json").exists()
        process = Process([*arguments[:2], "--resume", "run"] if begun else [*arguments, "--out", "run"], run.parent)
        if attempts % 2:
            done = kill_within_a_write(process, run, len(list(run.glob("checkpoints/*/[0-9]*"))) + 1)
            within += done
        else:
            done = kill_after(process, chance.uniform(0, 0.7 * usual))
        process.wait()
        killed += done
        if not done:
            if process.status != 0:
                return Row(f"SIGKILL, {kind}", killed, 0, process.sentence), Row("", within, 0)
            break  # it is at its end
    begun = (run / "config.json").exists()
    last = Process([*arguments[:2], "--resume", "run"] if begun else [*arguments, "--out", "run"], run.parent)
    if last.wait() != 0:
        return Row(f"SIGKILL, {kind}", killed, 0, last.sentence), Row("", within, 0)
    told = in_a_process(differences, run, place / "whole" / "run")
    well = told == []
    note = "bit-equal, metrics whole" if well else f"differs: {told}"
    return Row(f"SIGKILL, {kind}", killed, killed if well else 0, note), Row("", within, within if well else 0)


def signals(place: Path, moments: int, chance: random.Random) -> Row:
    """SIGTERM and SIGINT at moments from the start to the pictures at the end: the longest time, and a sentence."""
    survived, longest, tried = 0, 0.0, 0
    place.mkdir()
    arguments = ["train", "rbm", "--hidden", "10", "--epochs", "100", "--temperatures", "500", "--out"]
    began = time.monotonic()
    Process([*arguments, "whole"], place).wait()
    usual = time.monotonic() - began
    for moment in range(moments):
        number = (signal.SIGTERM, signal.SIGINT)[moment % 2]
        process = Process([*arguments, f"run-{moment}"], place)
        end = time.monotonic() + 0.1 + chance.uniform(0, 0.95) * usual
        while time.monotonic() < end and not process.ended():
            time.sleep(0.002)
        if process.ended():
            continue
        tried += 1
        process.send(number)
        began = time.monotonic()
        status = process.wait()
        longest = max(longest, time.monotonic() - began)
        said = process.sentence
        begun = (place / f"run-{moment}" / "config.json").exists()
        again = Process(["train", "rbm", "--resume", f"run-{moment}"], place) if begun else None
        whole = again is None or again.wait() == 0
        well = status == 128 + number and said.startswith("genjax: SIG") and whole
        survived += well
        if not well:
            print(moment, status, said, again.sentence if again else "")
    return Row("SIGTERM and SIGINT at random moments", tried, survived, f"ended within {longest:.1f} s at most")


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

    arguments = ["train", "rbm", "--hidden", "10", "--epochs", "400", "--no-evaluate", *SAVED, "--out"]
    try:
        process = Process([*arguments, str(small / "run")], place, (lambda: None) if mounted else limit)
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
    first = Process([*KINDS["RBM"], *SAVED, "--out", "run"], place)
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
    from genjax.training.checkpoint import Checkpoints

    state, times = load(whole).state, []
    checkpoints = Checkpoints(Path(tempfile.mkdtemp()))
    for step in range(12):
        began = time.perf_counter()
        checkpoints.save(step, state)
        times.append(time.perf_counter() - began)
    share = float(np.median(times)) / 15
    return Row("writing a checkpoint each 15 s", 12, 12 if share < 0.02 else 0, f"{100 * share:.2f} % of the time")


def shown(rows: list[Row]) -> str:
    """The table."""
    lines = ["| fault | tried | survived | lost | |", "| --- | ---: | ---: | ---: | --- |"]
    return "\n".join(
        [*lines, *(f"| {r.fault} | {r.tried} | {r.survived} | {r.tried - r.survived} | {r.note} |" for r in rows)]
    )


def run(
    out: Path, times: int = 6, kinds: tuple[str, ...] = tuple(KINDS), others: bool = True, seed: int = 0
) -> list[Row]:
    """All of it, or the kills alone; prints each line as it is known, and the table at the end."""
    chance, rows, within = random.Random(seed), [], Row("of these within a checkpoint write", 0, 0)
    for name in MODULES:
        importlib.import_module(name)

    def note(row: Row) -> None:
        rows.append(row)
        print(json.dumps(row._asdict()), flush=True)
        with open(out / "faults.jsonl", "a") as file:
            file.write(json.dumps(row._asdict()) + "\n")

    for kind in kinds:
        every, half = kills(kind, out / kind, times, chance)
        note(every)
        within = within._replace(tried=within.tried + half.tried, survived=within.survived + half.survived)
    note(within)
    whole = out / kinds[0] / "whole" / "run"
    if not others:
        return rows
    for row in damages(out / "damaged", whole, chance):
        note(row)
    note(two_at_once(out / "two"))
    note(no_room(out / "room"))
    note(read_only(out / "read-only", whole))
    note(signals(out / "signals", 2 * times, chance))
    note(Row(*in_a_process(cost, whole)))
    print("\n" + shown(rows))
    return rows


def main() -> None:
    """Ask, run, and tell by the exit status whether anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=6, help="of each kind of run")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--kills-only", action="store_true", help="leave the other faults out")
    parser.add_argument("--out", type=Path, help="folder of the runs")
    asked = parser.parse_args()
    out = asked.out or Path(tempfile.mkdtemp(prefix="faults-"))
    out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(out / "programs"))
    rows = run(out, asked.kills, tuple(asked.kinds), not asked.kills_only)
    sys.exit(int(any(row.tried > row.survived for row in rows)))


if __name__ == "__main__":
    main()
