"""What a unit stands for, as an image: its weights through the layers below, and the image that drives it most."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from genjax.boltzmann.machine import Machine, product
from genjax.boltzmann.mean_field import unrolled
from genjax.random import bits, subkey, uniform

ROUNDS = 5  # of mean field, behind the field of a unit that is maximised


def through(weights: Sequence[Float[Array, "lower upper"]]) -> list[Float[Array, "pixels units"]]:
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
    reach: Callable[[Any, Array, int], Array],
    layer: int,
    pixels: int,
    starts: int = 4,
    steps: int = 100,
    rate: float = 0.05,
) -> Float[Array, "units pixels"]:
    """The image in [0, 1] at which `reach(model, images, layer)` is largest, for each of these units.

    Activation maximisation (Erhan, Bengio, Courville and Vincent 2009): gradient ascent by Adam with its steps cut off
    at 0 and 1, from `starts` images of uniform noise, of which the best one is kept.
    """
    rows = jnp.repeat(units, starts)
    optimiser = optax.adam(rate)

    def height(x: Float[Array, "rows pixels"]) -> Float[Array, " rows"]:
        return jnp.take_along_axis(reach(model, x, layer), rows[:, None], axis=-1)[:, 0]

    def climb(carry: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], None]:
        x, state = carry
        downhill = jax.grad(lambda x: -jnp.sum(height(x)))(x)
        change: Any
        change, state = optimiser.update(downhill, state)
        return (jnp.clip(x + change, 0.0, 1.0), state), None

    x = uniform(bits(subkey(key, "starts"), (starts, pixels)))
    x = jnp.tile(x, (len(units), 1))  # the same for every unit
    (x, _), _ = jax.lax.scan(climb, (x, optimiser.init(x)), None, steps)
    best = jnp.argmax(height(x).reshape(-1, starts), axis=-1)
    return x.reshape(-1, starts, pixels)[jnp.arange(len(units)), best]
