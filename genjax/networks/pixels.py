"""What a decoder says of an image: distributions that factorise over the pixels, by one output a pixel.

- `bernoulli`: binary pixels; outputs are logits.
- `continuous_bernoulli`: intensities in [0, 1] with density proportional to exp(output * x) (Loaiza-Ganem and
  Cunningham 2019).
- `gaussian`: real pixels; outputs are means, and one logarithm of the standard deviation is learned for all pixels
  (Rybkin, Daniilidis and Levine 2021). Densities, so nats may be positive.
"""

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from genjax import random

PixelName = Literal["bernoulli", "continuous_bernoulli", "gaussian"]

SMALL = 0.1
"""Half an output, under which the continuous Bernoulli's normaliser is taken from its series."""


def log_probability(
    kind: PixelName,
    outputs: Float[Array, "*draws pixels"],
    log_deviation: Float[Array, ""],
    x: Float[Array, "*batch pixels"],
) -> Float[Array, "*draws"]:
    """log p(x), nats, summed over pixels; the deviation is the Gaussian's alone."""
    if kind == "gaussian":
        scaled = (x - outputs) * jnp.exp(-log_deviation)
        return -jnp.sum(0.5 * scaled**2 + log_deviation + 0.5 * math.log(2 * math.pi), axis=-1)
    normaliser = softplus(outputs) if kind == "bernoulli" else continuous_normaliser(outputs)
    return jnp.sum(outputs * x - normaliser, axis=-1)


@jax.custom_jvp
def softplus(outputs: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """log(1 + exp(output)) to 6e-8, not to its last digit: log1p takes longer than the product that gave the output."""
    return jnp.maximum(outputs, 0.0) + jnp.log(1.0 + jnp.exp(-jnp.abs(outputs)))


softplus.defjvps(lambda tangent, _, outputs: jax.nn.sigmoid(outputs) * tangent)


def continuous_normaliser(outputs: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """log of the integral of exp(output * x) over [0, 1]: output / 2 + log(sinh(t) / t), t being half the output."""
    t = 0.5 * outputs
    far = jnp.where(jnp.abs(t) < SMALL, 1.0, jnp.abs(t))  # safe for the branch that is not taken, and its derivative
    return t + jnp.where(
        jnp.abs(t) < SMALL,
        t**2 / 6 - t**4 / 180 + t**6 / 2835,
        far + jnp.log1p(-jnp.exp(-2 * far)) - jnp.log(2 * far),
    )


def mean(kind: PixelName, outputs: Float[Array, "*batch pixels"]) -> Float[Array, "*batch pixels"]:
    """Expected pixels."""
    if kind == "gaussian":
        return outputs
    if kind == "bernoulli":
        return jax.nn.sigmoid(outputs)
    t = 0.5 * outputs
    far = jnp.where(jnp.abs(t) < SMALL, 1.0, t)
    slope = jnp.where(jnp.abs(t) < SMALL, t / 3 - t**3 / 45 + 2 * t**5 / 945, 1 / jnp.tanh(far) - 1 / far)
    return 0.5 + 0.5 * slope


def sample(
    key: Key[Array, ""], kind: PixelName, outputs: Float[Array, "*batch pixels"], log_deviation: Float[Array, ""]
) -> Float[Array, "*batch pixels"]:
    """Drawn pixels."""
    if kind == "bernoulli":
        return random.bernoulli(key, outputs)
    if kind == "gaussian":
        return outputs + jnp.exp(log_deviation) * random.normal(key, outputs.shape)
    u = random.inner_uniform(random.bits(key, outputs.shape))
    decay = jnp.maximum(jnp.abs(outputs), 1e-4)  # draws of density exp(-decay x); flatter ones are uniform in float32
    x = -jnp.log1p(u * jnp.expm1(-decay)) / decay
    return jnp.where(outputs > 0, 1 - x, x)


def first_bias(kind: PixelName, mean: Float[Array, " pixels"]) -> Float[Array, " pixels"]:
    """Outputs at which a pixel has about this mean: where a decoder's biases begin."""
    if kind == "gaussian":
        return mean
    inner = jnp.clip(mean, 0.001, 0.999)
    return jnp.log(inner) - jnp.log1p(-inner)
