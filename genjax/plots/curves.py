"""Learning curves of a run, read from its metrics."""

from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from genjax.plots.images import save


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


def learning_curves(
    entries: list[dict[str, Any]], panels: tuple[Panel, ...], title: str, summary: str, path: Path
) -> Path:
    """A panel for each group of metrics against epochs, with the evaluation's summary below; panels without data go."""
    panels = tuple(p for p in panels if any(name in entry for entry in entries for name in p.metrics))
    columns = 3
    rows = max(1, -(-len(panels) // columns))
    figure = Figure(figsize=(4.2 * columns, 3.2 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, panel in zip(grid, panels):
        for name, legend in panel.metrics.items():
            points = [(entry["epoch"], entry[name]) for entry in entries if name in entry]
            if points:
                marker = "." if len(points) < 3 else None  # of one point there is no line
                axes.plot(*zip(*points), marker=marker, label=legend, linewidth=1)
        axes.set(xlabel="epoch", title=panel.label)
        axes.title.set_fontsize(9)
        axes.grid(alpha=0.3)
        if len(panel.metrics) > 1:
            axes.legend(fontsize=8)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    figure.suptitle(title)
    figure.supxlabel(summary, fontsize=9)
    return save(figure, path)
