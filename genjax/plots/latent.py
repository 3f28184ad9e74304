"""Pictures of a latent space: sheets of decoded images along its axes, maps of codes, images there and back."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, Num
from matplotlib import colormaps

from genjax.plots import images as sheets
from genjax.plots.figure import Figure
from genjax.plots.heat_maps import Shape, heat_map, no_images
from genjax.plots.text import plain

Values = Sequence[float | int] | Num[np.ndarray, " _"]
Projection = Literal["tsne", "pca"]


def plane(
    images: Float[np.ndarray, "rows columns pixels"],
    values: tuple[Values, Values],
    names: tuple[str, str],
    shape: Shape,
    title: str,
) -> Figure:
    """A grid over two latents, the first along x; `values` are theirs at the columns and, from below, at the rows."""
    rows, columns, pixels = images.shape
    if no_images(shape):
        blocks = {f"{value:.2g}": block for value, block in zip(values[1], images)}
        return heat_map(blocks, title, names[1], within(names[0], values[0]))
    width, height = sheets.cell(shape, 0.45)
    figure = Figure(figsize=(width * columns + 1, height * rows + 1), layout="constrained")
    axes = figure.subplots()
    sheets.draw(axes, np.clip(images[::-1], 0, 1).reshape(-1, pixels), shape, columns)
    for ticks, labels, count, side in (
        (axes.set_xticks, values[0], columns, shape[1]),
        (axes.set_yticks, values[1][::-1], rows, shape[0]),
    ):
        places = np.arange(0, count, max(1, count // 8))
        ticks((places + 0.5) * (side + 1), [f"{labels[p]:.2g}" for p in places], fontsize=7)
    axes.set(xlabel=plain(names[0]), ylabel=plain(names[1]))
    axes.set_title(plain(title), fontsize=9)
    return figure


def within(name: str, values: Values) -> str:
    """What the rows of one block of a heat map are."""
    return f"in each block {name} from {values[0]:.2g} (top) to {values[-1]:.2g}"


def traversals(
    images: Float[np.ndarray, "latents steps pixels"],
    names: Sequence[str],
    values: Values,
    unit: str,
    shape: Shape,
    title: str,
    rows: int = 50,
) -> Figure:
    """A strip of images for each latent, whose `values` along x are in this unit; above `rows` of them in several
    columns."""
    latents, steps, pixels = images.shape
    if no_images(shape):
        return heat_map(dict(zip(names, images)), title, "latent", within(unit, values))
    blocks = -(-latents // rows)
    rows = -(-latents // blocks)
    padded = np.full((blocks * rows, steps, pixels), 0.5, np.float32)
    padded[:latents] = np.clip(images, 0, 1)
    width, height = sheets.cell(shape, 0.32)
    figure = Figure(figsize=(blocks * (width * steps + 0.9), height * rows + 1), layout="constrained")
    places = np.unique(np.linspace(0, steps - 1, min(steps, 5)).round().astype(int))
    for number, axes in enumerate(figure.subplots(1, blocks, squeeze=False).ravel()):
        here = slice(number * rows, (number + 1) * rows)
        sheets.draw(axes, padded[here].reshape(-1, pixels), shape, steps)
        labels = [plain(name) for name in names[here]]
        axes.set_yticks((np.arange(len(labels)) + 0.5) * (shape[0] + 1), labels, fontsize=6)
        axes.set_xticks((places + 0.5) * (shape[1] + 1), [f"{values[p]:.2g}" for p in places], fontsize=6)
    figure.supxlabel(plain(unit), fontsize=7)
    figure.suptitle(plain(title), fontsize=9)
    return figure


def interpolations(
    ends: Float[np.ndarray, "pairs 2 pixels"],
    paths: Mapping[str, Float[np.ndarray, "pairs steps pixels"]],
    shape: Shape,
    title: str,
) -> Figure:
    """Between two images a row for each path, e.g. `linear` and `spherical`: the images themselves at both ends."""
    rows = {}
    for pair, (first, last) in enumerate(ends):
        for name, decoded in paths.items():
            rows[f"{pair + 1} {name}"] = np.concatenate([first[None], np.clip(decoded[pair], 0, 1), last[None]])
    steps = next(iter(paths.values())).shape[1]
    columns = ["image", *(f"{share:.2g}" for share in np.linspace(0, 1, steps)), "image"]
    return sheets.rows_of_images(rows, shape, title, columns, ("share of the way", "pair and path"))


def latent_interpolations(images: Float[np.ndarray, "rows steps pixels"], shape: Shape, title: str) -> Figure:
    """From one latent to another in each row."""
    rows = {str(number): np.clip(row, 0, 1) for number, row in enumerate(images, 1)}
    columns = [f"{share:.2g}" for share in np.linspace(0, 1, images.shape[1])]
    return sheets.rows_of_images(rows, shape, title, columns, ("share of the way", "pair"))


def neighbourhoods(
    images: Float[np.ndarray, "radii neighbours pixels"], radii: Values, shape: Shape, title: str
) -> Figure:
    """Images of neighbours of one latent, a row for each share of noise (0: the latent itself, 1: nothing left)."""
    rows = {f"{radius:g}": np.clip(row, 0, 1) for radius, row in zip(radii, images)}
    return sheets.rows_of_images(rows, shape, title, labels=("neighbours", "share of noise"))


def project(
    codes: Float[np.ndarray, "images units"], method: Projection = "tsne", seed: int = 0
) -> tuple[Float[np.ndarray, "images 2"], tuple[str, str]]:
    """Codes in the plane, as they are where they have two units; and the names of the plane's axes.

    One unit is drawn against chance. Of more, t-SNE (van der Maaten and Hinton 2008) or the first two principal
    components; codes that are all alike, or fewer than four, are shown by their first two units.
    """
    if codes.shape[1] == 1:
        noise = np.random.default_rng(seed).normal(size=codes.shape)
        return np.concatenate([codes, noise], 1), ("latent 0", "at random")
    if codes.shape[1] == 2 or len(codes) < 4 or np.ptp(codes, 0).max() == 0:
        return codes[:, :2], ("latent 0", "latent 1")
    if method == "pca":
        centred = codes - codes.mean(0)
        axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
        return centred @ axes.T, ("first principal component", "second principal component")
    from sklearn.manifold import TSNE  # slow to import

    perplexity = min(30.0, (len(codes) - 1) / 3)
    points = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(codes)
    return np.asarray(points), ("t-SNE 1", "t-SNE 2")


def code_map(
    points: Float[np.ndarray, "images 2"],
    labels: Int[np.ndarray, " images"],
    names: tuple[str, str],
    title: str,
    classes: Sequence[str] = (),
) -> Figure:
    """Codes in the plane, coloured by class, `classes` their names; grey where there are no labels (-1)."""
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


def reconstructions(
    original: Float[np.ndarray, "images pixels"],
    reconstruction: Float[np.ndarray, "images pixels"],
    shape: Shape,
    title: str,
    damaged: Float[np.ndarray, "images pixels"] | None = None,
) -> Figure:
    """The same images before and after; between them, where pixels were removed, what was left (NaN: red); last how far
    the one is from the other (white: wrong)."""
    middle = {} if damaged is None else {"damaged": damaged}
    wrong = np.abs(np.clip(reconstruction, 0, 1) - np.clip(original, 0, 1))
    columns = {"original": original, **middle, "reconstruction": reconstruction, "error (white: 1)": wrong}
    return sheets.side_by_side(columns, shape, title)
