"""`genjax filters RUN`: what the units of every layer stand for, as pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Array, Key
from matplotlib.figure import Figure

from genjax import random
from genjax.cli.options import OpenOptions, parse, positive
from genjax.cli.run import Run, opened
from genjax.cli.sample import class_names, classes
from genjax.cli.writing import refuse_run_folder
from genjax.errors import UserError
from genjax.plots import images


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions):
    """Picture the strongest units of every layer: their weights to the pixels (those of higher layers through the
    layers between), and from the second layer on the images that drive them most, found by gradient ascent."""

    units: int = 64
    """How many of each layer."""
    seed: int = 0
    """Of the images from which gradient ascent starts."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax filters`."""
    options = parse(Options, arguments, "genjax filters")
    positive(options, "units")
    run = opened(options)
    if run.family.filters is None:
        raise UserError(f"A {run.model} has no filters to picture.")
    refuse_run_folder(run.folder)
    written = [str(path) for path in draw(run, options.units, options.seed)]
    return {"figures": written}, "\n".join(written)


def draw(run: Run, count: int, seed: int) -> list[Path]:
    """filters-1.png, filters-2.png, maxima-2.png, ... of the `count` strongest units of each layer; the paths.

    Labels on top are shown all, in their order and by their names.
    """
    assert run.family.filters is not None
    key = random.key(seed, run.config.rng)
    target, name, shape = run.folder / "figures", run.folder.name, run.shape
    written, labels = [], class_names(run, classes(run))
    layers = run.family.filters(run.state)
    for layer, weights in enumerate(layers, 1):
        names = labels if layer == len(layers) else []  # labels lie on top of all other layers
        figure = weights_of(layer, weights, names, shape, name, count)
        written.append(images.save(figure, target / f"filters-{layer}.png"))
        if layer == 1 or run.family.maxima is None:
            continue
        units = np.arange(len(names)) if names else images.strongest(weights, count)
        found = run.family.maxima(key, run.state, layer, units, brightness(run, key))
        if found is not None:
            figure = maxima_of(layer, found, names, shape, name)
            written.append(images.save(figure, target / f"maxima-{layer}.png"))
    return written


def weights_of(layer: int, weights: np.ndarray, names: list[str], shape: Any, run: str, count: int) -> Figure:
    """The weights of one layer to the pixels: of the strongest units, or of every label by its name."""
    below = ", through the layers below" if layer > 1 else ""
    if names:
        return images.label_weights(weights, names, shape, f"{run}: label weights{below}")
    return images.filters(weights, shape, f"{run}: weights of layer {layer}{below}", count)


def maxima_of(layer: int, found: np.ndarray, names: list[str], shape: Any, run: str) -> Figure:
    """The images that drive the units, or labels, most."""
    brightness = "no brighter than samples are"
    if names:
        return images.named(found, names, shape, f"{run}: images that drive each label most", brightness)
    caption = f"the same {len(found)} units as in filters-{layer}.png; {brightness}"
    return images.sheet(found, shape, f"{run}: images that drive units of layer {layer} most", caption)


def brightness(run: Run, key: Key[Array, ""]) -> float:
    """The mean euclidean norm of the model's own expected images, which no image that drives a unit may exceed."""
    assert run.family.sample is not None
    pixels, _ = run.family.sample(key, run.state, 100, [100])
    return float(np.linalg.norm(pixels[:, 0], axis=-1).mean())
