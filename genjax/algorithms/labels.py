"""Labels learned together with the images: a categorical variable on top of the machine (Larochelle et al. 2012)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from genjax.boltzmann.machine import Machine, States
from genjax.boltzmann.mean_field import log_density
from genjax.boltzmann.units import Label
from genjax.typing import Batch


def labelled(machine: Machine) -> bool:
    """Whether the top layer is a label (`units.Label`): a categorical layer that is none is hidden as any other."""
    return isinstance(machine.units[-1], Label)


def without_label(machine: Machine) -> Machine:
    """The machine of the other layers alone, where the top one is a label."""
    if not labelled(machine):
        return machine
    return Machine(machine.weights[:-1], machine.biases[:-1], machine.units[:-1], machine.quadratics[:-1])


def observed(machine: Machine, batch: Batch) -> States:
    """States of the layers that a batch gives: pixels as the visible units, labels as the top layer if it is one."""
    return with_label(machine, machine.units[0].of_intensities(batch.x), batch.target)


def with_label(machine: Machine, visible: Float[Array, "batch visible"], target: PyTree) -> States:
    """States of the visible layer, class numbers as the top layer if it is a label, None for the hidden layers."""
    state: list[Array | None] = [visible, *[None] * (machine.depth - 1)]
    if labelled(machine):
        state[-1] = machine.units[-1].encode(target[:, None])
    return tuple(state)


def class_log_probabilities(machine: Machine, visible: Float[Array, "batch visible"]) -> Float[Array, "batch classes"]:
    """log p(label | image) of a machine with labels on top, the hidden units summed out (Larochelle 2012).

    Exact for one hidden layer; for more, each label's joint density is its mean-field bound.
    """
    top, between = machine.units[-1], [None] * (machine.depth - 2)
    assert top.states is not None

    def joint(label: Array) -> Float[Array, " batch"]:
        labels = jnp.broadcast_to(top.encode(label[None]), (visible.shape[0], top.width))
        return log_density(machine, (visible, *between, labels))

    return jax.nn.log_softmax(jax.lax.map(joint, jnp.arange(top.states)).T, axis=-1)
