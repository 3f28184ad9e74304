"""What can be known to fail is refused before the work, and numbers are printed where writing fails after it."""

import shutil

import numpy as np
import pytest

from genjax import pretrained, random
from genjax.api import run as runs
from genjax.api.plot import Plots
from genjax.api.run import Run
from genjax.cli import evaluate
from genjax.cli.main import COMMANDS
from genjax.errors import UserError
from genjax.training.folder import read_config
from tests.cli.test_commands import one_sentence


@pytest.fixture(name="idle")
def idle_fixture(monkeypatch):
    """Fails the test where a command begins its work."""

    def begun(*_, **__):
        pytest.fail("began to work")

    for name in ("draw", "draw_classes", "evaluation", "reconstruct", "measured_samples", "features", "fixed_test"):
        monkeypatch.setattr(Run, name, begun)
    monkeypatch.setattr(Plots, "filters", begun)
    monkeypatch.setattr(Plots, "latent", begun)


def commands(folder, out):
    """Every command that writes where it is told to."""
    return [
        ("sample", folder, "--out", out),
        ("features", folder, "--out", out),
        ("export", folder, out),
        ("latent", folder, "--out", out),
    ]


def test_out_is_checked_first(genjax, trained, tmp_path, idle):
    (tmp_path / "mine.npz").write_text("mine")
    (tmp_path / "folder.npz").mkdir()
    cases = {"mine.npz": "exists", "no/such.npz": "cannot be written (No such file", "mine.npz/x.npz": "cannot be"}
    for out, said in (cases | {"folder.npz": "is a folder", "x.txt": "is not an .npz"}).items():
        for arguments in commands(trained, tmp_path / out):
            assert said in one_sentence(*genjax(*arguments)[::2]), arguments
    assert (tmp_path / "mine.npz").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.npz", "mine.npz"]
    for out in ("no/such.png", "x.txt"):
        assert "--out" in one_sentence(*genjax("reconstruct", trained, "--out", tmp_path / out)[::2])


@pytest.mark.parametrize("command", ["sample", "filters", "evaluate", "reconstruct", "coverage"])
def test_a_run_folder_that_cannot_be_written_is_found_first(genjax, trained, tmp_path, idle, command):
    copy = shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("figures"))  # another test's
    (copy / "figures").write_text("in the way")
    line = one_sentence(*genjax(command, copy)[::2])
    assert "figures cannot be written" in line


def test_numbers_are_printed_where_writing_fails_afterwards(genjax, trained, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "evaluation.json")

    monkeypatch.setattr(runs, "write_json", full)
    status, text, error = genjax("evaluate", trained)
    assert "evaluation.json: No space left on device" in one_sentence(status, error)
    assert "log-likelihood" in text
    monkeypatch.setattr("genjax.cli.reconstruct.save", full)
    status, text, error = genjax("reconstruct", trained, "--remove", "top:2", "--sweeps", 4, "--images", 5)
    assert "No space left" in one_sentence(status, error)
    assert "nats a removed pixel" in text


SEEDED = [
    ("train", "rbm"),
    ("train", "gan"),
    ("train", "recommender"),
    ("grid", "rbm"),
    ("sample", "nowhere"),
    ("evaluate", "nowhere"),
    ("filters", "nowhere"),
    ("coverage", "nowhere"),
    ("reconstruct", "nowhere"),
    ("latent", "nowhere"),
    ("transfer", "nowhere", "nowhere"),
]


@pytest.mark.parametrize("arguments", SEEDED)
@pytest.mark.parametrize("seed", [-1, 2**32, 2**63, 2**64 + 5, 10**30])
def test_seeds_that_make_no_key_are_refused_first(genjax, tmp_path, monkeypatch, arguments, seed):
    monkeypatch.chdir(tmp_path)
    assert f"--seed {seed} is out of range" in one_sentence(*genjax(*arguments, "--seed", seed)[::2])
    assert list(tmp_path.iterdir()) == []


def test_every_command_with_a_seed_is_among_them(genjax, capsys):
    for name in set(COMMANDS) - {"train", "grid"}:
        with pytest.raises(SystemExit):
            genjax(name, "--help")
        seeded = "--seed" in capsys.readouterr().out
        assert seeded == any(arguments[0] == name for arguments in SEEDED), name


def test_keys_of_all_seeds_differ_and_others_are_refused():
    seeds = [0, 1, 2**31 - 1, 2**31, 2**32 - 1]
    for generator in ("counter", "threefry", "rbg"):
        bits = {np.asarray(random.bits(random.key(seed, generator), (2, 2))).tobytes() for seed in seeds}
        assert len(bits) == len(seeds)
        for seed in (-1, 2**32, 2**63):
            with pytest.raises(UserError, match=f"`seed` {seed} is out of range"):
                random.key(seed, generator)


def test_options_of_the_estimate_count_as_given_at_their_defaults(genjax, tmp_path, monkeypatch):
    """A machine that comes with genjax is evaluated by the log Z that comes with it only where nothing is asked for."""
    asked = []

    def measure(run, seed, devices, **options):
        asked.append(run.known_log_z is not None and not options)
        raise UserError("enough.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluate, "measure", measure)
    for options in ([], ["--temperatures", 10000], ["--ais-chains", 500], ["--path", "geometric"], ["--seed", 0]):
        assert "enough" in one_sentence(*genjax("evaluate", "rbm-mnist", *options)[::2])
    assert asked == [True, False, False, False, False]
    config = read_config(pretrained.folder("rbm-mnist"))
    assert config["data"]["counts"] == {"train": 60_000, "validation": 0, "test": 10_000}
