"""`genjax coverage` on a small run, on one that only copies, and on images without labels."""

import dataclasses
import json

import numpy as np
import pytest

from genjax import data
from genjax.cli import coverage
from genjax.cli.run import load
from genjax.evaluation import classifier
from tests.cli.test_commands import TOO_SMALL_FOR_A_PICTURE, one_sentence
from tests.cli.test_moved import untrained


@pytest.fixture(autouse=True)
def a_judge_of_a_few_steps(monkeypatch, tmp_path):
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(classifier, "EPOCHS", 1)
    monkeypatch.setattr(classifier, "LEAST_STEPS", 1)


def test_coverage_says_what_it_writes(genjax, trained, monkeypatch):
    status, answer, error = genjax("coverage", trained, "--chains", 30, "--sweeps", 10, "--json")
    assert status == 0, error
    for name in ("states", "expected_pixels"):
        assert sum(answer[name]["shares"]) == pytest.approx(1)
        assert answer[name]["ratio"] == pytest.approx(answer[name]["entropy"] / answer[name]["data_entropy"])
    assert (trained / "figures" / "coverage.png").stat().st_size > TOO_SMALL_FOR_A_PICTURE
    written = json.loads((trained / "coverage.json").read_text())
    each = written.pop("samples")
    assert written == answer
    assert np.bincount(each["class"], minlength=10).tolist() == [round(30 * s) for s in answer["states"]["shares"]]
    assert np.mean(each["copied"]) == answer["memorisation"]["rate"]

    def copies(key, state, chains, times):
        x = data.load("digits").train[:chains]
        return x[:, None], x

    run = load(trained)
    copying = dataclasses.replace(run, family=run.family._replace(sample=copies))
    monkeypatch.setattr(coverage, "opened", lambda *_: copying)
    status, text, _ = genjax("coverage", trained, "--chains", 30)
    assert "like copies of training images: 100.0 % of the samples" in text
    each = json.loads((trained / "coverage.json").read_text())["samples"]
    assert each["nearest_row"] == list(range(30))
    assert each["nearest_distance"] == [0.0] * 30


def test_images_without_labels_are_refused(genjax, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("ten.npy", np.random.default_rng(0).integers(0, 2, (10, 6, 6)).astype(np.uint8))
    untrained("rbm", tmp_path / "run", tmp_path / "ten.npy")
    assert "a judge learns from labels" in one_sentence(*genjax("coverage", "run")[::2])
