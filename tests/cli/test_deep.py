"""Deep machines and belief networks by every command, and a deep run that is killed in and between its stages."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from genjax import data
from genjax.api.plot import Plots
from genjax.api.prepared import FIXED_DRAW
from genjax.cli.main import main
from genjax.training.folder import read_metrics
from tests.cli.conftest import no_figures
from tests.cli.test_commands import TOO_SMALL_FOR_A_PICTURE, one_sentence
from tests.cli.test_resume import without_seconds

SMALL = ["--layers", "10", "6", "--temperatures", "50", "--ais-chains", "20", "--checkpoint-seconds", "0"]
BRIEF = ["--temperatures", "50", "--ais-chains", "20", "--json"]  # of what is enumerated, nothing depends on them
LONG = ["--pretraining", "40", "--epochs", "40"]  # two chunks a stage


def run_of(model: str, folder: Path, *options: str) -> Path:
    """Trained only: what is asked of it evaluates and draws."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plots, "all", no_figures)
        assert main(["train", model, "--out", str(folder), *SMALL, *options, "--no-evaluate"]) == 0
    return folder


@pytest.fixture(scope="module", name="dbm")
def dbm_fixture(tmp_path_factory) -> Path:
    return run_of("dbm", tmp_path_factory.mktemp("deep") / "dbm", *LONG)


@pytest.fixture(scope="module", name="dbn")
def dbn_fixture(tmp_path_factory) -> Path:
    return run_of("dbn", tmp_path_factory.mktemp("deep") / "dbn", "--pretraining", "20", "--epochs", "20")


def exported(genjax, folder: Path) -> dict[str, np.ndarray]:
    """The run's arrays in float64."""
    assert genjax("export", folder, folder / "w.npz", "--overwrite")[0] == 0
    with np.load(folder / "w.npz", allow_pickle=False) as arrays:
        return {name: arrays[name].astype(np.float64) for name in arrays.files}


def states(count: int) -> np.ndarray:
    return np.array(np.meshgrid(*[[0.0, 1.0]] * count)).reshape(count, -1).T


@pytest.mark.slow
def test_a_dbm_is_evaluated_by_a_bound_just_below_the_truth(genjax, dbm):
    """Both by enumeration of the middle layer of what `export` wrote."""
    status, answer, error = genjax("evaluate", dbm, *BRIEF)
    assert status == 0, error
    w = exported(genjax, dbm)
    x = data.binarise_fixed(data.load("digits").test, "sampled", FIXED_DRAW)
    h = states(10)
    above = h @ w["bias_1"] + np.logaddexp(0, h @ w["weights_1"] + w["bias_2"]).sum(1)
    log_z = np.logaddexp.reduce(above + np.logaddexp(0, h @ w["weights_0"].T + w["bias_0"]).sum(1))
    truth = np.logaddexp.reduce(x @ w["bias_0"] + (above[:, None] + h @ w["weights_0"].T @ x.T), axis=0).mean() - log_z
    test = answer["log_likelihood"]["test"]
    assert test["kind"] == "lower_bound"
    assert answer["log_z"]["mean"] == pytest.approx(log_z, abs=1e-3)
    assert truth - 0.5 < test["mean"] < truth + 1e-4


@pytest.mark.slow
def test_seconds_count_on_over_stages(dbm):
    entries = read_metrics(dbm)
    assert list(dict.fromkeys(entry.get("stage") for entry in entries)) == ["layer-1", "layer-2", None]
    seconds = [entry["seconds"] for entry in entries]
    assert seconds == sorted(seconds)


