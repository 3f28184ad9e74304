"""Pictures of a grid: curves with bands over seeds, and what every setting makes of damaged images."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps

from genjax.plots import images
from genjax.plots.figure import Figure
from genjax.plots.heat_maps import Shape
from genjax.plots.text import plain


class Curves(NamedTuple):
    """One setting: a metric of all its seeds at these times, NaN where a seed was not measured (or has diverged)."""

    epochs: Float[np.ndarray, " times"]
    values: Float[np.ndarray, "seeds times"]


def bands(curves: Mapping[str, Curves], label: str, title: str, unit: str = "epoch") -> Figure:
    """For each setting the mean over its seeds, and a band from the lowest to the highest.

    Where a seed's curve ends before the others', both go on without it, and the legend says so.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    colours = colormaps["viridis"](np.linspace(0, 0.9, len(curves)))
    for colour, (name, (epochs, values)) in zip(colours, curves.items()):
        known = np.isfinite(values)
        times = known.any(0)
        if not times.any():
            continue
        ended = int(np.sum(~known[:, times][:, -1]))
        shown = np.ma.masked_array(values, ~known)[:, times]
        name += f" ({ended} of {len(values)} seeds end before)" if ended else ""
        axes.plot(epochs[times], shown.mean(0).filled(), color=colour, label=plain(name), linewidth=1.3)
        low, high = shown.min(0).filled(), shown.max(0).filled()
        axes.fill_between(epochs[times], low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set(xlabel=unit, ylabel=plain(label), title=plain(title))
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(fontsize=7, ncols=1 + len(curves) // 12)
    return figure


def reconstructions(
    original: Float[np.ndarray, "images pixels"],
    damaged: Float[np.ndarray, "images pixels"],
    settings: Mapping[str, Float[np.ndarray, "images pixels"]],
    shape: Shape,
    title: str,
) -> Figure:
    """A row of reconstructions for each setting below the images and what was left of them (NaN where removed: red)."""
    return images.rows_of_images({"original": original, "damaged": damaged, **settings}, shape, title)
