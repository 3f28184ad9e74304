"""The collapse alarm: samples that are too much alike, classes that are missing, a discriminator that knows it all.

    levels = learn_levels(images, logits)
    for name in alarms(look(samples, logits), levels): ...

Levels come from the data: an alarm never sounds for what as many real images show.
"""

from typing import NamedTuple

import numpy as np

from genjax.evaluation.coverage import Logits, Rows, entropy
from genjax.evaluation.coverage import seen as seen_in

SAMPLES = 256  # that one look takes
DRAWS = 1000  # of as many real images, from which the levels come
LEAST_ENTROPY, LEAST_SPREAD = 0.8, 0.5  # shares of the data's below which samples are called collapsed
ALARMS = ("classes missing", "samples alike", "discriminator saturated")
SATURATED = 0.995  # share of real and of fake images told rightly, above which nothing is left to learn from


class Look(NamedTuple):
    """Class entropy in nats (None without a judge), and the mean squared distance of two samples a pixel."""

    entropy: float | None
    spread: float


def look(samples: Rows, logits: Logits | None = None) -> Look:
    """What is to be said of samples without the data."""
    x = np.asarray(samples, np.float64)
    return Look(None if logits is None else seen_in(logits, samples).entropy, _spread(x))


def learn_levels(images: Rows, logits: Logits | None = None, seed: int = 0) -> Look:
    """The values below which the alarm sounds, from draws of real images.

    They are the shares of the data's own values named above, or less where real draws scatter: as far below the lowest
    draw as that is below the middle one.
    """
    x, rng = np.asarray(images, np.float32), np.random.default_rng(seed)
    size = min(SAMPLES, len(x))
    shares = rng.multinomial(size, np.full(len(x), 1 / len(x)), DRAWS) / size  # of each image in each draw
    means, squares = shares.astype(np.float32) @ x, shares @ np.mean(x.astype(np.float64) ** 2, 1)
    spreads = 2 * size / max(size - 1, 1) * (squares - np.mean(means.astype(np.float64) ** 2, 1))
    if logits is None:
        return Look(None, _level(spreads, LEAST_SPREAD))
    found = np.asarray(logits(x))
    told = np.eye(found.shape[-1])[found.argmax(-1)]
    entropies = np.array([entropy(draw) for draw in shares @ told])
    return Look(_level(entropies, LEAST_ENTROPY), _level(spreads, LEAST_SPREAD))


def alarms(seen: Look, levels: Look, accuracy: float | None = None) -> list[str]:
    """Those of `ALARMS` that sound; `accuracy` is the discriminator's, the lower of real and fake.

    It is None where a perfect discriminator is no harm: a Wasserstein critic should be one.
    """
    missing = seen.entropy is not None and levels.entropy is not None and seen.entropy < levels.entropy
    sounds = (missing, seen.spread < levels.spread, accuracy is not None and accuracy >= SATURATED)
    return [name for name, here in zip(ALARMS, sounds) if here]


def _spread(x: np.ndarray) -> float:
    """Twice the variance without bias is the mean squared distance of two rows, here a pixel."""
    return float(2 * x.var(0, ddof=1).mean()) if len(x) > 1 else 0.0


def _level(drawn: np.ndarray, share: float) -> float:
    middle = float(np.median(drawn))
    return min(share * middle, 2 * float(drawn.min()) - middle)
