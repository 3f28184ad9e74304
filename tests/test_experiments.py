"""Every experiment runs with --smoke: files, finite numbers, a figure."""

import itertools
import json
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import genjax
from experiments import (
    adversarial,
    attention,
    autoregressive_mnist,
    capsules,
    class_samples,
    cnn,
    colour_transfer,
    common,
    conv_rbm,
    course_figure,
    critic_distance,
    deep_mnist,
    diffusion_mnist,
    early_stopping,
    epoch_speed,
    features,
    feedback_alignment,
    fine_tuning,
    gan_comparison,
    gan_mnist,
    gan_settings,
    gaussian_modes,
    gibbs_steps,
    grid_speed,
    hopfield,
    laser,
    latent_sizes,
    missing_rows,
    mnist_rbm,
    mode_coverage,
    negative_phases,
    one_backbone,
    one_budget,
    optimisers,
    other_data,
    own_pictures,
    portions,
    pretraining,
    pseudo_likelihood,
    rbm_settings,
    recommender,
    sklearn_pipeline,
    stacked_autoencoder,
    stacked_mnist,
    strong_discriminator,
    surface,
    synthetic_gradients,
    top_lists,
    trajectory,
    transfer_learning,
    vae_likelihood,
    vae_throughput,
)
from genjax.data import rating_splits, series
from genjax.errors import UserError
from genjax.evaluation import classifier


@pytest.fixture(autouse=True)
def _forget():
    """Experiments share no programs (see `conftest.forget_what_was_compiled`)."""
    yield
    jax.clear_caches()


@pytest.mark.slow
def test_negative_phases(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["negative_phases", "--smoke", "--out", str(tmp_path)])
    negative_phases.main()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert {line["setting"] for line in lines} == set(negative_phases.SETTINGS)
    assert all(np.isfinite(line["log_likelihood"]).all() for line in lines)
    assert all(line["log_likelihood"][-1] > line["log_likelihood"][0] for line in lines)
    assert (tmp_path / "curves.png").stat().st_size > 5000


@pytest.mark.slow
def test_recommender(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["recommender", "--smoke", "--out", str(tmp_path)])
    recommender.main()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    methods = {*recommender.BASELINES, *recommender.MACHINES}
    assert {(line["world"], line["method"]) for line in lines} == {(w, m) for w in recommender.WORLDS for m in methods}
    assert all(0 < line["floor"] < line["rmse"] < 3 for line in lines)
    assert (tmp_path / "comparison.png").stat().st_size > 5000
    assert "rated what is liked" in capsys.readouterr().out


@pytest.mark.slow
def test_deep_mnist(tmp_path, monkeypatch, capsys):
    """On digits; a second call takes what the first one left."""
    monkeypatch.setattr(sys, "argv", ["deep_mnist", "--smoke", "--out", str(tmp_path)])
    for _ in range(2):
        deep_mnist.main()
        lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
        assert [line["name"] for line in lines] == ["dbm", "dbn", "rbm"]
        assert all(-60 < line["test"]["mean"] < -15 and line["minutes"] > 0 for line in lines)
    assert (tmp_path / "deep_mnist.png").stat().st_size > 5000


@pytest.mark.slow
def test_diffusion_mnist(tmp_path, monkeypatch, capsys):
    """On digits; a second call makes table and figures of what the first one left."""
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["diffusion_mnist", "--smoke", "--out", str(out)])
    for _ in range(2):
        diffusion_mnist.main()
        masked, flow = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
        assert -60 < masked["log_likelihood"]["test"]["low"] < masked["log_likelihood"]["test"]["high"] < -15
        assert 1 <= flow["samples"]["classifier_score"] <= 10
        assert "test bound" in capsys.readouterr().out
    assert all((out / f"{name}.png").stat().st_size > 5000 for name in ("samples", "filled", "curves"))


@pytest.mark.slow
def test_class_samples(tmp_path, monkeypatch):
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", ["class_samples", "--smoke", "--out", str(tmp_path)])
    class_samples.main()
    rbm, dbm = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert np.mean(rbm["accuracy"]) > 0.3
    assert len(dbm["accuracy"]) == 10
    assert max(rbm["pixel_error"], dbm["pixel_error"]) < rbm["pixel_error_of_mean"]
    assert (tmp_path / "class_samples.png").stat().st_size > 5000


