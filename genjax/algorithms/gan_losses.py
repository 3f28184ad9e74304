"""What the two players of a GAN minimise, and what keeps the discriminator smooth.

A discriminator gives each image (or pack of images) a score. A loss is a pair of functions of scores, means over the
batch; it composes with any of the penalties and with spectral normalisation of the network.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

LossName = Literal["minimax", "non-saturating", "least-squares", "hinge", "wasserstein"]
Penalty = Literal["none", "gradient", "r1", "clipping"]

Scores = Float[Array, " batch"]
Scalar = Float[Array, ""]
Score = Callable[[Float[Array, "batch pixels"]], Scores]


class Loss(NamedTuple):
    """One game.

    - `discriminator(real, fake, smoothing)`: real images count as real to the degree 1 - smoothing (one-sided label
      smoothing; Salimans et al. 2016); games without targets take no notice of it.
    - `generator(fake)`.
    - `boundary`: the score above which an image counts as real; None where scores mean something by their difference
      alone.
    """

    discriminator: Callable[[Scores, Scores, Scalar], Scalar]
    generator: Callable[[Scores], Scalar]
    boundary: float | None
    smooth: bool = False  # whether the game has targets to be smoothed


def _cross_entropy(real: Scores, fake: Scores, smoothing: Scalar) -> Scalar:
    """-log D(real) - log(1 - D(fake)), D the sigmoid of the score."""
    kept = (1 - smoothing) * jnp.mean(jax.nn.softplus(-real)) + smoothing * jnp.mean(jax.nn.softplus(real))
    return kept + jnp.mean(jax.nn.softplus(fake))


def _squares(real: Scores, fake: Scores, smoothing: Scalar) -> Scalar:
    return 0.5 * (jnp.mean((real - (1 - smoothing)) ** 2) + jnp.mean(fake**2))


def _hinge(real: Scores, fake: Scores, smoothing: Scalar) -> Scalar:
    return jnp.mean(jax.nn.relu(1 - real)) + jnp.mean(jax.nn.relu(1 + fake))


LOSSES: dict[LossName, Loss] = {
    # Goodfellow et al. 2014, equation 1: the generator minimises log(1 - D(fake)), whose slope vanishes as D wins.
    "minimax": Loss(_cross_entropy, lambda fake: -jnp.mean(jax.nn.softplus(fake)), 0.0, smooth=True),
    # The same, section 3: the generator maximises log D(fake) instead.
    "non-saturating": Loss(_cross_entropy, lambda fake: jnp.mean(jax.nn.softplus(-fake)), 0.0, smooth=True),
    # Mao et al. 2017, equation 9: targets 0 and 1.
    "least-squares": Loss(_squares, lambda fake: 0.5 * jnp.mean((fake - 1) ** 2), 0.5, smooth=True),
    # Lim and Ye 2017; Miyato et al. 2018, equation 17.
    "hinge": Loss(_hinge, lambda fake: -jnp.mean(fake), 0.0),
    # Arjovsky, Chintala and Bottou 2017, equation 2: minus the distance, where scores are Lipschitz.
    "wasserstein": Loss(
        lambda real, fake, smoothing: jnp.mean(fake) - jnp.mean(real), lambda fake: -jnp.mean(fake), None
    ),
}


def boundary(loss: Loss, real: Scores, fake: Scores) -> Scalar:
    """The score that separates real from fake: the game's own, or half way between the two means."""
    return jnp.asarray(loss.boundary) if loss.boundary is not None else (jnp.mean(real) + jnp.mean(fake)) / 2


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


def clipped(parameters: PyTree, size: Scalar) -> PyTree:
    """Every parameter brought into [-size, size] (Arjovsky, Chintala and Bottou 2017, algorithm 1)."""
    return jax.tree.map(lambda x: jnp.clip(x, -size, size), parameters)
