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
    x, rng = np.asarray(images), np.random.default_rng(seed)
    size = min(SAMPLES, len(x))
    rows = [rng.integers(0, len(x), size) for _ in range(DRAWS)]
    spreads = np.array([_spread(np.asarray(x[row], np.float64)) for row in rows])
    if logits is None:
        return Look(None, _level(spreads, LEAST_SPREAD))
    found = np.asarray(logits(x))
    classes = found.argmax(-1)
    counts = [np.bincount(classes[row], minlength=found.shape[-1]) / size for row in rows]
    return Look(_level(np.array([entropy(c) for c in counts]), LEAST_ENTROPY), _level(spreads, LEAST_SPREAD))


def alarms(seen: Look, levels: Look, accuracy: float | None = None) -> list[str]:
    """What is wrong, in a word or two each; `accuracy` is the discriminator's, the lower of real and fake.

    It is None where a perfect discriminator is no harm: a Wasserstein critic should be one.
    """
    found = []
    if seen.entropy is not None and levels.entropy is not None and seen.entropy < levels.entropy:
        found.append("classes missing")
    if seen.spread < levels.spread:
        found.append("samples alike")
    if accuracy is not None and accuracy >= SATURATED:
        found.append("discriminator saturated")
    return found


def _spread(x: np.ndarray) -> float:
    """Twice the variance without bias is the mean squared distance of two rows, here a pixel."""
    return float(2 * x.var(0, ddof=1).mean()) if len(x) > 1 else 0.0


def _level(drawn: np.ndarray, share: float) -> float:
    middle = float(np.median(drawn))
    return min(share * middle, 2 * float(drawn.min()) - middle)
