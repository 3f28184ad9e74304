"""Distributions whose modes can be counted: rings and grids of Gaussians, and digits stacked as channels."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from genjax.data.dataset import Dataset, Labels
from genjax.data.stored import Examples
from genjax.errors import UserError
from genjax.evaluation.coverage import Logits, Rows

WIDTHS = 3.0  # standard deviations within which a sample counts as of good quality
STACKED = 60_000


class Modes(NamedTuple):
    """How many modes were caught, the share of samples near one, and KL(samples || data) over the modes in nats."""

    caught: int
    high_quality: float
    divergence: float


class Mixture(NamedTuple):
    """Gaussians of equal weight and of one standard deviation in the plane."""

    centres: Float[np.ndarray, "modes 2"]
    deviation: float

    def draw(self, count: int, seed: int) -> Float[np.ndarray, "count 2"]:
        """Independent points, float32."""
        rng = np.random.default_rng(seed)
        chosen = self.centres[rng.integers(0, len(self.centres), count)]
        return (chosen + self.deviation * rng.normal(size=chosen.shape)).astype(np.float32)

    def tally(self, x: Float[np.ndarray, "points 2"]) -> Modes:
        """A mode is caught by one point or more within three deviations (Lin et al. 2018, section 4.1)."""
        distance = np.linalg.norm(np.asarray(x, np.float64)[:, None] - self.centres, axis=-1)
        close = distance.min(1) <= WIDTHS * self.deviation
        counts = np.bincount(distance.argmin(1)[close], minlength=len(self.centres))
        shares = np.full(len(counts), 1 / len(counts))
        return Modes(int(np.sum(counts > 0)), float(close.mean()), divergence(counts, shares))


def ring(modes: int = 8, radius: float = 1.0, deviation: float = 0.01) -> Mixture:
    """Gaussians on a circle."""
    angles = 2 * np.pi * np.arange(modes) / modes
    return Mixture(radius * np.stack([np.cos(angles), np.sin(angles)], 1), deviation)


def grid(side: int = 5, spacing: float = 2.0, deviation: float = 0.05) -> Mixture:
    """Gaussians on a square grid around the origin."""
    places = spacing * (np.arange(side) - (side - 1) / 2)
    return Mixture(np.stack(np.meshgrid(places, places), -1).reshape(-1, 2), deviation)


def divergence(counts: Int[np.ndarray, " modes"], shares: Float[np.ndarray, " modes"]) -> float:
    """KL of the counted shares from the expected ones, in nats; infinite without samples."""
    if not counts.sum():
        return np.inf
    ours = counts / counts.sum()
    caught = ours > 0
    return float(np.sum(ours[caught] * np.log(ours[caught] / shares[caught])))


def stacked(dataset: Dataset, channels: int = 3, seed: int = 0, count: int = STACKED) -> Dataset:
    """Images that are grey digits drawn at random, one a channel (Metz et al. 2017): 10^channels modes of ten classes.

    The label counts the modes: the first channel's class first. Training and validation images are stacked with each
    other, test images apart. Raises `UserError` where images are not grey or have no labels.
    """
    if dataset.shape[2] != 1 or dataset.labels.train.min() < 0:
        raise UserError(f"`dataset` {dataset.name} cannot be stacked: it takes grey images with labels.")
    whole = dataset.without_validation()
    classes = whole.classes
    rng = np.random.default_rng(seed)

    def drawn(x: Examples, label: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        rows = rng.integers(0, len(x), (count, channels))
        numbers = label[rows] @ classes ** np.arange(channels)[::-1]
        return np.stack([x[rows[:, c]] for c in range(channels)], -1).reshape(count, -1), numbers.astype(np.int32)

    (train, labels), (test, test_labels) = (
        drawn(whole.train, whole.labels.train, count),
        drawn(whole.test, whole.labels.test, max(1, count // 6)),
    )
    return replace(
        whole,
        name=f"{dataset.name}-stacked-{channels}",
        train=train,
        validation=train[:0],
        test=test,
        labels=Labels(labels, labels[:0], test_labels),
        shape=(*dataset.shape[:2], channels),
        example_shape=(),
        class_names=(),
    )


def stacked_modes(logits: Logits, samples: Rows, channels: int) -> Modes:
    """The modes of stacked images by a classifier of single channels; all images count as of good quality.

    The divergence is from equal shares, as published: of 26,000 samples (Metz et al. 2017; Lin et al. 2018).
    """
    x = np.asarray(samples).reshape(len(samples), -1, channels)
    each = [np.asarray(logits(x[:, :, c])) for c in range(channels)]
    classes = each[0].shape[-1]
    numbers = sum(outputs.argmax(-1) * classes**power for power, outputs in enumerate(reversed(each)))
    counts = np.bincount(np.asarray(numbers), minlength=classes**channels)
    return Modes(int(np.sum(counts > 0)), 1.0, divergence(counts, np.full(len(counts), 1 / len(counts))))
