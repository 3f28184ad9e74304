"""Learning curves of a run: its history as arrays of one length by name."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Num
from matplotlib.axes import Axes

from genjax.plots.figure import Figure
from genjax.plots.text import plain


class Panel(NamedTuple):
    """One pair of axes: what is measured, in which unit, and the metrics by name with their legends."""

    label: str
    unit: str
    metrics: dict[str, str]


def _both(name: str) -> dict[str, str]:
    """A metric of the training and of the validation examples."""
    return {name: "training", f"held_out_{name}": "validation"}


LEARNING_RATE = Panel("learning rate", "rate", {"learning_rate": "rate"})
GRADIENT = Panel("norm of the gradient", "Euclidean norm", {"gradient_norm": "training"})
ERROR = Panel("classification error", "share of examples", _both("error"))
RECONSTRUCTION = Panel("reconstruction error", "squared, per value", _both("reconstruction_error"))
WEIGHTS = Panel("norm of the weights", "Euclidean norm", {"weight_norm": "weights"})
ACTIVITY = Panel("mean hidden activity", "probability", {"hidden_activity": "training"})

BOLTZMANN = (
    Panel("log-likelihood (deep: its lower bound), from the trajectory", "nats per example", _both("log_likelihood")),
    ERROR,
    Panel("pseudo-log-likelihood, one-value estimate", "nats per example", _both("pseudo_likelihood")),
    RECONSTRUCTION,
    Panel("free-energy gap, validation - training", "nats", {"free_energy_gap": "gap"}),
    WEIGHTS,
    ACTIVITY,
    LEARNING_RATE,
)
VAE = (
    Panel("ELBO (a lower bound of the log-likelihood)", "nats per example", _both("elbo")),
    Panel("objective: the bound of the batch", "nats per example", {"bound": "training"}),
    Panel("reconstruction term, E log p(x | z)", "nats per example", _both("reconstruction")),
    Panel("KL divergence from the prior", "nats per example", _both("divergence")),
    Panel("ELBO gap, training - validation", "nats per example", {"free_energy_gap": "gap"}),
    GRADIENT,
    Panel("weight of the KL divergence", "factor", {"beta": "beta"}),
    LEARNING_RATE,
)
AUTOENCODER = (
    ERROR,
    RECONSTRUCTION,
    Panel("cross-entropy", "nats per example", _both("cross_entropy")),
    GRADIENT,
    LEARNING_RATE,
)
GAN = (
    Panel("loss", "mean of the batch", {"discriminator_loss": "discriminator", "generator_loss": "generator"}),
    Panel(
        "accuracy of the discriminator",
        "share of examples",
        {"real_accuracy": "real examples", "fake_accuracy": "generated examples"},
    ),
    Panel("generator success rate", "share of samples taken for real", {"fooled": "generator"}),
    Panel("score difference, real - generated", "score (Wasserstein: distance)", {"score_difference": "training"}),
    Panel(
        "mean score",
        "score",
        {"score_training": "training", "score_held_out": "validation", "score_samples": "samples"},
    ),
    Panel(
        "norm of the gradient",
        "Euclidean norm",
        {"discriminator_gradient": "discriminator", "generator_gradient": "generator"},
    ),
    Panel(
        "change of the parameters in a step",
        "Euclidean norm",
        {"discriminator_moved": "discriminator", "generator_moved": "generator"},
    ),
    Panel("class entropy of samples", "nats", {"class_entropy": "samples"}),
    Panel("mean squared distance of two samples", "squared, per value", {"spread": "samples"}),
    Panel(
        "collapse alarms",
        "1: raised",
        {
            "alarm_classes_missing": "classes missing",
            "alarm_samples_alike": "samples alike",
            "alarm_discriminator_saturated": "discriminator saturated",
        },
    ),
)
RECOMMENDER = (
    Panel(
        "root mean squared error",
        "units of the ratings",
        {"rmse": "training, each from the user's others", "held_out_rmse": "validation"},
    ),
    Panel("mean absolute error", "units of the ratings", _both("mae")),
    Panel("Gibbs sweeps of the negative phase", "sweeps", {"sweeps": "k"}),
    WEIGHTS,
    ACTIVITY,
    LEARNING_RATE,
)

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


def learning_curves(history: History, panels: Sequence[Panel], title: str, summary: str = "") -> Figure:
    """A panel for each group of metrics against epochs, with the evaluation's summary below; panels without data go.

    Without `panels` every metric has its own. Of a run in stages each has lines of its own, because each measures other
    layers: pixels are the first's data, and units of the layer below those of the next.
    """
    panels = [panel for panel in panels or panels_of(history) if any(measured(history, n) for n in panel.metrics)]
    parts = stages(history)
    columns = 3
    rows = max(1, -(-len(panels) // columns))
    figure = Figure(figsize=(4.2 * columns, 3.2 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, panel in zip(grid, panels):
        _draw(axes, history, parts, panel)
        axes.set(xlabel="epoch" if "epoch" in history else "step", ylabel=plain(panel.unit), title=plain(panel.label))
        axes.title.set_fontsize(9)
        axes.grid(alpha=0.3)
        if len(panel.metrics) > 1 or len(parts) > 1:
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
        Panel(name.replace("_", " "), "", _both(name) if f"held_out_{name}" in names else {name: "training"})
        for name in alone
    ]


def measured(history: History, name: str) -> bool:
    """Whether there is any value of a metric."""
    return name in history and bool(np.isfinite(history[name].astype(np.float64)).any())


def stages(history: History) -> dict[str, Num[np.ndarray, " entries"]]:
    """The entries of each stage, in their order; one stage where none is named."""
    if "stage" not in history:
        return {WHOLE: np.arange(len(history["step"]))}
    names = [WHOLE if name in LAST else str(name).replace("-", " ") for name in history["stage"]]
    return {stage: np.flatnonzero([name == stage for name in names]) for stage in dict.fromkeys(names)}


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
