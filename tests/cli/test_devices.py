"""`--devices` of every command that has it."""

import json

import jax
import pytest

from genjax.cli.main import main

TOO_MANY = jax.local_device_count() + 1


@pytest.mark.parametrize(
    "line",
    [
        "train rbm --devices {}",
        "grid rbm --devices {}",
        "sample rbm-mnist --devices {}",
        "evaluate rbm-mnist --devices {}",
    ],
)
def test_more_devices_than_there_are_are_refused(line, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(line.format(TOO_MANY).split()) == 2
    assert f"genjax: --devices {TOO_MANY}: there " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_run_remembers_its_devices_and_may_be_given_others(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    line = "train rbm --hidden 4 --steps 2 --no-evaluate --devices all --out run"
    assert main(line.split()) == 0
    assert json.loads((tmp_path / "run/config.json").read_text())["run"]["devices"] == "all"
    assert main(["train", "rbm", *["--resume", "run", "--devices", "1", "--steps", "4"]]) == 0
    assert json.loads((tmp_path / "run/config.json").read_text())["run"]["devices"] == 1
