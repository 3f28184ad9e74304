"""Learning curves of a run: its history as arrays of one length by name."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Num
from matplotlib.axes import Axes

from genjax.plots.figure import Figure
from genjax.plots.panels import Panel, both
from genjax.plots.text import plain

WHOLE = "all layers"  # what the last stage is called
LAST = ("", "train")  # its name in a history
NO_METRICS = ("step", "epoch", "stage", "seconds")

History = Mapping[str, np.ndarray]
"""Arrays of one length by name: `step`, `epoch`, `stage` (names), and metrics, NaN where not measured; without `epoch`
curves are drawn against steps, without `stage` there is one."""


def label_of(panels: Sequence[Panel], metric: str) -> str:
    """What an axis says of a metric: panel, unit and which examples it is of; its name where no panel has it."""
    for panel in panels:
        if metric in panel.metrics:
            return f"{panel.label} ({panel.unit}), {panel.metrics[metric]}"
    return metric.replace("_", " ")


def learning_curves(
    history: History, panels: Sequence[Panel], title: str, summary: str = "", best: int | None = None
) -> Figure:
    """A panel for each group of metrics against epochs, with the evaluation's summary below; panels without data go.

    After the step `best`, from which on a run over-fits, panels are shaded.

    Without `panels` every metric has its own. Of a run in stages each has lines of its own, because each measures other
    layers: pixels are the first's data, and units of the layer below those of the next.
    """
    panels = [panel for panel in panels or panels_of(history) if shown(history, panel)]
    parts = stages(history)
    columns = 3
    rows = max(1, -(-len(panels) // columns))
    figure = Figure(figsize=(4.2 * columns, 3.2 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, panel in zip(grid, panels):
        if panel.switches:
            _strips(axes, history, panel)
        else:
            _draw(axes, history, parts, panel)
            _widened(axes, panel.least)
        if best is not None:
            times = np.asarray(history["epoch" if "epoch" in history else "step"], np.float64)
            since = float(times[np.searchsorted(history["step"], best)])
            axes.axvspan(since, float(times[-1]), color="C3", alpha=0.12, linewidth=0, label="over-fitting")
        axes.set_xlim(left=0)
        axes.set(xlabel="epoch" if "epoch" in history else "step", ylabel=plain(panel.unit), title=plain(panel.label))
        axes.title.set_fontsize(9)
        axes.grid(alpha=0.3)
        if not panel.switches and (len(panel.metrics) > 1 or len(parts) > 1 or best is not None):
            axes.legend(fontsize=8)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    figure.suptitle(plain(title))
    figure.supxlabel(plain(summary), fontsize=9)
    return figure


def panels_of(history: History) -> list[Panel]:
    """A panel for each metric, the validation examples' beside the training examples'."""
    names = [name for name in history if name not in NO_METRICS]
    alone = [name for name in names if name.removeprefix("held_out_") not in names or not name.startswith("held_out_")]
    return [
        Panel(name.replace("_", " "), "", both(name) if f"held_out_{name}" in names else {name: "training"})
        for name in alone
    ]


def measured(history: History, name: str) -> bool:
    """Whether there is any value of a metric."""
    return name in history and bool(np.isfinite(history[name].astype(np.float64)).any())


def shown(history: History, panel: Panel) -> bool:
    """Whether a panel has anything to show: a value, and of what is set a second one."""
    values = [history[name][np.isfinite(history[name].astype(np.float64))] for name in panel.metrics if name in history]
    return any(len(np.unique(each)) > panel.setting for each in values)


def stages(history: History) -> dict[str, Num[np.ndarray, " entries"]]:
    """The entries of each stage, in their order; one stage where none is named."""
    if "stage" not in history:
        return {WHOLE: np.arange(len(history["step"]))}
    names = [WHOLE if name in LAST else str(name).replace("-", " ") for name in history["stage"]]
    return {stage: np.flatnonzero([name == stage for name in names]) for stage in dict.fromkeys(names)}


def _widened(axes: Axes, least: float) -> None:
    """The axis of values covers this range at least, about its middle."""
    low, high = axes.get_ylim()
    if high - low < least:
        axes.set_ylim((low + high - least) / 2, (low + high + least) / 2)


def _strips(axes: Axes, history: History, panel: Panel) -> None:
    """A strip for each metric of 0 and 1, below each other, filled where it is 1."""
    times = np.asarray(history["epoch" if "epoch" in history else "step"], np.float64)
    names = [name for name in panel.metrics if measured(history, name)]
    for number, name in enumerate(names):
        values = history[name].astype(np.float64)
        known = np.isfinite(values)
        axes.fill_between(
            times[known], number - 0.4, number - 0.4 + 0.8 * values[known], step="pre", color=f"C{number}", linewidth=0
        )
    axes.set_yticks(range(len(names)), [plain(panel.metrics[name]).replace(" ", "\n") for name in names], fontsize=7)
    axes.set_ylim(len(names) - 0.5, -0.5)


def _draw(axes: Axes, history: History, parts: dict[str, np.ndarray], panel: Panel) -> None:
    """One panel: a colour for each metric, or for each stage where there are several, which a line divides."""
    times = np.asarray(history["epoch" if "epoch" in history else "step"], np.float64)
    several = len(parts) > 1
    for number, (stage, entries) in enumerate(parts.items()):
        for kind, (name, legend) in enumerate(panel.metrics.items()):
            if name not in history:
                continue
            values = history[name][entries].astype(np.float64)
            known = np.isfinite(values)
            if not known.any():
                continue
            label = legend if not several else stage if len(panel.metrics) == 1 else f"{stage}, {legend}"
            marker = "." if known.sum() < 3 else None  # of one point there is no line
            (line,) = axes.plot(times[entries][known], values[known], marker=marker, label=plain(label), linewidth=1)
            if several:
                line.set(color=f"C{number}", linestyle=("-", "--", ":", "-.")[kind % 4])
    for entries in [*parts.values()][:-1]:
        axes.axvline(float(times[entries[-1]]), color="grey", linewidth=0.8, linestyle=":")
