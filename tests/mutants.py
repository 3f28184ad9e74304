"""Would the tests notice? Plants small mistakes in a copy of genjax, one at a time, and runs the tests that must fail.

    python -m tests.mutants                                  # all of `tests.planted`, one after another
    python -m tests.mutants --commit $(git rev-parse HEAD)   # the quarter that falls to this commit
    python -m tests.mutants --only prior --jobs 2 --table table.md

The checkout is never touched. A mutant survives where its tests pass: then the exit status is 1. It is an error where
its needle is not in genjax exactly once, where its tests do not get as far as to fail, or where what has failed with it
fails without it too.
"""

import argparse
import importlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.planted import MUTANTS, Mutant
from tests.xla_flags import QUICK

ROOT = Path(__file__).resolve().parent.parent
IMPORTED = (
    "pytest", "beartype", "jaxtyping", "jax", "jax.numpy", "flax.linen", "optax", "orbax.checkpoint", "numpy",
    "scipy.special", "scipy.stats", "sklearn.datasets", "sklearn.model_selection", "matplotlib.pyplot", "PIL.Image",
    "tyro", "rich.progress",
)  # fmt: skip
LONGEST = 900  # seconds that the tests of one mutant may take
PASSED, FAILED = 0, 1  # pytest's exit statuses; all others mean that it could not run the tests


class Outcome(NamedTuple):
    """What became of a mutant: the test that noticed it (None: it survives), and after how many seconds."""

    mutant: Mutant
    file: str
    noticed_by: str | None
    seconds: float


class Broken(Exception):
    """A mutant that says nothing of the tests."""


@cache
def package() -> dict[Path, str]:
    """The text of each file of genjax, by its path in the checkout."""
    return {file.relative_to(ROOT): file.read_text() for file in sorted((ROOT / "genjax").rglob("*.py"))}


def place(mutant: Mutant) -> Path:
    """The file that the mutant changes. Raises `Broken` where that is not clear."""
    found = [file for file, text in package().items() for _ in range(text.count(mutant.needle))]
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


def prepare(cache: Path) -> None:
    """Import once what every run of pytest needs, and nothing of the checkout: the runs are forks of this process."""
    os.environ |= {"JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1"}
    os.environ.setdefault("XLA_FLAGS", QUICK)
    os.environ["MPLBACKEND"] = "Agg"
    for name in IMPORTED:
        importlib.import_module(name)


def fork(tree: Path, tests: Sequence[str], *options: str) -> int:
    """Begin these tests in a tree, in a process of their own, and return its number; `said` has what pytest says."""
    number = os.fork()
    if number:
        return number
    with open(tree / "said", "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    signal.alarm(LONGEST)
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree)
    sys.path[:] = [str(tree), *(place for place in sys.path if Path(place).resolve() != ROOT)]
    for name in [name for name in sys.modules if name.partition(".")[0] in ("genjax", "tests")]:
        del sys.modules[name]
    status = 3
    try:
        # Without beartype on every function: it takes longer to import than most of the tests to run.
        options = ("-o", "addopts=", "-q", "-p", "no:cacheprovider", *options)
        status = int(importlib.import_module("pytest").main([*options, *(f"tests/{test}" for test in tests)]))
    finally:
        sys.stdout.flush()
        os._exit(status)


def noticed(status: int, tree: Path, name: str) -> str | None:
    """The test that failed, None where all passed. Raises `Broken` where pytest did not get as far."""
    code, said = os.waitstatus_to_exitcode(status), (tree / "said").read_text()
    if code == -signal.SIGALRM:
        raise Broken(f"{name}: its tests took more than {LONGEST} s")
    if code == PASSED:
        return None
    if code != FAILED:
        raise Broken(f"{name}: pytest ended with {code}\n{said[-3000:]}")
    failed = re.search(r"^(?:FAILED|ERROR) (?:tests/)?(.*?)(?: - |$)", said, re.M)
    return failed[1] if failed else "?"


def plant(mutant: Mutant, tree: Path, number: int) -> Path:
    """Change the tree, as if in another second for each number: what Python has compiled is of one second and size."""
    file = tree / place(mutant)
    file.write_text(package()[place(mutant)].replace(mutant.needle, mutant.replacement))
    os.utime(file, (10 * number + 10, 10 * number + 10))
    return file


def restore(file: Path, tree: Path) -> None:
    """As it was, and of the second that it was of."""
    where = file.relative_to(tree)
    file.write_text(package()[where])
    shutil.copystat(ROOT / where, file)


