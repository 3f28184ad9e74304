"""A run that is killed, interrupted or that diverges: what is left, and that going on gives what would have been."""

import json
import shutil
import signal
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from genjax import load
from genjax.training.checkpoint import named_leaves
from genjax.training.folder import read_metrics
from tests.cli.conftest import start

OPTIONS = ["--hidden", "10", "--epochs", "1500", "--checkpoint-seconds", "0", "--no-evaluate"]


def wait_for_step(folder: Path, step: int, process, limit: float = 120) -> None:
    began = time.monotonic()
    while time.monotonic() - began < limit and process.poll() is None:
        if folder.exists() and any(entry["step"] >= step for entry in read_metrics(folder)):
            return
        time.sleep(0.01)
    raise AssertionError(process.communicate(timeout=5)[1] if process.poll() is not None else "too slow")


def without_seconds(folder: Path) -> list[dict]:
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in read_metrics(folder)]


@pytest.fixture(scope="module", name="reference")
def reference_fixture(tmp_path_factory) -> Path:
    """The uninterrupted run, in a process of its own."""
    place = tmp_path_factory.mktemp("reference")
    process = start("train", "rbm", "--out", "whole", *OPTIONS, cwd=place)
    assert process.wait(timeout=300) == 0, process.stderr.read()
    process = start("export", "whole", "whole.npz", cwd=place)
    assert process.wait(timeout=100) == 0
    return place


@pytest.mark.slow
def test_killed_three_times_is_bit_for_bit_the_uninterrupted_run(tmp_path, reference):
    arguments = ["train", "rbm", "--out", "run", *OPTIONS]
    for step in (240, 4000, 9000):
        process = start(*arguments, cwd=tmp_path)
        wait_for_step(tmp_path / "run", step, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        arguments = ["train", "rbm", "--resume", "run"]
    process = start(*arguments, cwd=tmp_path)
    assert process.wait(timeout=300) == 0, process.stderr.read()
    assert start("export", "run", "run.npz", cwd=tmp_path).wait(timeout=100) == 0
    ours, theirs = np.load(tmp_path / "run.npz"), np.load(reference / "whole.npz")
    assert sorted(ours) == sorted(theirs) == ["bias_0", "bias_1", "weights_0"]
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert without_seconds(tmp_path / "run") == without_seconds(reference / "whole")
    assert without_seconds(tmp_path / "run")[-1]["step"] == 18_000


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_and_exit(tmp_path, number, status):
    process = start("train", "rbm", "--out", "run", *OPTIONS, "--checkpoint-seconds", "1000", cwd=tmp_path)
    wait_for_step(tmp_path / "run", 480, process)
    process.send_signal(number)
    assert process.wait(timeout=60) == status
    said = process.stderr.read()
    assert "Traceback" not in said
    assert "go on with --resume" in said
    last = read_metrics(tmp_path / "run")[-1]["step"]
    assert (tmp_path / "run" / "checkpoints" / "train" / str(last)).is_dir()


@pytest.mark.slow
def test_a_longer_run_goes_on_and_nothing_else_may_differ(genjax, tmp_path, no_pictures):
    run = str(tmp_path / "run")
    assert genjax("train", "rbm", "--out", run, "--epochs", 2, "--hidden", 10, "--no-evaluate")[0] == 0
    status, _, error = genjax("train", "rbm", "--resume", run, "--hidden", "11")
    assert status == 2
    assert "--hidden 11 differs from 10" in error
    status, _, error = genjax("train", "rbm", "--resume", run, "--epochs", 1)
    assert status == 2
    assert "--epochs 1 is less" in error
    status, out, _ = genjax("train", "rbm", "--resume", run, "--epochs", 40, "--json")
    assert (status, out["steps"]) == (0, 480)
    steps = [entry["step"] for entry in read_metrics(tmp_path / "run")]
    assert steps == sorted(set(steps))
    assert steps[-1] == 480
    assert json.loads((tmp_path / "run" / "config.json").read_text())["run"]["epochs"] == 40


@pytest.mark.slow
def test_a_divergence_names_the_step_and_keeps_the_last_good_checkpoint(genjax, tmp_path):
    run = tmp_path / "run"
    status, _, error = genjax("train", "rbm", "--out", run, "--learning-rate", "1e4", "--epochs", 100)
    assert status == 2
    assert "diverged at step" in error
    kept = error.split("the last good checkpoint is ")[1].split(";")[0]
    assert (run / "checkpoints" / "train").samefile(kept.rsplit("/", 1)[0])
    assert genjax("export", run, tmp_path / "w.npz")[0] == 0
    assert np.all(np.isfinite(np.load(tmp_path / "w.npz")["weights_0"]))


def leaves(run: Path) -> dict[str, np.ndarray]:
    return {name: np.asarray(leaf) for name, leaf in named_leaves(load(run).state).items() if ".hyper" not in name}


@pytest.mark.slow
def test_more_epochs_stretch_the_schedule_and_average_anew(genjax, tmp_path, no_pictures):
    """One step an epoch, so that the average over what is new is known: the newest parameters."""
    np.save(tmp_path / "own.npy", np.random.default_rng(0).integers(0, 2, (20, 4, 4)))
    run, options = tmp_path / "run", ["--dataset", tmp_path / "own.npy", "--hidden", 3, "--no-evaluate"]
    assert genjax("train", "rbm", "--out", run, "--epochs", 8, "--average", 0.9, *options)[0] == 0
    state = load(run).state
    assert not np.array_equal(state.average.weights[0], state.machine.weights[0])
    status, _, error = genjax("train", "rbm", "--resume", run, "--epochs", 9)
    assert status == 0, error
    assert (
        "9 epochs in place of 8 epochs: the learning rate jumps to that of 9 epochs at this point and the average"
        in error
    )
    state = load(run).state
    assert float(state.hyper["total_steps"]) == 9
    for ours, theirs in zip(jax.tree.leaves(state.average), jax.tree.leaves(state.machine)):
        np.testing.assert_array_equal(ours, theirs)
    assert json.loads((run / "config.json").read_text())["decided"]["averaged_from"] == 8
    longer = leaves(run)
    shutil.rmtree(run / "checkpoints" / "train" / "9")  # as where it was killed before it saved anything more
    status, _, error = genjax("train", "rbm", "--resume", run)
    assert (status, "in place of" in error) == (0, False)
    for name, leaf in leaves(run).items():
        np.testing.assert_array_equal(leaf, longer[name])


@pytest.mark.slow
def test_more_epochs_at_one_rate_without_an_average_are_the_longer_run(genjax, tmp_path, no_pictures):
    np.save(tmp_path / "own.npy", np.random.default_rng(0).integers(0, 2, (20, 4, 4)))
    options = ["--dataset", tmp_path / "own.npy", "--hidden", 3, "--schedule", "constant", "--average", 0]
    for name, epochs in (("run", 3), ("whole", 5)):
        assert genjax("train", "rbm", "--out", tmp_path / name, "--epochs", epochs, "--no-evaluate", *options)[0] == 0
    status, _, error = genjax("train", "rbm", "--resume", tmp_path / "run", "--epochs", 5)
    assert (status, "in place of" in error) == (0, False)
    ours, theirs = leaves(tmp_path / "run"), leaves(tmp_path / "whole")
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])
