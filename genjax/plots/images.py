"""Pictures of images: samples along a chain, filters, reconstructions."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from genjax.plots.text import plain

Shape = tuple[int, int, int]  # height, width, channels
GREY: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 1}
RED = (0.8, 0.2, 0.2)  # of removed pixels


def tile(images: Float[np.ndarray, "n pixels"], shape: Shape, columns: int, border: float = 0.5) -> np.ndarray:
    """One picture of all images side by side, `(height, width)` or `(height, width, 3)`, a pixel of border between."""
    height, width, channels = shape
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, channels), border, np.float32)
    for i, image in enumerate(images):
        top, left = 1 + (i // columns) * (height + 1), 1 + (i % columns) * (width + 1)
        sheet[top : top + height, left : left + width] = image.reshape(shape)
    return sheet[..., 0] if channels == 1 else sheet


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG, making its folder; letters that the font lacks become boxes without a warning."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        figure.savefig(path, dpi=150, bbox_inches="tight")
    return path


def chain(samples: Float[np.ndarray, "chains times pixels"], sweeps: Sequence[int], shape: Shape, title: str) -> Figure:
    """Chains as rows, time as columns: p(v | h) after these numbers of sweeps."""
    chains, times, pixels = samples.shape
    figure = Figure(figsize=(0.7 * times + 1, 0.7 * chains + 1))
    axes = figure.subplots()
    axes.imshow(tile(samples.reshape(-1, pixels), shape, times), **GREY)
    axes.set_xticks((np.arange(times) + 0.5) * (shape[1] + 1), [str(s) for s in sweeps])
    axes.set_yticks((np.arange(chains) + 0.5) * (shape[0] + 1), [str(c + 1) for c in range(chains)])
    axes.set(xlabel="sweeps", ylabel="chain", title=plain(title))
    return figure


def strongest(weights: Float[np.ndarray, "visible hidden"], count: int) -> Int[np.ndarray, " units"]:
    """The hidden units whose weights have the largest norm, largest first."""
    return np.argsort(-np.linalg.norm(weights, axis=0))[:count]


def own_scale(weights: Float[np.ndarray, "visible units"]) -> Float[np.ndarray, "units visible"]:
    """Each unit's weights over their largest magnitude, a row a unit."""
    return (weights / np.maximum(np.abs(weights).max(0), 1e-12)).T


def filters(weights: Float[np.ndarray, "visible hidden"], shape: Shape, title: str, count: int = 64) -> Figure:
    """Weights of the hidden units with the largest norm, each on its own scale around zero."""
    chosen, units = own_scale(weights[:, strongest(weights, count)]), weights.shape[1]
    figure = Figure(figsize=(7, 7))
    axes = figure.subplots()
    picture = axes.imshow(**_signed(tile(chosen, shape, square(len(chosen)), border=0.0)))
    caption = f"the {len(chosen)} strongest of {units} hidden units" if len(chosen) < units else f"all {units} units"
    axes.set(xticks=[], yticks=[], title=plain(title), xlabel=caption)
    if shape[2] == 1:
        figure.colorbar(picture, ax=axes, shrink=0.8, label="weight / largest weight of the unit")
    return figure


def label_weights(
    weights: Float[np.ndarray, "visible classes"], names: Sequence[str], shape: Shape, title: str
) -> Figure:
    """The weights of every label in the order of the classes, each on its own scale around zero, below its name."""
    figure, drawn = _named([_signed(image.reshape(_flat(shape))) for image in own_scale(weights)], names, title)
    if shape[2] == 1:
        axes = [picture.axes for picture in drawn]
        figure.colorbar(drawn[0], ax=axes, shrink=0.8, label="weight / largest weight of the label")
    return figure


def named(
    images: Float[np.ndarray, "n pixels"], names: Sequence[str], shape: Shape, title: str, caption: str
) -> Figure:
    """Images in [0, 1] in their order, each below its name."""
    figure, _ = _named([{"X": image.reshape(_flat(shape)), **GREY} for image in images], names, title)
    figure.supxlabel(plain(caption), fontsize=9)
    return figure


def _flat(shape: Shape) -> tuple[int, ...]:
    """An image's shape as it is drawn: grey ones have no axis of channels."""
    return shape[:2] if shape[2] == 1 else shape


def _signed(picture: np.ndarray) -> dict[str, Any]:
    """How a picture of weights in [-1, 1] is drawn: white at zero; of colours, grey."""
    return {"X": (picture + 1) / 2 if picture.ndim == 3 else picture, "cmap": "RdBu_r", "vmin": -1, "vmax": 1}


def _named(pictures: Sequence[dict[str, Any]], names: Sequence[str], title: str) -> tuple[Figure, list[AxesImage]]:
    """A pair of axes for each picture, its name above it."""
    columns = min(5, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = Figure(figsize=(1.5 * columns + 1, 1.75 * rows + 0.8), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    drawn = [axes.imshow(**picture) for axes, picture in zip(grid, pictures)]
    for axes, name in zip(grid, names, strict=False):
        axes.set(xticks=[], yticks=[], title=plain(name))
    for axes in grid[len(pictures) :]:
        axes.set_axis_off()
    figure.suptitle(plain(title))
    return figure, drawn


def square(count: int) -> int:
    """Columns of a sheet of so many images that is about as wide as high."""
    return int(np.ceil(np.sqrt(count)))


def sheet(images: Float[np.ndarray, "n pixels"], shape: Shape, title: str, caption: str) -> Figure:
    """Images in [0, 1] in a square."""
    figure = Figure(figsize=(7, 7))
    axes = figure.subplots()
    axes.imshow(tile(images, shape, square(len(images))), **GREY)
    axes.set(xticks=[], yticks=[], title=plain(title), xlabel=plain(caption))
    return figure


def reddened(images: Float[np.ndarray, "n pixels"], shape: Shape) -> Float[np.ndarray, "n colours"]:
    """The same in three channels, removed pixels (NaN in any channel) in red."""
    grey = np.nan_to_num(images, nan=0.5).reshape(len(images), -1, shape[2])
    rgb = np.repeat(grey, 3 // shape[2], axis=2)
    rgb[np.isnan(images).reshape(grey.shape).any(2)] = RED
    return rgb.reshape(len(images), -1)


def side_by_side(columns: dict[str, Float[np.ndarray, "images pixels"]], shape: Shape, title: str) -> Figure:
    """The same images under each heading, e.g. original | damaged | reconstruction. NaN pixels are shown in red."""
    coloured = (*shape[:2], 3)
    sheets = [tile(reddened(images, shape), coloured, 4) for images in columns.values()]
    rows = -(-len(next(iter(columns.values()))) // 4)
    figure = Figure(figsize=(2.6 * len(sheets), 0.65 * rows + 0.8), layout="constrained")
    for axes, sheet, heading in zip(np.atleast_1d(figure.subplots(1, len(sheets))), sheets, columns):
        axes.imshow(np.clip(sheet, 0, 1))
        axes.set(xticks=[], yticks=[], title=plain(heading))
    figure.suptitle(plain(title))
    return figure
