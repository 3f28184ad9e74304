"""Pictures of a grid: curves with bands over seeds, and a row of images a setting."""

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from genjax.plots.images import Shape, reddened, tile
from genjax.plots.text import plain

Curve = list[tuple[float, float]]


def bands(curves: dict[str, list[Curve]], label: str, title: str) -> Figure:
    """For each setting the mean over its seeds against epochs, and a band from the lowest to the highest."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    colours = colormaps["viridis"](np.linspace(0, 0.9, len(curves)))
    for colour, (name, runs) in zip(colours, curves.items()):
        runs = [run for run in runs if run]
        if not runs:
            continue
        epochs = [epoch for epoch, _ in runs[0]]
        values = np.array([[value for _, value in run] for run in runs])
        axes.plot(epochs, values.mean(0), color=colour, label=plain(name), linewidth=1.3)
        axes.fill_between(epochs, values.min(0), values.max(0), color=colour, alpha=0.2, linewidth=0)
    axes.set(xlabel="epoch", ylabel=plain(label), title=plain(title))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, ncols=1 + len(curves) // 12)
    return figure


def rows_of_images(rows: dict[str, np.ndarray], shape: Shape, title: str) -> Figure:
    """A row of images for each name; removed pixels (NaN) are red."""
    count, images = len(next(iter(rows.values()))), np.concatenate(list(rows.values()))
    figure = Figure(figsize=(0.7 * count + 3, 0.7 * len(rows) + 1))
    axes = figure.subplots()
    if shape[2] == 1:
        shades = colormaps["gray"].with_extremes(bad="firebrick")
        axes.imshow(np.ma.masked_invalid(tile(images, shape, count)), cmap=shades, vmin=0, vmax=1)
    else:
        axes.imshow(np.clip(tile(reddened(images, shape), shape, count), 0, 1))
    axes.set_yticks((np.arange(len(rows)) + 0.5) * (shape[0] + 1), [plain(name) for name in rows], fontsize=7)
    axes.set_xticks([])
    axes.set_title(plain(title), fontsize=9)
    return figure
