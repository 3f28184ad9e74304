"""Each command as a person types it: what it answers, writes, and says when something is wrong."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from genjax.evaluation import sentences
from genjax.evaluation.cost import at_first_look
from genjax.likelihood.estimate import finite
from genjax.models.effort import AIS, Inception
from genjax.training.folder import free_name
from genjax.typing import Estimate
from tests.cli.conftest import SMALL

TOO_SMALL_FOR_A_PICTURE = 2000


def one_sentence(status: int, error: str) -> str:
    """The last line on standard error; there was no traceback, and the status is the user's."""
    assert status == 2
    assert "Traceback" not in error
    line = error.strip().splitlines()[-1]
    assert line.startswith("genjax: ")
    assert line.endswith((".", "?"))
    return line


def test_a_run_folder_holds_everything(trained):
    config = json.loads((trained / "config.json").read_text())
    assert (config["format"], config["model"], config["config"]["hidden"], config["run"]["epochs"]) == (2, "rbm", 12, 4)
    assert config["config"]["negative"] == {"kind": "pcd", "k": 1, "chains": 200, "numbers": "exact"}
    assert config["at_end"] == {"evaluate": True, "temperatures": 50, "ais_chains": 20, "standard_error": None}
    environment = json.loads((trained / "environment.json").read_text())
    assert {"versions", "device", "commit", "data_licence"} <= set(environment)
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    wanted = {"step", "epoch", "seconds", "pseudo_likelihood", "reconstruction_error", "free_energy_gap", "weight_norm"}
    assert all(wanted <= set(line) for line in lines)
    assert lines[-1]["step"] == 48
    assert json.loads((trained / "evaluation.json").read_text())["step"] == 48


@pytest.mark.slow
def test_training_ends_with_figures(genjax, tmp_path):
    status, answer, error = genjax("train", "rbm", "--out", tmp_path / "run", *SMALL, "--no-evaluate", "--json")
    assert status == 0, error
    figures = {Path(figure).name for figure in answer["figures"]}
    assert {"curves.png", "filters-1.png", "samples.png", "reconstructions.png"} <= figures
    assert all(Path(figure).stat().st_size > TOO_SMALL_FOR_A_PICTURE for figure in answer["figures"])


def test_evaluate_is_exact_where_it_can_be_and_export_holds_the_same_machine(genjax, trained, tmp_path):
    status, answer, _ = genjax("evaluate", trained, "--json")
    assert status == 0
    test = answer["log_likelihood"]["test"]
    assert (test["kind"], test["trusted"], test["standard_error"]) == ("exact", True, 0)
    assert "bracket" not in answer  # one side is exact, and there is no other
    assert set(answer["log_likelihood"]) == {"test", "train"}
    assert set(test) == set(Estimate._fields)
    assert answer["binarisation"] == "sampled"
    assert answer["peak_memory_mb"] > 0
    assert genjax("export", trained, tmp_path / "w.npz")[0] == 0
    arrays = np.load(tmp_path / "w.npz", allow_pickle=False)
    w, b, c = (arrays[n].astype(np.float64) for n in ("weights_0", "bias_0", "bias_1"))
    assert w.shape == (64, 12)
    hidden = np.array(np.meshgrid(*[[0, 1]] * 12)).reshape(12, -1).T
    log_z = np.logaddexp.reduce(hidden @ c + np.logaddexp(0, hidden @ w.T + b).sum(1))
    assert answer["log_z"]["mean"] == pytest.approx(log_z, abs=1e-4)


@pytest.mark.slow
def test_evaluate_prints_both_sides(genjax, trained, tmp_path, monkeypatch):
    """A machine that could be enumerated."""
    run = shutil.copytree(trained, tmp_path / "run")
    truth = json.loads((run / "evaluation.json").read_text())["log_likelihood"]["test"]["mean"]
    monkeypatch.setattr("genjax.likelihood.partition.EXACT_STATES", 0)
    text = genjax("evaluate", run, "--temperatures", 300, "--ais-chains", 100)[1]
    (line,) = [line for line in text.splitlines() if line.startswith("bracket: ")]
    low, high = map(float, re.findall(r"log-likelihood (\S+) to (\S+);", line)[0])
    assert low - 0.1 < truth < high + 0.1
    assert "the two sides agree: log Z by reverse AIS, 300 temperatures, 100 chains after 1000 sweeps" in line
    status, answer, _ = genjax("evaluate", run, "--standard-error", 0.1, "--json")
    assert status == 0
    assert answer["log_z"]["standard_error"] <= 0.1
    assert "asked for 0.1" in answer["log_z"]["reason"]
    assert answer["log_z"]["trusted"]
    assert abs(answer["log_likelihood"]["test"]["mean"] - truth) < 0.5


def test_a_likelihood_that_is_not_trusted_is_said_so(trained):
    numbers = json.loads((trained / "evaluation.json").read_text())
    assert "NOT TO BE TRUSTED" not in "\n".join(sentences.of_likelihood(numbers))
    numbers["log_likelihood"]["test"] |= {"trusted": False, "reason": "the chains disagree"}
    assert "NOT TO BE TRUSTED: the chains disagree" in "\n".join(sentences.of_likelihood(numbers))


