"""`genjax train gan` and what follows: evaluated, drawn by class, walked through, resumed, and refused."""

import contextlib
import io
import json
import re
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

import genjax as library
from genjax import data
from genjax.api import progress
from genjax.api.plot import Plots
from genjax.cli.main import main
from genjax.evaluation import classifier
from genjax.models.gan import ALARMS
from genjax.training import loop

SMALL = ["--epochs", "6", "--layers", "24", "--latent", "3", "--conditioning", "projection", "--batch-size", "50"]
SMALL += ["--normalisation", "spectral"]


@pytest.fixture(scope="module", autouse=True)
def a_classifier_of_a_few_steps(tmp_path_factory):
    """Trained once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENJAX_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(classifier, "EPOCHS", 1)
        patch.setattr(classifier, "LEAST_STEPS", 60)
        yield


@pytest.fixture(scope="module", name="run")
def run_fixture(tmp_path_factory):
    """A small run, not drawn."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plots, "all", lambda *_: {})
        with contextlib.redirect_stderr(io.StringIO()) as said:
            assert main(["train", "gan", "--out", str(folder), "--log-every", "5", *SMALL]) == 0
    (folder.parent / "said").write_text(said.getvalue())
    return folder


@pytest.mark.slow
def test_a_run_is_watched_and_evaluated(run):
    entries = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [entry["step"] for entry in entries]
    assert steps[:3] == [5, 10, 15]
    assert all(np.isfinite(list(entry.values())).all() for entry in entries)
    assert {"discriminator_loss", "fooled", "generator_gradient", "score_difference"} <= set(entries[0])
    assert {"class_entropy", "spread", "alarm_samples_alike", "score_gap"} <= set(entries[-1])
    table = json.loads((run / "evaluation.json").read_text())
    assert table["real"]["classifier_score"] > table["samples"]["classifier_score"] >= 1
    assert table["real"]["frechet_distance"] < table["samples"]["frechet_distance"]


@pytest.mark.slow
def test_a_run_has_its_figures(run):
    """Curves, samples, a row a class, what the same latents became, and walks through the latents."""
    names = {"curves", "samples", "classes", "film"}
    walks = {f"latent-{name}" for name in ("interpolation", "traversals", "plane", "neighbourhoods")}
    assert set(library.load(run).plot.all()) == names | walks


@pytest.mark.slow
def test_images_without_labels_are_trained_on_and_evaluated(genjax, tmp_path, no_pictures):
    """By distances on principal components, where a classifier has nothing to learn from."""
    images = np.random.default_rng(0).random((60, 4, 4)).astype(np.float32)
    np.savez(tmp_path / "bare.npz", x_train=images[:48], x_test=images[48:])
    options = ["--layers", 5, "--latent", 3, "--batch-size", 12, "--epochs", 2, "--dataset", tmp_path / "bare.npz"]
    status, text, error = genjax("train", "gan", *options, "--out", tmp_path / "run")
    assert status == 0, error
    assert "on principal components features: Frechet distance" in text
    assert "classifier" not in text
    table = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert table["samples"]["frechet_distance"] > table["real"]["frechet_distance"] >= 0
    assert "classifier_score" not in table["samples"]
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"spread", "alarm_samples_alike"} <= set(last)
    assert "class_entropy" not in last


@pytest.mark.slow
def test_samples_of_a_class_and_walks_through_latents(run, genjax, tmp_path):
    out = tmp_path / "three.npz"
    status, answer, _ = genjax("sample", run, "--chains", 12, "--label", 3, "--out", out, "--json")
    assert status == 0
    assert answer["images"] == 12
    with np.load(out) as stored:
        assert stored["samples"].shape == (12, 64)
        assert "labels" not in stored
        assert 0 <= stored["samples"].min() <= stored["samples"].max() <= 1
    assert genjax("sample", run, "--chains", 12, "--out", out, "--overwrite")[0] == 0
    with np.load(out) as stored:
        assert stored["labels"].tolist() == [*range(10), 0, 1]
    status, answer, _ = genjax("latent", run, "--label", 7, "--json")
    assert status == 0
    assert answer["units"] == 3
    assert len(answer["figures"]) == 4
    for command in ("sample", "latent"):
        status, _, error = genjax(command, run, "--label", 10)
        assert status == 2
        assert "--label 10" in error


