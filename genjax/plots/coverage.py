"""Pictures of what samples cover: samples by class, shares of the classes, samples beside what they resemble most."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from genjax.plots.images import Shape, tile
from genjax.plots.text import plain

COLUMNS, PAIRS = 12, 10  # samples of each class, and pairs, that are shown


class Sampled(NamedTuple):
    """Samples of one model as they are shown, each one's class, and the shares `(classes,)` of the classes by name."""

    name: str
    shown: str
    """What the pixels are, such as p(v | h)."""
    pixels: Float[np.ndarray, "samples pixels"]
    classes: Int[np.ndarray, " samples"]
    shares: dict[str, Float[np.ndarray, " classes"]]
    names: tuple[str, ...] = ()
    """What the classes are called, if not by their numbers."""


def by_class(pictures: Any, bars: Any, sampled: Sampled, shape: Shape) -> None:
    """The first samples of every class on one pair of axes, the shares of the classes on the other, row by row."""
    count = len(next(iter(sampled.shares.values())))
    rows = [sampled.pixels[sampled.classes == label][:COLUMNS] for label in range(count)]
    blank = np.full((1, sampled.pixels.shape[1]), 0.5)
    filled = [np.concatenate([row, np.repeat(blank, COLUMNS - len(row), 0)]) for row in rows]
    pictures.imshow(tile(np.concatenate(filled), shape, COLUMNS), cmap="gray", vmin=0, vmax=1)
    names = [plain(name) for name in sampled.names or map(str, range(count))]
    pictures.set_yticks((np.arange(count) + 0.5) * (shape[0] + 1), names)
    pictures.set(xticks=[], ylabel="class", title=plain(f"{sampled.name}: {sampled.shown}, the first of each class"))
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
    """One model: its samples by class, and the samples most like a training image (`nearest`: both) side by side."""
    figure = Figure(figsize=(12, 5.5), layout="constrained")
    pictures, bars, pairs = figure.subplots(1, 3, width_ratios=[COLUMNS, 4, 3])
    by_class(pictures, bars, sampled, shape)
    both = np.stack(nearest, axis=1).reshape(-1, sampled.pixels.shape[1])
    pairs.imshow(tile(both, shape, 2), cmap="gray", vmin=0, vmax=1)
    pairs.set(xticks=[], yticks=[], title="closest: sample | training")
    pairs.title.set_fontsize(9)
    figure.supxlabel(plain(notes), fontsize=9)
    return figure


def compared(models: Sequence[Sampled], shape: Shape, notes: str) -> Figure:
    """Several models' samples by class, side by side."""
    figure = Figure(figsize=(8.5 * len(models), 5.5), layout="constrained")
    axes = figure.subplots(1, 2 * len(models), width_ratios=[COLUMNS, 4] * len(models))
    for number, sampled in enumerate(models):
        by_class(axes[2 * number], axes[2 * number + 1], sampled, shape)
    figure.supxlabel(plain(notes), fontsize=9)
    return figure
