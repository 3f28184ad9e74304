"""Programs of long trials, each in a process of its own, whose memory and open files are then its own too.

`python -m tests.long_run NAME` prints JSON: megabytes and open files at each round.
"""

import ctypes
import gc
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import genjax
from genjax.api import compilation
from genjax.training import checkpoint
from tests.xla_flags import QUICK

X = (np.random.default_rng(0).random((60, 12)) < 0.4).astype(np.float32)
QUIET = {"batch_size": 20, "progress": False}


def megabytes() -> float:
    """Resident memory, without what the allocator keeps for later."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def sizes(place: Path) -> Iterator[None]:
    """Models of ever other sizes, each of which compiles; few programs may be held."""
    compilation.MOST_PROGRAMS = 12
    for hidden in range(4, 15):
        genjax.fit(genjax.rbm(hidden=hidden, chains=10), X, steps=4, **QUIET)
        yield


def chunks(place: Path) -> Iterator[dict[str, float]]:
    """One run of many chunks in a folder, with a checkpoint after each of them."""
    checkpoint.Pause.due = property(lambda pause: True)  # type: ignore[assignment,method-assign]
    rounds: list[dict[str, float]] = []
    options = {"out": place / "run", "on_chunk": lambda chunk: rounds.append(reading()), **QUIET}
    genjax.fit(genjax.rbm(hidden=4, chains=10), X, steps=60 * 250, **options)
    yield from rounds[9::10]


def reading() -> dict[str, float]:
    """Memory and open files now."""
    return {"megabytes": megabytes(), "files": len(os.listdir("/proc/self/fd"))}


TRIALS: dict[str, Callable[[Path], Iterator]] = {"sizes": sizes, "chunks": chunks}

if __name__ == "__main__":
    os.environ.setdefault("XLA_FLAGS", QUICK)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps([found or reading() for found in TRIALS[sys.argv[1]](Path(folder))]))