@pytest.mark.slow
def test_early_stopping(tmp_path, monkeypatch, capsys):
    """With a limit that is reached as soon as the noise of three gaps is known."""
    monkeypatch.setattr(early_stopping, "LIMIT", -10.0)
    monkeypatch.setattr(sys, "argv", ["early_stopping", "--smoke", "--out", str(tmp_path)])
    early_stopping.main()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(line["seed"], line["run"]) for line in lines] == [(s, r) for s in (0, 1) for r in ("all steps", "stopped")]
    assert all(np.isfinite(line["log_likelihood"]) for line in lines)
    assert [line["steps"] for line in lines] == 2 * [1200, 825]
    assert (tmp_path / "early_stopping.png").stat().st_size > 5000
    assert "stopped is ahead by" in capsys.readouterr().out


@pytest.mark.slow
def test_mnist_rbm(tmp_path, monkeypatch, capsys):
    """On digits; a second call takes what the first one left."""
    monkeypatch.setattr(sys, "argv", ["mnist_rbm", "--smoke", "--out", str(tmp_path)])
    for _ in range(2):
        mnist_rbm.main()
        (line,) = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
        assert -40 < line["test"]["mean"] < -15
        assert "exact" in capsys.readouterr().out
    assert (tmp_path / "mnist_rbm.png").stat().st_size > 5000


@pytest.mark.slow
def test_conv_rbm(tmp_path, monkeypatch, capsys):
    """On digits; a second call takes what the first one left."""
    monkeypatch.setattr(sys, "argv", ["conv_rbm", "--smoke", "--out", str(tmp_path)])
    for _ in range(2):
        conv_rbm.main()
        lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
        results = [line for line in lines if line["kind"] == "result"]
        assert [line["model"] for line in results] == list(conv_rbm.RATES)
        assert all(-45 < line["test"]["mean"] < -15 for line in results)
        assert "500 units" in capsys.readouterr().out
    assert (tmp_path / "conv_rbm.png").stat().st_size > 5000


@pytest.mark.slow
def test_trajectory(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["trajectory", "--smoke", "--out", str(tmp_path)])
    trajectory.main()
    (line,) = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert abs(line["log_z_trajectory"] - line["log_z_ais"]) < 2
    assert all(len(shares) == trajectory.TIMES for shares in line["still"].values())
    assert (tmp_path / "trajectory.png").stat().st_size > 5000
    assert "all forgotten" in capsys.readouterr().out


@pytest.mark.slow
def test_epoch_speed(tmp_path, monkeypatch, capsys):
    """With the libraries that are installed."""
    monkeypatch.setattr(sys, "argv", ["epoch_speed", "--smoke", "--out", str(tmp_path)])
    epoch_speed.main()
    _, *lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert {"five products", "genjax", "scikit-learn"} <= {line["name"] for line in lines if "name" in line}
    likelihoods = [line["log_likelihood"] for line in lines if "trained" in line]
    assert likelihoods
    assert np.isfinite(likelihoods).all()
    assert (tmp_path / "epoch_speed.png").stat().st_size > 5000
    assert "times its five products" in capsys.readouterr().out


@pytest.mark.slow
def test_grid_speed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["grid_speed", "--smoke", "--out", str(tmp_path)])
    grid_speed.main()
    _, line = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert line["runs"] == 16
    assert line["times_faster"] > 0
    assert (tmp_path / "grid_speed.png").stat().st_size > 5000
    assert "times faster" in capsys.readouterr().out


@pytest.mark.slow
def test_mode_coverage(tmp_path, monkeypatch, capsys):
    """With a classifier of a few steps, from a cache of the test's own; a second call samples nothing again."""
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(classifier, "EPOCHS", 1)
    monkeypatch.setattr(classifier, "LEAST_STEPS", 1)
    monkeypatch.setattr(sys, "argv", ["mode_coverage", "--smoke", "--out", str(tmp_path)])
    for _ in range(2):
        mode_coverage.main()
        rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
        assert [row["model"] for row in rows] == ["rbm", "dbm"]
        for row in rows:
            assert sum(row["samples"]["shares"]) == pytest.approx(1)
            assert 0 <= row["samples"]["copies"] <= 1
        assert "like copies of training images" in capsys.readouterr().out
        monkeypatch.delattr(mode_coverage, "run_of", raising=False)
    assert (tmp_path / "mode_coverage.png").stat().st_size > 5000
    monkeypatch.setattr(sys, "argv", ["mode_coverage", "--quick", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="results of a smoke run"):
        mode_coverage.main()
    monkeypatch.setattr(sys, "argv", ["mode_coverage", "--quick", "--out", str(tmp_path / "quick")])
    with pytest.raises(UserError, match="--rbm is missing"):
        mode_coverage.main()


@pytest.mark.slow
def test_course_figure(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["course_figure", "--smoke", "--out", str(tmp_path)])
    course_figure.main()
    rbm, dbm = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert (list(rbm["pixels"]), list(dbm["pixels"])) == (["layer 1"], ["layer 1", "layer 2"])
    assert all(1 <= pixels <= 64 for line in (rbm, dbm) for pixels in line["pixels"].values())
    assert all(0 < line["samples_apart"] < 2 for line in (rbm, dbm))
    assert (tmp_path / "course_figure.png").stat().st_size > 5000
    assert "samples apart" in capsys.readouterr().out


@pytest.mark.slow
def test_features(tmp_path, monkeypatch, capsys):
    """A second call fits nothing."""
    monkeypatch.setattr(sys, "argv", ["features", "--smoke", "--out", str(tmp_path)])
    features.main()
    monkeypatch.setattr(features, "fitted", None)
    features.main()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(line["inputs"], line["split"]) for line in lines] == [
        (inputs, split) for inputs in ("pixels", "features") for split in ("validation", "validation", "test")
    ]
    assert all(line["error"] < 0.2 for line in lines)
    assert (tmp_path / "features.png").stat().st_size > 5000
    assert "validation" in capsys.readouterr().out


