"""The command in a process of its own that can be killed, and what its run is worth beside an uninterrupted one."""

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

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
        self.said.unlink(missing_ok=True)  # what another one said is not this one's
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
        self.wait_until(lambda: False, limit)
        if not self.ended():
            self.send(signal.SIGKILL)
        self.wait_until(lambda: False, 60)
        assert self.status is not None
        return self.status

    def wait_until(self, reached: Callable[[], bool], limit: float = 600.0) -> bool:
        """Whether something is reached before the process ends, or so many seconds have passed."""
        end = time.monotonic() + limit
        while not self.ended() and time.monotonic() < end:
            if reached():
                return True
            time.sleep(0.002)
        return False

    def send(self, number: int) -> None:
        """A signal."""
        os.kill(self.number, number)

    @property
    def words(self) -> str:
        """All that it has said."""
        return self.said.read_text(errors="replace") if self.said.exists() else ""

    @property
    def sentence(self) -> str:
        """The last line that it said."""
        return (self.words.strip().splitlines() or [""])[-1]

    @property
    def clear(self) -> bool:
        """Whether it ended well, or with a sentence in place of a traceback."""
        return self.status == 0 or (self.sentence.startswith("genjax: ") and "Traceback" not in self.words)


def ready() -> None:
    """Import, here and once, what every process would import."""
    for name in MODULES:
        importlib.import_module(name)


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


def parameters(run: Path) -> dict[str, np.ndarray]:
    """All arrays of the last checkpoint of a run, or of a grid's runs."""
    if (run / "parameters.npz").exists():
        return dict(np.load(run / "parameters.npz"))
    from genjax import load
    from genjax.training.checkpoint import named_leaves

    return {name: np.asarray(leaf) for name, leaf in named_leaves(load(run).state).items()}


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
