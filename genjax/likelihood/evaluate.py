"""The whole judgement of a two-layer machine on images: log Z, log-likelihoods, pseudo-likelihoods."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from genjax.boltzmann.machine import Machine
from genjax.boltzmann.rbm import free_energy
from genjax.likelihood import exact
from genjax.likelihood.bracket import bracket
from genjax.likelihood.estimate import LogZ, contradict, exact_log_z, log_likelihood, refute
from genjax.likelihood.pseudo import one_pixel_pseudo_log_likelihood, pseudo_log_likelihood
from genjax.random import subkey

EXACT_STATES = 2**20  # seconds on two cores


def log_partition(
    key: Key[Array, ""], machine: Machine, images: Float[Array, "images visible"], **options: Any
) -> tuple[LogZ, LogZ | None]:
    """Log Z in nats: exact where the smaller side has at most 2^20 states, otherwise by AIS from the images' means.

    Next to an AIS estimate, that of reverse AIS; options are those of `bracket`.
    """
    states = exact.states_to_visit(machine)
    if states is not None and states <= EXACT_STATES:
        return exact_log_z(exact.log_z(machine), f"enumeration of {states} states"), None
    forward, reverse = bracket(key, machine, images, **options)
    return contradict(forward, reverse), reverse


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
    **options: Any,
) -> dict[str, Any]:
    """Everything that `genjax evaluate` says of a machine on binary images, as plain numbers (nats an image).

    `options` are those of `bracket`. A log-likelihood's `bracket` holds the estimates of both sides, lower first (where
    the two agree, noise decides which that is).
    """
    log_z, reverse = log_partition(subkey(key, "log_z"), machine, jnp.asarray(train[:10_000]), **options)
    densities = {"test": log_densities(machine, test), "train": log_densities(machine, train)}
    everything = np.concatenate([test, train]).astype(np.uint8)
    _, distinct = np.unique(np.packbits(everything, axis=1), axis=0, return_index=True)
    log_z = refute(log_z, np.concatenate([densities["test"], densities["train"]])[distinct])
    likelihoods = {}
    for split, values in densities.items():
        answer = log_likelihood(values, log_z)._asdict()
        other = answer["mean"] if reverse is None else float(values.mean()) - reverse.mean
        likelihoods[split] = answer | {"bracket": sorted([other, answer["mean"]])}
    some = jnp.asarray(test[:1000])
    exact_pseudo = np.asarray(jax.jit(pseudo_log_likelihood)(machine, some))
    one_pixel = np.asarray(jax.jit(one_pixel_pseudo_log_likelihood)(subkey(key, "pixel"), machine, some))
    return {
        "log_likelihood": likelihoods,
        "log_z": numbers(log_z) | {"reverse": None if reverse is None else numbers(reverse)},
        "pseudo_log_likelihood": {
            "exact": float(exact_pseudo.mean()),
            "one_pixel_estimate": float(one_pixel.mean()),
            "images": len(some),
        },
    }


def numbers(log_z: LogZ) -> dict[str, Any]:
    """An estimate's fields by name, as JSON takes them."""
    answer = log_z._asdict()
    return answer | {"effective_samples": None} if math.isinf(answer["effective_samples"]) else answer
