"""A run's own parts: its clock, its default length, its log, and early stopping."""

import json

import numpy as np
import pytest

from genjax.api import training
from genjax.api.prepared import with_length
from genjax.cli import grid, train
from genjax.cli.options import Parser
from genjax.models.table import MODELS
from genjax.training import loop
from genjax.training.folder import read_metrics
from genjax.training.settings import RunConfig
from tests.cli.test_commands import one_sentence


def test_seconds_count_on_where_a_run_was_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr(training.time, "perf_counter", lambda: now)
    now = 1000.0
    recorder = training.Recorder(tmp_path, [], {})
    now = 1012.5
    recorder.write({"step": 3, "epoch": 1.0, "loss": 2.0})
    assert read_metrics(tmp_path) == [{"step": 3, "epoch": 1.0, "seconds": 12.5, "loss": 2.0}]
    now = 50.0  # another process
    recorder = training.Recorder(tmp_path, read_metrics(tmp_path), {})
    now = 51.0
    recorder.write({"step": 6, "epoch": 2.0})
    assert read_metrics(tmp_path)[-1]["seconds"] == recorder.entries[-1]["seconds"] == pytest.approx(13.5)


@pytest.mark.parametrize(("steps", "chunk", "epochs"), [(12, 240, 1500), (550, 110, 33), (20_000, 250, 1)])
def test_a_run_has_about_eighteen_thousand_steps_by_default(steps, chunk, epochs):
    plan = loop.Plan(100, steps, chunk, "sampled")
    assert with_length(RunConfig(), plan).epochs == epochs
    for given in (RunConfig(epochs=3), RunConfig(steps=5)):
        assert with_length(given, plan) == given


def test_a_gap_that_is_never_measured_is_refused(genjax, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = one_sentence(*genjax("train", "rbm", "--epochs", "2", "--stop-gap", "0.1", "--no-validation")[::2])
    assert "there are none to validate on" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_early_stopping_never_lengthens_a_run(genjax, tmp_path, no_pictures):
    """Held-out images unlike all others: stopped at the third look, a tenth later, and not where the end is nearer.

    Looks come after each 240 steps, and at the end. A run that was stopped has ended when it is resumed.
    """
    left = np.tile(np.arange(6) < 3, (120, 1)).reshape(120, 2, 3).astype(np.uint8)
    np.savez(tmp_path / "own.npz", x_train=left, x_validation=1 - left[:10], x_test=left[:10])
    options = ["--dataset", tmp_path / "own.npz", "--batch-size", "10", "--no-evaluate", "--stop-gap", "0.01", "--json"]
    for epochs, expected in ((64, 768), (70, 792)):
        folder = tmp_path / str(epochs)
        status, answer, error = genjax("train", "rbm", "--hidden", 3, "--epochs", epochs, "--out", folder, *options)
        assert status == 0, error
        assert answer["steps"] == expected
        assert read_metrics(folder)[-1]["step"] == expected
        decided = json.loads((folder / "config.json").read_text())["decided"]
        assert ("stopped_early" in decided) == (epochs == 70)
    assert decided["stopped_early"] == {"step": 720, "total_steps": 792}
    status, answer, error = genjax("train", "rbm", "--resume", folder, "--json")
    assert (status, answer["steps"]) == (0, 792), error
    assert read_metrics(folder)[-1]["step"] == 792


def test_lines_of_the_log_are_means_over_as_many_steps_as_asked_for():
    steps = {"loss": np.arange(1.0, 6.0)}
    chunk = loop.Chunk(20, 2.0, 1.0, {"loss": 3.0, "held_out": 7.0}, None, steps)
    assert training.logged(chunk, None) == [(20, {"loss": 3.0, "held_out": 7.0})]
    assert training.logged(chunk, 2) == [(17, {"loss": 1.5}), (19, {"loss": 3.5}), (20, {"loss": 5.0, "held_out": 7.0})]


@pytest.mark.parametrize("command", [train, grid])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_a_line_of_options(name, command):
    """Options of the model, its run, its estimate and the command have names of their own, and defaults that parse."""
    kind = MODELS[name].config
    config, run, effort, options = Parser(kind, command.Options, "genjax", command.OF_TRAINING)([])
    assert config == kind()
    assert run == RunConfig(**MODELS[name].defaults)
    assert set(effort) <= set(command.OF_TRAINING)
    assert options == command.Options()