@pytest.mark.slow
def test_fine_tuning(tmp_path, monkeypatch, capsys):
    """A second call learns nothing."""
    names = ("light dropout", "dropout")  # one program
    monkeypatch.setattr(fine_tuning, "SETTINGS", {name: fine_tuning.SETTINGS[name] for name in names})
    monkeypatch.setattr(sys, "argv", ["fine_tuning", "--smoke", "--out", str(tmp_path)])
    fine_tuning.main()
    monkeypatch.setattr(fine_tuning, "learn", None)
    fine_tuning.main()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [line["split"] for line in lines] == ["validation"] * 2 + ["test"] * 4
    assert all(0 <= line["error"] <= 1 for line in lines)
    assert (tmp_path / "fine_tuning.png").stat().st_size > 5000
    assert "chosen on validation images" in capsys.readouterr().out


@pytest.mark.slow
def test_vae_likelihood(tmp_path, monkeypatch, capsys):
    """A second call takes what the first one left."""
    monkeypatch.setattr(sys, "argv", ["vae_likelihood", "--smoke", "--out", str(tmp_path)])
    for _ in range(2):
        vae_likelihood.main()
        lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
        assert [(line["model"], line["seed"]) for line in lines] == [(m, s) for m in ("vae", "iwae") for s in (0, 1)]
        assert all(line["elbo"]["test"]["mean"] < line["log_likelihood"]["test"]["mean"] < 0 for line in lines)
        assert "iwae is ahead of vae by" in capsys.readouterr().out
    assert (tmp_path / "vae_likelihood.png").stat().st_size > 5000


@pytest.mark.slow
def test_autoregressive_mnist(tmp_path, monkeypatch, capsys):
    """On digits, two settings of one program; a second call takes what the first one left."""
    names = ("rate 0.001", "rate 0.004")
    settings = {name: autoregressive_mnist.SETTINGS[name] for name in names}
    monkeypatch.setattr(autoregressive_mnist, "SETTINGS", settings)
    monkeypatch.setattr(sys, "argv", ["autoregressive_mnist", "--smoke", "--out", str(tmp_path)])
    autoregressive_mnist.main()
    monkeypatch.setattr(autoregressive_mnist, "trained", None)
    autoregressive_mnist.main()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [line["split"] for line in lines] == ["validation", "validation", "test"]
    assert all(line["log_likelihood"]["kind"] == "exact" and -30 < line["train"] < -15 for line in lines)
    for name in ("autoregressive_mnist.png", "samples.png", "completions.png"):
        assert (tmp_path / name).stat().st_size > 5000
    assert "chosen on validation images" in capsys.readouterr().out


@pytest.mark.slow
def test_sklearn_pipeline(tmp_path, monkeypatch, capsys):
    """A second call fits nothing."""
    monkeypatch.setattr(sys, "argv", ["sklearn_pipeline", "--smoke", "--out", str(tmp_path)])
    sklearn_pipeline.main()
    monkeypatch.setattr(sklearn_pipeline, "RBMS", dict.fromkeys(sklearn_pipeline.RBMS))
    sklearn_pipeline.main()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [line["rbm"] for line in lines if "rbm" in line] == 2 * ["scikit-learn", "genjax"]
    assert all(line["accuracy"] > 0.5 for line in lines if "rbm" in line)
    assert sum("timed" in line for line in lines) == 6
    assert (tmp_path / "sklearn_pipeline.png").stat().st_size > 5000
    assert "genjax is ahead by" in capsys.readouterr().out


