"""The loss of capsule networks: lengths beyond a margin, and a little of the reconstruction error."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from genjax.algorithms.supervised import CrossEntropy
from genjax.networks.capsules import Found
from genjax.typing import Metrics


@dataclass(frozen=True)
class MarginLoss:
    """The true class's capsule is to be longer than 0.9, others shorter than 0.1 (Sabour et al. 2017, eq. 4).

    The squared error of the reconstruction, summed over pixels, comes in at a small weight, and only where the longest
    capsule is the true class's: of the others the decoder has seen a wrong one.
    """

    upper: float = 0.9
    lower: float = 0.1
    absent: float = 0.5
    """Weight of the classes that are not there."""
    reconstruction: float = 0.0005
    """Weight of the reconstruction error."""

    kind: ClassVar[str] = "margin"

    def losses(self, outputs: Found, target: Int[Array, " batch"]) -> Float[Array, " batch"]:
        """Of each example."""
        lengths = outputs.lengths
        true = jax.nn.one_hot(target, lengths.shape[-1], dtype=lengths.dtype)
        missing = true * _positive_square(self.upper - lengths)
        extra = self.absent * (1 - true) * _positive_square(lengths - self.lower)
        right = jnp.argmax(lengths, axis=-1) == target
        return jnp.sum(missing + extra, -1) + self.reconstruction * right * outputs.reconstruction_error

    def metrics(self, outputs: Found, target: Int[Array, " batch"]) -> Metrics:
        """The share of examples that are classified wrongly, and the squared error of a pixel's reconstruction."""
        wrong = jnp.mean(jnp.argmax(outputs.lengths, -1) != target)
        return {"error": wrong, "reconstruction_error": jnp.mean(outputs.reconstruction_error) / outputs.image.shape[1]}

    def outputs(self, target: Int[Array, " batch"]) -> int:
        """One length a class."""
        return int(target.max()) + 1

    def check_targets(self, target: PyTree) -> None:
        """Class numbers, all of them known."""
        CrossEntropy().check_targets(target)


def _positive_square(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """The square of the positive part."""
    return jnp.square(jnp.maximum(x, 0.0))