@pytest.mark.slow
def test_coverage_is_of_draws_and_not_of_chains(run, genjax):
    status, text, error = genjax("coverage", run, "--chains", 30)
    assert status == 0, error
    assert "30 draws" in text
    assert "chains" not in text
    assert "sweeps" not in text
    answer = json.loads((run / "coverage.json").read_text())
    assert answer["sweeps"] is None
    found, data_shares = answer["samples"], np.bincount(data.load("digits").labels.test, minlength=10)
    assert found["classes"] == 10 - len(found["missing"]) < found["occurring"] == 10
    assert all(found["shares"][int(name)] == share for name, share in found["missing"].items())
    assert all(share < 0.3 * data_shares.max() / data_shares.sum() for share in found["missing"].values())
    assert f"samples: {found['classes']} of 10 classes" in text
    assert f"below a fifth of their share in the data: {next(iter(found['missing']))} (" in text


@pytest.mark.slow
def test_the_alarm_sounds_for_a_generator_that_has_collapsed(run):
    opened = library.load(run)

    def watch():
        return opened.model.watch(opened.config, opened.settings, opened.prepared.dataset, None)

    state, heed = opened.state, watch()
    network = state.generator.network  # its average may look well for long
    constant = network._replace(parameters=jax.tree.map(jnp.zeros_like, network.parameters))
    state = state._replace(generator=state.generator._replace(network=constant))
    fair, saturated = ({"real_accuracy": 1.0, "fake_accuracy": share} for share in (0.7, 0.9999))
    for metrics, raised in ((fair, ["samples alike"]), (saturated, ["samples alike", "discriminator saturated"])):
        numbers, alarms = heed(loop.Chunk(150, 6.0, 1.0, metrics, state, {}))
        assert alarms == raised
        assert [name for name, key in ALARMS.items() if numbers[key]] == raised
    assert watch()(loop.Chunk(10, 0.4, 1.0, fair, state, {}))[1] == []  # a run has not learned yet when it begins


@pytest.mark.slow
def test_the_bar_shows_alarms(run):
    """Of a run too short to learn, at its end."""
    assert re.search(r"100 %  0:00:00 left  ALARM: [a-z, ]*samples alike", (run.parent / "said").read_text())


def test_a_narrow_terminal_shows_alarms(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(progress, "Console", partial(Console, force_terminal=True))
    with progress.Bar("training", 10) as bar:
        bar.update(5, "ALARM: classes missing, samples alike  epoch 3  145 steps/s  discriminator_loss 1.234")
    assert "ALARM: classes missing" in capsys.readouterr().err


@pytest.mark.slow
def test_a_named_weights_file_must_be_there(run, genjax, tmp_path):
    status, _, error = genjax("evaluate", run, "--inception", tmp_path / "none.pth")
    assert status == 2
    assert "none.pth" in error or "[fid]" in error


@pytest.mark.slow
def test_a_run_is_resumed(run, genjax):
    before = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    options = ["--resume", run, "--epochs", 7, "--no-evaluate", "--json"]
    status, answer, error = genjax("train", "gan", *options)
    assert status == 0, error
    assert answer["steps"] == before[-1] * 7 // 6
    after = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert after[: len(before)] == before
    assert after[-1] == answer["steps"]


@pytest.mark.slow
def test_coloured_images_without_labels_by_convolutions(genjax, tmp_path):
    images = np.random.default_rng(0).random((60, 6, 5, 3)).astype(np.float32)
    np.savez(tmp_path / "noise.npz", x_train=images[:48], x_test=images[48:])
    options = ["--backbone", "conv", "--channels", 4, "--latent", 1, "--batch-size", 12, "--epochs", 2]
    options += ["--dataset", tmp_path / "noise.npz", "--out", tmp_path / "run", "--no-evaluate"]
    status, _, error = genjax("train", "gan", *options)
    assert status == 0, error
    assert (tmp_path / "run" / "figures" / "film.png").stat().st_size > 1000
    status, answer, error = genjax("latent", tmp_path / "run", "--json")
    assert status == 0, error
    assert answer["units"] == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--loss", "wasserstein"], "--penalty gradient"),
        (["--smoothing", "1"], "--smoothing 1.0"),
        (["--log-every", "0"], "--log-every 0"),
        (["--packing", "80"], "--packing 80"),
    ],
)
def test_mistakes_are_named(options, named, genjax, tmp_path):
    status, _, error = genjax("train", "gan", "--out", tmp_path / "never", *options)
    assert status == 2
    assert named in error
    assert not (tmp_path / "never").exists()
