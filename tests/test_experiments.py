"""Every experiment runs with --smoke: files, finite numbers, a figure."""

import json
import sys

import numpy as np
import pytest

from experiments import (
    early_stopping,
    epoch_speed,
    gan_comparison,
    gan_mnist,
    gaussian_modes,
    grid_speed,
    mnist_rbm,
    negative_phases,
    recommender,
    stacked_mnist,
    strong_discriminator,
    trajectory,
)
from genjax.evaluation import classifier


def test_negative_phases(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["negative_phases", "--smoke", "--out", str(tmp_path)])
    negative_phases.main()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert {line["setting"] for line in lines} == set(negative_phases.SETTINGS)
    assert all(np.isfinite(line["log_likelihood"]).all() for line in lines)
    assert all(line["log_likelihood"][-1] > line["log_likelihood"][0] for line in lines)
    assert (tmp_path / "curves.png").stat().st_size > 5000


def test_recommender(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["recommender", "--smoke", "--out", str(tmp_path)])
    recommender.main()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    methods = {*recommender.BASELINES, *recommender.MACHINES}
    assert {(line["world"], line["method"]) for line in lines} == {(w, m) for w in recommender.WORLDS for m in methods}
    assert all(0 < line["floor"] < line["rmse"] < 3 for line in lines)
    assert (tmp_path / "comparison.png").stat().st_size > 5000
    assert "rated what is liked" in capsys.readouterr().out


def test_early_stopping(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["early_stopping", "--smoke", "--out", str(tmp_path)])
    early_stopping.main()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(line["seed"], line["run"]) for line in lines] == [(s, r) for s in (0, 1) for r in ("all steps", "stopped")]
    assert all(np.isfinite(line["log_likelihood"]) for line in lines)
    assert (tmp_path / "early_stopping.png").stat().st_size > 5000
    assert "stopped is ahead by" in capsys.readouterr().out


def test_mnist_rbm(tmp_path, monkeypatch, capsys):
    """On digits; a second call takes what the first one left."""
    monkeypatch.setattr(sys, "argv", ["mnist_rbm", "--smoke", "--out", str(tmp_path)])
    for _ in range(2):
        mnist_rbm.main()
        (line,) = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
        assert -40 < line["test"]["mean"] < -15
        assert "exact" in capsys.readouterr().out
    assert (tmp_path / "mnist_rbm.png").stat().st_size > 5000


def test_trajectory(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["trajectory", "--smoke", "--out", str(tmp_path)])
    trajectory.main()
    (line,) = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert abs(line["log_z_trajectory"] - line["log_z_ais"]) < 2
    assert all(len(shares) == trajectory.LOOKS for shares in line["still"].values())
    assert (tmp_path / "trajectory.png").stat().st_size > 5000
    assert "all forgotten" in capsys.readouterr().out


def test_epoch_speed(tmp_path, monkeypatch, capsys):
    """With the libraries that are installed."""
    monkeypatch.setattr(sys, "argv", ["epoch_speed", "--smoke", "--out", str(tmp_path)])
    epoch_speed.main()
    _, *lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert {"five products", "genjax", "scikit-learn"} <= {line["name"] for line in lines}
    likelihoods = [value for line in lines if "minutes" in line for value in line["log_likelihood"].values()]
    assert likelihoods
    assert np.isfinite(likelihoods).all()
    assert (tmp_path / "epoch_speed.png").stat().st_size > 5000
    assert "times its five products" in capsys.readouterr().out


def test_grid_speed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["grid_speed", "--smoke", "--out", str(tmp_path)])
    grid_speed.main()
    _, line = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert line["runs"] == 16
    assert line["times_faster"] > 0
    assert (tmp_path / "grid_speed.png").stat().st_size > 5000
    assert "times faster" in capsys.readouterr().out


def test_gaussian_modes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gaussian_modes", "--smoke", "--out", str(tmp_path)])
    for _ in range(2):
        gaussian_modes.main()
        rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
        assert [(row["mixture"], row["seed"]) for row in rows] == [("ring", 0), ("ring", 1), ("grid", 0), ("grid", 1)]
        assert all(row["finite"] and np.isfinite(row["points"] or 0).all() for row in rows)
        assert "all modes in" in capsys.readouterr().out
    assert (tmp_path / "modes.png").stat().st_size > 5000
    assert (tmp_path / "samples.png").stat().st_size > 5000


@pytest.fixture(name="hasty_judge")
def hasty_judge_fixture(monkeypatch, tmp_path):
    """A judge that has hardly learned."""
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(classifier, "EPOCHS", 1)
    monkeypatch.setattr(classifier, "LEAST_STEPS", 1)


@pytest.mark.parametrize(
    ("experiment", "figure", "said"),
    [
        (gan_mnist, "curves.png", "real images"),
        (gan_comparison, "curves.png", "what became of each seed"),
        (strong_discriminator, "curves.png", "alarms in the last quarter"),
        (stacked_mnist, "modes-2.png", "of 100, real images"),
    ],
)
def test_gans(experiment, figure, said, tmp_path, monkeypatch, capsys, hasty_judge):
    name = experiment.__name__.rpartition(".")[2]
    monkeypatch.setattr(sys, "argv", [name, "--smoke", "--out", str(tmp_path)])
    experiment.main()
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert rows
    assert all(row["seconds"] > 0 and row["curve"] for row in rows)
    assert (tmp_path / figure).stat().st_size > 5000
    assert said in capsys.readouterr().out
