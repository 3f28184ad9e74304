"""Pictures of a latent space: sheets of images along its axes, and maps of codes."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib import colormaps
from matplotlib.figure import Figure

from genjax.plots.images import GREY, Shape, tile
from genjax.plots.text import plain


def plane(
    images: Float[np.ndarray, "rows columns pixels"],
    values: tuple[Sequence[float | int], Sequence[float | int]],
    names: tuple[str, str],
    shape: Shape,
    title: str,
) -> Figure:
    """A grid over two latents, the first along x; `values` are theirs at the columns and, from below, at the rows."""
    rows, columns, pixels = images.shape
    figure = Figure(figsize=(0.45 * columns + 1, 0.45 * rows + 1), layout="constrained")
    axes = figure.subplots()
    upwards = np.clip(images[::-1], 0, 1).reshape(-1, pixels)
    axes.imshow(tile(upwards, shape, columns), **GREY)
    for ticks, labels, count, side in (
        (axes.set_xticks, values[0], columns, shape[1]),
        (axes.set_yticks, values[1][::-1], rows, shape[0]),
    ):
        places = np.arange(0, count, max(1, count // 8))
        ticks((places + 0.5) * (side + 1), [f"{labels[p]:.2g}" for p in places], fontsize=7)
    axes.set(xlabel=plain(names[0]), ylabel=plain(names[1]))
    axes.set_title(plain(title), fontsize=9)
    return figure


def traversals(
    images: Float[np.ndarray, "latents steps pixels"],
    names: Sequence[str],
    values: Sequence[float | int],
    unit: str,
    shape: Shape,
    title: str,
    rows: int = 50,
) -> Figure:
    """A strip of images for each latent, whose `values` along x are in this unit; above `rows` of them in several
    columns."""
    latents, steps, pixels = images.shape
    blocks = -(-latents // rows)
    rows = -(-latents // blocks)
    padded = np.full((blocks * rows, steps, pixels), 0.5, np.float32)
    padded[:latents] = np.clip(images, 0, 1)
    figure = Figure(figsize=(blocks * (0.32 * steps + 0.9), 0.32 * rows + 1), layout="constrained")
    places = np.unique(np.linspace(0, steps - 1, min(steps, 5)).round().astype(int))
    for number, axes in enumerate(figure.subplots(1, blocks, squeeze=False).ravel()):
        here = slice(number * rows, (number + 1) * rows)
        axes.imshow(tile(padded[here].reshape(-1, pixels), shape, steps), **GREY)
        labels = [plain(name) for name in names[here]]
        axes.set_yticks((np.arange(len(labels)) + 0.5) * (shape[0] + 1), labels, fontsize=6)
        axes.set_xticks((places + 0.5) * (shape[1] + 1), [f"{values[p]:.2g}" for p in places], fontsize=6)
    figure.supxlabel(plain(unit), fontsize=7)
    figure.suptitle(plain(title), fontsize=9)
    return figure


def code_map(
    points: Float[np.ndarray, "images 2"],
    labels: Int[np.ndarray, " images"],
    names: tuple[str, str],
    title: str,
    classes: Sequence[str] = (),
) -> Figure:
    """Codes in the plane, coloured by class, `classes` their names; grey where there are no labels."""
    figure = Figure(figsize=(6.5, 6), layout="constrained")
    axes = figure.subplots()
    present = np.unique(labels)
    colours = colormaps["tab10" if len(present) <= 10 else "tab20"]
    for number, label in enumerate(present):
        colour = "grey" if label < 0 else colours(number % colours.N)
        name = plain(classes[int(label)]) if 0 <= label < len(classes) else str(label)
        axes.scatter(*points[labels == label].T, s=6, color=colour, label=name, linewidths=0)
    axes.set(xlabel=plain(names[0]), ylabel=plain(names[1]))
    axes.set_title(plain(title), fontsize=9)
    if len(present) > 1:
        axes.legend(title="class", markerscale=2, fontsize=8)
    return figure
