"""The deep Boltzmann machine (Salakhutdinov and Hinton 2009): a `Machine` of three layers or more."""

from collections.abc import Sequence
from itertools import pairwise

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from genjax.boltzmann.machine import Machine
from genjax.boltzmann.rbm import first_weights, rbm
from genjax.boltzmann.units import BERNOULLI, Unit
from genjax.random import subkey


def dbm(
    key: Key[Array, ""],
    layers: Sequence[int],
    visible_mean: Float[Array, " visible"],
    units: tuple[Unit, Unit] = (BERNOULLI, BERNOULLI),
    visible_variance: Float[Array, " visible"] | None = None,
    scale: float = 0.01,
) -> Machine:
    """A machine at the data's base rates: an RBM with the further hidden `layers` on top, small normal weights.

    `units` are the types of the pixels and of all hidden layers; hidden fields are zero.
    """
    machine = rbm(key, layers[0], visible_mean, units, visible_variance, scale)
    hidden = units[1]
    for number, size in enumerate(layers[1:]):
        weights = first_weights(subkey(key, f"weights {number + 1}"), machine.sizes[-1], size, scale)
        precision = (jnp.ones(size, jnp.float32),) if hidden.curved else (None,)
        machine = Machine(
            (*machine.weights, weights),
            (*machine.biases, jnp.zeros(size, jnp.float32)),
            (*machine.units, hidden),
            (*machine.quadratics, *precision) if machine.quadratics else (),
        )
    return machine


def composed(machines: Sequence[Machine]) -> Machine:
    """A deep machine from a stack of RBMs, each trained on what the one below it makes of the data.

    The bottom RBM was trained with its visible layer doubled and the top one with its hidden layer doubled (`copies`
    of `algorithms.greedy`), so their weights stay; those between are halved, in both directions. A layer that two
    RBMs share then has half the field that each of them gave it: its bias is the mean of their two.
    """
    weights = [machine.weights[0] for machine in machines]
    weights = [w if i in (0, len(machines) - 1) else 0.5 * w for i, w in enumerate(weights)]
    shared = [0.5 * (lower.biases[1] + upper.biases[0]) for lower, upper in pairwise(machines)]
    units = (machines[0].units[0], *(machine.units[1] for machine in machines))
    quadratics = (machines[0].quadratics[0], *[None] * len(machines)) if machines[0].quadratics else ()
    return Machine(tuple(weights), (machines[0].biases[0], *shared, machines[-1].biases[1]), units, quadratics)