def test_export_does_not_overwrite_unasked(genjax, trained, tmp_path):
    file = tmp_path / "w.npz"
    file.write_text("mine")
    assert "--overwrite" in one_sentence(*genjax("export", trained, file)[::2])
    assert file.read_text() == "mine"
    assert genjax("export", trained, file, "--overwrite")[0] == 0
    assert "not an .npz" in one_sentence(*genjax("export", trained, tmp_path / "w.txt")[::2])
    assert "cannot be written" in one_sentence(*genjax("export", trained, tmp_path / "no" / "w.npz")[::2])


def test_sample_writes_a_picture_and_states(genjax, trained, tmp_path):
    status, answer, _ = genjax(
        "sample", trained, "--sweeps", 20, "--chains", 5, "--out", tmp_path / "s.npz", "--seed", 3, "--json"
    )
    assert status == 0
    arrays = np.load(tmp_path / "s.npz")
    assert arrays["samples"].shape == arrays["means"].shape == (5, 64)
    assert set(np.unique(arrays["samples"])) == {0.0, 1.0}
    assert len(np.unique(arrays["samples"], axis=0)) == 5
    assert Path(answer["figure"]).stat().st_size > TOO_SMALL_FOR_A_PICTURE


def test_reconstruct_beats_the_mean_and_keeps_what_is_known(genjax, trained):
    status, answer, _ = genjax("reconstruct", trained, "--remove", "rows:2-3", "--sweeps", 40, "--json")
    assert status == 0
    assert 0 < answer["pixel_error"]["mean"] < 0.5
    assert 0 < answer["nats_per_pixel"]["mean"] < answer["nats_per_pixel_of_mean"]["mean"] < 1
    assert Path(answer["figure"]).name == "reconstruct-rows-2-3.png"


@pytest.mark.slow
def test_several_removals_are_drawn_as_curves(genjax, trained):
    places = ["top:2", "top:4", "middle:2"]
    status, answer, _ = genjax("reconstruct", trained, "--remove", *places, "--sweeps", 40, "--json")
    assert status == 0
    assert [one["remove"] for one in answer["removed"]] == places
    alone = genjax("reconstruct", trained, "--remove", "top:4", "--sweeps", 40, "--json")[1]
    assert answer["removed"][1] == {name: alone[name] for name in answer["removed"][1]}
    assert [Path(f).name for f in answer["figures"]] == [
        f"reconstruct-top-2-top-4-middle-2{end}.png" for end in ("", "-errors")
    ]


@pytest.mark.parametrize("text", ["top", "left:3", "top:8"])
def test_bad_regions_are_refused(genjax, trained, text):
    assert f"--remove {text}" in one_sentence(*genjax("reconstruct", trained, "--remove", text)[::2])


