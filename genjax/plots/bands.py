"""Runs of several seeds as one curve with a band."""

from collections.abc import Sequence
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
