"""Collapse alarms: samples that are too much alike, classes that are missing, a discriminator that is always right.

    levels = learn_levels(images, logits)
    for name in alarms(summarise(samples, logits), levels): ...      # of `levels.samples` samples

Levels come from the data: no alarm is raised for what as many real images show. At the start of a run nothing is
learned yet, so an `AlarmFilter` reports an alarm only after it was silent once.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import bdtr

from genjax.evaluation.coverage import COVERED, Logits, Rows, class_shares, entropy

SAMPLES, MOST_SAMPLES = 256, 2000  # of one summary: between these, as the rarest class needs
EXPECTED = 50  # samples of the rarest class in a summary, so that a fifth of them is not just bad luck
CHANCE = 1e-6  # that as many real images as a summary takes have so few of a class
RAREST = -np.log(CHANCE) / MOST_SAMPLES  # a rarer class may be absent from all of them by bad luck
DRAWS = 1000  # of as many real images, from which the other levels come
LEAST_ENTROPY, LEAST_SPREAD = 0.8, 0.5  # shares of the data's below which samples are called collapsed
ALARMS = ("classes missing", "samples alike", "discriminator saturated")
SATURATED = 0.995  # accuracy on real and on fake images, above which nothing is left to learn from
PATIENCE, LEAST_PATIENCE = 0.1, 1000  # share of a run, and steps, before alarms that never were silent count


class Summary(NamedTuple):
    """How many samples there are, and the mean squared distance of two of them a pixel.

    With a classifier also the shares of their classes, and the entropy of these in nats.
    """

    samples: int
    spread: float
    shares: Float[np.ndarray, " classes"] | None = None
    entropy: float | None = None


class Levels(NamedTuple):
    """The values below which alarms are raised, how many samples a summary takes, and the shares of the data's classes.

    Without a classifier there are no classes and no entropy.
    """

    samples: int
    spread: float
    shares: Float[np.ndarray, " classes"] | None = None
    entropy: float | None = None


def summarise(samples: Rows, logits: Logits | None = None) -> Summary:
    """Of samples, what needs no data to compare with."""
    spread = _spread(np.asarray(samples, np.float64))
    if logits is None:
        return Summary(len(samples), spread)
    classes = class_shares(logits, samples)
    return Summary(len(samples), spread, classes.shares, classes.entropy)


def learn_levels(images: Rows, logits: Logits | None = None, seed: int = 0) -> Levels:
    """What real images show in draws of as many as a summary takes.

    Levels of spread and entropy are the shares of the data's own values named above, or less where real draws scatter:
    as far below the lowest draw as that is below the middle one. A summary takes enough samples to expect 50 of the
    rarest class that can be missed, from 256 to 2,000.
    """
    x, rng = np.asarray(images, np.float32), np.random.default_rng(seed)
    classes = None
    if logits is not None:
        outputs = np.asarray(logits(x))
        classes = np.eye(outputs.shape[-1])[outputs.argmax(-1)]
    size = SAMPLES if classes is None else _enough(classes.mean(0))
    drawn = min(size, len(x))
    shares = rng.multinomial(drawn, np.full(len(x), 1 / len(x)), DRAWS) / drawn  # of each image in each draw
    means, squares = shares.astype(np.float32) @ x, shares @ np.mean(x.astype(np.float64) ** 2, 1)
    spreads = 2 * drawn / max(drawn - 1, 1) * (squares - np.mean(means.astype(np.float64) ** 2, 1))
    if classes is None:
        return Levels(size, _level(spreads, LEAST_SPREAD))
    entropies = np.array([entropy(draw) for draw in shares @ classes])
    return Levels(size, _level(spreads, LEAST_SPREAD), classes.mean(0), _level(entropies, LEAST_ENTROPY))


def missing(summary: Summary, levels: Levels) -> list[int]:
    """Classes with less than a fifth of their share in the data, where that is no bad luck.

    The chance that as many real images have so few of a class is at most 1e-6. So of 2,000 samples, classes with less
    than 0.7 % of the data are never called missing, and of 256 those with less than 5.3 %.
    """
    if summary.shares is None or levels.shares is None:
        return []
    counts = np.round(summary.shares * summary.samples)
    unlikely = bdtr(counts, summary.samples, levels.shares) <= CHANCE
    return np.flatnonzero((summary.shares < COVERED * levels.shares) & unlikely).tolist()


def alarms(summary: Summary, levels: Levels, accuracy: float | None = None) -> list[str]:
    """Those of `ALARMS` that are raised; `accuracy` is the discriminator's, the lower of real and fake.

    It is None where a perfect discriminator is no harm: a Wasserstein critic should be one.
    """
    uneven = summary.entropy is not None and levels.entropy is not None and summary.entropy < levels.entropy
    saturated = accuracy is not None and accuracy >= SATURATED
    raised = (uneven or bool(missing(summary, levels)), summary.spread < levels.spread, saturated)
    return [name for name, is_raised in zip(ALARMS, raised) if is_raised]


class AlarmFilter:
    """Lets through the alarms of a run that matter, summary after summary, but none of a network that still begins.

    An alarm counts once it was silent in some summary. One that never was silent counts after a tenth of the run
    (1,000 steps at least) and at the run's last step: a run that never learns must not end without an alarm.
    """

    def __init__(self) -> None:
        self.silent: set[str] = set()

    def update(self, raised: Sequence[str], step: int, total: int) -> list[str]:
        """Those of the raised alarms that count, after `step` of `total` steps."""
        self.silent |= set(ALARMS) - set(raised)
        late = step >= min(total, max(PATIENCE * total, LEAST_PATIENCE))
        return [name for name in raised if late or name in self.silent]


def _enough(shares: np.ndarray) -> int:
    rarest = shares[shares >= RAREST].min(initial=1.0)
    return int(np.clip(np.ceil(EXPECTED / rarest), SAMPLES, MOST_SAMPLES))


def _spread(x: np.ndarray) -> float:
    """Twice the variance without bias is the mean squared distance of two rows, here a pixel."""
    return float(2 * x.var(0, ddof=1).mean()) if len(x) > 1 else 0.0


def _level(drawn: np.ndarray, share: float) -> float:
    middle = float(np.median(drawn))
    return min(share * middle, 2 * float(drawn.min()) - middle)
