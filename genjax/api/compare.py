"""`compare`: runs side by side in a table, means over seeds with intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

from genjax.api.run import Run
from genjax.errors import UserError
from genjax.training.options import flat
from genjax.training.stages import LAST

LEFT_OUT = ("checkpoint_seconds", "seed", "data_dir", "devices")


COMMON_BATCHES = "The runs share order and binarisation of their batches: intervals are over the seeds of all else."


class Table(list):
    """Rows as dicts: a setting each, with the number of its seeds and for each score `mean` and `half_interval`.

    `notes` are sentences that a reader of the intervals should know.
    """

    notes: tuple[str, ...] = ()
    runs: tuple[Run, ...] = ()

    def html(self) -> str:
        """One page that needs nothing else: this table, the runs' curves, and the pictures in their folders."""
        from genjax.api.page import page

        return page(self._repr_html_(), self.runs)

    def __repr__(self) -> str:
        return "\n".join([*lines_of(self), *self.notes])

    def _repr_html_(self) -> str:
        from html import escape

        header, *body = cells_of(self) or [[]]
        head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
        rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body)
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{notes}"


def compare(runs: Sequence[Run] | Run, scores: Sequence[str] = ()) -> Table:
    """A row for each setting: where the runs differ, how many seeds, and the scores with their 95 % intervals.

    Scores are the last values of metrics of `run.history` (by default those that all share and a person knows), and the
    log-likelihood where the runs have been evaluated. Intervals are Student's t over seeds; for "A beats B" take common
    seeds and `paired`. Runs on other data, or under another binarisation, stand apart: their scores do not compare.
    """
    runs = [runs] if isinstance(runs, Run) else list(runs)
    if not runs:
        raise UserError("`runs` is empty; give the runs to compare.")
    options = [settings_of(run) for run in runs]
    axes = [name for name in dict.fromkeys(name for one in options for name in one)
            if len({repr(one.get(name)) for one in options}) > 1]  # fmt: skip
    groups: dict[tuple, list[Run]] = {}
    for run, one in zip(runs, options):
        groups.setdefault(tuple(repr(one.get(name)) for name in axes), []).append(run)
    wanted = list(scores) or shared_scores(runs)
    rows = Table()
    rows.notes, rows.runs = notes_of(runs), tuple(runs)
    for members in groups.values():
        one = settings_of(members[0])
        row: dict[str, Any] = {name: one.get(name) for name in axes} | {"seeds": len(members)}
        diverged = sum(run.diverged is not None for run in members)
        rows.append(
            row | ({"diverged": diverged} if diverged else {}) | {name: score(members, name) for name in wanted}
        )
    return rows


def notes_of(runs: Sequence[Run]) -> tuple[str, ...]:
    """What is to be known of intervals over the seeds of these runs."""
    return (COMMON_BATCHES,) if any(run.decided.get("common_batches") for run in runs) else ()


def settings_of(run: Run) -> dict[str, Any]:
    """All options of model and run that may differ, by name."""
    own = {name: value for name, value in vars(run.settings).items() if name not in LEFT_OUT}
    return {"model": run.model.name} | own | {"data": run.record.unordered} | flat(run.config)


def shared_scores(runs: Sequence[Run]) -> list[str]:
    """Metrics that all runs have and that say how good a model is."""
    known = ("held_out_pseudo_likelihood", "pseudo_likelihood", "held_out_elbo", "elbo", "held_out_rmse", "rmse")
    known += ("held_out_reconstruction_error", "reconstruction_error", "class_entropy", "generator_loss")
    names = [name for name in known if all(name in run.history for run in runs)]
    names = [name for name in names if not (not name.startswith("held_out_") and f"held_out_{name}" in names)]
    evaluated = ["log_likelihood"] if all(likelihood(run) is not None for run in runs) else []
    return evaluated + (
        names
        or sorted(set.intersection(*(set(run.history) for run in runs)) - {"step", "stage", "epoch", "seconds"})[:3]
    )


def score(runs: Sequence[Run], name: str) -> dict[str, Any]:
    """Mean over runs and half its 95 % interval (Student's t); None of a single one, and of what none has."""
    return interval_of([last(run, name) for run in runs])


def interval_of(scores: Sequence[float | None]) -> dict[str, Any]:
    """Mean and half its 95 % interval (Student's t) of the scores that there are."""
    values = np.array([value for value in scores if value is not None], float)
    if not len(values):
        return {"mean": None, "half_interval": None}
    half = None
    if len(values) > 1:
        half = float(stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / np.sqrt(len(values)))
    return {"mean": float(values.mean()), "half_interval": half}


def last(run: Run, name: str) -> float | None:
    """The last value of a metric of the run's last stage, or its log-likelihood; None where it diverged."""
    if run.diverged is not None:
        return None
    if name == "log_likelihood":
        return likelihood(run)
    history = run.history
    values = history[name][history["stage"] == LAST] if name in history else np.zeros(0)
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else None


def likelihood(run: Run) -> float | None:
    """Mean log-likelihood (or its bound) of the test data, nats, as the run was evaluated; None where it was not, or
    where its model has none."""
    found = (run.evaluated or {}).get("log_likelihood")
    return None if found is None else found["test"]["mean"]


def paired(first: Sequence[Run], second: Sequence[Run], name: str) -> tuple[float, float, float]:
    """Mean difference (first - second) of a score over common seeds, and its 95 % interval. Raises `UserError` where
    the seeds are not the same."""
    both: list[dict[int, Any]] = [{run.settings.seed: last(run, name) for run in runs} for runs in (first, second)]
    if set(both[0]) != set(both[1]) or not 2 <= len(both[0]) == len(first) == len(second):
        raise UserError("`first` and `second` have other seeds, or a single one; train both on the same seeds.")
    if missing := [run.name for run in (*first, *second) if last(run, name) is None]:
        raise UserError(f"`name` {name}: {missing[0]} has none, or has diverged; compare runs that have it.")
    difference = np.array([both[0][seed] - both[1][seed] for seed in both[0]], float)
    half = stdtrit(len(difference) - 1, 0.975) * difference.std(ddof=1) / np.sqrt(len(difference))
    return float(difference.mean()), float(difference.mean() - half), float(difference.mean() + half)


def cells_of(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Header and body of the table as text."""
    if not rows:
        return []
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [names, *([text_of(row.get(name)) for name in names] for row in rows)]


def lines_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The table as aligned text."""
    cells = cells_of(rows)
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))] if cells else []
    return ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths)) for row in cells]


def text_of(value: Any) -> str:
    """A cell."""
    if isinstance(value, dict) and "mean" in value:
        if value["mean"] is None:
            return "-"
        half = "" if value["half_interval"] is None else f" +- {value['half_interval']:.2g}"
        return f"{value['mean']:.4g}{half}"
    return "" if value is None else str(value)
