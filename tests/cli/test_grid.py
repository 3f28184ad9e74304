"""`genjax grid`: every run is evaluated on its own data, as `genjax train` would do it, and nothing is ignored."""

import contextlib
import io
import json
from pathlib import Path

import jax
import numpy as np
import pytest

import genjax as library
from genjax import data
from genjax.api.grid import members_of, program_of
from genjax.api.grid_results import summarise, tables_of
from genjax.api.prepared import FIXED_DRAW
from genjax.cli import grid
from genjax.cli.grid import axes_of
from genjax.cli.main import main
from tests.cli.test_commands import one_sentence


def test_options_with_several_values_are_the_axes():
    line = ["--hidden", "3", "5", "--json", "--k", "2", "--learning-rate", "0.1", "-0.2"]
    axes, rest = axes_of(
        [*line, "--layers", "4", "3", "--channels", "2", "--channels", "5", "6"], {"layers", "channels"}
    )
    assert axes == {
        "hidden": [["3"], ["5"]],
        "learning_rate": [["0.1"], ["-0.2"]],
        "channels": [["2"], ["5", "6"]],  # of several values as one: given once for each
    }
    assert rest == ["--json", "--k", "2", "--layers", "4", "3"]


TINY = ["grid", "rbm", "--epochs", "1", "--batch-size", "100", "--temperatures", "60", "--ais-chains", "40"]


def written(folder: Path) -> tuple[list[dict], dict[str, np.ndarray]]:
    """What a grid leaves: a row a run, and their parameters."""
    with np.load(folder / "parameters.npz") as parameters:
        return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()], dict(parameters)


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


@pytest.mark.slow
def test_the_command_trains_evaluates_and_draws_a_grid(grid):
    folder, answer = grid
    assert answer["runs"] == 16
    assert len(answer["settings"]) == 8
    rows, parameters = written(folder)
    assert [row["seed"] for row in rows] == [0, 1] * 8
    for number, row in enumerate(rows):
        assert parameters[f"weights_0_of_{number}"].shape == (64, row["hidden"])
        assert np.all(np.abs(parameters[f"bias_1_of_{number}"]) < 100)
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


@pytest.mark.slow
def test_every_run_is_evaluated_on_its_own_data(grid):
    rows, parameters = written(grid[0])
    text = "\n".join(tables_of(grid[1]["settings"], ["hidden", "epochs", "dataset"]))
    for number, row in enumerate(rows):
        assert f"{row['dataset']}, binarisation {row['binarisation']}:" in text
        assert row["log_likelihood"] == pytest.approx(truth(row, parameters, number), abs=1e-3)


