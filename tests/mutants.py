"""Would the tests notice? Plants small mistakes in a copy of genjax, one at a time, and runs the tests that must fail.

    python -m tests.mutants                                  # all of `tests.planted`, one after another
    python -m tests.mutants --commit $(git rev-parse HEAD)   # the quarter that falls to this commit
    python -m tests.mutants --only prior --jobs 2 --table table.md

The checkout is never touched. A mutant survives where its tests pass: then the exit status is 1. It is an error where
its needle is not in genjax exactly once, where its tests fail without it, or where they do not get as far as to fail.
"""

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.planted import MUTANTS, Mutant

ROOT = Path(__file__).parent.parent
LONGEST = 900  # seconds that the tests of one mutant may take: one that hangs is noticed too
PASSED, FAILED = 0, 1  # pytest's exit statuses; all others mean that it could not run the tests


class Outcome(NamedTuple):
    """What became of a mutant: the test that noticed it (None: it survives), and after how many seconds."""

    mutant: Mutant
    file: str
    noticed_by: str | None
    seconds: float


class Broken(Exception):
    """A mutant that says nothing of the tests."""


def places(needle: str, root: Path = ROOT) -> list[Path]:
    """The files of the package that hold the needle, each as often as it does."""
    files = sorted((root / "genjax").rglob("*.py"))
    return [file for file in files for _ in range(file.read_text().count(needle))]


def place(mutant: Mutant, root: Path = ROOT) -> Path:
    """The file that the mutant changes. Raises `Broken` where that is not clear."""
    found = places(mutant.needle, root)
    if len(found) != 1:
        raise Broken(f"{mutant.name}: its needle is in genjax {len(found)} times, not once: {mutant.needle!r}")
    return found[0]


def missing_tests(mutant: Mutant, root: Path = ROOT) -> list[str]:
    """Those of its tests of which there is no function; without a name, a file stands for all of its tests."""

    def there(test: str) -> bool:
        path, _, name = test.partition("::")
        file = root / "tests" / path
        return (
            file.is_file()
            and re.search(rf"^def {re.escape(name.partition('[')[0])}\b", file.read_text(), re.M) is not None
        )

    return [test for test in mutant.tests if not there(test)]


def quarter(mutants: Sequence[Mutant], commit: str) -> list[Mutant]:
    """Every fourth one, beginning as the commit's hash says: four commits in a row see most of them."""
    return list(mutants[int(commit, 16) % 4 :: 4])


def copied(folder: Path) -> Path:
    """A copy of what the tests need of the checkout."""
    for name in ("genjax", "tests", "experiments", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def pytest(tree: Path, tests: Sequence[str], cache: Path) -> tuple[int | None, str]:
    """The exit status of these tests in a tree (None: they took too long), and what pytest said."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "-x", "-q", "-m", "", "-p", "no:cacheprovider"]
    mine = {
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",  # a change within a second leaves a file's time and size as they were
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
        "MPLBACKEND": "Agg",
    }
    try:
        done = subprocess.run(
            [*command, *(f"tests/{test}" for test in tests)],
            cwd=tree,
            env=os.environ | mine,
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout + done.stderr


def plant(mutant: Mutant, tree: Path, cache: Path) -> Outcome:
    """Change the tree, run the mutant's tests, change it back."""
    file, began = place(mutant, tree), time.monotonic()
    whole = file.read_text()
    file.write_text(whole.replace(mutant.needle, mutant.replacement))
    try:
        status, said = pytest(tree, mutant.tests, cache)
    finally:
        file.write_text(whole)
    if status not in (PASSED, FAILED, None):
        raise Broken(f"{mutant.name}: pytest ended with {status}\n{said[-2000:]}")
    failed = re.search(r"^(?:FAILED|ERROR) (?:tests/)?(.*?)(?: - |$)", said, re.M)
    noticed = None if status == PASSED else "time" if status is None else failed[1] if failed else "?"
    return Outcome(mutant, str(file.relative_to(tree)), noticed, time.monotonic() - began)


def trial(mutants: Sequence[Mutant], jobs: int = 1) -> list[Outcome]:
    """All of them, `jobs` at a time, after their tests have passed once without a mistake."""
    for mutant in mutants:
        place(mutant)
    with tempfile.TemporaryDirectory(prefix="genjax-mutants-") as scratch:
        cache = Path(os.environ.get("JAX_COMPILATION_CACHE_DIR", Path(scratch) / "cache"))
        trees: queue.Queue[Path] = queue.Queue()
        for number in range(jobs):
            trees.put(copied(Path(scratch) / str(number)))

        def on_a_tree(mutant: Mutant) -> Outcome:
            tree = trees.get()
            try:
                outcome = plant(mutant, tree, cache)
            finally:
                trees.put(tree)
            print(line(outcome), flush=True)
            return outcome

        everything = sorted({test for mutant in mutants for test in mutant.tests})
        status, said = pytest(Path(scratch) / "0", everything, cache)
        if status != PASSED:
            raise Broken(f"without any mistake planted, pytest ended with {status}\n{said[-3000:]}")
        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(on_a_tree, mutants))


def line(outcome: Outcome) -> str:
    """One outcome as a person reads it."""
    fate = "SURVIVES" if outcome.noticed_by is None else "killed"
    return f"{fate:8} {outcome.seconds:4.0f} s  {outcome.file}: {outcome.mutant.name}"


def table(outcomes: Sequence[Outcome]) -> str:
    """All outcomes in Markdown."""

    def code(text: str) -> str:
        return "`" + " ".join(text.split()).replace("|", "\\|") + "`"

    rows = ["| file | mistake | instead of | planted | noticed by |", "|---|---|---|---|---|"]
    for outcome in outcomes:
        mutant, noticed = outcome.mutant, outcome.noticed_by
        cells = (outcome.file, mutant.name, code(mutant.needle), code(mutant.replacement))
        rows.append(f"| {' | '.join(cells)} | {'**nothing**' if noticed is None else code(noticed)} |")
    return "\n".join(rows) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 if every mutant was noticed, 1 if one survives, 2 if one is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").split("\n")[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quarter", type=int, choices=range(4), help="only every fourth, beginning with this one")
    which.add_argument("--commit", help="only the quarter that falls to this commit's hash")
    which.add_argument("--only", help="only those whose name, needle or tests contain this text")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    parser.add_argument("--list", action="store_true", help="name them and do nothing")
    parser.add_argument("--table", type=Path, help="write a Markdown table of the outcomes to this file")
    options = parser.parse_args(arguments)
    chosen = list(MUTANTS)
    if options.quarter is not None or options.commit:
        chosen = quarter(chosen, options.commit or str(options.quarter))
    elif options.only:
        chosen = [m for m in chosen if any(options.only in text for text in (m.name, m.needle, *m.tests))]
    if options.list:
        print("\n".join(f"{mutant.name}: {', '.join(mutant.tests)}" for mutant in chosen))
        return 0
    try:
        outcomes = trial(chosen, options.jobs)
    except Broken as error:
        print(error, file=sys.stderr)
        return 2
    survivors = [outcome for outcome in outcomes if outcome.noticed_by is None]
    print(f"{len(outcomes) - len(survivors)} of {len(outcomes)} noticed")
    if options.table is not None:
        options.table.write_text(table(outcomes))
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
