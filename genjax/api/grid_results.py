"""What a grid has found: a row a run, a line a setting, and the same as files and as text."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from genjax.api.compare import interval_of, last, lines_of, settings_of, shared_scores
from genjax.api.grid_training import FAILED
from genjax.api.run import Run
from genjax.boltzmann.machine import Machine
from genjax.evaluation.likelihood import pseudo, report
from genjax.likelihood.estimate import finite
from genjax.training import folder as run_folder
from genjax.training.settings import OF_SINGLE_RUNS
from genjax.typing import Batch

SCORES = ("log_likelihood", "pseudo_log_likelihood")


def write(folder: Path, rows: Sequence[dict[str, Any]], runs: list[Run]) -> None:
    """results.jsonl and parameters.npz of a grid, in its folder."""
    run_folder.write_lines(folder / "results.jsonl", [finite(row) for row in rows])
    run_folder.write_arrays(folder / "parameters.npz", parameters_of(runs))


def rows_of(
    runs: Sequence[Run], effort: dict[str, Any] | None, progress: Callable[[int], None] = lambda done: None
) -> list[dict[str, Any]]:
    """A row of plain numbers a run: its settings, how it diverged if it did, and its scores.

    With an `effort` the log-likelihood of the test examples of its own data, by as much effort; of Boltzmann machines
    also the pseudo-log-likelihood of the first 1,000. Models without a likelihood have instead the last value of a
    metric that all have as they learned, by its name. `progress` is told how many runs are done.
    """
    names = metrics_of(runs)[:1] if runs[0].model.answer is None else []
    rows = []
    for number, run in enumerate(runs, 1):
        row = settings_row(run) | {"diverged": run.diverged is not None}
        row |= {} if run.diverged is None else {"reason": run.diverged}
        try:
            row |= {name: last(run, name) for name in names} | scores_of(run, effort)
        except Exception as error:  # of one run alone, which costs no other its scores
            if len(runs) == 1:
                raise
            row |= {"reason": f"{FAILED}{type(error).__name__}: {error}"}
        rows.append(row)
        progress(number)
    return rows


def settings_row(run: Run) -> dict[str, Any]:
    """A run's options, and its seed."""
    settings = settings_of(run).items()
    row = {name: value for name, value in settings if name not in ("data", "checkpoint_seconds", *OF_SINGLE_RUNS)}
    return row | {"seed": run.settings.seed}


def metrics_of(runs: Sequence[Run]) -> list[str]:
    """What all runs that have not diverged at once measured as they learned, the most telling first."""
    measured = [run for run in runs if run.entries]
    return [name for name in shared_scores(measured) if name != "log_likelihood"] if measured else []


def scores_of(run: Run, effort: dict[str, Any] | None) -> dict[str, Any]:
    """The scores of a run on its test examples; None where it diverged."""
    scores: dict[str, Any] = {}
    if isinstance(run.parameters, Machine) and run.parameters.units[0].states == 2:
        scores["pseudo_log_likelihood"] = None if run.diverged is not None else pseudo_of(run, run.fixed_test())
    if run.model.answer is None or effort is None:
        return scores
    if run.diverged is not None:
        return effort | scores | {"log_likelihood": None, "trusted": None}
    test = run.fixed_test()
    goes_on = hasattr(run.model.effort, "within")  # which many runs together do not, unless that is asked for
    own = {"minutes": effort.get("minutes") or 0.0} if goes_on else {}
    found, _ = report(run.answer(run.settings.seed, effort | own), test, test, run.refute)
    answer = found["log_likelihood"]["test"]
    return effort | scores | {"log_likelihood": answer.mean, "trusted": answer.trusted}


def pseudo_of(run: Run, test: Batch) -> float | None:
    """The exact pseudo-log-likelihood of the first 1,000 test examples; None where the machine has none."""
    found = pseudo(jax.random.key(0), run.parameters, test)
    return None if found is None else found["exact"].mean


def parameters_of(runs: list[Run]) -> dict[str, np.ndarray]:
    """All runs' parameters as plain arrays, `<name>_of_<row>`, rows as in results.jsonl."""
    arrays = {}
    for row, run in enumerate(runs):
        if run.model.arrays is not None and run.diverged is None:
            arrays |= {f"{name}_of_{row}": array for name, array in run.model.arrays(run.parameters).items()}
    return arrays


def summarise(rows: Sequence[dict[str, Any]], axes: Sequence[str], scores: Sequence[str] = SCORES) -> list[dict]:
    """A line a setting: mean over seeds of each score with its 95 % interval (Student's t).

    Every line says on which data and under which binarisation: scores of two of them do not compare.
    """
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(repr(row.get(name)) for name in axes), []).append(row)
    table = []
    for members in groups.values():
        line: dict[str, Any] = {"dataset": members[0]["dataset"], "binarisation": members[0]["binarisation"]}
        line |= {name: members[0].get(name) for name in axes} | {"seeds": len(members)}
        line["diverged"] = sum(row["diverged"] for row in members)
        line["not_trusted"] = sum(row.get("trusted") is False for row in members)
        for score in scores:
            if any(row.get(score) is not None for row in members):
                line[score] = interval_of([row.get(score) for row in members])
        table.append(line)
    return table


def tables_of(table: list[dict[str, Any]], names: list[str]) -> list[str]:
    """The settings as text: a table for each dataset and binarisation, whose scores do not compare."""
    kinds = dict.fromkeys((line["dataset"], line["binarisation"]) for line in table)
    lines = []
    for kind in kinds:
        same = [line for line in table if (line["dataset"], line["binarisation"]) == kind]
        shown = [name for name in names if len(kinds) == 1 or name not in ("dataset", "binarisation")]
        lines += [f"{kind[0]}, binarisation {kind[1]}:"] if len(kinds) > 1 else []
        lines += lines_of([row_of(line, shown) for line in same])
    return lines


def row_of(line: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """A setting as a person reads it: its axes, its scores, and what is wrong with some of its runs."""
    scores = {f"{name} (test)" if name in SCORES else name: value for name, value in line.items() if is_score(value)}
    notes = [f"{line['diverged']} diverged"] if line["diverged"] else []
    notes += [f"{line['not_trusted']} NOT TO BE TRUSTED"] if line["not_trusted"] else []
    return {name: line[name] for name in names} | scores | {"seeds": line["seeds"], "": ", ".join(notes)}


def is_score(value: Any) -> bool:
    """Whether this is a mean with its interval."""
    return isinstance(value, dict) and "half_interval" in value
