"""Memory and open files of a process stay flat: over a long run, and over models of ever new sizes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from genjax.api import compilation

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counts memory as Linux does")


def readings(name: str) -> tuple[list[float], list[int]]:
    """Megabytes and open files at each round of a trial (`tests.long_run`)."""
    command = [sys.executable, "-m", "tests.long_run", name]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    rounds = json.loads(done.stdout.splitlines()[-1])
    return [found["megabytes"] for found in rounds], [found["files"] for found in rounds]


@pytest.mark.slow
def test_memory_is_flat_and_no_file_stays_open():
    """Of a run of 60 chunks with a checkpoint after each, from the twentieth on: megabytes."""
    memory, files = readings("chunks")
    assert len(memory) == 6
    assert memory[-1] - memory[1] < 10, memory
    assert files[-1] <= files[1], files


@pytest.mark.slow
def test_models_of_ever_other_sizes_do_not_fill_the_memory():
    """Each compiles 40 megabytes of programs, of which two models' are held here; without a bound these eleven would
    add 300 after the third."""
    memory, _ = readings("sizes")
    assert max(memory[3:]) - max(memory[:3]) < 100, memory


def test_what_has_become_too_much_is_forgotten(monkeypatch):
    """By the count of JAX's own events."""
    cleared = []
    monkeypatch.setattr(compilation.jax, "clear_caches", lambda: cleared.append(True))
    monkeypatch.setattr(compilation.Programs, "count", compilation.MOST_PROGRAMS - 1)
    for expected in (0, 0, 1, 1):
        compilation.forget_programs()
        assert len(cleared) == expected
        compilation.jax.monitoring.record_event_duration_secs(compilation.EVENT, 0.1)
        compilation.jax.monitoring.record_event_duration_secs("/another", 0.1)
