"""`genjax latent RUN`: pictures of the latent space of a trained autoencoder or generator."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy.special import ndtri

from genjax.cli.blocks import in_blocks
from genjax.cli.options import OpenOptions, parse, positive, say
from genjax.cli.places import Missing
from genjax.cli.run import Run, fixed_batches, opened
from genjax.cli.sample import TRAINING, chosen_label, class_names
from genjax.cli.writing import refuse_file, refuse_run_folder, write_arrays
from genjax.errors import UserError
from genjax.evaluation import latent as walks
from genjax.evaluation.latent import LatentSpace, spherical
from genjax.plots import grids, images, latent
from genjax.typing import Batch

SIDE, STEPS = 20, 9  # images along a side of the plane, and along a traversal
TRAVERSED = 10  # directions of a generator that are shown
ALONG = "along the principal directions of the generator's first layer"


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions):
    """Picture a latent space: plane, traversals and interpolations; of a generator neighbourhoods, of an autoencoder a
    map of codes and reconstructions."""

    images: int = 2000
    """Test images on the map of codes."""
    map: Literal["tsne", "pca"] = "tsne"
    """How codes of more than two units come into the plane: t-SNE, or their principal components."""
    axes: tuple[int, int] | None = None
    """The two latents of the plane, from 0 (by default the two most active)."""
    label: str | None = None
    """Of a conditional model: the class of plane and traversals (by default 0)."""
    seed: int = 0
    """Of t-SNE, and of the latents of a generator."""
    out: str | None = None
    """An .npz for codes (images x units) and labels of those test images."""
    overwrite: bool = False
    """Replace --out where it exists."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax latent`."""
    options = parse(Options, arguments, "genjax latent")
    positive(options, "images")
    if options.out is not None:
        refuse_file(Path(options.out), "--out", ".npz", options.overwrite)
    run = opened(options)
    if run.family.latent is None and run.family.decoder is None:
        raise UserError(f"A {run.model} has no latent space to picture.")
    refuse_run_folder(run.folder)
    label = chosen_label(run, options.label)
    if label == "all":
        raise UserError("--label all: pictures of a latent space are of one label; name it.")
    pictures, result = draw(run, options, label or 0)
    result |= {"figures": [str(path) for path in pictures]}
    return result, "\n".join(result["figures"])


def draw(run: Run, options: Options, label: int = 0) -> tuple[list[Path], dict[str, Any]]:
    """All pictures into the run's figures/; their paths, and what was measured."""
    space, test = space_of(run)
    one = np.asarray(space.condition(jnp.full(1, label)))
    if space.encode is None and (options.out or options.axes):
        raise UserError("--out and --axes are of images' codes, and here there are none; leave them out.")
    if test is None:
        return draw_walks(run, space, one, options.seed), {"units": len(space.centre)}
    return draw_codes(run, space, Batch(test.x[: options.images], test.label[: options.images]), one, options)


def space_of(run: Run) -> tuple[LatentSpace, Batch | None]:
    """The latent space and test images; of a generator, and of what is one without its data, the space alone."""
    family = run.family
    if family.latent is None:
        assert family.decoder is not None
        return family.decoder(run.state), None
    try:
        train, test = fixed_batches(run)
    except Missing as missing:
        if family.decoder is None:
            raise
        say(f"{missing} Without them only what is made of latents can be pictured.")
        return family.decoder(run.state), None
    return family.latent(run.state, Batch(train.x[:TRAINING], train.label[:TRAINING])), test


