"""What units stand for: their weights to the pixels, and the images that activate them most."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib import colormaps
from matplotlib.image import AxesImage

from genjax.plots import images
from genjax.plots.figure import Figure
from genjax.plots.heat_maps import Shape, heat_map, no_images
from genjax.plots.text import plain

SIGNED = colormaps["RdBu_r"].with_extremes(bad="0.6")
GREY: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 1}
SCALE = "weight / largest weight of the "


def strongest(
    weights: Float[np.ndarray, "visible hidden"], count: int, spread: Float[np.ndarray, " visible"] | None = None
) -> Int[np.ndarray, " units"]:
    """The hidden units that the data move most, first the one that they move most: by the norm of its weights, each
    times its value's standard deviation, the `spread`. Without it the largest weights win, and of handwritten digits
    those are at the border, where there is never any ink."""
    scaled = weights if spread is None else weights * spread[:, None]
    return np.argsort(-np.linalg.norm(scaled, axis=0), kind="stable")[:count]


def own_scale(weights: Float[np.ndarray, "visible units"]) -> Float[np.ndarray, "units visible"]:
    """Each unit's weights over their largest magnitude, a row a unit."""
    return (weights / np.maximum(np.abs(weights).max(0), 1e-12)).T


def cropped(
    weights: Float[np.ndarray, "visible units"], shape: Shape
) -> tuple[Float[np.ndarray, "pixels units"], Shape]:
    """The rows and columns of pixels in which any unit has a weight, and their shape: small filters are seen large."""
    pictures = weights.T.reshape(-1, *shape)
    used = np.any(pictures != 0, axis=(0, 3))
    if not used.any():
        return weights, shape
    (top, bottom), (left, right) = (np.flatnonzero(used.any(axis))[[0, -1]] for axis in (1, 0))
    inside = pictures[:, top : bottom + 1, left : right + 1]
    return inside.reshape(len(inside), -1).T, (inside.shape[1], inside.shape[2], shape[2])


def layers(
    weights: Sequence[Float[np.ndarray, "visible _"]],
    shape: Shape,
    name: str,
    count: int = 64,
    labels: Sequence[str] = (),
    activating: Mapping[int, Float[np.ndarray, "_ visible"]] | None = None,
    spread: Float[np.ndarray, " visible"] | None = None,
) -> dict[str, Figure]:
    """All figures of a model's units, `filters-1`, `filters-2`, `maxima-2`, ..., `name` the run's.

    `weights` are each layer's to the pixels, those of higher layers through the layers below. `labels` name the units
    of the highest layer where it is one of labels; of other layers the `count` strongest units are shown, by their
    weights and the `spread` of the values. `activating` holds, by the layer's number from 1, the images that activate
    those same units most.
    """
    figures = {}
    for number, of_layer in enumerate(weights, 1):
        names = labels if number == len(weights) else ()
        below = ", through the layers below" if number > 1 else ""
        if names:
            figures[f"filters-{number}"] = label_weights(of_layer, names, shape, f"{name}: label weights{below}")
        else:
            title = f"{name}: weights of layer {number}{below}"
            figures[f"filters-{number}"] = filters(of_layer, shape, title, count, spread)
        if activating and number in activating:
            what = "each label" if names else f"units of layer {number}"
            title = f"{name}: images that activate {what} most"
            same = "" if names else f"the same {len(activating[number])} units as in filters-{number}.png; "
            caption = f"{same}brightness limited to that of samples"
            figures[f"maxima-{number}"] = maxima(activating[number], shape, title, caption, names)
    return figures


def filters(
    weights: Float[np.ndarray, "visible hidden"],
    shape: Shape,
    title: str,
    count: int = 64,
    spread: Float[np.ndarray, " visible"] | None = None,
) -> Figure:
    """Weights of the `strongest` hidden units, each on its own scale around zero."""
    units = strongest(weights, count, spread)
    if not no_images(shape):
        weights, shape = cropped(weights, shape)
    chosen = own_scale(weights[:, units])
    caption = f"the {len(units)} strongest of {weights.shape[1]} hidden units"
    caption += "" if spread is None else ": those that the data move most"
    caption = caption if len(units) < weights.shape[1] else f"all {len(units)} units"
    if no_images(shape):
        rows = {str(unit): row[None] for unit, row in zip(units, chosen)}
        return heat_map(rows, title, "number of the unit", caption, signed=True, scale=f"{SCALE}unit")
    figure = Figure(figsize=(7, 7))
    axes = figure.subplots()
    border = np.nan if shape[2] == 1 else 0.0  # grey, so that weights of zero are told from it
    picture = axes.imshow(**_signed(images.tile(chosen, shape, images.square(len(chosen)), border)))
    axes.set(xticks=[], yticks=[], title=plain(title), xlabel=caption)
    if shape[2] == 1:
        figure.colorbar(picture, ax=axes, shrink=0.8, label=f"{SCALE}unit")
    return figure


def label_weights(
    weights: Float[np.ndarray, "visible classes"], names: Sequence[str], shape: Shape, title: str
) -> Figure:
    """The weights of every label in the order of the classes, each on its own scale around zero, below its name."""
    chosen = own_scale(weights)
    if no_images(shape):
        rows = {name: row[None] for name, row in zip(names, chosen)}
        return heat_map(rows, title, "label", signed=True, scale=f"{SCALE}label")
    figure, drawn = _named([_signed(image.reshape(_flat(shape))) for image in chosen], names, title)
    if shape[2] == 1:
        axes = [picture.axes for picture in drawn]
        figure.colorbar(drawn[0], ax=axes, shrink=0.8, label=f"{SCALE}label")
    return figure


def maxima(
    activating: Float[np.ndarray, "units pixels"],
    shape: Shape,
    title: str,
    caption: str = "",
    names: Sequence[str] = (),
) -> Figure:
    """The images in [0, 1] that activate units most: each below its unit's name, or without names in a square."""
    if not names:
        return images.sheet(activating, shape, title, caption)
    if no_images(shape):
        return heat_map({name: row[None] for name, row in zip(names, activating)}, title, "label", caption)
    drawn = [np.clip(image, 0, 1).reshape(_flat(shape)) for image in activating]
    figure, _ = _named([{"X": image, **GREY} for image in drawn], names, title)
    figure.supxlabel(plain(caption), fontsize=9)
    return figure


def _flat(shape: Shape) -> tuple[int, ...]:
    """An image's shape as it is drawn: grey ones have no axis of channels."""
    return shape[:2] if shape[2] == 1 else shape


def _signed(picture: np.ndarray) -> dict[str, Any]:
    """How a picture of weights in [-1, 1] is drawn: white at zero; of colours, grey."""
    return {"X": (picture + 1) / 2 if picture.ndim == 3 else picture, "cmap": SIGNED, "vmin": -1, "vmax": 1}


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
