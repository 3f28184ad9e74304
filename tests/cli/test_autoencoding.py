"""Autoencoders, variational and other, from training to pictures, as a person types it."""

import json
from pathlib import Path

import numpy as np
import pytest

import genjax as library
from genjax.api.plot import Plots
from genjax.cli.main import main
from genjax.evaluation.latent import spherical

SMALL = ["--epochs", "24", "--layers", "30", "--learning-rate", "5e-3", "--no-evaluate"]
MODELS = {
    "vae": [*SMALL, "--latents", "4", "3", "--between", "8", "--pixels", "bernoulli"],
    "cvae": [*SMALL, "--latents", "3"],
    "sae": ["--epochs", "30", "--pretraining", "10", "--layers", "30", "12"],
}


@pytest.fixture(scope="module", name="runs")
def runs_fixture(tmp_path_factory):
    """One run of each kind on the digits, not yet pictured."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plots, "all", lambda *_: {})
        for model, options in MODELS.items():
            assert main(["train", model, "--out", str(folder / model), *options]) == 0
    return folder


PICTURES = {"curves", "reconstructions", *(f"latent-{n}" for n in ("map", "traversals", "plane", "interpolations"))}


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_a_run_has_its_pictures(runs, model):
    found = set(library.load(runs / model).plot.all())
    assert found >= PICTURES | {"samples"} | ({"latent-traversals-1"} if model == "vae" else set())


@pytest.mark.slow
def test_evaluate_gives_the_likelihood_between_elbo_and_nothing(genjax, runs):
    status, answer, error = genjax("evaluate", runs / "vae", "--draws", 200, "--json")
    assert status == 0, error
    test = answer["log_likelihood"]["test"]
    assert -40 < answer["elbo"]["test"]["mean"] < test["mean"] < -15
    assert test["low"] < test["mean"] < test["high"]
    assert (test["kind"], test["estimator"]) == ("lower_bound", "importance sampling, 200 draws")
    assert answer["latents"] == [4, 3]
    assert all(0 <= a <= n for a, n in zip(answer["active_units"], answer["latents"]))
    assert answer["images"]["test"] == 360
    assert "active latent units" in genjax("evaluate", runs / "vae", "--draws", 5)[1]


@pytest.mark.slow
def test_a_classifier_is_evaluated_by_its_errors(genjax, runs):
    answer = genjax("evaluate", runs / "sae", "--json")[1]
    assert answer["train"]["error"]["mean"] <= answer["test"]["error"]["mean"] < 0.2
    assert answer["test"]["reconstruction_error"]["mean"] > 0
    stages = {json.loads(line).get("stage") for line in (runs / "sae" / "metrics.jsonl").read_text().splitlines()}
    assert stages == {"layer-1", "layer-2", "softmax", None}


@pytest.mark.slow
def test_samples_reconstructions_codes_and_parameters(genjax, runs, tmp_path):
    status, answer, error = genjax("sample", runs / "cvae", "--chains", 20, "--out", tmp_path / "s.npz", "--json")
    assert status == 0, error
    assert Path(answer["figure"]).name == "samples-20.png"
    drawn = np.load(tmp_path / "s.npz")
    assert set(np.unique(drawn["samples"])) == {0.0, 1.0}
    zeros, ones = drawn["means"][::10], drawn["means"][1::10]  # classes come in turn
    assert np.abs(zeros.mean(0) - ones.mean(0)).max() > 0.3
    for model in ("vae", "cvae"):
        status, answer, error = genjax("reconstruct", runs / model, "--remove", "rows:2-3", "--sweeps", 40, "--json")
        assert status == 0, error
        assert answer["squared_error"]["mean"] < answer["squared_error_of_mean"]["mean"]
    status, answer, error = genjax(
        "latent", runs / "sae", "--map", "pca", "--axes", 0, 5, "--out", tmp_path / "c.npz", "--json"
    )
    assert status == 0, error
    assert np.load(tmp_path / "c.npz")["codes"].shape == (360, answer["units"]) == (360, 12)
    assert genjax("export", runs / "vae", tmp_path / "w.npz")[0] == 0
    assert np.load(tmp_path / "w.npz")["generation.image.bias"].shape == (64,)


@pytest.mark.slow
def test_resume_goes_on_with_the_last_stage(genjax, runs, no_pictures):
    status, answer, error = genjax("train", "sae", "--resume", runs / "sae", "--epochs", 32, "--json")
    assert status == 0, error
    assert answer["steps"] == (3 * 10 + 32) * 12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evaluate", "vae", "--temperatures", "500"], "--temperatures is no option by which a vae is evaluated"),
        (["train", "ae", "--corruption-level", "0.5"], "--corruption-level 0.5 has no effect with --corruption none"),
        (["latent", "cvae", "--axes", "0", "3"], "--axes 0 3: name two different latents from 0 to 2"),
        (["evaluate", "sae", "--draws", "5"], "--draws is no option by which a sae is evaluated"),
        (["train", "vae", "--latents"], "--latents is empty"),
        (["train", "vae", "--layers", "3", "0"], "--layers 3 0: every layer"),
        (["train", "vae", "--binarisation", "none"], "takes binary"),
        (["train", "vae", "--pixels", "gaussian", "--binarisation", "sampled"], "--pixels gaussian takes intensities"),
        (["train", "vae", "--gradient", "doubly"], "--gradient doubly has no effect with --bound elbo"),
        (["train", "vae", "--warm-up", "2"], "--warm-up 2.0 is out of range"),
        (["train", "dae", "--corruption-level", "1.5"], "--corruption-level 1.5 is out of range"),
        (["train", "ae", "--pretraining", "3"], "--pretraining"),
        (["train", "cvae", "--dataset", "bare.npy"], "has no labels"),
    ],
)
def test_mistakes_get_one_sentence(genjax, runs, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    np.save("bare.npy", np.random.default_rng(0).integers(0, 2, (10, 6, 6)).astype(np.uint8))
    command, target, *rest = arguments
    target = target if command == "train" else str(runs / target)
    status, _, error = genjax(command, target, *rest)
    assert status == 2
    assert "Traceback" not in error
    assert said in error.strip().splitlines()[-1]


def test_spherical_interpolation_keeps_the_norm():
    a, b = np.array([3.0, 0.0, 0.0]), np.array([0.0, 3.0, 0.0])
    for share in (0.0, 0.3, 0.5, 1.0):
        assert np.linalg.norm(spherical(a, b, share)) == pytest.approx(3)
    np.testing.assert_allclose(spherical(a, b, 0.5), [4.5**0.5, 4.5**0.5, 0])
    np.testing.assert_allclose(spherical(a, 2 * a, 0.5), 1.5 * a)