def draw_walks(run: Run, space: LatentSpace, one: np.ndarray, seed: int) -> list[Path]:
    """Pictures of a space from which images are only made."""
    units, name, shape = len(space.centre), run.folder.name, run.shape
    if space.directions is None:
        directions, along, axes = np.eye(units), "along its coordinates", ("latent 0", "latent 1")
    else:
        directions, along = space.directions, ALONG
        axes = ("coordinate along the strongest direction", "along the second")

    def rng() -> np.random.Generator:
        return np.random.default_rng(seed)

    def made(z: np.ndarray) -> np.ndarray:
        flat = z.reshape(-1, units)
        return in_blocks(space.decode, flat, np.repeat(one, len(flat), 0)).reshape(*z.shape[:2], -1)

    def rows(walk: walks.Walk, title: str) -> Figure:
        return grids.rows_of_images(dict(zip(walk.names, made(walk.z))), shape, f"{name}: {title}")

    figures = {"interpolation": rows(walks.interpolation(rng(), units), "from one latent to another")}
    strongest, values = directions[:TRAVERSED], walks.coordinates(units)
    pixels, names = made(walks.traversals(rng(), strongest, values)), [str(n + 1) for n in range(len(strongest))]
    unit, title = "coordinate along the direction", f"{name}: one latent {along}"
    figures["traversals"] = latent.traversals(pixels, names, tuple(values), unit, shape, title)
    if units > 1:
        values = walks.coordinates(units, ways=2)
        pixels, values = made(walks.plane(rng(), directions[:2], values)), tuple(values)
        figures["plane"] = latent.plane(pixels, (values, values), axes, shape, f"{name}: a plane {along}")
    title = "ever further from one latent, by this share of noise"
    figures["neighbourhoods"] = rows(walks.neighbourhoods(rng(), units), title)
    folder = run.folder / "figures"
    return [images.save(figure, folder / f"latent-{what}.png") for what, figure in figures.items()]


def draw_codes(
    run: Run, space: LatentSpace, test: Batch, one: np.ndarray, options: Options
) -> tuple[list[Path], dict[str, Any]]:
    """Pictures of a space into which images go, and from which they come."""
    assert space.encode is not None
    assert space.reconstruct is not None
    given = space.condition(test.label)
    codes = in_blocks(space.encode, test.x, given)
    folder, name, shape = run.folder / "figures", run.folder.name, run.shape
    again = space.reconstruct(test.x[:32], given[:32])
    columns = {"original": np.asarray(test.x[:32]), "reconstruction": np.asarray(again)}
    title = f"{name}: test images and their reconstructions"
    labels = np.asarray(test.label)
    classes = class_names(run, int(labels.max(initial=-1)) + 1)
    figures = {
        "reconstructions": images.side_by_side(columns, shape, title),
        "map": picture_map(codes, labels, options, name, classes),
        "interpolations": picture_interpolations(space, test, codes, shape, name),
        "traversals": picture_traversals(space, one, shape, name),
    }
    for number, lower in enumerate(space.below, 1):
        figures[f"traversals-{number}"] = picture_traversals(lower, one, shape, f"{name}, layer {number}")
    if len(space.centre) > 1:
        figures["plane"] = picture_plane(space, one, options, shape, name)
    found = [images.save(figure, folder / f"latent-{what}.png") for what, figure in figures.items()]
    result: dict[str, Any] = {"units": len(space.centre), "activity": [float(a) for a in space.activity]}
    if options.out is not None:
        arrays = {"codes": codes, "labels": labels}
        result["out"] = str(write_arrays(Path(options.out), arrays, "--out", options.overwrite))
    return found, result


def picture_map(codes: np.ndarray, labels: np.ndarray, options: Options, name: str, classes: list[str]) -> Figure:
    """Codes of test images, as they are where they have two units."""
    points, axes = codes[:, :2], ("latent 0", "latent 1")
    spread = np.ptp(codes, 0).max() > 0 and len(codes) > 3  # otherwise there is no plane to be found
    if codes.shape[1] == 1:
        points = np.concatenate([codes, np.random.default_rng(0).normal(size=codes.shape)], 1)
        axes = ("latent 0", "at random")
    elif codes.shape[1] > 2 and spread and options.map == "pca":
        centred = codes - codes.mean(0)
        points = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
        axes = ("first principal component", "second")
    elif codes.shape[1] > 2 and spread:
        from sklearn.manifold import TSNE  # slow to import

        perplexity = min(30.0, (len(codes) - 1) / 3)
        points = TSNE(2, perplexity=perplexity, init="pca", random_state=options.seed).fit_transform(codes)
        axes = ("t-SNE 1", "t-SNE 2")
    title = f"{name}: codes of {len(codes)} test images ({codes.shape[1]} units)"
    return latent.code_map(np.asarray(points), labels, axes, title, classes)


