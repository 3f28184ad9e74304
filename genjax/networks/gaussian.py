"""Gaussians whose units are independent: what encoders answer with."""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float


class Gaussian(NamedTuple):
    """Means and logarithms of standard deviations, `(*batch, units)` each."""

    mean: Float[Array, "*batch units"]
    log_deviation: Float[Array, "*batch units"]


def from_outputs(outputs: Float[Array, "*batch twice"]) -> Gaussian:
    """Of a network's outputs, the first half being means and the second logarithms of variances."""
    mean, log_variance = jnp.split(outputs, 2, axis=-1)
    return Gaussian(mean, 0.5 * log_variance)


def drawn(q: Gaussian, noise: Float[Array, "*draws units"]) -> Float[Array, "*draws units"]:
    """Draws made of standard normal noise, differentiable by the Gaussian's parameters."""
    return q.mean + jnp.exp(q.log_deviation) * noise


def log_density(q: Gaussian, z: Float[Array, "*draws units"]) -> Float[Array, "*draws"]:
    """Nats, summed over units."""
    scaled = (z - q.mean) * jnp.exp(-q.log_deviation)
    return -jnp.sum(0.5 * scaled**2 + q.log_deviation + 0.5 * math.log(2 * math.pi), axis=-1)


def standard_log_density(z: Float[Array, "*draws units"]) -> Float[Array, "*draws"]:
    """Of a Gaussian with means 0 and deviations 1, nats."""
    return -0.5 * jnp.sum(z**2 + math.log(2 * math.pi), axis=-1)


def divergence_from_standard(q: Gaussian) -> Float[Array, "*batch"]:
    """KL(q || N(0, 1)), nats, summed over units (Kingma and Welling 2014, appendix B)."""
    variance = jnp.exp(2 * q.log_deviation)
    return 0.5 * jnp.sum(variance + q.mean**2 - 1 - 2 * q.log_deviation, axis=-1)
