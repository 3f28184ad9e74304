"""Pseudo-log-likelihood of binary visible units: how well each pixel is told from all the others (Besag 1975)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from genjax.boltzmann.machine import Machine, fields


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
    key: Key[Array, ""], machine: Machine, visible: Float[Array, "images visible"], draws: int = 1
) -> Float[Array, " images"]:
    """The same with one random pixel an image, times the number of pixels, `(images,)` nats: unbiased and noisy.

    It is what scikit-learn's `BernoulliRBM.score_samples` prints; `draws` of them are averaged.
    """
    images, pixels = visible.shape
    (weights,), (bias, _) = machine.weights, machine.biases
    hidden_field = fields(machine, (visible, None), 1)
    hidden, quadratic = machine.units[1], machine.quadratic(1)
    here = hidden.cumulant(hidden_field, quadratic)

    def one_draw(total: Array, key: Key[Array, ""]) -> tuple[Array, None]:
        pixel = jax.random.randint(key, (images,), 0, pixels)
        change = 1 - 2 * visible[jnp.arange(images), pixel]
        there = hidden.cumulant(hidden_field + change[:, None] * weights[pixel], quadratic)
        gain = change * bias[pixel] + jnp.sum(there - here, axis=-1)
        return total + jax.nn.log_sigmoid(-gain), None

    total, _ = jax.lax.scan(one_draw, jnp.zeros(images), jax.random.split(key, draws))
    return pixels * total / draws
