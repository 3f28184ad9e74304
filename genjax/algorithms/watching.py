"""Cheap training metrics of Boltzmann machines."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Key

from genjax.algorithms.labels import class_log_probabilities, labelled
from genjax.boltzmann.machine import Machine, States, draw, marginal, mean
from genjax.boltzmann.mean_field import bound, coupled, mean_field, means
from genjax.likelihood.pseudo import one_pixel_pseudo_log_likelihood
from genjax.random import subkey
from genjax.typing import Batch, Metrics


def energy_metrics(key: Key[Array, ""], machine: Any, data: States, prefix: str) -> Metrics:
    """Of any `Energy` whose visible units the data give: the squared error a pixel of a reconstruction that is drawn,
    as not every machine knows expected pixels, and the free energy in nats; names get the prefix."""
    drawn = machine.update(subkey(key, "hidden"), machine.expected(data), 1)
    again = machine.update(subkey(key, "visible"), drawn, 0)[0]
    return {
        prefix + "reconstruction_error": jnp.mean((data[0] - again) ** 2),
        prefix + "free_energy": -jnp.mean(machine.marginal(data, 1)),
    }


def cheap_metrics(key: Key[Array, ""], machine: Machine, data: States, batch: Batch, prefix: str) -> Metrics:
    """Nats an image, a reconstruction's squared error a pixel, the error of its labels; names get the prefix.

    `data` are the states that the batch gives; its `x` are the same visible units as intensities. Of a deep
    machine the free energy is the variational one: an upper bound.
    """
    deep = coupled(machine, data)
    if deep:
        fields = mean_field(machine, data).fields
        state, density = means(machine, data, fields), bound(machine, data, fields)
    else:
        hidden = draw(subkey(key, "hidden"), machine, data, 1)
        state, density = (None, hidden, *data[2:]), marginal(machine, data, 1)
    again = machine.units[0].intensities(mean(machine, state, 0))
    metrics = {
        prefix + "reconstruction_error": jnp.mean((batch.x - again) ** 2),
        prefix + "free_energy": -jnp.mean(density),
    }
    if machine.units[0].states == 2 and not deep:
        pixel = one_pixel_pseudo_log_likelihood(subkey(key, "pixel"), machine, data, draws=16)
        metrics[prefix + "pseudo_likelihood"] = jnp.mean(pixel)
    if labelled(machine):
        some = slice(None, 200 if deep else None)  # a deep machine takes mean field for each label
        guess = jnp.argmax(class_log_probabilities(machine, data[0][some]), axis=-1)
        metrics[prefix + "error"] = jnp.mean(guess != batch.target[some])
    return metrics
