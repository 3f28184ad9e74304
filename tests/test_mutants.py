"""The table of planted mistakes fits the code that it is about; a quarter of it is tried for each commit."""

import subprocess
import sys

import pytest

from tests import mutants
from tests.planted import MUTANTS, mutant


def test_every_needle_is_there_once_and_every_test_exists():
    for one in MUTANTS:
        assert mutants.place(one).suffix == ".py"
        assert one.replacement not in (one.needle, "")
        assert one.tests
        assert mutants.missing_tests(one) == [], one.name
    assert len({one.name for one in MUTANTS}) == len(MUTANTS) >= 40


def test_every_floor_has_its_mistakes():
    floors = {mutants.place(one).parts[1] for one in MUTANTS}
    floors -= {"numerics.py", "random.py"}
    assert floors == {
        "algorithms", "api", "boltzmann", "cli", "data", "evaluation", "likelihood", "models", "networks", "sampling",
        "training", "transport",
    }  # fmt: skip


def test_what_is_not_there_is_an_error():
    with pytest.raises(mutants.Broken, match="0 times"):
        mutants.place(mutant("nowhere", "a needle that is nowhere", "x", "test_random.py"))
    with pytest.raises(mutants.Broken, match="times, not once"):
        mutants.place(mutant("everywhere", "import jax", "x", "test_random.py"))
    absent = ("test_random.py::test_nothing", "test_nowhere.py")
    assert mutants.missing_tests(mutant("", "", "", "test_random.py", *absent)) == list(absent)


def test_four_commits_see_all():
    parts = [mutants.quarter(MUTANTS, commit) for commit in ("8a70d20", "8a70d21", "8a70d22", "8a70d23")]
    assert sorted([one for part in parts for one in part], key=MUTANTS.index) == list(MUTANTS)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.slow
def test_no_mutant_of_this_commits_quarter_survives():
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=mutants.ROOT, capture_output=True, text=True)
    commit = found.stdout.strip() if found.returncode == 0 else "0"
    command = [sys.executable, "-m", "tests.mutants", "--commit", commit, "--jobs", "2"]
    done = subprocess.run(command, cwd=mutants.ROOT, capture_output=True, text=True)
    survivors = [line for line in done.stdout.splitlines() if line.startswith("SURVIVES")]
    assert (done.returncode, survivors) == (0, []), done.stdout + done.stderr
