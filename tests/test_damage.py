"""Bad input of every kind: one sentence, no traceback, no end of memory or time, no code run, nothing written."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from genjax.api.plot import Plots
from genjax.cli.main import main
from tests.cli.conftest import no_figures
from tests.damage import CASES
from tests.damage.case import judged

GIGABYTES = 2.5  # that any of the greedy cases may take beside what genjax takes at rest


@pytest.fixture(scope="module", name="good")
def good_fixture(tmp_path_factory) -> Path:
    """A run that is whole, with three checkpoints."""
    folder = tmp_path_factory.mktemp("good") / "good"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plots, "all", no_figures)
        options = ["--hidden", "2", "--epochs", "40", "--checkpoint-seconds", "0", "--no-evaluate"]
        assert main(["train", "rbm", *options, "--out", str(folder)]) == 0
    return folder


@pytest.fixture(name="quiet")
def quiet_fixture(tmp_path, monkeypatch):
    """No cache of the person who runs this is read or written, nothing is drawn."""
    monkeypatch.setattr(Plots, "all", no_figures)
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))


def place_of(case, good: Path, base: Path) -> Path:
    """An empty folder beside the good run."""
    place = base / f"{CASES.index(case)}"
    place.mkdir()
    shutil.copytree(good, place / "good")
    return place


def test_there_are_enough_of_them_and_each_has_a_name():
    assert len(CASES) >= 200
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted({case.kind for case in CASES}))
def test_every_damaged_input_is_answered_with_a_sentence(tmp_path, good, quiet, kind):
    cases = [case for case in CASES if case.kind == kind and not case.greedy]
    verdicts = [judged(case, place_of(case, good, tmp_path)) for case in cases]
    assert [verdict for verdict in verdicts if verdict.fault] == []


@pytest.mark.slow
def test_memory_stays_bounded_whatever_a_file_claims(tmp_path, good, quiet):
    """In a process that would be refused more memory."""
    command = [sys.executable, "-m", "tests.damage.bounded", str(GIGABYTES), str(good), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ, timeout=1800)
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == sum(case.greedy for case in CASES)
    assert [answer for answer in answers if answer["fault"] or answer["gigabytes"] > GIGABYTES] == []
