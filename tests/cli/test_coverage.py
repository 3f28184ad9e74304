"""`genjax coverage` on a small run, on one that only copies, and on images without labels."""

import json

import numpy as np
import pytest

import genjax as library
from genjax.api.plot import Plots
from genjax.evaluation import classifier
from genjax.evaluation.sentences import of_coverage
from tests.cli.test_commands import TOO_SMALL_FOR_A_PICTURE


@pytest.fixture(autouse=True)
def a_classifier_of_a_few_steps(monkeypatch, tmp_path):
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(classifier, "EPOCHS", 1)
    monkeypatch.setattr(classifier, "LEAST_STEPS", 1)


@pytest.mark.slow
def test_coverage_says_what_it_writes(genjax, trained, monkeypatch):
    status, answer, error = genjax("coverage", trained, "--chains", 30, "--sweeps", 10, "--json")
    assert status == 0, error
    for name in ("samples", "means"):
        found = answer[name]
        assert sum(found["shares"]) == pytest.approx(1)
        assert found["classes"] == found["occurring"] - len(found["missing"])
    assert set(answer["accuracy"]) == {"samples", "means"}
    assert (trained / "figures" / "coverage.png").stat().st_size > TOO_SMALL_FOR_A_PICTURE
    written = json.loads((trained / "coverage.json").read_text())
    each = written.pop("each")
    assert written == answer
    assert np.bincount(each["class"], minlength=10).tolist() == [round(30 * s) for s in answer["samples"]["shares"]]
    assert np.mean(each["copied"]) == answer["samples"]["copies"]
    text = "\n".join(of_coverage(answer))
    assert "30 samples of fresh chains after 10 sweeps" in text
    assert "expected pixels: " in text

    run = library.load(trained)

    def copies(key, machine, count, times):
        x = np.asarray(run.fixed_train().x[:count])
        return {"samples": x, "means": x}

    model = run.model._replace(sample=copies)
    monkeypatch.setattr(library.Run, "model", model)
    monkeypatch.setattr(Plots, "of_coverage", lambda plots, *_: plots.curves())
    status, text, _ = genjax("coverage", trained, "--chains", 30, "--sweeps", 10)
    assert "copies 1.000 [" in text
    each = json.loads((trained / "coverage.json").read_text())["each"]
    assert each["nearest_row"] == list(range(30))
    assert each["nearest_distance"] == [0.0] * 30


@pytest.mark.slow
def test_images_without_labels_are_measured_by_distances_alone(genjax, tmp_path):
    """On principal components: there is no classifier, and no picture by class."""
    x = np.random.default_rng(0).integers(0, 2, (40, 4, 4)).astype(np.uint8)
    np.savez(tmp_path / "bare.npz", x_train=x[:30], x_test=x[30:])
    library.fit(library.rbm(hidden=3), tmp_path / "bare.npz", steps=1, out=tmp_path / "run", progress=False)
    status, text, error = genjax("coverage", tmp_path / "run", "--chains", 10, "--sweeps", 5)
    assert status == 0, error
    assert "on principal components features: Frechet distance" in text
    assert "classes" not in text
    answer = json.loads((tmp_path / "run" / "coverage.json").read_text())
    assert answer["samples"]["frechet_distance"] > 0
    assert len(answer["each"]["nearest_row"]) == 10
    assert not (tmp_path / "run" / "figures").exists()