def picture_interpolations(space: LatentSpace, test: Batch, codes: np.ndarray, shape: Any, name: str) -> Figure:
    """Between test images of neighbouring numbers: the images at both ends, codes between them on lines and circles."""
    shares, rows = np.linspace(0, 1, STEPS), {}
    given = np.asarray(space.condition(test.label))
    for pair in range(min(4, len(codes) // 2)):
        a, b = 2 * pair, 2 * pair + 1
        label = np.stack([(1 - s) * given[a] + s * given[b] for s in shares])
        ways = {
            "linear": np.stack([(1 - s) * codes[a] + s * codes[b] for s in shares]),
            "spherical": space.centre
            + np.stack([spherical(codes[a] - space.centre, codes[b] - space.centre, s) for s in shares]),
        }
        for way, path_of_codes in ways.items():
            between = np.asarray(space.decode(jnp.asarray(path_of_codes, jnp.float32), jnp.asarray(label)))
            rows[f"{pair + 1} {way}"] = np.concatenate([test.x[a : a + 1], np.clip(between, 0, 1), test.x[b : b + 1]])
    title = f"{name}: between two test images (first and last column)"
    return grids.rows_of_images(rows or {"": np.asarray(test.x[:1])}, shape, title)


def picture_traversals(space: LatentSpace, given: np.ndarray, shape: Any, name: str) -> Figure:
    """Every latent from its 2.5 % to its 97.5 % quantile, the others at their centre, the most active first."""
    order = np.argsort(-space.activity)
    steps = ndtri(np.linspace(0.025, 0.975, STEPS))
    codes = np.repeat(np.tile(space.centre, (len(order), 1))[:, None], STEPS, 1).astype(np.float32)
    for row, unit in enumerate(order):
        codes[row, :, unit] += space.spread[unit] * steps
    flat = codes.reshape(-1, codes.shape[-1])
    pixels = in_blocks(space.decode, flat, np.repeat(given, len(flat), 0)).reshape(len(order), STEPS, -1)
    names = [f"{unit} ({space.activity[unit]:.2g})" for unit in order]
    title = f"{name}: each latent from its 2.5 to its 97.5 % quantile; in brackets its activity, most active first"
    unit = "standard deviations from the centre"
    return latent.traversals(pixels, names, tuple(steps), unit, shape, title)


def picture_plane(space: LatentSpace, given: np.ndarray, options: Options, shape: Any, name: str) -> Figure:
    """A grid over two latents at equally spaced quantiles of the Gaussian, the others at their centre."""
    units = len(space.centre)
    first, second = options.axes or np.argsort(-space.activity)[:2]
    if not (0 <= first < units and 0 <= second < units and first != second):
        raise UserError(f"--axes {first} {second}: name two different latents from 0 to {units - 1}.")
    steps = ndtri((np.arange(SIDE) + 0.5) / SIDE)
    codes = np.tile(space.centre, (SIDE * SIDE, 1)).astype(np.float32)
    across, up = np.meshgrid(steps, steps)
    codes[:, first] += space.spread[first] * across.ravel()
    codes[:, second] += space.spread[second] * up.ravel()
    pixels = in_blocks(space.decode, codes, np.repeat(given, len(codes), 0)).reshape(SIDE, SIDE, -1)
    values = tuple(list(space.centre[u] + space.spread[u] * steps) for u in (first, second))
    title = f"{name}: two latents, at values of equal probability"
    return latent.plane(pixels, (values[0], values[1]), (f"latent {first}", f"latent {second}"), shape, title)
