"""RBMs of other unit types, labels on top and tempered learning from the command line, each evaluated and drawn."""

import json

import numpy as np
import pytest

from genjax import data
from genjax.training import early
from tests.cli.test_commands import TOO_SMALL_FOR_A_PICTURE, one_sentence

GREY = ["--binarisation", "none"]
BRIEF = ["--epochs", "3", "--temperatures", "30", "--ais-chains", "20", "--json"]


TYPES = [
    (["--visible-type", "gaussian", *GREY, "--hidden", "8"], True),
    (["--visible-type", "categorical", "--levels", "4", *GREY, "--hidden", "6", "--hidden-type", "spin"], True),
    (["--visible-type", "spin", "--hidden", "5", "--hidden-type", "rectified"], False),
    (["--classes", "10", "--hidden", "9", "--negative", "tempered", "--rungs", "3", "--chains", "20"], True),
    (["--hidden", "9", "--negative", "trajectory", "--rungs", "3", "--chains", "20"], True),
]


@pytest.mark.slow
@pytest.mark.parametrize(("options", "exact"), TYPES)
def test_every_type_is_trained_evaluated_and_drawn(genjax, tmp_path, options, exact):
    folder = tmp_path / "run"
    status, answer, error = genjax("train", "rbm", "--out", folder, *options, *BRIEF)
    assert status == 0, error
    found = answer["evaluation"]["log_likelihood"]["test"]
    assert (found["kind"] == "exact") == exact
    assert np.isfinite(found["mean"])
    assert {p.name for p in (folder / "figures").glob("*.png")} >= {"curves.png", "filters-1.png", "samples.png"}
    assert all(p.stat().st_size > TOO_SMALL_FOR_A_PICTURE for p in (folder / "figures").glob("*.png"))
    status, answer, error = genjax("reconstruct", folder, "--remove", "top:3", "--sweeps", 20, "--json")
    assert status == 0, error
    assert 0 < answer["squared_error"]["mean"] < 0.3
    assert ("pixel_error" in answer) == ("none" not in options)
    assert genjax("sample", folder, "--sweeps", 5, "--chains", 3, "--out", tmp_path / "s.npz")[0] == 0
    assert np.load(tmp_path / "s.npz")["means"].shape == (3, 64)
    assert genjax("export", folder, tmp_path / "w.npz")[0] == 0
    arrays = np.load(tmp_path / "w.npz")
    assert ("precision_0" in arrays) == ("gaussian" in options or ("rectified" in options and "none" in options))
    if "--classes" in options:
        assert arrays["weights_1"].shape == (9, 10)
        error = json.loads((folder / "evaluation.json").read_text())["error"]
        assert 0 < error["test"]["mean"] < 1
    if "trajectory" in options:
        last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
        assert last["held_out_log_likelihood"] == pytest.approx(found["mean"], abs=3)


@pytest.mark.slow
def test_grey_levels_are_trained_and_evaluated(genjax, tmp_path, no_pictures):
    """By the density that what `export` wrote has, every state of the hidden units counted."""
    folder = tmp_path / "run"
    status, answer, error = genjax("train", "rbm", "--out", folder, *TYPES[0][0], *BRIEF)
    assert status == 0, error
    found = answer["evaluation"]["log_likelihood"]["test"]
    assert found["kind"] == "exact"
    assert genjax("export", folder, tmp_path / "w.npz")[0] == 0
    arrays = (np.load(tmp_path / "w.npz")[n].astype(float) for n in ("weights_0", "bias_0", "bias_1", "precision_0"))
    w, b, c, g = arrays
    x, h = data.load("digits").test, np.array(np.meshgrid(*[[0, 1]] * 8)).reshape(8, -1).T
    log_z = np.logaddexp.reduce(h @ c + ((b + h @ w.T) ** 2 / (2 * g) + 0.5 * np.log(2 * np.pi / g)).sum(1))
    truth = (x @ b - x**2 @ g / 2 + np.logaddexp(0, x @ w + c).sum(1)).mean() - log_z
    assert found["mean"] == pytest.approx(truth, abs=1e-2)
    assert genjax("reconstruct", folder, "--remove", "top:3", "--sweeps", 4, "--images", 3)[0] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--visible-type", "gaussian", "--binarisation", "sampled"], "give --binarisation none"),
        (["--visible-type", "gaussian", *GREY, "--hidden-type", "rectified"], "no bounded density"),
        (["--visible-type", "spin", *GREY], "takes binary pixels"),
        (["--classes", "3"], "less than the 10 labels"),
        (["--negative", "tempered", "--rungs", "1"], "--rungs 1 is out of range"),
        (["--rungs", "5"], "--rungs 5 has no effect with --negative pcd"),
        (["--visible-type", "categorical", "--levels", "1"], "--levels 1 is out of range"),
        (["--stop-gap", "0"], "--stop-gap 0.0 is not positive"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(genjax, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    assert said in one_sentence(*genjax("train", "rbm", *options)[::2])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_early_stop_ends_soon_after_and_is_resumed_as_such(genjax, tmp_path, no_pictures):
    """A tiny gap is exceeded at once: the run ends a tenth later, its learning rate at 0 by then."""
    folder = tmp_path / "run"
    small = ["--hidden", "12", "--epochs", "200", "--stop-gap", "0.05", "--no-evaluate", "--json"]
    status, answer, error = genjax("train", "rbm", "--out", folder, *small)
    assert status == 0, error
    stopped = json.loads((folder / "config.json").read_text())["decided"]["stopped_early"]
    assert answer["steps"] == stopped["total_steps"] < 2400
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == stopped["total_steps"]
    gaps = [line["free_energy_gap"] for line in lines if line["step"] <= stopped["step"]]
    assert early.too_wide(gaps, 0.05)
    assert not any(early.too_wide(gaps[:count], 0.05) for count in range(1, len(gaps)))
    assert lines[-1]["learning_rate"] < 0.6 * lines[0]["learning_rate"]
    status, answer, error = genjax("train", "rbm", "--resume", folder, "--no-evaluate", "--json")
    assert (status, answer["steps"]) == (0, stopped["total_steps"]), error
