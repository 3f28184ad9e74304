"""Pictures of what samples cover: samples by the class that a classifier gives them, shares of the classes, and samples
beside the training examples that they resemble most."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes

from genjax.plots import images
from genjax.plots.figure import Figure
from genjax.plots.heat_maps import Shape, draw_blocks, no_images
from genjax.plots.text import plain

COLUMNS, PAIRS = 12, 10  # samples of each class, and pairs, that are shown
HEIGHT = 5.5  # inches


class Sampled(NamedTuple):
    """Samples of one model, the class that a classifier gives each, and shares of the classes `(classes,)` by name."""

    name: str
    shown: str
    """What the pixels are, such as p(v | h)."""
    pixels: Float[np.ndarray, "samples pixels"]
    classes: Int[np.ndarray, " samples"]
    shares: dict[str, Float[np.ndarray, " classes"]]
    names: tuple[str, ...] = ()
    """What the classes are called, if not by their numbers."""


def by_class(pictures: Axes, bars: Axes, sampled: Sampled, shape: Shape) -> None:
    """The first samples of every class on one pair of axes, the shares of the classes on the other, row by row."""
    count = len(next(iter(sampled.shares.values())))
    names = [plain(name) for name in sampled.names or map(str, range(count))]
    blank = np.full((COLUMNS, sampled.pixels.shape[1]), 0.5)
    rows = [sampled.pixels[sampled.classes == label][:COLUMNS] for label in range(count)]
    rows = [np.concatenate([row, blank[len(row) :]]) for row in rows]
    if no_images(shape):
        draw_blocks(pictures, dict(zip(sampled.names or map(str, range(count)), rows)), HEIGHT)
    else:
        images.draw(pictures, np.concatenate(rows), shape, COLUMNS)
        pictures.set(xticks=[])
        pictures.set_yticks((np.arange(count) + 0.5) * (shape[0] + 1), names)
    pictures.set(ylabel="class", title=plain(f"{sampled.name}: {sampled.shown}, the first of each class"))
    width = 0.8 / len(sampled.shares)
    for number, (name, shares) in enumerate(sampled.shares.items()):
        bars.barh(np.arange(count) + (number + 0.5) * width - 0.4, 100 * shares, width, label=plain(name))
    bars.set_yticks(range(count), names)
    bars.set(ylim=(count - 0.5, -0.5), xlabel="share (%)", title="classes")
    bars.legend(fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1.06), ncols=3)


def coverage(
    sampled: Sampled,
    nearest: tuple[Float[np.ndarray, "pairs pixels"], Float[np.ndarray, "pairs pixels"]],
    shape: Shape,
    notes: str,
) -> Figure:
    """One model: its samples by class, and the samples most like a training example (`nearest`: both) side by side."""
    figure = Figure(figsize=(12, HEIGHT), layout="constrained")
    pictures, bars, pairs = figure.subplots(1, 3, width_ratios=[COLUMNS, 4, 3])
    by_class(pictures, bars, sampled, shape)
    both = np.stack(nearest, axis=1)
    if no_images(shape):
        draw_blocks(pairs, {str(number): pair for number, pair in enumerate(both, 1)}, HEIGHT)
        pairs.set(title="closest: sample, training")
    else:
        images.draw(pairs, both.reshape(-1, sampled.pixels.shape[1]), shape, 2)
        pairs.set(xticks=[], yticks=[], title="closest: sample | training")
    pairs.title.set_fontsize(9)
    figure.supxlabel(plain(notes), fontsize=9)
    return figure


def compared(models: Sequence[Sampled], shape: Shape, notes: str) -> Figure:
    """Several models' samples by class, side by side."""
    figure = Figure(figsize=(8.5 * len(models), HEIGHT), layout="constrained")
    axes = figure.subplots(1, 2 * len(models), width_ratios=[COLUMNS, 4] * len(models))
    for number, sampled in enumerate(models):
        by_class(axes[2 * number], axes[2 * number + 1], sampled, shape)
    figure.supxlabel(plain(notes), fontsize=9)
    return figure
