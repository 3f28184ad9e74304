"""Images on axes: sheets of tiles, rows with names, columns with headings.

Examples that are no images (`heat_maps.no_images`) become heat maps instead: the same rows, below each other.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib import figure as matplotlib_figure
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from genjax.plots.figure import Figure, write
from genjax.plots.heat_maps import RED, Shape, heat_map, no_images
from genjax.plots.text import plain

SIZE, LEAST = 0.7, 0.2  # inches of an image's longer side in a row, and at least of its shorter
Images = Float[np.ndarray, "images pixels"]


def save(figure: matplotlib_figure.Figure, path: Path) -> Path:
    """Write a PNG, making its folder; letters that the font lacks become boxes without a warning."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write(figure, path, dpi=150)
    return path


def tile(images: Images, shape: Shape, columns: int, border: float = 0.5) -> np.ndarray:
    """One picture of all images side by side, `(height, width)` or `(height, width, 3)`, a pixel of border between."""
    height, width, channels = shape
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, channels), border, np.float32)
    for i, image in enumerate(images):
        top, left = 1 + (i // columns) * (height + 1), 1 + (i % columns) * (width + 1)
        sheet[top : top + height, left : left + width] = image.reshape(shape)
    return sheet[..., 0] if channels == 1 else sheet


def square(count: int) -> int:
    """Columns of a sheet of so many images that is about as wide as high."""
    return int(np.ceil(np.sqrt(count)))


def cell(shape: Shape, size: float = SIZE) -> tuple[float, float]:
    """Width and height in inches of one image in a row; long, narrow ones are stretched to be seen."""
    scale = size / max(shape[:2])
    return max(LEAST, scale * shape[1]), max(LEAST, scale * shape[0])


def stretched(shape: Shape) -> bool:
    """Whether `cell` widens an image's shorter side."""
    return LEAST * max(shape[:2]) > SIZE * min(shape[:2])


def hatch(axes: Axes, removed: np.ndarray) -> None:
    """Red strokes on white where pixels `(rows, columns)` are removed: no colour of an image could be mistaken for
    them."""
    down, right = np.nonzero(removed)
    corners = np.stack([right - 0.5, down + 0.5, right + 0.5, down - 0.5], axis=-1).reshape(-1, 2, 2)
    axes.add_collection(LineCollection(list(corners), colors=[RED], linewidths=0.7))


def draw(axes: Axes, images: Images, shape: Shape, columns: int) -> None:
    """A sheet of images in [0, 1] on these axes; removed pixels (NaN) are red, of colour images white with red
    strokes."""
    kind: dict[str, Any] = {"aspect": "auto" if stretched(shape) else "equal"}
    shown = tile(images, shape, columns)
    if shape[2] == 1:
        shades = colormaps["gray"].with_extremes(bad=RED)
        axes.imshow(np.ma.masked_invalid(shown), cmap=shades, vmin=0, vmax=1, **kind)
        return
    removed = np.asarray(np.isnan(shown).any(-1))
    axes.imshow(np.where(removed[..., None], 1.0, np.clip(shown, 0, 1)), **kind)
    if removed.any():
        hatch(axes, removed)


def sheet(images: Images, shape: Shape, title: str, caption: str = "") -> Figure:
    """Images in [0, 1] in a square, or rows of a heat map."""
    if no_images(shape):
        return heat_map({"": images}, title, "example", caption)
    figure = Figure(figsize=(7, 7))
    axes = figure.subplots()
    draw(axes, images, shape, square(len(images)))
    axes.set(xticks=[], yticks=[], title=plain(title), xlabel=plain(caption))
    return figure


def rows_of_images(
    rows: Mapping[str, Images],
    shape: Shape,
    title: str,
    columns: Sequence[str] = (),
    labels: tuple[str, str] = ("", ""),
    caption: str = "",
) -> Figure:
    """A row of images for each name; removed pixels (NaN) are marked, and where a row is shorter nothing is drawn.

    `columns` are the columns' names, `labels` what columns and rows stand for.
    """
    if no_images(shape):
        within = f"in each block {labels[0]} {', '.join(columns)} from top to bottom" if columns else ""
        return heat_map(rows, title, labels[1], "; ".join(part for part in (within, caption) if part))
    count = max(len(images) for images in rows.values())
    blank = np.full((count, int(np.prod(shape))), 0.5, np.float32)
    width, height = cell(shape)
    figure = Figure(figsize=(width * count + 3, height * len(rows) + 1))
    axes = figure.subplots()
    draw(axes, np.concatenate([np.concatenate([row, blank[len(row) :]]) for row in rows.values()]), shape, count)
    axes.set_yticks((np.arange(len(rows)) + 0.5) * (shape[0] + 1), [plain(name) for name in rows], fontsize=7)
    axes.set_xticks((np.arange(len(columns)) + 0.5) * (shape[1] + 1), [plain(name) for name in columns], fontsize=7)
    axes.set(xlabel=plain("\n".join(part for part in (labels[0], caption) if part)), ylabel=plain(labels[1]))
    axes.set_title(plain(title), fontsize=9)
    return figure


def side_by_side(columns: Mapping[str, Images], shape: Shape, title: str, across: int = 4) -> Figure:
    """The same images under each heading, e.g. original | damaged | reconstruction. Removed pixels (NaN) are marked."""
    if no_images(shape):
        return heat_map(columns, title)
    rows = -(-len(next(iter(columns.values()))) // across)
    width, height = cell(shape, 0.65)
    figure = Figure(figsize=((width * across) * len(columns), height * rows + 0.8), layout="constrained")
    for axes, (heading, images) in zip(figure.subplots(1, len(columns), squeeze=False)[0], columns.items()):
        draw(axes, images, shape, across)
        axes.set(xticks=[], yticks=[], title=plain(heading))
    figure.suptitle(plain(title))
    return figure
