"""Pictures of images: samples along a chain, filters, reconstructions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

Shape = tuple[int, int, int]  # height, width, channels


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
    """Write a PNG, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    return path


def chain(
    samples: Float[np.ndarray, "chains times pixels"], sweeps: Sequence[int], shape: Shape, title: str, path: Path
) -> Path:
    """Chains as rows, time as columns: p(v | h) after these numbers of sweeps."""
    chains, times, pixels = samples.shape
    figure = Figure(figsize=(0.7 * times + 1, 0.7 * chains + 1))
    axes = figure.subplots()
    axes.imshow(tile(samples.reshape(-1, pixels), shape, times), cmap="gray", vmin=0, vmax=1)
    axes.set_xticks((np.arange(times) + 0.5) * (shape[1] + 1), [str(s) for s in sweeps])
    axes.set_yticks((np.arange(chains) + 0.5) * (shape[0] + 1), [str(c + 1) for c in range(chains)])
    axes.set(xlabel="sweeps", ylabel="chain", title=title)
    return save(figure, path)


def strongest(weights: Float[np.ndarray, "visible hidden"], count: int) -> Int[np.ndarray, " units"]:
    """The hidden units whose weights have the largest norm, largest first."""
    return np.argsort(-np.linalg.norm(weights, axis=0))[:count]


def own_scale(weights: Float[np.ndarray, "visible units"]) -> Float[np.ndarray, "units visible"]:
    """Each unit's weights over their largest magnitude, a row a unit."""
    return (weights / np.maximum(np.abs(weights).max(0), 1e-12)).T


def filters(
    weights: Float[np.ndarray, "visible hidden"], shape: Shape, title: str, path: Path, count: int = 64
) -> Path:
    """Weights of the hidden units with the largest norm, each on its own scale around zero."""
    chosen = own_scale(weights[:, strongest(weights, count)])
    colour = shape[2] > 1
    figure = Figure(figsize=(7, 7))
    axes = figure.subplots()
    sheet = tile(chosen, shape, square(len(chosen)), border=0.0)
    picture = axes.imshow((sheet + 1) / 2 if colour else sheet, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set(
        xticks=[], yticks=[], title=title, xlabel=f"the {len(chosen)} strongest of {weights.shape[1]} hidden units"
    )
    if not colour:
        figure.colorbar(picture, ax=axes, shrink=0.8, label="weight / largest weight of the unit")
    return save(figure, path)


def square(count: int) -> int:
    """Columns of a sheet of so many images that is about as wide as high."""
    return int(np.ceil(np.sqrt(count)))


def sheet(images: Float[np.ndarray, "n pixels"], shape: Shape, title: str, caption: str, path: Path) -> Path:
    """Images in [0, 1] in a square."""
    figure = Figure(figsize=(7, 7))
    axes = figure.subplots()
    axes.imshow(tile(images, shape, square(len(images))), cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[], title=title, xlabel=caption)
    return save(figure, path)


def side_by_side(columns: dict[str, Float[np.ndarray, "images pixels"]], shape: Shape, title: str, path: Path) -> Path:
    """The same images under each heading, e.g. original | damaged | reconstruction. NaN pixels are shown in red."""
    sheets = []
    for images in columns.values():
        grey = np.nan_to_num(images, nan=0.5)
        rgb = np.repeat(grey.reshape(len(images), -1, shape[2]), 3 // shape[2], axis=2)
        rgb[np.isnan(images).reshape(len(images), -1, shape[2]).any(2)] = (0.8, 0.2, 0.2)
        sheets.append(tile(rgb.reshape(len(images), -1), (shape[0], shape[1], 3), 4))
    rows = -(-len(next(iter(columns.values()))) // 4)
    figure = Figure(figsize=(2.6 * len(sheets), 0.65 * rows + 0.8), layout="constrained")
    for axes, sheet, heading in zip(np.atleast_1d(figure.subplots(1, len(sheets))), sheets, columns):
        axes.imshow(np.clip(sheet, 0, 1))
        axes.set(xticks=[], yticks=[], title=heading)
    figure.suptitle(title)
    return save(figure, path)
