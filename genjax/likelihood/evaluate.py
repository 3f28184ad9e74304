"""The whole judgement of a machine whose even layers the data give: log Z, log-likelihoods, pseudo-likelihoods."""

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from genjax.boltzmann.machine import Machine, States, marginal
from genjax.boltzmann.path import uncoupled
from genjax.likelihood import ais, exact
from genjax.likelihood.estimate import LogZ, exact_log_z, log_likelihood, refute
from genjax.likelihood.pseudo import one_pixel_pseudo_log_likelihood, pseudo_log_likelihood
from genjax.random import subkey

EXACT_STATES = 2**20  # seconds on two cores


def log_partition(
    key: Key[Array, ""],
    machine: Machine,
    images: Float[Array, "images visible"],
    temperatures: int = 10_000,
    chains: int = 500,
    progress: Callable[[float], None] | None = None,
) -> LogZ:
    """Log Z in nats: exact where the smaller side has at most 2^20 states, otherwise by AIS from the images' means."""
    states = exact.states_to_visit(machine)
    if states is not None and states <= EXACT_STATES:
        return exact_log_z(exact.log_z(machine), f"enumeration of {states} states")
    return ais.log_z(key, machine, uncoupled(machine, images), temperatures, chains, progress)


def log_densities(machine: Machine, data: States, block: int = 5000) -> np.ndarray:
    """Log of the unnormalised probability of the even layers, hidden units summed out, float64 `(images,)` nats.

    In blocks, so that memory is flat.
    """
    density = jax.jit(lambda machine, data: marginal(machine, data, 1))
    parts = [density(machine, rows(data, slice(i, i + block))) for i in range(0, len(data[0]), block)]
    return np.concatenate([np.asarray(part, np.float64) for part in parts])


def rows(data: States, index: slice) -> States:
    """Some of the images."""
    return jax.tree.map(lambda x: x[index], data)


def distinct(machine: Machine, data: States) -> np.ndarray:
    """Indices of states that differ from each other; none where states are not discrete, so cannot be summed."""
    layers = [layer for layer, x in enumerate(data) if x is not None]
    if any(machine.units[layer].states is None for layer in layers):
        return np.zeros(0, int)
    everything = np.concatenate([np.asarray(data[layer]) > 0 for layer in layers], axis=1)
    return np.unique(np.packbits(everything, axis=1), axis=0, return_index=True)[1]


def evaluate(
    key: Key[Array, ""],
    machine: Machine,
    train: States,
    test: States,
    temperatures: int = 10_000,
    chains: int = 500,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Everything that `genjax evaluate` says of a machine on data, as plain numbers (nats an image).

    `train` and `test` hold the even layers, `(images, units)` each, and None for the hidden ones. `bracket` holds both
    sides of a log-likelihood where both are known, otherwise None.
    """
    log_z = log_partition(subkey(key, "log_z"), machine, train[0][:10_000], temperatures, chains, progress)
    densities = {"test": log_densities(machine, test), "train": log_densities(machine, train)}
    both = jax.tree.map(lambda *x: np.concatenate(x), test, train)
    values = np.concatenate([densities["test"], densities["train"]])[distinct(machine, both)]
    log_z = refute(log_z, values) if len(values) else log_z
    likelihoods = {}
    for split, values in densities.items():
        answer = log_likelihood(values, log_z)._asdict()
        likelihoods[split] = answer | {"bracket": [answer["mean"]] * 2 if log_z.kind == "exact" else None}
    numbers = log_z._asdict()
    if math.isinf(numbers["effective_samples"]):
        numbers["effective_samples"] = None
    return {
        "log_likelihood": likelihoods,
        "log_z": numbers,
        "pseudo_log_likelihood": pseudo(subkey(key, "pixel"), machine, rows(test, slice(1000))),
    }


def pseudo(key: Key[Array, ""], machine: Machine, data: States) -> dict[str, Any] | None:
    """Pseudo-log-likelihoods, exact and by one pixel an image; None for visible units of more than two values."""
    if machine.units[0].states != 2:
        return None
    exact_pseudo = np.asarray(jax.jit(pseudo_log_likelihood)(machine, data))
    one_pixel = np.asarray(jax.jit(one_pixel_pseudo_log_likelihood)(key, machine, data))
    return {
        "exact": float(exact_pseudo.mean()),
        "one_pixel_estimate": float(one_pixel.mean()),
        "images": len(exact_pseudo),
    }
