"""What the two players of a GAN minimise, and what keeps the discriminator smooth.

A discriminator gives each image (or pack of images) a score. A loss is a value with two functions of scores, means over
the batch; it composes with any of the penalties and with spectral normalisation of the network. One's own loss is a
frozen dataclass with the same functions, one's own penalty inherits `Penalty`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from genjax.training.config import at_least, rate, shares

Scores = Float[Array, " batch"]
Scalar = Float[Array, ""]
Score = Callable[[Float[Array, "batch pixels"]], Scores]


@runtime_checkable
class Loss(Protocol):
    """One game.

    `boundary` is the score above which an image counts as real; None where scores mean something by their difference
    alone. A loss that needs scores of bounded slope has `needs_bounded_slope = True`, too.
    """

    @property
    def boundary(self) -> float | None: ...

    def discriminator(self, real: Scores, fake: Scores) -> Scalar:
        """What the discriminator minimises."""
        ...

    def generator(self, fake: Scores) -> Scalar:
        """What the generator minimises."""
        ...


def is_loss(value: Any) -> bool:
    """Whether it is a `Loss`."""
    return isinstance(value, Loss) and not isinstance(value, type)


@dataclass(frozen=True)
class _WithTargets:
    smoothing: float = rate(0.0)
    """Real images count as real to the degree 1 minus this: one-sided label smoothing (Salimans et al. 2016)."""

    boundary: ClassVar[float | None] = 0.0

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        shares(self, "smoothing")

    def discriminator(self, real: Scores, fake: Scores) -> Scalar:
        """-log D(real) - log(1 - D(fake)), D the sigmoid of the score."""
        smoothing = self.smoothing
        kept = (1 - smoothing) * jnp.mean(jax.nn.softplus(-real)) + smoothing * jnp.mean(jax.nn.softplus(real))
        return kept + jnp.mean(jax.nn.softplus(fake))


@dataclass(frozen=True)
class Minimax(_WithTargets):
    """The generator minimises log(1 - D(fake)), whose slope vanishes as D wins (Goodfellow et al. 2014, equation 1)."""

    kind: ClassVar[str] = "minimax"

    def generator(self, fake: Scores) -> Scalar:
        """log(1 - D(fake))."""
        return -jnp.mean(jax.nn.softplus(fake))


@dataclass(frozen=True)
class NonSaturating(_WithTargets):
    """The generator maximises log D(fake) instead (Goodfellow et al. 2014, section 3)."""

    kind: ClassVar[str] = "non-saturating"

    def generator(self, fake: Scores) -> Scalar:
        """-log D(fake)."""
        return jnp.mean(jax.nn.softplus(-fake))


@dataclass(frozen=True)
class LeastSquares(_WithTargets):
    """Squared distances from the targets 0 and 1 (Mao et al. 2017, equation 9)."""

    kind: ClassVar[str] = "least-squares"
    boundary: ClassVar[float | None] = 0.5

    def discriminator(self, real: Scores, fake: Scores) -> Scalar:
        """From 1 - smoothing at real images and 0 at fakes."""
        return 0.5 * (jnp.mean((real - (1 - self.smoothing)) ** 2) + jnp.mean(fake**2))

    def generator(self, fake: Scores) -> Scalar:
        """From 1."""
        return 0.5 * jnp.mean((fake - 1) ** 2)


@dataclass(frozen=True)
class Hinge:
    """Scores count up to a margin of 1 (Lim and Ye 2017; Miyato et al. 2018, equation 17)."""

    kind: ClassVar[str] = "hinge"
    boundary: ClassVar[float | None] = 0.0

    def discriminator(self, real: Scores, fake: Scores) -> Scalar:
        """What is missing to 1 above, and to -1 below."""
        return jnp.mean(jax.nn.relu(1 - real)) + jnp.mean(jax.nn.relu(1 + fake))

    def generator(self, fake: Scores) -> Scalar:
        """Minus the mean score."""
        return -jnp.mean(fake)


@dataclass(frozen=True)
class Wasserstein:
    """Minus the distance, where scores are Lipschitz (Arjovsky, Chintala and Bottou 2017, equation 2)."""

    kind: ClassVar[str] = "wasserstein"
    boundary: ClassVar[float | None] = None
    needs_bounded_slope: ClassVar[bool] = True
    estimates_distance: ClassVar[bool] = True

    def discriminator(self, real: Scores, fake: Scores) -> Scalar:
        """The difference of the mean scores."""
        return jnp.mean(fake) - jnp.mean(real)

    def generator(self, fake: Scores) -> Scalar:
        """Minus the mean score."""
        return -jnp.mean(fake)


LOSSES = (Minimax, NonSaturating, LeastSquares, Hinge, Wasserstein)


def boundary(loss: Loss, real: Scores, fake: Scores) -> Scalar:
    """The score that separates real from fake: the game's own, or half way between the two means."""
    return jnp.asarray(loss.boundary) if loss.boundary is not None else (jnp.mean(real) + jnp.mean(fake)) / 2


