"""What samples cover, and what they copy: their classes by a classifier, and their nearest training images."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.special import softmax

from genjax import numerics

Rows = Float[np.ndarray, "_ pixels"] | Float[Array, "_ pixels"]
Logits = Callable[[Rows], Array | np.ndarray]
"""A classifier: images to `(images, classes)`; `genjax.evaluation.classifier.Classifier.logits`, say."""

NEIGHBOURS = 50
"""Training images around a sample, whose mean distance is the scale of its nearest one's (Carlini et al. 2023)."""
LEVEL = 0.01
"""The share of fresh images that is allowed to look like copies."""

_ROWS, _COLUMNS = 200, 5000  # samples and training images whose distances are in memory at once


CONFIDENT = 0.9
"""A classifier is confident of an image to whose class it gives at least this probability."""
COVERED = 0.2
"""A class is covered by samples that have it at least this much as often as the data have it."""


class ClassShares(NamedTuple):
    """How a classifier sorts images.

    - `classes`: the likeliest of each, `(images,)`.
    - `shares`: of the classes, `(classes,)`, and `entropy`, theirs in nats.
    - `confident`: the share of images of which it is confident: noise may be spread over all classes too.
    """

    classes: Int[np.ndarray, " images"]
    shares: Float[np.ndarray, " classes"]
    entropy: float
    confident: float


class Coverage(NamedTuple):
    """The classes of samples and of data, and the ratio of the two entropies."""

    samples: ClassShares
    data: ClassShares
    ratio: float

    @property
    def occurring(self) -> list[int]:
        """The classes that the data have."""
        return np.flatnonzero(self.data.shares).tolist()

    @property
    def missing(self) -> list[int]:
        """Those of them that samples do not cover: no sample has them, or fewer than a fifth of their share."""
        return np.flatnonzero(self.samples.shares < COVERED * self.data.shares).tolist()


def coverage(logits: Logits, samples: Rows, data: Rows) -> Coverage:
    """The classes of samples, and by the same classifier those of data (test images, binarised as samples are).

    A ratio of 1 is as much variety as the data have; one class alone has entropy 0. The ratio is NaN where all data
    are of one class.
    """
    ours, theirs = class_shares(logits, samples), class_shares(logits, data)
    return Coverage(ours, theirs, ours.entropy / theirs.entropy if theirs.entropy > 0 else np.nan)


def class_shares(logits: Logits, x: Rows) -> ClassShares:
    """Classes of images by the classifier."""
    outputs = np.asarray(logits(x))
    classes = outputs.argmax(-1)
    shares = np.bincount(classes, minlength=outputs.shape[-1]) / len(outputs)
    confident = float(np.mean(softmax(outputs, -1).max(-1) >= CONFIDENT))
    return ClassShares(classes, shares, entropy(shares), confident)


def classifier_score(logits: Logits, x: Rows) -> float:
    """exp of the mean KL(p(class | image) || p(class)), from 1 to the number of classes (Salimans et al. 2016).

    Their Inception score with a classifier of the data themselves. It is high where the classifier is confident of
    each image and all classes occur.
    """
    outputs = np.asarray(logits(x), np.float64)
    odds = np.exp(outputs - outputs.max(-1, keepdims=True))
    probabilities = odds / odds.sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = probabilities * (np.log(probabilities) - np.log(probabilities.mean(0)))
    return float(np.exp(np.nansum(terms, -1).mean()))


def entropy(shares: Float[np.ndarray, " classes"]) -> float:
    """-sum p log p, in nats; 0 log 0 is 0."""
    positive = shares[shares > 0]
    return float(-np.sum(positive * np.log(positive)) + 0.0)


class Neighbours(NamedTuple):
    """Nearest images, nearest first: euclidean distances over pixels, and rows of the training set."""

    distance: Float[np.ndarray, "samples neighbours"]
    row: Int[np.ndarray, "samples neighbours"]


def nearest(samples: Rows, train: Rows, neighbours: int = 1) -> Neighbours:
    """The nearest training images of each sample; fewer than `neighbours` where there are not as many.

    Candidates are found by |x|^2 - 2 x y + |y|^2, block by block, so memory grows with the images alone; their
    distances are then those of the differences, and 0 for a copy.
    """
    found = _nearest(_blocks(samples, _ROWS), _blocks(train, _COLUMNS), len(train), min(neighbours, len(train)))
    distance, index = (np.asarray(x).reshape(-1, x.shape[-1])[: len(samples)] for x in found)
    return Neighbours(distance, index)


