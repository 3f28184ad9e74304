"""`genjax grid`: every run is judged on its own data, as `genjax train` would be, and nothing is ignored."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.algorithms.contrastive import trained_machine
from genjax.boltzmann.arrays import from_arrays
from genjax.boltzmann.units import unit_type
from genjax.cli import grid, pictures
from genjax.cli.grid import GridRun, axes_of, program_of, summarise
from genjax.cli.run import FIXED_DRAW, load
from genjax.likelihood import exact
from genjax.likelihood.evaluate import log_densities
from tests.cli.test_commands import one_sentence


def test_options_with_several_values_are_the_axes():
    axes, rest = axes_of(["--hidden", "3", "5", "--json", "--k", "2", "--learning-rate", "0.1", "-0.2"])
    assert axes == {"hidden": ["3", "5"], "learning_rate": ["0.1", "-0.2"]}
    assert rest == ["--json", "--k", "2"]


GRID = ["grid", "rbm", "--hidden", "5", "9", "--epochs", "2", "4", "--learning-rate", "0.05", "0.2", "--seeds", "2"]


def test_the_command_trains_judges_and_draws_a_grid(genjax, tmp_path):
    folder = tmp_path / "grid"
    status, answer, error = genjax(*GRID, "--out", folder, "--schedule", "constant", "--average", "0", "--json")
    assert status == 0, error
    assert answer["runs"] == 16
    assert len(answer["settings"]) == 8
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert [row["seed"] for row in rows] == [0, 1] * 8
    machines = np.load(folder / "machines.npz")
    for number, row in enumerate(rows):
        assert machines[f"weights_{number}"].shape == (64, row["hidden"])
        assert np.all(np.abs(machines[f"hidden_{number}"]) < 100)
        assert -60 < row["log_likelihood"] < -15
    for line in answer["settings"]:
        values = [
            r["log_likelihood"] for r in rows if all(r[k] == line[k] for k in ("hidden", "epochs", "learning_rate"))
        ]
        assert line["log_likelihood"]["mean"] == pytest.approx(np.mean(values))
        assert line["log_likelihood"]["half_interval"] == pytest.approx(
            12.706 * np.std(values, ddof=1) / np.sqrt(2), rel=1e-3
        )
    assert all((folder / "figures" / name).stat().st_size > 5000 for name in ("curves.png", "reconstructions.png"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--hidden-type", "spin"], "takes binary hidden units"),
        (["--negative", "tempered"], "--negative pcd or cd"),
        (["--hidden", "3", "x"], "--hidden"),
        (["--learning-rate", "0.1", "-0.2"], "--learning-rate -0.2 is not positive"),
        (["--stop-gap", "1"], "--stop-gap"),  # what a grid does not do, it does not take
        (["--checkpoint-seconds", "1"], "--checkpoint-seconds"),
        (["--resume", "run"], "--resume"),
        (["--seeds", "0"], "--seeds 0 is not positive"),
        (["--dataset", "digits", "no.npz"], "no.npz"),  # before anything is trained
    ],
)
def test_grids_that_cannot_be_get_one_sentence(genjax, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    assert said in one_sentence(*genjax("grid", "rbm", *options)[::2])
    assert list(tmp_path.iterdir()) == []


TINY = ["grid", "rbm", "--epochs", "1", "--batch-size", "100", "--temperatures", "60", "--ais-chains", "40"]


def test_every_run_is_judged_on_its_own_data(genjax, tmp_path):
    """Two binarisations and two datasets: by enumeration on each run's own test images, in tables of their own."""
    rng = np.random.default_rng(0)
    sparse = (rng.random((90, 64)) < 0.05).astype(np.float32)
    np.savez(tmp_path / "sparse.npz", x_train=sparse[:60], x_test=sparse[60:])
    folder, own = tmp_path / "grid", str(tmp_path / "sparse.npz")
    options = ["--hidden", "4", "--binarisation", "sampled", "threshold", "--dataset", "digits", own]
    status, text, error = genjax(*TINY, *options, "--out", folder)
    assert status == 0, error
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    arrays = np.load(folder / "machines.npz")
    assert len(rows) == 4
    for number, row in enumerate(rows):
        names = {"weights_0": f"weights_{number}", "bias_0": f"visible_{number}", "bias_1": f"hidden_{number}"}
        units = (unit_type("bernoulli"),) * 2
        machine = from_arrays({name: arrays[key] for name, key in names.items()}, units)
        test = data.binarise_fixed(data.load(row["dataset"]).test, row["binarisation"], FIXED_DRAW)
        truth = log_densities(machine, (jnp.asarray(test), None)).mean() - exact.log_z(machine)
        assert row["log_likelihood"] == pytest.approx(truth, abs=0.3)
        assert f"{row['dataset']}, binarisation {row['binarisation']}:" in text
    assert abs(rows[0]["log_likelihood"] - rows[1]["log_likelihood"]) > 5
    assert {path.name for path in (folder / "figures").iterdir()} == {
        f"{name}-{number}.png" for name in ("curves", "reconstructions") for number in (1, 2, 3, 4)
    }