@pytest.mark.slow
def test_stacked_autoencoder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["stacked_autoencoder", "--smoke", "--out", str(tmp_path)])
    stacked_autoencoder.main()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    wanted = [(task, seed) for task in stacked_autoencoder.TASKS for seed in (0, 1)]
    assert [(line["task"], line["seed"]) for line in lines] == wanted
    classifiers, reconstructions = lines[:2], lines[2:]
    assert all(0 < line["before"] < line["after"] <= 100 and line["after"] > 50 for line in classifiers)
    assert all(0 < line["after"] < line["before"] < 100 for line in reconstructions)
    assert (tmp_path / "stacked_autoencoder.png").stat().st_size > 5000
    assert "32-16" in capsys.readouterr().out


@pytest.mark.slow
def test_one_budget(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["one_budget", "--smoke", "--out", str(tmp_path)])
    one_budget.main()
    rows = [json.loads(path.read_text()) for path in (tmp_path / "cells").glob("*.json")]
    assert sorted({row["kind"] for row in rows}) == ["cost", "result", "speed", "trial"]
    (mixture,) = (row for row in rows if (row["family"], row["kind"]) == ("mixture", "result"))
    assert mixture["nats"]["kind"] == "exact"
    assert -35 < mixture["nats"]["mean"] < -20
    assert 0 < mixture["wrong_pixels"] < 0.4
    shown = capsys.readouterr().out
    assert "no likelihood" in shown
    assert "real images, binary" in shown
    for name in ("samples.png", "curves.png"):
        assert (tmp_path / name).stat().st_size > 5000
    monkeypatch.setattr(one_budget, "cell", lambda *asked: pytest.fail(f"{asked} is made again"))
    monkeypatch.setattr(
        one_budget, "made", lambda chosen, cells: [one_budget.path_of(chosen, *c).stat() for c in cells]
    )
    one_budget.main()


@pytest.mark.slow
def test_vae_throughput(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["vae_throughput", "--smoke", "--out", str(tmp_path)])
    vae_throughput.main()
    _, *lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [line["network"] for line in lines] == list(vae_throughput.NETWORKS)
    assert all(times[0] > 0 for line in lines for times in line["ratio"].values())
    assert (tmp_path / "vae_throughput.png").stat().st_size > 5000
    assert "host loop" in capsys.readouterr().out


@pytest.mark.slow
def test_latent_sizes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["latent_sizes", "--smoke", "--out", str(tmp_path)])
    latent_sizes.main()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(line["model"], line["latents"]) for line in lines] == [(m, n) for m in ("ae", "vae") for n in (3, 20)]
    assert all(np.isfinite(line["cross_entropy"]) for line in lines)
    for name in ("latent_sizes.png", "samples.png", "reconstructions.png"):
        assert (tmp_path / name).stat().st_size > 5000
    assert "active" in capsys.readouterr().out


@pytest.mark.slow
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


@pytest.mark.slow
def test_portions(tmp_path, monkeypatch, capsys):
    """The regularised plan pleases less and spreads more; both serve and are served in full."""
    monkeypatch.setattr(sys, "argv", ["portions", "--smoke", "--out", str(tmp_path)])
    portions.main()
    exact, spread = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert exact["taste"] > spread["taste"]
    assert exact["entropy"] < spread["entropy"]
    for row in (exact, spread):
        np.testing.assert_allclose(np.sum(row["plan"], 0), portions.PORTIONS, atol=1e-4)
        np.testing.assert_allclose(np.sum(row["plan"], 1), portions.APPETITES, atol=1e-4)
    assert (tmp_path / "plans.png").stat().st_size > 5000
    assert "dishes a person" in capsys.readouterr().out


@pytest.mark.slow
def test_colour_transfer(tmp_path, monkeypatch, capsys):
    """A second call plans nothing."""
    monkeypatch.setattr(sys, "argv", ["colour_transfer", "--smoke", "--out", str(tmp_path)])
    colour_transfer.main()
    monkeypatch.setattr(colour_transfer, "fit_colours", None)
    colour_transfer.main()
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [row["setting"] for row in rows] == ["EMD", "Sinkhorn 0.004"]
    assert rows[0]["linear_programme"]["difference"] < 1e-6
    for row in rows:
        assert row["cost"] == pytest.approx(row["pot"]["cost"], rel=1e-3)
        assert row["pot"]["apart"] < 0.01
        assert row["after"] < 0.5 * row["before"]
    assert (tmp_path / "colours.png").stat().st_size > 5000
    assert "linear programming's by" in capsys.readouterr().out


@pytest.mark.slow
def test_megapixels_are_recoloured_in_little_memory():
    row = colour_transfer.megapixels(("china", "flower"), None)
    assert row["pixels"] == 1_500_000
    assert row["peak_memory_mb"] < 4000


