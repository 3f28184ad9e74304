"""Classification: how many labels a classifier gets right, whatever it is.

`classify(x)` gives `(examples, classes)` log-probabilities, or logits: only the largest counts.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from genjax.likelihood.estimate import share
from genjax.typing import Estimate

Classify = Callable[[Any], Float[Array, "examples classes"] | Float[np.ndarray, "examples classes"]]
BLOCK = 5000  # examples at once


def accuracy(
    classify: Classify, x: Float[Array | np.ndarray, "examples values"], labels: Int[Array | np.ndarray, " examples"]
) -> Estimate:
    """The share of examples whose label is the likeliest class, with its binomial standard error over the examples."""
    return share(right(classify, x, labels), "accuracy")


def error(
    classify: Classify, x: Float[Array | np.ndarray, "examples values"], labels: Int[Array | np.ndarray, " examples"]
) -> Estimate:
    """The share of examples that are classified wrongly, with its binomial standard error over the examples."""
    return share(~right(classify, x, labels), "classification error")


def right(
    classify: Classify, x: Float[Array | np.ndarray, "examples values"], labels: Int[Array | np.ndarray, " examples"]
) -> Bool[np.ndarray, " examples"]:
    """Which examples are classified correctly."""
    starts = range(0, len(x), BLOCK)
    guesses = [np.asarray(classify(jnp.asarray(x[i : i + BLOCK]))).argmax(-1) for i in starts]
    return np.concatenate(guesses) == np.asarray(labels)


def has_classes(labels: Int[Array | np.ndarray, " examples"]) -> bool:
    """Whether all examples are labelled, with at least two classes among them."""
    return bool(len(labels) and np.min(labels) >= 0 and np.max(labels) >= 1)