def test_data_lists_sets_with_licence_and_citation(genjax):
    status, answer, _ = genjax("data", "--json")
    assert status == 0
    by_name = {entry["name"]: entry for entry in answer["datasets"]}
    assert {"digits", "mnist", "fashion_mnist"} <= set(by_name)
    assert all(entry["licence"] and entry["citation"] for entry in by_name.values())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trian"], "did you mean train?"),
        (["train", "RBMM"], "did you mean rbm?"),
        (["train", "rbm", "--dataset", "MNISTT"], "did you mean mnist or kmnist?"),
        (["train", "rbm", "--hidden", "10", "20"], "--hidden takes one value, and 20 is one more; genjax grid"),
        (["sample"], "genjax sample RUN: name a run"),
        (["sample", "run", "--sweeps", "ten"], "--sweeps ten is not a whole number"),
        (["train", "rbm", "--learning-rate", "slow"], "--learning-rate slow is not a number"),
        (["train"], "name a model, one of rbm"),
        (["train", "gann"], "gann: name a model"),
        (["train", "rbm", "--hiden", "3"], "did you mean --hidden"),
        (["train", "rbm", "--hidden", "x"], "--hidden"),
        (["train", "rbm", "--hidden", "0"], "--hidden 0 is not positive"),
        (["train", "rbm", "--learning-rate", "nan"], "--learning-rate nan"),
        (["train", "rbm", "--learning-rate", "inf"], "--learning-rate inf"),
        (["train", "rbm", "--momentum", "1.5"], "--momentum 1.5"),
        (["train", "rbm", "--temperatures", "1"], "--temperatures 1 is out of range"),
        (["train", "rbm", "--out", ""], "--out is empty"),
        (["evaluate", "nowhere", "--ais-chains", "1"], "--ais-chains 1 is out of range"),
        (["evaluate", "nowhere", "--standard-error", "0"], "--standard-error 0.0 is not positive"),
        (["train", "rbm", "--standard-error", "nan"], "--standard-error nan is not positive"),
        (["train", "rbm", "--rungs", "5"], "--rungs 5 has no effect with --negative pcd"),
        (["train", "rbm", "--steps", "0"], "--steps 0 is not positive"),
        (["train", "rbm", "--steps", "10", "--epochs", "3"], "--epochs 3 and --steps 10 are both lengths"),
        (["train", "rbm", "--negative", "foo"], "foo"),
        (["train", "rbm", "--dataset", "mnits"], "mnits"),
        (["train", "rbm", "--dataset", "mnist", "--data-dir", "nowhere"], "nowhere"),
        (["train", "rbm", "--binarisation", "none"], "--binarisation none"),
        (["train", "rbm", "--resume", "nowhere"], "nowhere is not a run folder"),
        (["evaluate", "nowhere"], "nowhere is not a run folder"),
        (["sample", "nowhere", "--sweeps", "0"], "--sweeps 0"),
        (["sample", "nowhere", "--rungs", "3"], "--rungs 3 has no effect with --kernel gibbs"),
        (["export", "nowhere"], "FILE"),
    ],
)
def test_mistakes_get_one_sentence(genjax, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert said in one_sentence(*genjax(*arguments)[::2])
    assert list(tmp_path.iterdir()) == []


def test_nothing_at_all_is_answered_by_how_it_is_used(genjax):
    status, out, error = genjax()
    assert (status, out) == (2, "")
    assert error.startswith("usage: genjax COMMAND")


def test_an_existing_or_unwritable_folder_is_refused(genjax, trained, tmp_path):
    assert "--resume" in one_sentence(*genjax("train", "rbm", "--out", trained)[::2])
    (tmp_path / "file").write_text("")
    line = one_sentence(*genjax("train", "rbm", "--out", tmp_path / "file" / "run")[::2])
    assert "cannot be written" in line


def test_damaged_and_foreign_run_folders_are_refused(genjax, trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    config = json.loads((copy / "config.json").read_text())
    model, of_run = config["config"], config["run"]
    for content, said in (
        ("{", "is damaged"),
        (json.dumps(config | {"model": "flow"}), "holds a model 'flow'"),
        (json.dumps(config | {"format": 99}), "format 99"),
        (json.dumps(config | {"config": {k: v for k, v in model.items() if k != "hidden"}}), "another model"),
        (json.dumps(config | {"config": model | {"hidden": 13}}), "another model"),
        (json.dumps(config | {"config": model | {"hidden": "abc"}}), "hidden = 'abc'"),
        (json.dumps(config | {"config": model | {"negative": {"kind": "xx"}}}), "negative = "),
        (json.dumps(config | {"config": 3}), "config.json"),
        (json.dumps(config | {"run": of_run | {"epochs": None}}), "epochs = None"),
        (json.dumps(config | {"run": [3]}), "config.json"),
    ):
        (copy / "config.json").write_text(content)
        assert said in one_sentence(*genjax("evaluate", copy)[::2])
    (copy / "config.json").write_text(json.dumps(config))
    shutil.rmtree(copy / "checkpoints" / "train" / "48" / "state")
    assert "is damaged" in one_sentence(*genjax("evaluate", copy)[::2])
    shutil.rmtree(copy / "checkpoints")
    assert "has no checkpoint" in one_sentence(*genjax("evaluate", copy)[::2])


@pytest.mark.slow
def test_a_handful_of_images_is_enough(genjax, tmp_path, monkeypatch):
    """Ten grey images in a file named relative to another folder: trained, drawn, and opened from elsewhere."""
    monkeypatch.chdir(tmp_path)
    np.save("ten.npy", np.random.default_rng(0).integers(0, 2, (10, 6, 6)).astype(np.uint8))
    arguments = ("--epochs", 3, "--hidden", 3, "--dataset", "ten.npy", "--out", "run", "--json")
    status, answer, error = genjax("train", "rbm", *arguments)
    assert status == 0, error
    assert len(answer["figures"]) == 5
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert genjax("evaluate", tmp_path / "run", "--json")[0] == 0


def test_json_has_no_nan():
    assert finite({"a": [1.0, float("nan")], "b": {"c": float("inf")}}) == {"a": [1.0, None], "b": {"c": None}}


def test_default_names_count_up(tmp_path):
    assert free_name(tmp_path / "a").name == "a"
    (tmp_path / "a").mkdir()
    (tmp_path / "a-2").mkdir()
    assert free_name(tmp_path / "a").name == "a-3"


def test_help_is_for_people(genjax, capsys):
    assert "evaluate" in genjax("--help")[1]
    assert re.match(r"genjax-models \d", genjax("--version")[1])
    with pytest.raises(SystemExit, match="0"):
        genjax("train", "--help")
    with pytest.raises(SystemExit, match="0"):
        genjax("train", "rbm", "--help")
    assert "--learning-rate" in capsys.readouterr().out


def test_a_first_look_takes_little_effort_where_none_is_given():
    usual = vars(AIS())
    assert at_first_look(AIS, {}) == {"temperatures": 1000, "ais_chains": 100}
    assert at_first_look(AIS, {"temperatures": 50, "ais_chains": 500}) == {"temperatures": 50, "ais_chains": 100}
    assert at_first_look(AIS, usual) == usual | {"temperatures": 1000, "ais_chains": 100}
    assert at_first_look(AIS, {"standard_error": 0.1}) == {"standard_error": 0.1}
    assert at_first_look(None, {}) == at_first_look(Inception, {}) == {}