@pytest.mark.slow
def test_critic_distance(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["critic_distance", "--smoke", "--out", str(tmp_path)])
    critic_distance.main()
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [row["setting"] for row in rows] == list(critic_distance.SETTINGS)
    assert all(point["exact"] > 0 and np.isfinite(point["critic"]) for row in rows for point in row["curve"])
    assert (tmp_path / "distances.png").stat().st_size > 5000
    assert "real images" in capsys.readouterr().out


@pytest.mark.slow
def test_hopfield(tmp_path, monkeypatch, capsys):
    """On digits; the small nets are those of the full run, and a second call takes what the first one left."""
    monkeypatch.setattr(sys, "argv", ["hopfield", "--smoke", "--out", str(tmp_path)])
    for _ in range(2):
        hopfield.main()
        rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
        assert len([row for row in rows if "noise" in row]) == len(hopfield.RULES) * len(hopfield.NOISE)
        assert {row["seed"] for row in rows if "loads" in row} == {0, 1, 2}
        said = capsys.readouterr().out
        assert "half of the patterns stay at a load of" in said
        assert "attractor (-1.00, +1.00), energy -0.162, reversed" in said
    for name in ("small_nets.png", "digits.png", "capacity.png"):
        assert (tmp_path / name).stat().st_size > 5000


@pytest.fixture(name="hasty_classifier")
def hasty_classifier_fixture(monkeypatch, tmp_path):
    """A classifier that has hardly learned."""
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(classifier, "EPOCHS", 1)
    monkeypatch.setattr(classifier, "LEAST_STEPS", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "figure", "said"),
    [
        (gan_mnist, "curves.png", "real images"),
        (gan_comparison, "curves.png", "what became of each seed"),
        (strong_discriminator, "curves.png", "alarms in the last quarter"),
        (stacked_mnist, "modes-2.png", "of 100, real images"),
    ],
)
def test_gans(experiment, figure, said, tmp_path, monkeypatch, capsys, hasty_classifier):
    name = experiment.__name__.rpartition(".")[2]
    monkeypatch.setattr(sys, "argv", [name, "--smoke", "--out", str(tmp_path)])
    experiment.main()
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert rows
    assert all(row["seconds"] > 0 and row["curve"] for row in rows)
    assert (tmp_path / figure).stat().st_size > 5000
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("score", "classes", "confident", "word"),
    [(9.5, 10, 0.99, "learned"), (3.0, 3, 0.95, "collapsed"), (1.1, 1, 0.1, "poor"), (4.0, 10, 0.7, "poor")],
)
def test_what_became_of_a_gan(score, classes, confident, word):
    """Ten classes; noise that the classifier takes for one class, not confident, has not collapsed."""
    assert adversarial.fate(score, classes, 10, confident) == word


def test_nothing_but_the_command_line_imports_it():
    """Experiments, benchmarks and the library go through the front door."""
    root = Path(__file__).parent.parent
    files = [path for name in ("experiments", "benchmarks", "genjax") for path in (root / name).rglob("*.py")]
    of_it = [path for path in files if path.parent.name == "cli" or path == root / "genjax" / "__main__.py"]
    assert [path for path in files if "genjax.cli" in path.read_text() and path not in of_it] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "figures", "said"),
    [
        (cnn, ("cnn.png",), "the net, shifts            34,826"),
        (attention, ("attention.png", "settings.png"), "queries of each head: (16, 16)"),
    ],
)
def test_vision(experiment, figures, said, tmp_path, monkeypatch, capsys):
    """On digits of three times their size; a second call trains nothing."""
    name = experiment.__name__.rpartition(".")[2]
    monkeypatch.setattr(sys, "argv", [name, "--smoke", "--out", str(tmp_path)])
    for _ in range(2):
        experiment.main()
        rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
        assert len(rows) == 2 * sum(len(list(settings)[:2]) for settings in experiment.PARTS.values())
        assert all(0 < row["error"] < 1 and row["curve"]["steps"][-1] == row["steps"] for row in rows)
        assert said in capsys.readouterr().out
    for figure in figures:
        assert (tmp_path / figure).stat().st_size > 5000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "figures", "said"),
    [
        (optimisers, ("by_epochs.png", "by_seconds.png"), "after 20 epochs: "),
        (surface, ("parts.png", "surface.png"), "no batch normalisation"),
    ],
)
def test_regression(experiment, figures, said, tmp_path, monkeypatch, capsys):
    """A second call takes what the first one left."""
    monkeypatch.setattr(sys, "argv", ["regression", "--smoke", "--out", str(tmp_path)])
    for _ in range(2):
        experiment.main()
        rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
        assert {row["seed"] for row in rows if row.get("seed") is not None} == {0, 1}
        assert len({json.dumps(row) for row in rows}) == len(rows) in (6 * 2 + 5, 8 * 3 + 1)
        assert said in capsys.readouterr().out
    for name in figures:
        assert (tmp_path / name).stat().st_size > 5000


