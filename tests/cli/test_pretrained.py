"""Small machines shipped into a folder of the test's own, and every command on their names."""

import json
import shutil

import numpy as np
import pytest

from experiments import ship
from genjax import data, pretrained
from genjax.api.load import load
from genjax.errors import UserError
from tests.cli.test_commands import one_sentence


@pytest.fixture(scope="module", name="shipped")
def shipped_fixture(trained, tmp_path_factory):
    """A folder into which rbm-digits was shipped."""
    folder = tmp_path_factory.mktemp("shipped") / "shelf"
    ship.ship(trained, folder, None, temperatures=50, ais_chains=20)
    return folder


@pytest.fixture(name="shelf")
def shelf_fixture(shipped, tmp_path, monkeypatch):
    """rbm-digits is shipped, the working folder holds nothing, and no data can be read until a test says so."""
    shutil.copytree(shipped, tmp_path / "shelf")
    monkeypatch.setattr(pretrained, "HERE", tmp_path / "shelf")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(data, "load", lambda *_: pytest.fail("read data"))
    return tmp_path / "shelf"


@pytest.mark.slow
def test_what_needs_no_images_reads_none_and_writes_beside_the_runs(genjax, shelf, tmp_path):
    assert pretrained.names() == ["rbm-digits"]
    status, answer, error = genjax("sample", "rbm-digits", "--sweeps", 20, "--chains", 4, "--json")
    assert status == 0, error
    assert answer["figure"] == "runs/pretrained/rbm-digits/figures/samples-20.png"
    assert (tmp_path / "here" / answer["figure"]).stat().st_size > 2000
    assert genjax("export", "rbm-digits", "w.npz")[0] == 0
    with np.load("w.npz", allow_pickle=False) as rounded:
        own = {name: rounded[name] for name in rounded.files}
    assert all(np.array_equal(x, x.astype(np.float16).astype(np.float32)) for x in own.values())
    assert sorted(p.name for p in shelf.glob("*/*")) == sorted([*pretrained.FILES, "README.md"])
    card = (shelf / "rbm-digits" / "README.md").read_text()
    evaluated = json.loads((shelf / "rbm-digits" / "evaluation.json").read_text())
    assert f"log-likelihood {evaluated['log_likelihood']['test']['mean']:.3f} nats" in card
    assert card.startswith("# rbm-digits")
    machine = load("rbm-digits").machine
    np.testing.assert_array_equal(machine.weights[0], own["weights_0"])
    np.testing.assert_array_equal(machine.biases[1], own["bias_1"])


def test_the_arrays_are_those_of_the_run_rounded(genjax, shelf, trained, tmp_path, monkeypatch):
    monkeypatch.undo()
    assert genjax("export", trained, tmp_path / "whole.npz")[0] == 0
    with np.load(tmp_path / "whole.npz") as whole, np.load(shelf / "rbm-digits" / "machine.npz") as halves:
        assert sorted(whole) == sorted(halves)
        for name in whole:
            np.testing.assert_array_equal(halves[name], whole[name].astype(np.float16))


def test_evaluate_agrees_with_what_was_written_after_rounding(genjax, shelf, monkeypatch):
    """By the log Z that comes with the machine, and by estimating it anew; the second would fail with another one."""
    written = json.loads((shelf / "rbm-digits" / "evaluation.json").read_text())
    monkeypatch.setattr(data, "load", data.loading.load)
    known = genjax("evaluate", "rbm-digits", "--json")[1]
    anew = genjax("evaluate", "rbm-digits", "--seed", 1, "--json")[1]
    for answer in (known, anew):
        assert answer["log_likelihood"] == written["log_likelihood"]
        assert answer["log_z"] == written["log_z"]
    evaluation = shelf / "rbm-digits" / "evaluation.json"
    evaluation.write_text(json.dumps(written | {"log_z": written["log_z"] | {"mean": 7.0}}))
    assert genjax("evaluate", "rbm-digits", "--json")[1]["log_z"]["mean"] == 7
    assert genjax("evaluate", "rbm-digits", "--ais-chains", 30, "--json")[1]["log_z"]["mean"] == anew["log_z"]["mean"]


def test_reconstruct_takes_its_images_from_where_it_is_told(genjax, shelf, monkeypatch):
    places = []

    def load(name, data_dir, size, validation, test):
        places.append(data_dir)
        return data.loading.load(name, None, size)

    monkeypatch.setattr(data, "load", load)
    options = ["--remove", "top:3", "--images", 20, "--sweeps", 20, "--data-dir", "there", "--json"]
    status, answer, error = genjax("reconstruct", "rbm-digits", *options)
    assert status == 0, error
    assert places == ["there"]
    assert answer["figure"] == "runs/pretrained/rbm-digits/figures/reconstruct-top-3.png"


def test_a_folder_of_that_name_wins_and_is_said_to(genjax, shelf, trained, monkeypatch):
    monkeypatch.setattr(data, "load", data.loading.load)
    shutil.copytree(trained, "rbm-digits")
    status, answer, error = genjax("sample", "rbm-digits", "--sweeps", 3, "--json")
    assert status == 0
    assert answer["figure"] == "rbm-digits/figures/samples-3.png"
    assert "not the machine of that name" in error


def test_damage_and_absence_are_said(genjax, shelf, tmp_path, monkeypatch):
    path = shelf / "rbm-digits" / "machine.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert "sha256 differs" in one_sentence(*genjax("sample", "rbm-digits")[::2])
    assert "the machines that come with genjax are rbm-digits" in one_sentence(*genjax("sample", "rbm-mnist")[::2])
    with pytest.raises(UserError, match="gan-mnist does not come with genjax"):
        pretrained.folder("gan-mnist")
    (shelf / "rbm-digits" / "evaluation.json").unlink()  # as while it is being shipped
    assert "no machine comes with genjax" in one_sentence(*genjax("sample", "rbm-digits")[::2])


def test_what_is_in_the_package_is_whole_and_small():
    """Once there are any: they open, their figures are of the rounded machine, and all take at most 4 MB."""
    assert sum(path.stat().st_size for path in pretrained.HERE.glob("*/*")) <= 4_000_000
    for name in pretrained.names():
        machine = load(name).machine
        config = json.loads((pretrained.folder(name) / "config.json").read_text())
        judged = json.loads((pretrained.folder(name) / "evaluation.json").read_text())
        assert machine.sizes[0] == np.prod(config["shipped"]["shape"])
        assert config["data_dir"] is None
        assert judged["log_likelihood"]["test"]["trusted"]
