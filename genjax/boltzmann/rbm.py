"""The restricted Boltzmann machine: a `Machine` of two layers."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from genjax import random
from genjax.boltzmann.machine import Machine, marginal
from genjax.boltzmann.units import BERNOULLI, Label, Unit


def first_weights(key: Key[Array, ""], rows: int, columns: int, scale: float) -> Float[Array, "rows columns"]:
    """Independent normal weights of deviation `scale`, each a function of the key and of its (row, column) alone.

    Fewer rows or columns are the first ones of a larger draw, so that a padded machine begins as the one alone does.
    """
    return scale * jax.scipy.special.ndtri(random.inner_uniform(random.words(key, rows, columns)))


def rbm(
    key: Key[Array, ""],
    hidden: int,
    visible_mean: Float[Array, " visible"],
    units: tuple[Unit, Unit] = (BERNOULLI, BERNOULLI),
    visible_variance: Float[Array, " visible"] | None = None,
    scale: float = 0.01,
) -> Machine:
    """A machine at the data's base rates: small normal weights, hidden fields zero (Hinton 2012, section 8).

    `hidden` counts array entries: a multiple of K where the hidden units have K states. Visible units with a term
    g x^2 / 2 take g = 1 / `visible_variance` (1 without it); weights are then scaled by sqrt(g), as on data of unit
    variance.
    """
    visible = visible_mean.shape[0]
    precision = jnp.ones(visible, jnp.float32) if visible_variance is None else 1 / visible_variance
    quadratics = tuple(g if unit.curved else None for unit, g in zip(units, (precision, jnp.ones(hidden, jnp.float32))))
    weights = first_weights(key, visible, hidden, scale)
    if units[0].curved:
        weights = weights * jnp.sqrt(precision)[:, None]
    biases = (units[0].field_of_mean(visible_mean, quadratics[0]), jnp.zeros(hidden, jnp.float32))
    return Machine((weights,), biases, units, quadratics if any(unit.curved for unit in units) else ())


def with_classes(key: Key[Array, ""], machine: Machine, classes: int, scale: float = 0.01) -> Machine:
    """The machine with a label above its highest hidden layer, one categorical variable (Larochelle and Bengio 2008).

    On an RBM, image and label together are its data: both are even layers.
    """
    weights = first_weights(key, machine.sizes[-1], classes, scale)
    return Machine(
        (*machine.weights, weights),
        (*machine.biases, jnp.zeros(classes, jnp.float32)),
        (*machine.units, Label(classes)),
        (*machine.quadratics, None) if machine.quadratics else (),
    )


def free_energy(machine: Machine, visible: Float[Array, "*batch visible"]) -> Float[Array, "*batch"]:
    """F(v) = -log sum_h exp(-E(v, h)) of a two-layer machine, in nats."""
    return -marginal(machine, (visible, None), parity=1)