@pytest.mark.slow
def test_a_dbn_is_evaluated_by_two_bounds(genjax, dbn):
    status, answer, error = genjax("evaluate", dbn, *BRIEF)
    assert status == 0, error
    w = exported(genjax, dbn)
    h = states(10)
    log_z = np.logaddexp.reduce(h @ w["top_bias_0"] + np.logaddexp(0, h @ w["top_weights"] + w["top_bias_1"]).sum(1))
    assert answer["log_z"]["mean"] == pytest.approx(log_z, abs=1e-3)
    estimate, bound = (answer[name]["test"] for name in ("log_likelihood", "elbo"))
    assert estimate["kind"] == bound["kind"] == "lower_bound"
    assert -44 < bound["mean"] < estimate["mean"] < -20  # 64 fair coins: -44
    assert {"generation_0", "recognition_0", "bias_up_0", "bias_down_0"} < set(w)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dbm", "dbn"])
def test_deep_models_are_sampled(genjax, request, tmp_path, name):
    folder = request.getfixturevalue(name)
    arguments = ["sample", folder, "--sweeps", 20, "--chains", 5, "--out", tmp_path / "s.npz", "--json"]
    status, answer, error = genjax(*arguments)
    assert status == 0, error
    assert Path(answer["figure"]).stat().st_size > TOO_SMALL_FOR_A_PICTURE
    with np.load(tmp_path / "s.npz") as arrays:
        assert arrays["samples"].shape == arrays["means"].shape == (5, 64)
        assert set(np.unique(arrays["samples"])) == {0.0, 1.0}
        assert np.all((arrays["means"] > 0) & (arrays["means"] < 1))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["dbm", "dbn"])
def test_deep_models_are_evaluated_and_drawn_at_their_end(tmp_path, model):
    folder = tmp_path / "run"
    assert main(["train", model, "--out", str(folder), *SMALL, "--pretraining", "2", "--epochs", "2"]) == 0
    assert (folder / "evaluation.json").exists()
    drawn = {p.name for p in (folder / "figures").glob("*.png") if p.stat().st_size > TOO_SMALL_FOR_A_PICTURE}
    assert {"curves.png", "filters-1.png", "samples.png"} <= drawn


@pytest.mark.slow
def test_a_dbm_reconstructs_and_a_dbn_says_that_it_does_not(genjax, dbm, dbn):
    status, answer, error = genjax("reconstruct", dbm, "--remove", "rows:2-3", "--sweeps", 40, "--json")
    assert status == 0, error
    assert answer["nats_per_pixel"]["mean"] < np.log(2)
    assert "A dbn does not reconstruct" in one_sentence(*genjax("reconstruct", dbn)[::2])


KILLED = """
import os, signal, sys
from genjax.cli.main import main
from genjax.training.checkpoint import Checkpoints

left, save = int(sys.argv[1]), Checkpoints.save

def save_or_die(self, step, state):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    save(self, step, state)

Checkpoints.save = save_or_die
main(sys.argv[2:])
"""


@pytest.mark.slow
def test_killed_in_and_between_stages_is_bit_for_bit_the_uninterrupted_run(genjax, dbm, tmp_path):
    """Killed when about to save: at the very first time, between two stages, inside the second, inside the last."""
    run = tmp_path / "run"
    arguments = ["--out", str(run), *SMALL, *LONG]
    newest = []
    for saves in (1, 4, 3, 5):
        command = [sys.executable, "-c", KILLED, str(saves), "train", "dbm", *arguments]
        process = subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=300)
        assert process.returncode == -signal.SIGKILL, process.stderr
        stages = sorted(path for path in (run / "checkpoints").iterdir())
        newest.append({path.name: max((int(p.name) for p in path.glob("[0-9]*")), default=None) for path in stages})
        arguments = ["--resume", str(run)]
    assert newest == [
        {"layer-1": None},
        {"layer-1": 480, "layer-2": None},
        {"layer-1": 480, "layer-2": 0},
        {"layer-1": 480, "layer-2": 480, "train": 0},
    ]
    assert genjax("train", "dbm", "--resume", run, "--no-evaluate")[0] == 0
    ours, theirs = exported(genjax, run), exported(genjax, dbm)
    assert set(ours) == set(theirs) == {"weights_0", "weights_1", "bias_0", "bias_1", "bias_2"}
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert without_seconds(run) == without_seconds(dbm)
