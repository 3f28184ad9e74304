"""Learning curves of a run, read from its metrics."""

from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genjax.plots.text import plain


class Panel(NamedTuple):
    """One pair of axes: metrics by name with their legends, and what is measured in which unit."""

    label: str
    metrics: dict[str, str]


BOLTZMANN = (
    Panel(
        "log-likelihood from the trajectory (nats)",
        {"log_likelihood": "training", "held_out_log_likelihood": "validation"},
    ),
    Panel("labels told wrong (share)", {"error": "training", "held_out_error": "validation"}),
    Panel(
        "pseudo-log-likelihood, one-pixel estimate (nats)",
        {"pseudo_likelihood": "training", "held_out_pseudo_likelihood": "validation"},
    ),
    Panel(
        "reconstruction error (squared, a pixel)",
        {"reconstruction_error": "training", "held_out_reconstruction_error": "validation"},
    ),
    Panel("free-energy gap, validation - training (nats)", {"free_energy_gap": "gap"}),
    Panel("norm of the weights", {"weight_norm": "weights"}),
    Panel("mean hidden activity (probability)", {"hidden_activity": "training"}),
    Panel("learning rate", {"learning_rate": "rate"}),
)


WHOLE = "all layers"  # the last stage, which leaves its name out of the metrics
Entries = list[dict[str, Any]]


def learning_curves(entries: Entries, panels: tuple[Panel, ...], title: str, summary: str) -> Figure:
    """A panel for each group of metrics against epochs, with the evaluation's summary below; panels without data go.

    Of a run in stages each has lines of its own, because each measures other layers: pixels are the first's data, and
    units of the layer below those of the next.
    """
    panels = tuple(p for p in panels if any(name in entry for entry in entries for name in p.metrics))
    parts = _stages(entries)
    columns = 3
    rows = max(1, -(-len(panels) // columns))
    figure = Figure(figsize=(4.2 * columns, 3.2 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, panel in zip(grid, panels):
        _draw(axes, parts, panel)
        axes.set(xlabel="epoch", title=plain(panel.label))
        axes.title.set_fontsize(9)
        axes.grid(alpha=0.3)
        if len(panel.metrics) > 1 or len(parts) > 1:
            axes.legend(fontsize=8)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    figure.suptitle(plain(title))
    figure.supxlabel(plain(summary), fontsize=9)
    return figure


def _stages(entries: Entries) -> dict[str, Entries]:
    """The metrics of each stage, in their order; one stage where none is named."""
    parts: dict[str, Entries] = {}
    for entry in entries:
        parts.setdefault(entry.get("stage", WHOLE).replace("-", " "), []).append(entry)
    return parts


def _draw(axes: Axes, parts: dict[str, Entries], panel: Panel) -> None:
    """One panel: a colour for each metric, or for each stage where there are several, which a line divides."""
    several = len(parts) > 1
    for number, (stage, entries) in enumerate(parts.items()):
        for kind, (name, legend) in enumerate(panel.metrics.items()):
            points = [(entry["epoch"], entry[name]) for entry in entries if name in entry]
            if not points:
                continue
            label = legend if not several else stage if len(panel.metrics) == 1 else f"{stage}, {legend}"
            marker = "." if len(points) < 3 else None  # of one point there is no line
            (line,) = axes.plot(*zip(*points), marker=marker, label=plain(label), linewidth=1)
            if several:
                line.set(color=f"C{number}", linestyle=("-", "--", ":", "-.")[kind % 4])
    for entries in [*parts.values()][:-1]:
        axes.axvline(entries[-1]["epoch"], color="grey", linewidth=0.8, linestyle=":")
