"""How far filled-in values are from the truth, against how many were removed, and where."""

from collections.abc import Mapping, Sequence

from genjax.plots.figure import Figure
from genjax.plots.text import plain

Point = tuple[float, float, float, float]
"""The share of values removed, the error, its standard error over images, and the training mean's error."""


def error_curves(places: Mapping[str, Sequence[Point]], label: str, title: str) -> Figure:
    """A line for each place from which values were removed, with 95 % intervals; dashed what the training mean makes
    of the same values, which knows nothing of the image."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for number, (place, points) in enumerate(places.items()):
        share, error, spread, of_mean = zip(*sorted(points))
        percent, half = [100 * s for s in share], [1.96 * s for s in spread]
        colour = f"C{number}"
        axes.errorbar(percent, error, yerr=half, color=colour, marker="o", markersize=4, capsize=3, label=plain(place))
        axes.plot(percent, of_mean, color=colour, linestyle="--", marker="x", markersize=4, linewidth=1)
    axes.plot([], [], color="grey", linestyle="--", marker="x", label="the training mean")
    axes.set(xlabel="removed, % of the values of an image", ylabel=plain(label), title=plain(title))
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure
