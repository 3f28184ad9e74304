"""Heat maps of examples that are no images: a row an example, a column a value, as wide as the figure allows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from genjax.plots.figure import Figure
from genjax.plots.text import plain

Shape = tuple[int, int, int]  # height, width, channels
Blocks = Mapping[str, Float[np.ndarray, "rows values"]]
RED = (0.8, 0.2, 0.2)  # of removed values
ROW, TICK = 0.16, 0.14  # inches of a row where there is room, and that a name takes
HIGHEST, WIDEST = 12.0, 14.0  # inches


def no_images(shape: Shape) -> bool:
    """Whether examples of this shape are plain rows of values, which as images would be one pixel high."""
    return min(shape[:2]) == 1 and shape[2] == 1


def limits(blocks: Blocks) -> tuple[float, float]:
    """0 to 1 where all values lie there, otherwise from the lowest to the highest."""
    values = np.concatenate([np.ravel(rows) for rows in blocks.values()])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def draw_blocks(axes: Axes, blocks: Blocks, height: float, signed: bool = False) -> AxesImage:
    """Rows of one name stand together, a line between the blocks; as many names as `height` inches have room for.

    Removed values (NaN) are red. `signed`: values in [-1, 1], white at zero.
    """
    rows = np.concatenate([np.reshape(block, (-1, block.shape[-1])) for block in blocks.values()])
    low, high = (-1.0, 1.0) if signed else limits(blocks)
    shades = colormaps["RdBu_r" if signed else "gray"].with_extremes(bad=RED)
    kind: dict[str, Any] = {"cmap": shades, "vmin": low, "vmax": high, "aspect": "auto", "interpolation": "nearest"}
    picture = axes.imshow(np.ma.masked_invalid(rows), **kind)
    sizes = np.array([len(block) for block in blocks.values()])
    ends = np.cumsum(sizes)
    if sizes.max() > 1:
        for end in ends[:-1]:
            axes.axhline(end - 0.5, color="C1", linewidth=1.5)
    every = max(1, int(np.ceil(len(sizes) * TICK / height)))
    named = [(end - (size + 1) / 2, plain(name)) for end, size, name in zip(ends, sizes, blocks) if name]
    axes.set_yticks([place for place, _ in named[::every]], [name for _, name in named[::every]], fontsize=7)
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    axes.tick_params("x", labelsize=7)
    return picture


def heat_map(
    blocks: Blocks, title: str, label: str = "", caption: str = "", signed: bool = False, scale: str = "value"
) -> Figure:
    """All blocks below each other: `label` says what their names are, `scale` what the colours are."""
    rows, values = sum(len(block) for block in blocks.values()), next(iter(blocks.values())).shape[-1]
    height = min(HIGHEST, max(1.0, ROW * rows))
    width = min(WIDEST, max(4.0, ROW * values))
    figure = Figure(figsize=(width + 2, height + 1), layout="constrained")
    axes = figure.subplots()
    picture = draw_blocks(axes, blocks, height, signed)
    axes.set(xlabel="number of the value", ylabel=plain(label))
    axes.set_title(plain(title), fontsize=9)
    figure.colorbar(picture, ax=axes, label=plain(scale), fraction=0.05, pad=0.02)
    figure.supxlabel(plain(caption), fontsize=8)
    return figure
