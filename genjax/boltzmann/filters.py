"""A unit as an image: its weights multiplied down to the pixels, and the image that activates it most."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from genjax.boltzmann.machine import Machine, product
from genjax.boltzmann.mean_field import unrolled
from genjax.random import bits, subkey, uniform

ROUNDS = 3  # of mean field, behind the field of a unit that is maximised


def visible_weights(weights: Sequence[Float[Array, "_ _"]]) -> list[Float[Array, "pixels _"]]:
    """Each layer's weights to the pixels: W_1, W_1 W_2, and so on (Lee, Ekanadham and Ng 2008)."""
    return list(accumulate(weights, product))


def field(machine: Machine, x: Float[Array, "images pixels"], layer: int) -> Float[Array, "images units"]:
    """What acts on the units of a hidden layer given images in [0, 1], by mean field; it can be differentiated.

    The log odds of a binary unit; of one with several states, the log of each state's probability.
    """
    data = (machine.units[0].of_intensities(x), *[None] * (machine.depth - 1))
    found, unit = unrolled(machine, data, ROUNDS)[layer], machine.units[layer]
    return found if unit.width == 1 else found - jnp.repeat(unit.cumulant(found, None), unit.width, axis=-1)


@partial(jax.jit, static_argnames=("reach", "layer", "pixels", "starts", "steps"))
def maxima(
    key: Key[Array, ""],
    model: PyTree,
    units: Int[Array, " units"],
    norm: Float[Array, ""] | float,
    reach: Callable[[Any, Array, int], Array],
    layer: int,
    pixels: int,
    starts: int = 4,
    steps: int = 60,
) -> Float[Array, "units pixels"]:
    """The image at which `reach(model, images, layer)` is largest, for each of these units.

    Activation maximisation (Erhan, Bengio, Courville and Vincent 2009): among images in [0, 1] of at most this
    euclidean norm, without which they would be half white and like no image. From `starts` images of uniform noise,
    steps along the gradient, each brought back into these bounds; the best end is kept.
    """
    rows = jnp.repeat(units, starts)

    def height(x: Float[Array, "rows pixels"]) -> Float[Array, " rows"]:
        return jnp.take_along_axis(reach(model, x, layer), rows[:, None], axis=-1)[:, 0]

    def length(x: Float[Array, "rows pixels"]) -> Float[Array, "rows 1"]:
        return jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-12)

    def inside(x: Float[Array, "rows pixels"]) -> Float[Array, "rows pixels"]:
        x = jnp.clip(x, 0.0, 1.0)
        return x * jnp.minimum(1, norm / length(x))

    def climb(x: Float[Array, "rows pixels"], _: None) -> tuple[Array, None]:
        slope = jax.grad(lambda x: jnp.sum(height(x)))(x)
        return inside(x + 0.3 * norm * slope / length(slope)), None

    noise = uniform(bits(subkey(key, "starts"), (starts, pixels)))
    start = inside(jnp.tile(noise, (len(units), 1)))  # the same for every unit
    x, _ = jax.lax.scan(climb, start, None, steps)
    best = jnp.argmax(height(x).reshape(-1, starts), axis=-1)
    return x.reshape(-1, starts, pixels)[jnp.arange(len(units)), best]
