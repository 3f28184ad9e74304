"""`genjax grid`: every run is judged on its own data, as `genjax train` would be, and nothing is ignored."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest

from genjax import data
from genjax.algorithms.contrastive import trained_machine
from genjax.cli import grid, pictures
from genjax.cli.grid import GridRun, axes_of, program_of, summarise, tables_of
from genjax.cli.main import main
from genjax.cli.run import FIXED_DRAW, load
from tests.cli.test_commands import one_sentence


def test_options_with_several_values_are_the_axes():
    axes, rest = axes_of(["--hidden", "3", "5", "--json", "--k", "2", "--learning-rate", "0.1", "-0.2"])
    assert axes == {"hidden": ["3", "5"], "learning_rate": ["0.1", "-0.2"]}
    assert rest == ["--json", "--k", "2"]


TINY = ["grid", "rbm", "--epochs", "1", "--batch-size", "100", "--temperatures", "60", "--ais-chains", "40"]


def written(folder: Path) -> tuple[list[dict], dict[str, np.ndarray]]:
    """What a grid leaves: a row a run, and their machines."""
    with np.load(folder / "machines.npz") as machines:
        return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()], dict(machines)


def other_images(path: Path) -> str:
    """Sparse ones, as many as the digits are, so that grids of both compile nothing twice."""
    rng = np.random.default_rng(0)
    train, test = ((rng.random((count, 64)) < 0.05).astype(np.float32) for count in (1437, 360))
    np.savez(path, x_train=train, x_test=test)
    return str(path)


@pytest.fixture(scope="module", name="grid")
def grid_fixture(tmp_path_factory) -> tuple[Path, dict]:
    """Sixteen runs of two sizes, lengths, datasets and seeds; the folder and the answer."""
    place = tmp_path_factory.mktemp("grids")
    options = ["--hidden", "4", "7", "--epochs", "1", "2", "--dataset", "digits", other_images(place / "sparse.npz")]
    options += ["--seeds", "2", "--schedule", "constant", "--average", "0", "--out", str(place / "grid"), "--json"]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main([*TINY, *options]) == 0
    return place / "grid", json.loads(out.getvalue())


def test_the_command_trains_judges_and_draws_a_grid(grid):
    folder, answer = grid
    assert answer["runs"] == 16
    assert len(answer["settings"]) == 8
    rows, machines = written(folder)
    assert [row["seed"] for row in rows] == [0, 1] * 8
    for number, row in enumerate(rows):
        assert machines[f"weights_{number}"].shape == (64, row["hidden"])
        assert np.all(np.abs(machines[f"hidden_{number}"]) < 100)
        assert -60 < row["log_likelihood"] < -10
    for line in answer["settings"]:
        values = [r["log_likelihood"] for r in rows if all(r[k] == line[k] for k in ("hidden", "epochs", "dataset"))]
        assert len(values) == line["seeds"] == 2
        assert line["log_likelihood"]["mean"] == pytest.approx(np.mean(values))
        assert line["log_likelihood"]["half_interval"] == pytest.approx(
            12.706 * np.std(values, ddof=1) / np.sqrt(2), rel=1e-3
        )
    assert len({row["log_likelihood"] for row in rows}) == 16
    names = {f"{name}-{number}.png" for name in ("curves", "reconstructions") for number in (1, 2)}
    assert {path.name for path in (folder / "figures").iterdir() if path.stat().st_size > 5000} == names


def test_every_run_is_judged_on_its_own_data(grid):
    rows, machines = written(grid[0])
    text = "\n".join(tables_of(grid[1]["settings"], ["hidden", "epochs", "dataset"]))
    for number, row in enumerate(rows):
        assert f"{row['dataset']}, binarisation {row['binarisation']}:" in text
        assert row["log_likelihood"] == pytest.approx(truth(row, machines, number), abs=0.3)


def truth(row: dict, machines: dict[str, np.ndarray], number: int) -> float:
    """The mean log-likelihood of the row's own test images, by enumeration of its machine."""
    w, b, c = (machines[f"{name}_{number}"].astype(np.float64) for name in ("weights", "visible", "hidden"))
    x = data.binarise_fixed(data.load(row["dataset"]).test, row["binarisation"], FIXED_DRAW)
    h = np.array(np.meshgrid(*[[0.0, 1.0]] * len(c))).reshape(len(c), -1).T
    log_z = np.logaddexp.reduce(h @ c + np.logaddexp(0, h @ w.T + b).sum(1))
    return (x @ b + np.logaddexp(0, x @ w + c).sum(1)).mean() - log_z


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
        (["--seed", "4294967290", "--seeds", "7"], "goes beyond 4294967295"),
        (["--dataset", "digits", "no.npz"], "no.npz"),  # before anything is trained
    ],
)
def test_grids_that_cannot_be_get_one_sentence(genjax, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    assert said in one_sentence(*genjax("grid", "rbm", *options)[::2])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_data_of_several_kinds_have_tables_and_figures_of_their_own(genjax, tmp_path):
    """Two binarisations and two datasets."""
    folder, own = tmp_path / "grid", other_images(tmp_path / "sparse.npz")
    options = ["--hidden", "4", "--binarisation", "sampled", "threshold", "--dataset", "digits", own]
    status, text, error = genjax(*TINY, *options, "--out", folder)
    assert status == 0, error
    rows, machines = written(folder)
    assert len(rows) == 4
    for number, row in enumerate(rows):
        assert row["log_likelihood"] == pytest.approx(truth(row, machines, number), abs=0.3)
        assert f"{row['dataset']}, binarisation {row['binarisation']}:" in text
    assert abs(rows[0]["log_likelihood"] - rows[1]["log_likelihood"]) > 5
    assert {path.name for path in (folder / "figures").iterdir()} == {
        f"{name}-{number}.png" for name in ("curves", "reconstructions") for number in (1, 2, 3, 4)
    }


def test_options_of_the_estimate_count_and_explosions_are_told(genjax, tmp_path, monkeypatch):
    """A run is diverged where `genjax train` would end it; it has no scores, and the table says so."""
    monkeypatch.setattr(grid, "draw", lambda *_: [])
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