class Penalty:
    """What keeps the discriminator smooth; inherit it, and write what differs.

    - `bounds_slope`: it keeps the score's slope within bounds, as a Wasserstein loss needs.
    - `of_each_image`: it is of each image alone, so that BatchNorm in the discriminator, which mixes them, is refused.
    - `project(parameters)`: the discriminator's parameters after an update; None leaves them.
    """

    bounds_slope: ClassVar[bool] = False
    of_each_image: ClassVar[bool] = False
    project: Any = None

    def penalty(self, score: Score, real: Array, fake: Array, mix: Array, pack: int) -> Scalar | None:
        """What is added to the discriminator's loss, with its weight; None for nothing.

        `real` and `fake` are `(batch, pixels)`; `mix`, `(batch, 1)` in [0, 1], is a place between them, the same within
        a pack; `pack` images in a row have one score.
        """
        return None


@dataclass(frozen=True)
class NoPenalty(Penalty):
    """Nothing: a small set of images is then soon known by heart, and classes go missing."""

    kind: ClassVar[str] = "none"


@dataclass(frozen=True)
class _Weighted(Penalty):
    penalty_weight: float = rate(10.0)
    """Factor of the penalty. Slopes are by intensities in [0, 1]; published weights are mostly for images
    in [-1, 1], of which the slopes are half as steep."""

    of_each_image: ClassVar[bool] = True

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        at_least(self, 0, "penalty_weight")


@dataclass(frozen=True)
class GradientPenalty(_Weighted):
    """The slope's distance from 1 between images, as in WGAN-GP (Gulrajani et al. 2017)."""

    kind: ClassVar[str] = "gradient"
    bounds_slope: ClassVar[bool] = True

    def penalty(self, score: Score, real: Array, fake: Array, mix: Array, pack: int) -> Scalar:
        """`gradient_penalty`."""
        return self.penalty_weight * gradient_penalty(score, real, fake, mix, pack)


@dataclass(frozen=True)
class R1(_Weighted):
    """The slope's size at real images (Mescheder, Geiger and Nowozin 2018)."""

    kind: ClassVar[str] = "r1"

    def penalty(self, score: Score, real: Array, fake: Array, mix: Array, pack: int) -> Scalar:
        """`zero_centred_penalty`."""
        return self.penalty_weight * zero_centred_penalty(score, real, pack)


@dataclass(frozen=True)
class Clipping(Penalty):
    """The discriminator's parameters are cut off (Arjovsky, Chintala and Bottou 2017, algorithm 1)."""

    clip: float = rate(0.01)
    """Largest magnitude of the discriminator's parameters."""

    kind: ClassVar[str] = "clipping"
    bounds_slope: ClassVar[bool] = True

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        at_least(self, 0, "clip")

    def project(self, parameters: PyTree) -> PyTree:
        """Every parameter brought into [-clip, clip]."""
        return jax.tree.map(lambda x: jnp.clip(x, -self.clip, self.clip), parameters)


PENALTIES = (NoPenalty, GradientPenalty, R1, Clipping)


def is_penalty(value: Any) -> bool:
    """Whether it inherits `Penalty`."""
    return isinstance(value, Penalty)


def gradient_penalty(score: Score, real: Float[Array, "batch pixels"], fake: Array, mix: Array, pack: int) -> Scalar:
    """Mean of (|slope of the score| - 1)^2 between real and fake images (Gulrajani et al. 2017, equation 3).

    `mix`, `(batch, 1)` in [0, 1], says where between; `pack` images in a row have one score, and one slope.
    """
    squares = _squared_slopes(score, real + mix * (fake - real), pack)
    return jnp.mean((jnp.sqrt(squares + 1e-12) - 1) ** 2)


def zero_centred_penalty(score: Score, real: Float[Array, "batch pixels"], pack: int) -> Scalar:
    """Half the mean squared slope of the score at real images: R1 (Mescheder, Geiger and Nowozin 2018, equation 9)."""
    return 0.5 * jnp.mean(_squared_slopes(score, real, pack))


def _squared_slopes(score: Score, x: Float[Array, "batch pixels"], pack: int) -> Float[Array, " packs"]:
    slopes = jax.grad(lambda x: jnp.sum(score(x)))(x)
    return jnp.sum(slopes.reshape(x.shape[0] // pack, -1) ** 2, -1)
