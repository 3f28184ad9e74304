"""Pseudo-log-likelihood of visible units of two values: each one's probability given all the others (Besag 1975)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from genjax.boltzmann.machine import Machine, States, fields


def other_value(machine: Machine, visible: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The value that each visible unit does not have."""
    return jnp.sum(machine.units[0].encode(jnp.arange(2))) - visible


def pseudo_log_likelihood(machine: Machine, state: States) -> Float[Array, " images"]:
    """sum_i log p(v_i | all other pixels, the label if there is one), exact over all pixels, `(images,)` nats.

    `state` has the even layers, hidden units are summed out. Costs one pass over the hidden units a pixel; call it on
    some thousand images, not on all.
    """
    hidden_field, visible = fields(machine, state, 1), state[0]
    hidden, quadratic = machine.units[1], machine.quadratic(1)
    here = hidden.cumulant(hidden_field, quadratic)

    def one_pixel(total: Array, pixel: tuple[Array, Array, Array]) -> tuple[Array, None]:
        row, own_bias, change = pixel
        there = hidden.cumulant(hidden_field + change[:, None] * row, quadratic)
        gain = change * own_bias + jnp.sum(there - here, axis=-1)
        return total + jax.nn.log_sigmoid(-gain), None

    change = (other_value(machine, visible) - visible).T
    return jax.lax.scan(
        one_pixel, jnp.zeros(visible.shape[0], jnp.float32), (machine.weights[0], machine.biases[0], change)
    )[0]


def one_pixel_pseudo_log_likelihood(
    key: Key[Array, ""], machine: Machine, state: States, draws: int = 1
) -> Float[Array, " images"]:
    """The same with one random pixel an image, times the number of pixels, `(images,)` nats: unbiased and noisy.

    It is what scikit-learn's `BernoulliRBM.score_samples` prints; `draws` of them are averaged.
    """
    images, pixels = state[0].shape
    hidden_field = fields(machine, state, 1)
    hidden, quadratic = machine.units[1], machine.quadratic(1)
    here = hidden.cumulant(hidden_field, quadratic)
    changes = other_value(machine, state[0]) - state[0]

    def one_draw(total: Array, key: Key[Array, ""]) -> tuple[Array, None]:
        pixel = jax.random.randint(key, (images,), 0, pixels)
        change = changes[jnp.arange(images), pixel]
        there = hidden.cumulant(hidden_field + change[:, None] * machine.weights[0][pixel], quadratic)
        gain = change * machine.biases[0][pixel] + jnp.sum(there - here, axis=-1)
        return total + jax.nn.log_sigmoid(-gain), None

    total, _ = jax.lax.scan(one_draw, jnp.zeros(images, jnp.float32), jax.random.split(key, draws))
    return pixels * total / draws
