"""Runs of several seeds: as one curve with a band, or as a ratio with its interval."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

Curve = tuple[Any, Any]
"""Positive numbers that rise, and a positive value at each of them."""


def common(curves: Sequence[Curve], count: int = 100) -> tuple[Float[np.ndarray, " x"], Float[np.ndarray, "runs x"]]:
    """All curves at the same positions, evenly spaced by their logarithms, from where all have begun to where all
    still go on; logarithms of values are interpolated over logarithms of positions."""
    low, high = max(np.min(x) for x, _ in curves), min(np.max(x) for x, _ in curves)
    where = np.geomspace(low, max(low, high), count)
    return where, np.exp([np.interp(np.log(where), np.log(x), np.log(y)) for x, y in curves])


def band(axes: Axes, curves: Sequence[Curve], label: str, colour: str) -> None:
    """The geometric mean over runs, and a band from the least to the greatest, on logarithmic axes."""
    x, y = common(curves)
    axes.fill_between(x, y.min(0), y.max(0), color=colour, alpha=0.2, linewidth=0)
    axes.plot(x, np.exp(np.log(y).mean(0)), color=colour, linewidth=1.3, label=label)
    axes.set(xscale="log", yscale="log")


def ratios(axes: Axes, found: Mapping[str, tuple[float, float, float, Float[np.ndarray, " seeds"]]]) -> None:
    """Below each other, by their names: a ratio, the ends of its interval, and (pale) those of the seeds."""
    for place, (ratio, low, high, of_seeds) in enumerate(found.values()):
        axes.plot(of_seeds, np.full(len(of_seeds), place), ".", color="C0", alpha=0.4)
        axes.plot([low, high], [place, place], color="C3", linewidth=2)
        axes.plot(ratio, place, "o", color="C3")
    axes.axvline(1, color="grey", linestyle=":")
    axes.set(xscale="log", yticks=range(len(found)), yticklabels=list(found), ylim=(len(found) - 0.5, -0.5))
    axes.grid(alpha=0.3, axis="x")
