"""Two processes on this machine: the run of one, written once; and what the other does where one is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import genjax
from tests.api.eight_devices import bits, largest
from tests.api.two_processes import HOW, MODELS
from tests.xla_flags import QUICK

FOUR = f"{QUICK} --xla_force_host_platform_device_count=4"
HERE = Path(__file__).parent.parent.parent


def address() -> str:
    """Where process 0 may listen."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return f"localhost:{free.getsockname()[1]}"


def start(*command: object, flags: str = QUICK) -> subprocess.Popen:
    """A Python program that keeps nothing of the tests' process but its folder."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    words = [sys.executable, "-m", *map(str, command)]
    return subprocess.Popen(words, cwd=HERE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_two_processes_learn_what_one_device_learns_and_go_on_from_each_other(tmp_path):
    genjax.fit(MODELS["rbm"], bits(), steps=2, out=tmp_path / "begun", **HOW)
    place = address()
    both = [start("tests.api.two_processes", place, i, tmp_path, flags=FOUR) for i in range(2)]
    for process in both:
        error = process.communicate(timeout=600)[1]
        assert process.returncode == 0, error[-3000:]
    for name, model in MODELS.items():
        alone, together = genjax.fit(model, bits(), steps=4, **HOW), genjax.load(tmp_path / name)
        apart, where = largest(together.parameters, alone.parameters)
        assert apart <= 1e-6, f"{name}: {where} is off by {apart:.3g}"
        if hasattr(alone.state, "chains"):
            np.testing.assert_array_equal(together.state.chains[0], alone.state.chains[0])
        steps = [json.loads(line)["step"] for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        assert steps == sorted(set(steps))  # written by one
        assert together.step == 4
    assert json.loads((tmp_path / "rbm/environment.json").read_text())["processes"] == 2
    begun, want = genjax.load(tmp_path / "begun"), genjax.load(tmp_path / "rbm")
    assert largest(begun.state._replace(hyper={}), want.state._replace(hyper={}))[0] <= 1e-6
    longer = genjax.fit(want, bits(), steps=6, progress=False)  # of eight devices in two processes, on one
    whole = genjax.fit(MODELS["rbm"], bits(), steps=6, **HOW)
    assert largest(longer.state._replace(hyper={}), whole.state._replace(hyper={}))[0] <= 1e-6


@pytest.mark.slow
def test_where_the_others_do_not_come_one_ends_with_a_sentence():
    program = "from genjax.training import processes; processes.PATIENCE = 2; "
    program += f"processes.together('{address()}', 2, 1).__enter__()"
    done = subprocess.run([sys.executable, "-c", program], cwd=HERE, capture_output=True, text=True, check=False)
    assert done.returncode == 1  # and not by JAX's abort
    assert done.stderr.splitlines()[-1].startswith("genjax: another process of this run has ended or cannot be reached")


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_where_one_is_killed_the_other_ends_with_a_sentence(killed, tmp_path):
    place, folder = address(), tmp_path / "run"
    line = f"train rbm --hidden 4 --steps 100000000 --no-evaluate --out {folder} --coordinator {place} --processes 2"
    both = [start("genjax.cli.main", *line.split(), "--process-id", i) for i in range(2)]
    while not (folder / "metrics.jsonl").exists():  # they train
        assert all(process.poll() is None for process in both), [p.communicate()[1][-2000:] for p in both]
        time.sleep(0.1)
    both[killed].send_signal(signal.SIGKILL)
    out, error = both[1 - killed].communicate(timeout=300)
    both[killed].communicate()
    assert both[1 - killed].returncode == 1
    assert out == ""
    assert "\ngenjax: another process of this run has ended" in error
    assert (folder / "checkpoints/train").is_dir()