def truth(row: dict, parameters: dict[str, np.ndarray], number: int) -> float:
    """The mean log-likelihood of the row's own test images, by enumeration of its machine."""
    w, b, c = (parameters[f"{name}_of_{number}"].astype(np.float64) for name in ("weights_0", "bias_0", "bias_1"))
    x = data.binarise_fixed(data.load(row["dataset"]).test, row["binarisation"], FIXED_DRAW)
    h = np.array(np.meshgrid(*[[0.0, 1.0]] * len(c))).reshape(len(c), -1).T
    log_z = np.logaddexp.reduce(h @ c + np.logaddexp(0, h @ w.T + b).sum(1))
    return (x @ b + np.logaddexp(0, x @ w + c).sum(1)).mean() - log_z


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--hidden", "3", "x"], "--hidden"),
        (["--learning-rate", "0.1", "-0.2"], "--learning-rate -0.2 is not positive"),
        (["--visible-type", "gaussian", "--binarisation", "none", "sampled"], "give --binarisation none"),
        (["--stop-gap", "1"], "--stop-gap"),  # what a grid does not do, it does not take
        (["--on-divergence", "rollback"], "--on-divergence"),
        (["--resume", "run"], "--resume"),
        (["--temperatures", "50", "60"], "--temperatures is of the estimate"),
        (["--temperatures", "1"], "--temperatures 1 is out of range"),
        (["--seeds", "0"], "--seeds 0 is not positive"),
        (["--seed", "4294967290", "--seeds", "7"], "goes beyond 4294967295"),
        (["--dataset", "digits", "no.npz"], "no.npz"),  # before anything is trained
    ],
)
def test_grids_that_cannot_be_get_one_sentence(genjax, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    assert said in one_sentence(*genjax("grid", "rbm", *options)[::2])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_refused_before_anything_is_trained(genjax, tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "train_members", lambda *_: pytest.fail("it was trained"))
    (tmp_path / "mine.txt").touch()
    assert "exists" in one_sentence(*genjax(*TINY, "--out", tmp_path)[::2])


@pytest.mark.slow
def test_data_of_several_kinds_have_tables_and_figures_of_their_own(genjax, tmp_path):
    """Two binarisations and two datasets."""
    folder, own = tmp_path / "grid", other_images(tmp_path / "sparse.npz")
    options = ["--hidden", "4", "--binarisation", "sampled", "threshold", "--dataset", "digits", own]
    status, text, error = genjax(*TINY, *options, "--out", folder)
    assert status == 0, error
    rows, parameters = written(folder)
    assert len(rows) == 4
    for number, row in enumerate(rows):
        assert row["log_likelihood"] == pytest.approx(truth(row, parameters, number), abs=1e-3)
        assert f"{row['dataset']}, binarisation {row['binarisation']}:" in text
    digits, sparse = (row["log_likelihood"] for row in rows if row["binarisation"] == "sampled")
    assert abs(digits - sparse) > 5
    assert {path.name for path in (folder / "figures").iterdir()} == {
        f"{name}-{number}.png" for name in ("curves", "reconstructions") for number in (1, 2, 3, 4)
    }


X = np.random.default_rng(2).integers(0, 2, (24, 3, 3))
TINIEST = {"steps": 6, "batch_size": 5}
TINIEST_LINE = ["--steps", "6", "--batch-size", "5", "--hidden", "3", "--chains", "4"]


@pytest.fixture(name="own")
def own_fixture(tmp_path, monkeypatch) -> Path:
    """A file of images on which four runs side by side are one program for all tests; nothing is drawn."""
    monkeypatch.setattr(grid, "figures_of_grid", lambda *_: {})
    np.save(tmp_path / "own.npy", X)
    return tmp_path / "own.npy"


@pytest.mark.slow
def test_options_of_the_estimate_count_and_divergence_is_reported(genjax, own, tmp_path, monkeypatch):
    """A run has diverged where `genjax train` would end it; it has no scores, and the table says so."""
    monkeypatch.setattr("genjax.likelihood.partition.EXACT_STATES", 0)
    options = ["--dataset", own, "--learning-rate", "0.1", "1e7", "--seeds", "2", "--temperatures", "2"]
    options += ["--ais-chains", "3", "--out", tmp_path / "grid"]
    status, answer, error = genjax("grid", "rbm", *TINIEST_LINE, *options, "--json")
    assert status == 0, error
    calm, _, wild, _ = written(tmp_path / "grid")[0]
    assert (calm["temperatures"], calm["ais_chains"], calm["diverged"]) == (2, 3, False)
    assert calm["trusted"] is False  # three chains are too few, which a thousand temperatures would not have been
    assert "stop_gap" not in calm
    assert wild["diverged"]
    assert "parameter_max" in wild["reason"] or "diverged at step" in wild["reason"]
    assert wild["log_likelihood"] is wild["pseudo_log_likelihood"] is None
    assert [line["diverged"] for line in answer["settings"]] == [0, 2]
    assert [line["not_trusted"] for line in answer["settings"]] == [2, 0]
    _, first, second = tables_of(answer["settings"], ["learning_rate"])
    assert first.endswith("2 NOT TO BE TRUSTED")
    assert second.endswith("2 diverged")


def test_runs_share_a_program_where_only_rates_sizes_seeds_and_lengths_differ():
    images = library.Dataset.from_arrays(X)

    def share(name, *values, of=images, **options):
        options = {"epochs": 1} | options | {name: list(values)}
        if name == "data":
            of, options = options.pop("data"), options
        first, *others = map(program_of, members_of(library.rbm(), of, 1, True, options))
        return all(other == first for other in others)

    one, other = members_of(library.rbm(), images, [3, 8], True, {"epochs": 1})
    assert program_of(one) == program_of(other)
    for name, values in {"hidden": (3, 4), "learning_rate": (0.1, 0.5), "epochs": (1, 2)}.items():
        assert share(name, *values), name
    apart = {"k": (1, 2), "binarisation": ("sampled", "threshold"), "batch_size": (3, 4), "rng": ("counter", "rbg")}
    for name, values in apart.items():
        assert not share(name, *values), name
    assert not share("data", images, library.Dataset.from_arrays(X))
    for unpadded in ({"rng": "rbg"}, {"hidden_type": "spin"}, {"negative": "tempered"}):
        assert not share("hidden", 3, 4, **unpadded), unpadded


@pytest.mark.slow
def test_seeds_are_counted_from_the_first_and_scores_cost_only_where_asked_for(genjax, own, tmp_path):
    options = ["--seed", 3, "--seeds", 4, "--out", tmp_path / "grid", "--dataset", own, "--no-evaluate"]
    status, _, error = genjax("grid", "rbm", *TINIEST_LINE, *options)
    assert status == 0, error
    rows, parameters = written(tmp_path / "grid")
    assert [row["seed"] for row in rows] == [3, 4, 5, 6]
    assert "log_likelihood" not in rows[0]
    assert rows[0]["pseudo_log_likelihood"] < 0
    assert len({parameters[f"weights_0_of_{number}"].tobytes() for number in range(4)}) == 4


FAMILIES = {
    "rbm": lambda: library.rbm(hidden=3, chains=4),
    "vae": lambda: library.vae(layers=(5,), latents=(2,)),
    "autoencoder": lambda: library.autoencoder(layers=(5, 2)),
    "dbm": lambda: library.dbm(layers=(4, 3), chains=4, pretraining=1),
    "gan": lambda: library.gan(layers=(5,), latent=3),
    "recommender": lambda: library.recommender(hidden=3),
}


@pytest.mark.parametrize(
    "name", [*list(FAMILIES)[:4], *(pytest.param(name, marks=pytest.mark.slow) for name in list(FAMILIES)[4:])]
)
@pytest.mark.slow
def test_every_family_has_grids_whose_members_are_the_single_runs(name):
    """The last of two rates and two seeds, whatever its neighbours; also of models that are trained in stages."""
    x = "generated" if name == "recommender" else library.Dataset.from_arrays(X)
    runs = library.grid(FAMILIES[name](), x, learning_rate=[0.001, 0.002], seeds=[3, 8], progress=False, **TINIEST)
    assert [(run.config.learning_rate, run.settings.seed) for run in runs] == [
        (rate, seed) for rate in (0.001, 0.002) for seed in (3, 8)
    ]
    alone = library.fit(runs[-1].config, x, seed=8, progress=False, **TINIEST)
    leaves, others = (jax.tree.leaves(run.parameters) for run in (alone, runs[-1]))
    for ours, theirs in zip(leaves, others, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    changed = [np.abs(np.asarray(a) - b).max() for a, b in zip(leaves, jax.tree.leaves(runs[-2].parameters))]
    assert max(changed) > 1e-4  # another seed is another run
    assert runs[-1].history["step"].tolist() == alone.history["step"].tolist()
    assert runs[-1].history["stage"].tolist() == alone.history["stage"].tolist()
    assert len(library.compare(runs)) == 2


@pytest.mark.slow
def test_models_without_a_likelihood_are_compared_by_what_they_measured(genjax, own, tmp_path):
    options = ["--dataset", own, "--steps", 6, "--batch-size", 5, "--layers", 5, 2, "--out", tmp_path / "grid"]
    status, text, error = genjax("grid", "ae", *options, "--learning-rate", "1e-3", "1e-2", "--seeds", 2)
    assert status == 0, error
    rows, parameters = written(tmp_path / "grid")
    assert [row["layers"] for row in rows] == [[5, 2]] * 4
    assert all(row["held_out_reconstruction_error"] > 0 for row in rows)
    assert "held_out_reconstruction_error" in text
    assert "TRUSTED" not in text
    assert parameters["up_0.kernel_of_1"].shape == (9, 5)


@pytest.mark.slow
def test_common_batches_are_said_beside_the_intervals():
    model, options = FAMILIES["rbm"](), TINIEST | {"seeds": 4, "progress": False}
    apart, common = (library.grid(model, X, common_batches=shared, **options) for shared in (False, True))
    for first, second in zip(apart, common):
        changed = np.abs(np.asarray(first.machine.weights[0]) - second.machine.weights[0]).max()
        assert (changed == 0) == (first is apart[0])  # the first has its own batches
    assert "share order" not in repr(library.compare(apart))
    assert "share order" in repr(library.compare(common))


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