def test_an_order_has_ties_where_paired_intervals_hold_zero():
    base = np.array([1.0, 2.0, 4.0])
    errors = {"worst": 8 * base, "middle": 2 * base * np.array([1.0, 1.1, 0.9]), "best": base, "as good": base * 1.02}
    errors["as good"] = base * np.array([0.9, 1.2, 1.0])
    assert common.order(errors) == "best ~ as good < middle < worst"


def test_rows_are_made_once(tmp_path):
    values = itertools.count()
    for _ in range(2):
        rows = common.Rows(tmp_path / "rows.jsonl", "name", "seed")
        made = [rows.once(lambda: {"value": next(values)}, name="a", seed=seed) for seed in (None, 0, 0)]
        assert [row["value"] for row in made] == [0, 1, 1]
    assert len(rows.of(name="a")) == 2
    assert rows.of(name="a", seed=0)[0]["value"] == 1


def test_a_setting_is_chosen_by_its_mean_over_seeds():
    x = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
    data = genjax.Dataset.from_arrays(x, 3 * x[:, 0], test=0, validation=0.2)
    model = genjax.supervised(layers=(4,), loss="squared_error", optimiser="sgd", schedule="constant")
    found = common.chosen_by(model, lambda seed: data, [0, 1], learning_rate=[1e-4, 0.1, 1e6], steps=50, batch_size=8)
    assert found["chosen"] == {"learning_rate": 0.1}
    assert [rate for rate, _ in found["tried"]] == [1e-4, 0.1, 1e6]
    assert found["tried"][2][1] == float("inf")


def never(*_, **__):
    """In the place of what trains."""
    raise AssertionError("it was trained again")


@pytest.mark.slow
def test_feedback_alignment(tmp_path, monkeypatch, capsys):
    """All rules learn the digits, random feedback aligns, and a second call trains nothing."""
    monkeypatch.setattr(sys, "argv", ["feedback_alignment", "--smoke", "--out", str(tmp_path)])
    feedback_alignment.main()
    monkeypatch.setattr(feedback_alignment, "learned", never)
    feedback_alignment.main()
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    runs = [row for row in rows if row["part"] == "run"]
    assert [(row["rule"], row["seed"]) for row in runs] == [
        (rule, n) for rule in feedback_alignment.RULES for n in (0, 1)
    ]
    for row in runs:
        assert row["test"] > 0.85
        first, last = row["angles"][0], row["angles"][-1]
        if row["rule"] == "backpropagation":
            assert last["all"] < 1
        else:
            assert 70 < first["dense_1"] < 110
            assert last["dense_1"] < 60
    assert (tmp_path / "feedback.png").stat().st_size > 5000
    assert "times as long" in capsys.readouterr().out


@pytest.mark.slow
def test_capsules(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["capsules", "--smoke", "--out", str(tmp_path)])
    capsules.main()
    monkeypatch.setattr(capsules, "learned", never)
    capsules.main()
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    runs = [row for row in rows if row["part"] == "run"]
    names = ("plain", "capsules, not routed", "capsules, routed")
    assert [(row["setting"], row["seed"]) for row in runs] == [(name, n) for name in names for n in (0, 1)]
    assert all(row["test"] > 0.8 for row in runs)
    assert all(row["reconstruction_error"] < 0.08 for row in runs if row["setting"] != "plain")
    for name in ("reconstructions.png", "dimensions.png"):
        assert (tmp_path / name).stat().st_size > 5000
    assert "times as long" in capsys.readouterr().out


@pytest.mark.slow
def test_spiking(tmp_path, monkeypatch, capsys):
    pytest.importorskip("jaxpike")
    from experiments import spiking

    monkeypatch.setattr(sys, "argv", ["spiking", "--smoke", "--out", str(tmp_path)])
    spiking.main()
    monkeypatch.setattr(spiking, "learned", never)
    spiking.main()
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    runs = [row for row in rows if row["part"] == "run"]
    assert [(row["setting"], row["seed"]) for row in runs] == [
        (n, s) for n in ("perceptron", "spiking") for s in (0, 1)
    ]
    assert all(row["test"] > 0.8 for row in runs)
    for row in runs[2:]:
        assert row["early"][-1] == pytest.approx(row["test"], abs=0.003)
        assert all(0 < share < 1 for share in row["fired"])
    spikes = np.load(tmp_path / "picture.npz")["layer_0"]
    assert set(np.unique(spikes)) <= {0.0, 1.0}
    assert (tmp_path / "spikes.png").stat().st_size > 5000
    assert "additions by spikes" in capsys.readouterr().out


