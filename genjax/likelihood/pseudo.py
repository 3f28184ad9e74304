"""Pseudo-log-likelihood of binary visible units: how well each pixel is told from all the others (Besag 1975)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from genjax.boltzmann.machine import Machine, fields, marginal


def pseudo_log_likelihood(machine: Machine, visible: Float[Array, "images visible"]) -> Float[Array, " images"]:
    """sum_i log p(v_i | all other pixels) of a two-layer machine, exact over all pixels, `(images,)` nats.

    Costs one pass over the hidden units a pixel; call it on some thousand images, not on all.
    """
    (weights,), (bias, _) = machine.weights, machine.biases
    hidden_field = fields(machine, (visible, None), 1)
    hidden, quadratic = machine.units[1], machine.quadratic(1)
    here = hidden.cumulant(hidden_field, quadratic)

    def one_pixel(total: Array, pixel: tuple[Array, Array, Array]) -> tuple[Array, None]:
        row, own_bias, value = pixel
        change = (1 - 2 * value)[:, None]
        there = hidden.cumulant(hidden_field + change * row, quadratic)
        gain = change[:, 0] * own_bias + jnp.sum(there - here, axis=-1)
        return total + jax.nn.log_sigmoid(-gain), None

    return jax.lax.scan(one_pixel, jnp.zeros(visible.shape[0]), (weights, bias, visible.T))[0]


def one_pixel_pseudo_log_likelihood(
    key: Key[Array, ""], machine: Machine, visible: Float[Array, "images visible"]
) -> Float[Array, " images"]:
    """The same with one random pixel an image, times the number of pixels, `(images,)` nats: unbiased and noisy.

    It is what scikit-learn's `BernoulliRBM.score_samples` prints.
    """
    images, pixels = visible.shape
    flipped_pixel = jax.random.randint(key, (images,), 0, pixels)
    rows = jnp.arange(images)
    flipped = visible.at[rows, flipped_pixel].set(1 - visible[rows, flipped_pixel])
    gain = marginal(machine, (flipped, None), 1) - marginal(machine, (visible, None), 1)
    return pixels * jax.nn.log_sigmoid(-gain)