def _blocks(x: Rows, size: int) -> Float[Array, "blocks size pixels"]:
    size = max(1, min(size, len(x)))
    return jnp.pad(jnp.asarray(x), ((0, -len(x) % size), (0, 0))).reshape(-1, size, x.shape[1])


@partial(jax.jit, static_argnames=("count", "neighbours"))
def _nearest(
    samples: Float[Array, "blocks rows pixels"],
    train: Float[Array, "parts columns pixels"],
    count: int,
    neighbours: int,
) -> tuple[Float[Array, "blocks rows neighbours"], Int[Array, "blocks rows neighbours"]]:
    flat = train.reshape(-1, train.shape[-1])
    norms = jnp.sum(train**2, -1)
    index = jnp.arange(flat.shape[0]).reshape(norms.shape)

    def block(x: Array) -> tuple[Array, Array]:
        def closer(best: tuple[Array, Array], part: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], None]:
            y, norm, number = part
            score = norm - 2 * numerics.exact(x, y.T)
            score = jnp.concatenate([best[0], jnp.where(number < count, score, jnp.inf)], 1)
            numbers = jnp.concatenate([best[1], jnp.broadcast_to(number, (x.shape[0], number.size))], 1)
            low, place = jax.lax.top_k(-score, neighbours)
            return (-low, jnp.take_along_axis(numbers, place, 1)), None

        none = jnp.full((x.shape[0], neighbours), jnp.inf), jnp.zeros((x.shape[0], neighbours), index.dtype)
        found = jax.lax.scan(closer, none, (train, norms, index))[0][1]
        distance = jax.lax.map(lambda pair: jnp.sqrt(jnp.sum((pair[0] - flat[pair[1]]) ** 2, -1)), (x, found))
        order = jnp.argsort(distance, -1)
        return jnp.take_along_axis(distance, order, -1), jnp.take_along_axis(found, order, -1)

    return jax.lax.map(block, samples)


class Memorisation(NamedTuple):
    """Which samples are copies `(samples,)`, each one's nearest training image, and how many copies there are.

    `closeness` is the measure, 0 for a copy; `rate` is the share of copies among the samples, `held_out_rate` that
    among images which nobody can have copied.
    """

    copied: Bool[np.ndarray, " samples"]
    closeness: Float[np.ndarray, " samples"]
    distance: Float[np.ndarray, " samples"]
    row: Int[np.ndarray, " samples"]
    threshold: float
    rate: float
    held_out_rate: float


def memorisation(samples: Rows, train: Rows, held_out: Rows) -> Memorisation:
    """The share of samples that lie nearer to a training image than fresh images do.

    The measure is the distance to the nearest training image over the mean distance to the 50 nearest (Carlini et al.
    2023, "Extracting training data from diffusion models"): a "1" has all its neighbours near, and is no copy for
    that. A sample is a copy up to the threshold up to which 1 % of held-out images lie: of every second of them, the
    others giving `held_out_rate`. So a model that copies nothing has a rate of about 1 %. Samples and held-out images
    (some hundreds at least) must be binarised alike: a binary copy of a grey image is as far from it as its noise. Of
    200 of MNIST's training images, 92 % of freshly binarised copies are found, 86 % with 5 more pixels turned over.
    """
    neighbours = nearest(samples, train, NEIGHBOURS)
    fresh = closeness(nearest(held_out, train, NEIGHBOURS))
    threshold = float(np.quantile(fresh[::2], LEVEL))
    ours = closeness(neighbours)
    copied = ours <= threshold
    rate, held_out_rate = float(np.mean(copied)), float(np.mean(fresh[1::2] <= threshold))
    return Memorisation(copied, ours, neighbours.distance[:, 0], neighbours.row[:, 0], threshold, rate, held_out_rate)


def closeness(neighbours: Neighbours) -> Float[np.ndarray, " samples"]:
    """Distance to the nearest over the mean distance to all of them: 0 for a copy, at most 1."""
    return neighbours.distance[:, 0] / np.maximum(neighbours.distance.mean(1), 1e-12)
