"""Table and figures of `experiments.one_budget`."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.common import interval
from genjax.plots.bands import number
from genjax.plots.images import rows_of_images, save

__all__ = ["figures", "save", "table"]
Rows = list[dict[str, Any]]
SAMPLES = ("classifier_score", "class_entropy", "frechet_distance", "precision", "recall", "copies")


def of(rows: Rows, kind: str, name: str) -> Rows:
    """Those of a family, by their numbers."""
    return sorted((r for r in rows if r["kind"] == kind and r["family"] == name), key=lambda row: row["number"])


def shown(values: Sequence[Any], digits: int) -> str:
    """The mean over seeds and its interval, or nothing."""
    plain = [value["mean"] if isinstance(value, dict) else value for value in values if value is not None]
    if not plain:
        return ""
    low, high = interval(np.array(plain, float))
    return f"{np.mean(plain):.{digits}f}" + (f" [{low:.{digits}f}, {high:.{digits}f}]" if len(plain) > 1 else "")


def nats(runs: Rows) -> str:
    """The log-likelihood of test images, and of which kind it is."""
    found = [row["nats"] for row in runs if "nats" in row]
    if not found:
        return "no likelihood"
    sign = {"lower_bound": "≥ ", "upper_bound": "≤ "}.get(found[0]["kind"], "")
    doubt = "" if all(row["trusted"] for row in found) else ", not trusted"
    return f"{sign}{shown(found, 2)}, {found[0]['kind'].replace('_', ' ')}{doubt}"


def line(name: str, runs: Rows, costs: Rows) -> str:
    """A row of the table."""
    quality = [row["quality"]["samples"] for row in runs]
    cells = [name, nats(runs), *(shown([of_run.get(s) for of_run in quality], 2) for s in SAMPLES)]
    cells += [f"{runs[0]['parameters']:,}", f"{runs[0]['factor']:g}"]
    cost = costs[0] if costs else {}
    sweeps = f" ({cost['sweeps']:,} sweeps)" if cost.get("sweeps") else ""
    cells += [f"{cost['seconds']:.2f}{sweeps}" if cost else "", f"{cost['mb']:.0f}" if cost else ""]
    wrong = [100 * row["wrong_pixels"] for row in runs if "wrong_pixels" in row]
    return "| " + " | ".join([*cells, shown(wrong, 1) or "does not fill in"]) + " |"


def table(rows: Rows, names: Sequence[str]) -> list[str]:
    """Markdown: a row a family; below, those that had longer."""
    head = ["family", "test nats", *(name.replace("_", " ") for name in SAMPLES), "parameters", "rate, times the usual"]
    head += ["1,000 independent samples, s", "MB", "wrong pixels filled in, %"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for kind, after in (("result", ""), ("longer", ", longer")):
        for name in names:
            if runs := of(rows, kind, name):
                lines.append(line(name + after, runs, of(rows, "cost", name) if kind == "result" else []))
    real: dict[str, Any] = {}
    for row in rows:
        if row["kind"] == "result":
            grey = "binary" if "nats" in row else "intensities"
            real.setdefault(f"real images, {grey}", row["quality"]["real"])
    blank = [""] * (len(head) - 2 - len(SAMPLES))
    for name, table in real.items():
        lines.append("| " + " | ".join([name, "", *(shown([table.get(s)], 2) for s in SAMPLES), *blank]) + " |")
    return lines


def figures(
    rows: Rows, names: Sequence[str], shape: tuple[int, int, int], seconds: float
) -> Iterator[tuple[Figure, str]]:
    """Samples side by side, and what validation images say against minutes."""
    first = {name: of(rows, "result", name)[0] for name in names if of(rows, "result", name)}
    strips = {name: np.array(row["drawn"], np.float32) / 255 for name, row in first.items()}
    title = f"ten samples of each after {seconds / 60:.3g} minutes of one core, unpicked"
    yield rows_of_images(strips, shape, title), "samples.png"
    yield curves(rows, names), "curves.png"


def curves(rows: Rows, names: Sequence[str]) -> Figure:
    """A panel for each measure, a colour a family, a line a seed."""
    found: dict[str, dict[str, Rows]] = {}
    for name in names:
        for row in of(rows, "result", name) + of(rows, "longer", name):
            for measure in set(row["curve"]) - {"seconds"}:
                found.setdefault(measure, {}).setdefault(name, []).append(row["curve"])
    figure = Figure(figsize=(4.5 * max(1, len(found)), 4.5), layout="constrained")
    for axes, (measure, families) in zip(figure.subplots(1, max(1, len(found)), squeeze=False)[0], found.items()):
        for name, of_seeds in families.items():
            style = {"color": f"C{list(names).index(name) % 10}", "linewidth": 1, "marker": ".", "markersize": 3}
            for place, curve in enumerate(of_seeds):
                minutes = np.array(curve["seconds"]) / 60
                axes.plot(minutes, curve[measure], label=name if not place else None, **style)
        axes.set(xscale="log", xlabel="minutes of training, one core", title=measure.replace("_", " "))
        number(axes.xaxis)
        best = np.concatenate([curve[measure] for of_seeds in families.values() for curve in of_seeds])
        if "likelihood" in measure or "elbo" in measure or "ais" in measure:
            axes.set_ylim(max(np.min(best), np.max(best) - 60), np.max(best) + 3)
            axes.set_ylabel("nats an image, validation")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure
