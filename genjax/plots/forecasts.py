"""Forecasts of a series beside what came."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from genjax.plots.figure import Figure
from genjax.plots.text import plain


def forecasts(
    before: Float[np.ndarray, " past"],
    after: Float[np.ndarray, " steps"],
    predicted: Mapping[str, Float[np.ndarray, "runs steps"]],
    what: str = "value",
) -> Figure:
    """Axes for each name: the end of the series, what came after it, and every run's prediction of that.

    The run in the middle of the errors is drawn strongly. `what` the series is of, for the axes.
    """
    figure = Figure(figsize=(9, 0.6 + 2.4 * len(predicted)), layout="constrained")
    past, ahead = np.arange(1 - len(before), 1), np.arange(1, len(after) + 1)
    top = 1.35 * max(before.max(), after.max())
    rows = figure.subplots(len(predicted), sharex=True, squeeze=False)[:, 0]
    for axes, (name, runs) in zip(rows, predicted.items()):
        errors = np.mean((runs - after) ** 2, axis=1)
        middle = int(np.argsort(errors)[(len(runs) - 1) // 2])
        axes.plot(past, before, color="0.6", label="end of the series")
        axes.plot(ahead, after, color="black", label="what came")
        for number, run in enumerate(runs):
            if number != middle:
                axes.plot(ahead, run, color="tab:red", alpha=0.25, linewidth=0.7)
        label = f"predicted: the median of {len(runs)} runs (MSE {errors[middle]:.0f}), the others thin"
        axes.plot(ahead, runs[middle], color="tab:red", linestyle="--", label=label)
        axes.set(
            title=plain(f"{name}: mean MSE {errors.mean():.0f}"),
            ylabel=plain(what),
            ylim=(min(before.min(), after.min()) - 0.1 * top, top),
        )
        axes.legend(loc="upper left", ncols=3, fontsize=7)
    rows[-1].set_xlabel("steps after the last value that was given")
    return figure