@pytest.mark.slow
def test_transfer_learning(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["transfer_learning", "--smoke", "--out", str(tmp_path)])
    transfer_learning.main()
    monkeypatch.setattr(transfer_learning, "learned", never)
    transfer_learning.main()
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    runs = [row for row in rows if row["part"] == "run"]
    assert len(runs) == 2 * len(transfer_learning.WAYS) * 2
    assert all(row["test"] > 0.2 for row in runs if row["labels"] == 10)
    assert (tmp_path / "transfer.png").stat().st_size > 5000
    assert "times as long" in capsys.readouterr().out


@pytest.mark.slow
def test_laser(tmp_path, monkeypatch, capsys):
    """On a file with one number a line; a second call trains nothing."""
    path = tmp_path / "series.dat"
    np.savetxt(path, series.laser(160))
    arguments = ["laser", "--smoke", "--series", str(path), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", arguments)
    laser.main()
    monkeypatch.setattr(laser, "trained", None)
    laser.main()
    rows = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
    assert [row["kind"] for row in rows if "score" in row] == ["mlp", "lstm", "bidirectional"]
    truth = series.read(path)[-20:]
    for row in (row for row in rows if "seed" in row):
        assert row["mse"] == pytest.approx(np.mean((np.array(row["said"]) - truth) ** 2))
    assert [row["seed"] for row in rows if "seed" in row] == 3 * [0, 1, "ensemble"]
    assert (tmp_path / "out" / "forecast.png").stat().st_size > 5000
    assert "test MSE" in capsys.readouterr().out


@pytest.mark.slow
def test_synthetic_gradients(tmp_path, monkeypatch, capsys):
    """The whole gradient agrees with itself; a second call trains nothing."""
    monkeypatch.setattr(sys, "argv", ["synthetic_gradients", "--smoke", "--out", str(tmp_path)])
    synthetic_gradients.main()
    monkeypatch.setattr(synthetic_gradients, "measured", None)
    synthetic_gradients.main()
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(row["way"], row["seed"]) for row in rows] == [
        (way, seed) for way in synthetic_gradients.WAYS for seed in (0, 1)
    ]
    for row in rows:
        assert 0 <= row["error"] <= 1
        assert row["cosine"] == pytest.approx(1) if row["way"] == "none" else row["cosine"] < 1
    assert (tmp_path / "errors.png").stat().st_size > 5000
    assert "less truncated" in capsys.readouterr().out


def smoke(experiment, tmp_path, monkeypatch, *figures):
    """The lines of its results.jsonl, once it has run and drawn these figures."""
    name = experiment.__name__.rpartition(".")[2]
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", [name, "--smoke", "--out", str(out)])
    experiment.main()
    assert all((out / f"{figure}.png").stat().st_size > 5000 for figure in figures)
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_rbm_settings(tmp_path, monkeypatch, capsys):
    rows = smoke(rbm_settings, tmp_path, monkeypatch, "settings")
    assert len(rows) == 2 * 2 * 2 * 2
    assert all(-60 < row[score] < -10 for row in rows for score in rbm_settings.SCORES)
    assert "half the 95 % interval" in capsys.readouterr().out


@pytest.mark.slow
def test_pseudo_likelihood(tmp_path, monkeypatch):
    """That of the small machine is exact, so that it lies below the exact pseudo-likelihood once it has learned."""
    rows = smoke(pseudo_likelihood, tmp_path, monkeypatch, "pseudo_likelihood")
    assert [(row["hidden"], row["phase"]) for row in rows] == list(itertools.product((4, 20), pseudo_likelihood.PHASES))
    assert all(len(row["curve"]) == 4 for row in rows)
    assert all(np.isfinite(list(point.values())).all() for row in rows for point in row["curve"])
    learned = rows[2]["curve"][-1]
    assert learned["log_likelihood"] < learned["pseudo"]


@pytest.mark.slow
def test_gibbs_steps(tmp_path, monkeypatch):
    rows = smoke(gibbs_steps, tmp_path, monkeypatch, "gibbs_steps", "chains")
    assert [(row["phase"], row["k"]) for row in rows] == [("cd", 1), ("cd", 2), ("pcd", 1), ("pcd", 2)]
    assert all(list(row["after"]) == [str(sweeps) for sweeps in gibbs_steps.SWEEPS] for row in rows)
    assert all(-60 < row["log_likelihood"] < -15 for row in rows)


@pytest.mark.slow
def test_missing_rows(tmp_path, monkeypatch, capsys):
    rows = smoke(missing_rows, tmp_path, monkeypatch, "missing_rows", "filled-rbm", "filled-dbm", "filled-vae")
    assert len(rows) == 3 * len(missing_rows.PLACES) * 2
    assert all(0 < row["pixel_error"]["mean"] < 0.6 and 0.2 < row["share"] < 0.6 for row in rows)
    assert "middle:4" in capsys.readouterr().out


