"""Reconstruction: which values are missing, and how far from the truth they are filled in.

missing = missing_mask(region("top:10"), shape, count, seed)
filled = fill(reconstruct, truth, missing)
errors(truth, filled, missing, mean)
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float

from genjax.errors import UserError
from genjax.likelihood.estimate import mean_over_examples
from genjax.typing import Batch, Estimate

FORMS = "top:N, middle:N or bottom:N (rows), rows:A-B (from 0), or random:SHARE"
LEAST = 1e-4  # probability that a filled pixel is given at least, so that a wrong one costs finitely many nats
BLOCK = 500  # examples at once


class Region(NamedTuple):
    """Which part of an image is missing: a kind of `FORMS` and its numbers."""

    kind: str
    first: float
    last: float


def region(text: str) -> Region:
    """Read a region, such as top:10, rows:5-14 or random:0.3. Raises `UserError` for another form."""
    rows = re.fullmatch(r"(top|middle|bottom):(\d+)", text)
    span = re.fullmatch(r"rows:(\d+)-(\d+)", text)
    share = re.fullmatch(r"random:(\d*\.?\d+)", text)
    if rows and int(rows[2]) > 0:
        return Region(rows[1], 0, int(rows[2]))
    if span and int(span[1]) <= int(span[2]):
        return Region("rows", int(span[1]), int(span[2]))
    if share and 0 < float(share[1]) < 1:
        return Region("random", 0, float(share[1]))
    raise UserError(f"`remove` {text} is none of the known forms; give {FORMS} between 0 and 1.")


def missing_mask(
    region: Region, shape: tuple[int, int, int], count: int, seed: int = 0
) -> Bool[np.ndarray, "count values"]:
    """Which values of `count` images are missing; with random regions all channels of a pixel, others each time.

    Raises `UserError` where the images have too few rows, or where nothing is missing.
    """
    height, width, channels = shape
    if region.kind == "random":
        pixels = np.random.default_rng(seed).random((count, height, width, 1)) < region.last
        if not pixels.any():
            raise UserError(f"`remove` random:{region.last:g} removes no pixel of {count} images; give a larger share.")
        return np.broadcast_to(pixels, (count, *shape)).reshape(count, -1)
    size = int(region.last)
    start = {"top": 0, "middle": (height - size) // 2, "bottom": height - size, "rows": int(region.first)}[region.kind]
    stop = size + 1 if region.kind == "rows" else start + size
    if start < 0 or stop > height or stop - start >= height:
        text = f"rows:{start}-{size}" if region.kind == "rows" else f"{region.kind}:{size}"
        raise UserError(f"`remove` {text} does not fit images of {height} rows; leave at least one row.")
    missing = np.zeros(shape, bool)
    missing[start:stop] = True
    return np.broadcast_to(missing.reshape(-1), (count, height * width * channels))


class Filled(NamedTuple):
    """Images as they are, with missing values as NaN, and with these filled in: `(images, values)`."""

    truth: Float[np.ndarray, "images values"]
    damaged: Float[np.ndarray, "images values"]
    filled: Float[np.ndarray, "images values"]


def fill(
    reconstruct: Callable[[np.ndarray, np.ndarray], Any],
    truth: Float[np.ndarray, "images values"],
    missing: Bool[np.ndarray, "images values"],
) -> Filled:
    """Missing values at their expected values given the others: `reconstruct(x, missing)`."""
    filled = np.asarray(reconstruct(truth, missing))
    return Filled(truth, np.where(missing, np.nan, truth), filled)


def errors(
    truth: Float[np.ndarray, "images values"],
    filled: Float[np.ndarray, "images values"],
    missing: Bool[np.ndarray, "images values"],
    mean: Float[np.ndarray, " values"],
) -> dict[str, Estimate]:
    """How far filled values are from the truth, means over all missing ones with standard errors over images.

    `squared_error`; of binary values also `pixel_error`, the share whose expected value is on the wrong side of one
    half, and `nats_per_pixel`, the mean of -log p(true value) under the expected values, value by value. Each again
    with `_of_mean` for the training mean, which knows nothing of the image.
    """
    found = {}
    binary = bool(np.all((truth[missing] == 0) | (truth[missing] == 1)))
    known = np.broadcast_to(mean, truth.shape)
    for suffix, guess in (("", filled), ("_of_mean", known)):
        for name, values in _errors(truth, guess.astype(np.float64), binary).items():
            sums = np.where(missing, values, 0.0).sum(1)
            found[name + suffix] = mean_over_examples(sums, "mean over missing values", missing.sum(1))
    return found


def _errors(truth: np.ndarray, guess: np.ndarray, binary: bool) -> dict[str, np.ndarray]:
    found = {"squared_error": (guess - truth) ** 2}
    if binary:
        p = np.clip(guess, LEAST, 1 - LEAST)
        found["pixel_error"] = (p > 0.5) != (truth > 0.5)
        found["nats_per_pixel"] = -np.where(truth > 0.5, np.log(p), np.log1p(-p))
    return found


def mean_metrics(
    metrics: Callable[[Batch], Mapping[str, Array]], batch: Batch, block: int = BLOCK
) -> dict[str, Estimate]:
    """Means over all examples of what `metrics(batch)` means over a batch, with their standard errors over examples.

    Such as the squared error of images that are encoded and decoded; `metrics` is traced, example by example.
    """
    of_each = jax.jit(jax.vmap(lambda example: metrics(jax.tree.map(lambda leaf: leaf[None], example))))
    blocks = [jax.tree.map(lambda leaf, i=i: leaf[i : i + block], batch) for i in range(0, len(batch.x), block)]
    each = [of_each(part) for part in blocks]
    return {
        name: mean_over_examples(np.concatenate([np.asarray(part[name]) for part in each]), "mean over examples")
        for name in each[0]
    }