def test_options_of_the_estimate_count_and_explosions_are_told(genjax, tmp_path):
    """A run is diverged where `genjax train` would end it; it has no scores, and the table says so."""
    folder = tmp_path / "grid"
    options = ["--hidden", "3", "--learning-rate", "0.1", "1e7", "--temperatures", "2", "--ais-chains", "3"]
    status, answer, error = genjax(*TINY, *options, "--out", folder, "--json")
    assert status == 0, error
    calm, wild = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert (calm["temperatures"], calm["ais_chains"], calm["diverged"]) == (2, 3, False)
    assert calm["trusted"] is False  # three chains are too few, which a thousand temperatures would not have been
    assert "stop_gap" not in calm
    assert wild["diverged"]
    assert "parameter_max" in wild["reason"] or "diverged at step" in wild["reason"]
    assert wild["log_likelihood"] is wild["pseudo_log_likelihood"] is None
    assert [line["diverged"] for line in answer["settings"]] == [0, 1]
    assert [line["not_trusted"] for line in answer["settings"]] == [1, 0]


def test_runs_share_a_program_where_only_rates_sizes_seeds_and_effort_differ():
    base = program_of(GridRun())
    same = {"hidden": 3, "learning_rate": 0.5, "epochs": 2, "seed": 7, "temperatures": 5, "ais_chains": 2}
    assert all(program_of(GridRun(**{name: value})) == base for name, value in same.items())
    apart = {
        "k": 2,
        "binarisation": "threshold",
        "dataset": "mnist",
        "batch_size": 3,
        "rng": "rbg",
        "validation": False,
    }
    assert all(program_of(GridRun(**{name: value})) != base for name, value in apart.items())
    assert program_of(GridRun(rng="rbg", hidden=3)) != program_of(GridRun(rng="rbg", hidden=4))


def test_seeds_are_those_of_single_runs(genjax, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "draw", lambda run: [])
    monkeypatch.setattr(grid, "draw", lambda *_: [])
    np.save(tmp_path / "own.npy", np.random.default_rng(0).integers(0, 2, (20, 4, 4)))
    options = ["--dataset", tmp_path / "own.npy", "--epochs", 3, "--batch-size", 5, "--hidden", 3, "--no-evaluate"]
    status, _, error = genjax("grid", "rbm", "--seed", 3, "--seeds", 2, "--out", tmp_path / "grid", *options)
    assert status == 0, error
    rows = [json.loads(line) for line in (tmp_path / "grid" / "results.jsonl").read_text().splitlines()]
    assert [row["seed"] for row in rows] == [3, 4]
    machines = np.load(tmp_path / "grid" / "machines.npz")
    assert genjax("train", "rbm", "--seed", 4, "--out", tmp_path / "run", *options)[0] == 0
    machine = trained_machine(load(tmp_path / "run").state)
    np.testing.assert_allclose(machines["weights_1"], machine.weights[0], atol=1e-5)
    assert np.abs(machines["weights_0"] - machines["weights_1"]).max() > 1e-3


def test_a_line_of_the_table_is_the_mean_of_its_seeds_and_students_interval():
    """Seeds without a score count in `seeds` and `diverged` alone."""
    scores = [-20.0, -22.0, -27.0, None, -1.0]
    rows = [
        {"dataset": "digits", "binarisation": "sampled", "hidden": 3 if number < 4 else 5, "seed": number}
        | {"log_likelihood": score, "diverged": score is None, "trusted": None if score is None else number != 1}
        for number, score in enumerate(scores)
    ]
    line, other = summarise(rows, ["hidden"])
    assert (line["hidden"], line["seeds"], line["diverged"], line["not_trusted"]) == (3, 4, 1, 1)
    assert line["log_likelihood"]["mean"] == pytest.approx(-23)
    assert line["log_likelihood"]["half_interval"] == pytest.approx(4.302653 * np.sqrt(13 / 3))
    assert other["log_likelihood"] == {"mean": -1.0, "half_interval": None}