def trial(
    mutants: Sequence[Mutant], jobs: int = 1, report: Callable[[Outcome], None] = lambda _: None
) -> list[Outcome]:
    """All of them, `jobs` at a time; then what has noticed them has to pass without a mistake. Raises `Broken`."""
    for mutant in mutants:
        place(mutant)
    outcomes: dict[Mutant, Outcome] = {}
    running: dict[int, tuple[Mutant, Path, Path, float]] = {}
    with tempfile.TemporaryDirectory(prefix="genjax-mutants-") as scratch:
        prepare(Path(os.environ.get("JAX_COMPILATION_CACHE_DIR", Path(scratch) / "cache")))
        trees = [copied(Path(scratch) / str(number)) for number in range(jobs)]
        waiting = list(enumerate(mutants))
        try:
            while waiting or running:
                if waiting and trees:
                    number, mutant = waiting.pop(0)
                    tree = trees.pop()
                    file = plant(mutant, tree, number)
                    running[fork(tree, mutant.tests, "-x")] = mutant, tree, file, time.monotonic()
                    continue
                process, status = os.wait()
                mutant, tree, file, began = running.pop(process)
                seconds, by = time.monotonic() - began, noticed(status, tree, mutant.name)
                outcomes[mutant] = Outcome(mutant, str(place(mutant)), by, seconds)
                restore(file, tree)
                trees.append(tree)
                report(outcomes[mutant])
        finally:
            for process in running:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
        confirm(sorted({outcome.noticed_by for outcome in outcomes.values() if outcome.noticed_by}), trees[0])
    return [outcomes[mutant] for mutant in mutants]


def confirm(tests: Sequence[str], tree: Path) -> None:
    """Raise `Broken` where one of these tests, which have failed with a mistake, fails without one."""
    if tests and noticed(os.waitpid(fork(tree, tests), 0)[1], tree, "no mistake") is not None:
        raise Broken(f"without a mistake, too:\n{(tree / 'said').read_text()[-3000:]}")


def line(outcome: Outcome) -> str:
    """One outcome as a person reads it."""
    fate = "SURVIVES" if outcome.noticed_by is None else "killed"
    return f"{fate:8} {outcome.seconds:4.0f} s  {outcome.file}: {outcome.mutant.name}"


def row(outcome: Outcome) -> str:
    """One outcome as a line of a Markdown table; it begins with `cells`."""
    fate = "**nothing**" if outcome.noticed_by is None else code(outcome.noticed_by)
    return f"{cells(outcome.mutant)} {fate} | {outcome.seconds:.0f} | {outcome.file} |"


def cells(mutant: Mutant) -> str:
    """What a table says of a mutant before anything is known of its fate."""
    return f"| {mutant.name} | {code(mutant.needle)} | {code(mutant.replacement)} |"


def code(text: str) -> str:
    """Text in one line of Markdown, as it is."""
    return "`" + " ".join(text.split()).replace("|", "\\|") + "`"


HEAD = "| mistake | instead of | planted | noticed by | seconds | file |\n|---|---|---|---|---|---|\n"


def known(table: Path) -> dict[Mutant, str]:
    """The lines that an earlier table has of mutants as they are now."""
    lines = table.read_text().splitlines() if table.exists() else []
    return {mutant: line for mutant in MUTANTS for line in lines if line.startswith(cells(mutant))}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 if every mutant was noticed, 1 if one survives, 2 if one is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").split("\n")[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quarter", type=int, choices=range(4), help="only every fourth, beginning with this one")
    which.add_argument("--commit", help="only the quarter that falls to this commit's hash")
    which.add_argument("--only", help="only those whose name, needle or tests contain this text")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    parser.add_argument("--list", action="store_true", help="name them and do nothing")
    parser.add_argument("--table", type=Path, help="write a Markdown table of the outcomes to this file, as they come")
    parser.add_argument("--skip-known", action="store_true", help="leave out those that the table has as noticed")
    options = parser.parse_args(arguments)
    chosen = list(MUTANTS)
    if options.quarter is not None or options.commit:
        chosen = quarter(chosen, options.commit or str(options.quarter))
    elif options.only:
        chosen = [m for m in chosen if any(options.only in text for text in (m.name, m.needle, *m.tests))]
    rows = {} if options.table is None else known(options.table)
    if options.skip_known:
        chosen = [mutant for mutant in chosen if "**nothing**" in rows.get(mutant, "**nothing**")]
    if options.list:
        print("\n".join(f"{mutant.name}: {', '.join(mutant.tests)}" for mutant in chosen))
        return 0

    def report(outcome: Outcome) -> None:
        print(line(outcome), flush=True)
        rows[outcome.mutant] = row(outcome)
        if options.table is not None:
            options.table.write_text(HEAD + "".join(f"{rows[m]}\n" for m in MUTANTS if m in rows))

    try:
        outcomes = trial(chosen, options.jobs, report)
    except Broken as error:
        print(error, file=sys.stderr)
        return 2
    survivors = [outcome for outcome in outcomes if outcome.noticed_by is None]
    print(f"{len(outcomes) - len(survivors)} of {len(outcomes)} noticed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
