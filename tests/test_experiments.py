"""Every experiment runs with --smoke: files, finite numbers, a figure."""

import json
import sys

import numpy as np

from experiments import (
    early_stopping,
    epoch_speed,
    grid_speed,
    latent_sizes,
    mnist_rbm,
    negative_phases,
    recommender,
    stacked_autoencoder,
    trajectory,
    vae_likelihood,
    vae_throughput,
)


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


def test_vae_likelihood(tmp_path, monkeypatch, capsys):
    """A second call takes what the first one left."""
    monkeypatch.setattr(sys, "argv", ["vae_likelihood", "--smoke", "--out", str(tmp_path)])
    for _ in range(2):
        vae_likelihood.main()
        lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
        assert [(line["model"], line["seed"]) for line in lines] == [(m, s) for m in ("vae", "iwae") for s in (0, 1)]
        assert all(line["elbo"]["test"] < line["log_likelihood"]["test"]["mean"] < 0 for line in lines)
        assert "iwae is ahead of vae by" in capsys.readouterr().out
    assert (tmp_path / "vae_likelihood.png").stat().st_size > 5000


def test_stacked_autoencoder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["stacked_autoencoder", "--smoke", "--out", str(tmp_path)])
    stacked_autoencoder.main()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [line["seed"] for line in lines] == [0, 1]
    assert all(0.5 < line["before"] < line["after"] <= 1 for line in lines)
    assert (tmp_path / "stacked_autoencoder.png").stat().st_size > 5000
    assert "32-16" in capsys.readouterr().out


def test_vae_throughput(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["vae_throughput", "--smoke", "--out", str(tmp_path)])
    vae_throughput.main()
    _, *lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [line["network"] for line in lines] == list(vae_throughput.NETWORKS)
    assert all(line["ratio"][0] > 0 for line in lines)
    assert (tmp_path / "vae_throughput.png").stat().st_size > 5000
    assert "host loop" in capsys.readouterr().out


def test_latent_sizes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["latent_sizes", "--smoke", "--out", str(tmp_path)])
    latent_sizes.main()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(line["model"], line["latents"]) for line in lines] == [(m, n) for m in ("ae", "vae") for n in (3, 20)]
    assert all(np.isfinite(line["cross_entropy"]) for line in lines)
    for name in ("latent_sizes.png", "samples.png", "reconstructions.png"):
        assert (tmp_path / name).stat().st_size > 5000
    assert "active" in capsys.readouterr().out
