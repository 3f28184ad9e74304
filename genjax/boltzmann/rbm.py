"""The restricted Boltzmann machine: a `Machine` of two layers."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from genjax.boltzmann.machine import Machine, marginal
from genjax.boltzmann.units import BERNOULLI, Unit


def rbm(
    key: Key[Array, ""],
    hidden: int,
    visible_mean: Float[Array, " visible"],
    units: tuple[Unit, Unit] = (BERNOULLI, BERNOULLI),
    scale: float = 0.01,
) -> Machine:
    """A machine at the data's base rates: small normal weights, hidden biases zero (Hinton 2012, section 8)."""
    visible = visible_mean.shape[0]
    weights = scale * jax.random.normal(key, (visible, hidden), jnp.float32)
    return Machine((weights,), (units[0].field_of_mean(visible_mean), jnp.zeros(hidden, jnp.float32)), units)


def free_energy(machine: Machine, visible: Float[Array, "*batch visible"]) -> Float[Array, "*batch"]:
    """F(v) = -log sum_h exp(-E(v, h)) of a two-layer machine, in nats."""
    return -marginal(machine, (visible, None), parity=1)
