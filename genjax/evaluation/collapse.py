"""The collapse alarm: samples that are too much alike, classes that are missing, a discriminator that knows it all.

    levels = learn_levels(images, logits)
    for name in alarms(look(samples, logits), levels): ...      # of `levels.samples` samples

Levels come from the data: an alarm never sounds for what as many real images show. A run has not learned yet when it
begins, so there an `Ear` waits for the samples to be well once before it listens.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import binom

from genjax.evaluation.coverage import FAIR, Logits, Rows, entropy
from genjax.evaluation.coverage import seen as seen_in

SAMPLES, MOST_SAMPLES = 256, 2000  # that one look takes: between these, as the rarest class needs
EXPECTED = 50  # samples of the rarest class in a look, so that a fifth of them is told from bad luck
CHANCE = 1e-6  # that as many real images as a look takes have so few of a class
NOTICED = -np.log(CHANCE) / MOST_SAMPLES  # a rarer class may be absent from all of them by bad luck
DRAWS = 1000  # of as many real images, from which the other levels come
LEAST_ENTROPY, LEAST_SPREAD = 0.8, 0.5  # shares of the data's below which samples are called collapsed
ALARMS = ("classes missing", "samples alike", "discriminator saturated")
SATURATED = 0.995  # share of real and of fake images told rightly, above which nothing is left to learn from
PATIENCE, LEAST_PATIENCE = 0.1, 1000  # share of a run, and steps, that samples may take to be well for the first time


class Look(NamedTuple):
    """How many samples there are, and the mean squared distance of two of them a pixel.

    With a judge also the shares of the classes that it sees, and their entropy in nats.
    """

    samples: int
    spread: float
    shares: Float[np.ndarray, " classes"] | None = None
    entropy: float | None = None


class Levels(NamedTuple):
    """The values below which alarms sound, how many samples a look should take, and the shares of the data's classes.

    Without a judge there are no classes and no entropy.
    """

    samples: int
    spread: float
    shares: Float[np.ndarray, " classes"] | None = None
    entropy: float | None = None


def look(samples: Rows, logits: Logits | None = None) -> Look:
    """What is to be said of samples without the data."""
    spread = _spread(np.asarray(samples, np.float64))
    if logits is None:
        return Look(len(samples), spread)
    seen = seen_in(logits, samples)
    return Look(len(samples), spread, seen.shares, seen.entropy)


def learn_levels(images: Rows, logits: Logits | None = None, seed: int = 0) -> Levels:
    """What real images show in draws of as many as a look takes.

    Levels of spread and entropy are the shares of the data's own values named above, or less where real draws scatter:
    as far below the lowest draw as that is below the middle one. A look takes enough samples to expect 50 of the rarest
    class that can be missed, from 256 to 2,000.
    """
    x, rng = np.asarray(images, np.float32), np.random.default_rng(seed)
    told = None
    if logits is not None:
        found = np.asarray(logits(x))
        told = np.eye(found.shape[-1])[found.argmax(-1)]
    size = SAMPLES if told is None else _enough(told.mean(0))
    drawn = min(size, len(x))
    shares = rng.multinomial(drawn, np.full(len(x), 1 / len(x)), DRAWS) / drawn  # of each image in each draw
    means, squares = shares.astype(np.float32) @ x, shares @ np.mean(x.astype(np.float64) ** 2, 1)
    spreads = 2 * drawn / max(drawn - 1, 1) * (squares - np.mean(means.astype(np.float64) ** 2, 1))
    if told is None:
        return Levels(size, _level(spreads, LEAST_SPREAD))
    entropies = np.array([entropy(draw) for draw in shares @ told])
    return Levels(size, _level(spreads, LEAST_SPREAD), told.mean(0), _level(entropies, LEAST_ENTROPY))


def missing(seen: Look, levels: Levels) -> list[int]:
    """Classes with less than a fifth of their share in the data, where that is no bad luck.

    The chance that as many real images have so few of a class is at most 1e-6. So of 2,000 samples, classes with less
    than 0.7 % of the data are never called missing, and of 256 those with less than 5.3 %.
    """
    if seen.shares is None or levels.shares is None:
        return []
    counts = np.round(seen.shares * seen.samples)
    rare = (seen.shares < FAIR * levels.shares) & (binom.cdf(counts, seen.samples, levels.shares) <= CHANCE)
    return np.flatnonzero(rare).tolist()


def alarms(seen: Look, levels: Levels, accuracy: float | None = None) -> list[str]:
    """Those of `ALARMS` that sound; `accuracy` is the discriminator's, the lower of real and fake.

    It is None where a perfect discriminator is no harm: a Wasserstein critic should be one.
    """
    uneven = seen.entropy is not None and levels.entropy is not None and seen.entropy < levels.entropy
    saturated = accuracy is not None and accuracy >= SATURATED
    sounds = (uneven or bool(missing(seen, levels)), seen.spread < levels.spread, saturated)
    return [name for name, here in zip(ALARMS, sounds) if here]


class Ear:
    """Hears the alarms of a run, one look after the other, but none of a network that has not learned yet.

    An alarm is listened to once it was silent in some look. One that never was is heard too after a tenth of the run
    (1,000 steps at least) and at the run's last step: a run that never gets there must not end in silence.
    """

    def __init__(self) -> None:
        self.silent: set[str] = set()

    def hear(self, sounding: Sequence[str], step: int, total: int) -> list[str]:
        """Those of the alarms that count, after `step` of `total` steps."""
        self.silent |= set(ALARMS) - set(sounding)
        late = step >= min(total, max(PATIENCE * total, LEAST_PATIENCE))
        return [name for name in sounding if late or name in self.silent]


def _enough(shares: np.ndarray) -> int:
    rarest = shares[shares >= NOTICED].min(initial=1.0)
    return int(np.clip(np.ceil(EXPECTED / rarest), SAMPLES, MOST_SAMPLES))


def _spread(x: np.ndarray) -> float:
    """Twice the variance without bias is the mean squared distance of two rows, here a pixel."""
    return float(2 * x.var(0, ddof=1).mean()) if len(x) > 1 else 0.0


def _level(drawn: np.ndarray, share: float) -> float:
    middle = float(np.median(drawn))
    return min(share * middle, 2 * float(drawn.min()) - middle)
