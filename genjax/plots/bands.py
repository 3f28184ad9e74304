"""Runs of several seeds: as one curve with a band, or as a ratio with its interval."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from genjax.plots.figure import Figure

Curve = tuple[Any, Any]
"""Positive numbers that rise, and a positive value at each of them."""


def common(curves: Sequence[Curve], count: int = 100) -> tuple[Float[np.ndarray, " x"], Float[np.ndarray, "runs x"]]:
    """All curves at the same positions, evenly spaced by their logarithms, from where all have begun to where all
    still go on; logarithms of values are interpolated over logarithms of positions."""
    low, high = max(np.min(x) for x, _ in curves), min(np.max(x) for x, _ in curves)
    where = np.geomspace(low, max(low, high), count)
    return where, np.exp([np.interp(np.log(where), np.log(x), np.log(y)) for x, y in curves])


def number(axis: Axis) -> None:
    """Plain numbers along a logarithmic axis; over less than two decades also at 2 and 5."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def band(axes: Axes, curves: Sequence[Curve], label: str, colour: str) -> None:
    """The geometric mean over runs, and a band from the least to the greatest, on logarithmic axes."""
    x, y = common(curves)
    axes.fill_between(x, y.min(0), y.max(0), color=colour, alpha=0.2, linewidth=0)
    axes.plot(x, np.exp(np.log(y).mean(0)), color=colour, linewidth=1.3, label=label)
    axes.set(xscale="log", yscale="log")


def band_panels(panels: Mapping[str, Mapping[str, Sequence[Curve]]], columns: int, xlabel: str, ylabel: str) -> Figure:
    """A panel for each title, in rows of so many columns; a name has the same colour in all of them."""
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(1 + 3.8 * columns, 0.6 + 3 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey="row")
    colours = {name: f"C{n}" for n, name in enumerate(dict.fromkeys(name for of in panels.values() for name in of))}
    for axes, (title, curves) in zip(grid.ravel(), panels.items()):
        for name, of_name in curves.items():
            band(axes, of_name, name, colours[name])
        axes.set(title=title)
        axes.grid(alpha=0.3)
    for axes in grid.ravel():
        number(axes.xaxis)
        number(axes.yaxis)
    grid[0, 0].legend(fontsize=8)
    figure.supxlabel(xlabel)
    figure.supylabel(ylabel)
    return figure


Ratio = tuple[float, float, float, Float[np.ndarray, " seeds"]]
"""A mean, the ends of its interval, and the ratio of each seed."""


def ratio_panels(panels: Mapping[str, Mapping[str, Ratio]], xlabel: str) -> Figure:
    """A panel for each title, side by side."""
    figure = Figure(figsize=(1 + 5 * len(panels), 3.6), layout="constrained")
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (title, found) in zip(grid, panels.items()):
        ratios(axes, found)
        axes.set(title=title, xlabel=xlabel)
    return figure


def ratios(axes: Axes, found: Mapping[str, Ratio]) -> None:
    """Below each other, by their names; those of the seeds are the dots below it."""
    for place, (ratio, low, high, of_seeds) in enumerate(found.values()):
        axes.plot([low, high], [place, place], color="C3", linewidth=2)
        axes.plot(ratio, place, "o", color="C3")
        axes.plot(of_seeds, np.full(len(of_seeds), place + 0.25), ".", color="C0", alpha=0.5)
    axes.axvline(1, color="grey", linestyle=":")
    axes.set(xscale="log", yticks=range(len(found)), yticklabels=list(found), ylim=(len(found) - 0.5, -0.5))
    number(axes.xaxis)
    axes.grid(alpha=0.3, axis="x")
