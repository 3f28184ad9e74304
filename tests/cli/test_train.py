"""`genjax train`'s own parts: its clock, its default length, and early stopping."""

import json

import pytest

from genjax.cli import train
from genjax.training import loop
from genjax.training.folder import append_metrics, read_metrics
from tests.cli.test_commands import one_sentence


def test_seconds_count_on_where_a_run_was_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr(train.time, "perf_counter", lambda: now)
    now = 1000.0
    clock = train.Clock(tmp_path)
    now = 1012.5
    assert clock.seconds() == pytest.approx(12.5)
    append_metrics(tmp_path, {"step": 3, "seconds": clock.seconds()})
    now = 50.0  # another process
    clock = train.Clock(tmp_path)
    now = 51.0
    assert clock.seconds() == pytest.approx(13.5)


@pytest.mark.parametrize(("steps", "chunk", "epochs"), [(12, 240, 1500), (550, 110, 33), (20_000, 250, 1)])
def test_a_run_has_about_eighteen_thousand_steps_by_default(steps, chunk, epochs):
    assert train.default_epochs(loop.Plan(100, steps, chunk, "sampled")) == epochs


def test_a_gap_that_is_never_measured_is_refused(genjax, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = one_sentence(*genjax("train", "rbm", "--epochs", "2", "--stop-gap", "0.1", "--no-validation")[::2])
    assert "there are none to validate on" in said
    assert list(tmp_path.iterdir()) == []


def test_early_stopping_never_lengthens_a_run(genjax, tmp_path, no_pictures, monkeypatch):
    """Where every look finds the gap too wide: stopped at the first, a tenth later; and not where the end is nearer."""
    monkeypatch.setattr(train.early, "too_wide", lambda chunk, limit: True)
    options = ["--hidden", "5", "--no-evaluate", "--stop-gap", "1"]
    for epochs, expected in ((19, 228), (25, 264)):  # looks after 240 steps, and at the end
        folder = tmp_path / str(epochs)
        status, answer, error = genjax("train", "rbm", "--epochs", epochs, "--out", folder, "--json", *options)
        assert status == 0, error
        assert answer["steps"] == expected
        assert read_metrics(folder)[-1]["step"] == expected
    assert json.loads((folder / "config.json").read_text())["decided"]["stopped_early"] == {
        "step": 240,
        "total_steps": 264,
    }