@pytest.mark.slow
def test_pretraining(tmp_path, monkeypatch, capsys):
    rows = smoke(pretraining, tmp_path, monkeypatch, "pretraining")
    assert [row["kind"] for row in rows][:2] == 2 * ["exact"]
    assert {row["kind"] for row in rows[2:]} == {"lower_bound"}
    assert "at least" in capsys.readouterr().out


@pytest.mark.slow
def test_gan_settings(tmp_path, monkeypatch):
    rows = smoke(gan_settings, tmp_path, monkeypatch, "gan_settings", "curves", "samples")
    assert [row["setting"] for row in rows] == ["base", "3 latents", "WGAN-GP"]
    assert all(1 <= row["classifier_score"] <= 10 and row["frechet_distance"] > 0 for row in rows)
    assert rows[0]["curve"]["step"] == [4]


@pytest.mark.slow
def test_one_backbone(tmp_path, monkeypatch):
    rows = smoke(one_backbone, tmp_path, monkeypatch, "one_backbone", "samples")
    assert [row["latents"] for row in rows] == 3 * [2, 5]
    assert [("squared" in row) for row in rows] == 4 * [True] + 2 * [False]
    assert all(1 <= row["classifier_score"] <= 10 for row in rows)


@pytest.mark.slow
def test_own_pictures(tmp_path, monkeypatch, capsys):
    """Grey in two classes, colours without any."""
    rows = smoke(own_pictures, tmp_path, monkeypatch, "grey", "colour")
    assert [(row["folder"], row["family"]) for row in rows] == list(
        itertools.product(("grey", "colour"), ("rbm", "ae", "gan"))
    )
    assert all(row["pixels"] == "none" for row in rows)
    said = capsys.readouterr().out
    assert "(8, 8, 1), classes: ('china', 'flower')" in said
    assert "(8, 8, 3), classes: none" in said


@pytest.mark.slow
def test_other_data(tmp_path, monkeypatch, capsys):
    """Ratings and images; a second call makes the one cell that is gone, and no other."""
    rng = np.random.default_rng(0)
    lines = [f"{u}\t{i}\t{rng.integers(1, 6)}\t0" for u in range(30) for i in rng.permutation(20)[:9]]
    (tmp_path / "u.data").write_text("\n".join(lines))
    data, scale = rating_splits.load(str(tmp_path / "u.data")), other_data.SCALES["smoke"]
    made = other_data.cell(data, "recommender", scale)
    assert [len(row["setting"]) for row in made["rows"]] == [0, 1]
    assert -3 < made["trivial"] < 0
    monkeypatch.setattr(sys, "argv", ["other_data", "--smoke", "--out", str(tmp_path / "out")])
    other_data.main()
    cells = [tmp_path / "out" / f"digits-{family}.json" for family in scale.families]
    before = [json.loads(path.read_text()) for path in cells]
    assert -29 < before[0]["trivial"] < -26
    assert all(np.isfinite([row["test"] for row in one["rows"]]).all() for one in before)
    cells[1].unlink()
    asked = []
    monkeypatch.setattr(other_data, "cell", lambda data, family, scale: asked.append(family) or before[1])
    other_data.main()
    assert asked == ["ae"]
    assert "default loses" in capsys.readouterr().out


@pytest.mark.slow
def test_top_lists(tmp_path, monkeypatch, capsys):
    rows = smoke(top_lists, tmp_path, monkeypatch, "top_lists")
    assert [(row["method"], row["top"]) for row in rows] == list(
        itertools.product(("RBM", "user + item biases", "item means"), top_lists.TOPS)
    )
    assert all(0 < row[name][0] <= 1 for row in rows for name in top_lists.MEASURES)
    assert "is expected to like" in capsys.readouterr().out


@pytest.mark.slow
def test_top_lists_have_titles(tmp_path, monkeypatch, capsys):
    """Of a file with u.item beside it."""
    rng, lines = np.random.default_rng(0), []
    for user in range(1, 21):
        lines += [f"{user}\t{item}\t{rng.integers(1, 6)}\t0" for item in rng.permutation(12)[:8] + 1]
    (tmp_path / "u.data").write_text("\n".join(lines))
    (tmp_path / "u.item").write_text("\n".join(f"{item}|Film {item} (1995)|rest" for item in range(1, 13)))
    arguments = ["top_lists", "--smoke", "--ratings", str(tmp_path / "u.data"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", arguments)
    top_lists.main()
    assert "(1995)" in capsys.readouterr().out
