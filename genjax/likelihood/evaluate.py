"""The whole judgement of a two-layer machine on images: log Z, log-likelihoods, pseudo-likelihoods."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from genjax.boltzmann.machine import Machine
from genjax.boltzmann.path import uncoupled
from genjax.boltzmann.rbm import free_energy
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


def log_densities(machine: Machine, images: Float[np.ndarray, "images visible"], block: int = 5000) -> np.ndarray:
    """Unnormalised log-probability -F(v) of each image, float64 `(images,)` nats, in blocks so that memory is flat."""
    density = jax.jit(lambda machine, x: -free_energy(machine, x))
    parts = [density(machine, jnp.asarray(images[i : i + block])) for i in range(0, len(images), block)]
    return np.concatenate([np.asarray(part, np.float64) for part in parts])


def evaluate(
    key: Key[Array, ""],
    machine: Machine,
    train: Float[np.ndarray, "train visible"],
    test: Float[np.ndarray, "test visible"],
    temperatures: int = 10_000,
    chains: int = 500,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Everything that `genjax evaluate` says of a machine on binary images, as plain numbers (nats an image).

    `bracket` holds both sides of a log-likelihood where both are known, otherwise None.
    """
    log_z = log_partition(subkey(key, "log_z"), machine, jnp.asarray(train[:10_000]), temperatures, chains, progress)
    densities = {"test": log_densities(machine, test), "train": log_densities(machine, train)}
    everything = np.concatenate([test, train]).astype(np.uint8)
    _, distinct = np.unique(np.packbits(everything, axis=1), axis=0, return_index=True)
    log_z = refute(log_z, np.concatenate([densities["test"], densities["train"]])[distinct])
    likelihoods = {}
    for split, values in densities.items():
        answer = log_likelihood(values, log_z)._asdict()
        likelihoods[split] = answer | {"bracket": [answer["mean"]] * 2 if log_z.kind == "exact" else None}
    some = jnp.asarray(test[:1000])
    exact_pseudo = np.asarray(jax.jit(pseudo_log_likelihood)(machine, some))
    one_pixel = np.asarray(jax.jit(one_pixel_pseudo_log_likelihood)(subkey(key, "pixel"), machine, some))
    numbers = log_z._asdict()
    if math.isinf(numbers["effective_samples"]):
        numbers["effective_samples"] = None
    return {
        "log_likelihood": likelihoods,
        "log_z": numbers,
        "pseudo_log_likelihood": {
            "exact": float(exact_pseudo.mean()),
            "one_pixel_estimate": float(one_pixel.mean()),
            "images": len(some),
        },
    }
