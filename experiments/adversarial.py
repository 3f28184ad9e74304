"""What experiments with GANs share: settings, samples while a run learns, and what became of a run."""

from typing import Any

import jax
import numpy as np

from genjax.algorithms.gan import GANState
from genjax.models.gan import images

BATCH = 50  # images of an update, of which 60,000 are whole epochs with one, five and ten updates of the discriminator
FAST: dict[str, Any] = {"penalty": "none", "learning_rate": 5e-4, "discriminator_learning_rate": 5e-4}
WGAN_GP: dict[str, Any] = FAST | {
    "loss": "wasserstein",
    "penalty": "gradient",
    "penalty_weight": 10.0,
    "discriminator_steps": 5,
    "second_moment": 0.9,
    "discriminator_second_moment": 0.9,
}
"""The critic's steps and the second beta as published (Gulrajani et al. 2017); the rates are five times theirs."""


def samples(state: GANState, count: int, seed: int = 0) -> np.ndarray:
    """`(count, pixels)` of the averaged generator, of all classes in turn where there are some."""
    labels = np.arange(count, dtype=np.int32) % max(state.game.classes, 1)
    return images(jax.random.key(seed), state, labels)


def fate(score: float, classes: int, of: int, confident: float) -> str:
    """What became of a run that has not diverged, in a word: by its classifier score, the classes in its samples, and
    the share of samples of which the classifier is confident (noise is often all of one class, and has not
    collapsed)."""
    if confident > 0.5 and classes < 0.8 * of:
        return "collapsed"
    return "learned" if score > 0.7 * of else "poor"
