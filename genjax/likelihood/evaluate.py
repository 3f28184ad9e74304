"""The whole judgement of a machine on data: log Z, log-likelihoods or their bounds, pseudo-likelihoods."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from genjax.boltzmann.machine import Machine, States
from genjax.boltzmann.mean_field import coupled, log_density
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


def log_densities(machine: Machine, data: States, block: int = 5000) -> np.ndarray:
    """Log of the unnormalised probability of the layers given, hidden units summed out, float64 `(images,)` nats.

    Of a deep machine its mean-field lower bound. In blocks, so that memory is flat.
    """
    density = jax.jit(log_density)
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
    known: tuple[LogZ, LogZ | None] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Everything that `genjax evaluate` says of a machine on data, as plain numbers (nats an image).

    `train` and `test` hold the layers given, `(images, units)` each, and None for the hidden ones. `options` are those
    of `bracket`, which is not asked where both sides of log Z are `known`. A log-likelihood's `bracket` holds the
    estimates of both sides, lower first (where the two agree, noise decides which that is).
    """
    some = jnp.asarray(train[0][:10_000])
    log_z, reverse = known or log_partition(subkey(key, "log_z"), machine, some, **options)
    densities = {"test": log_densities(machine, test), "train": log_densities(machine, train)}
    both = jax.tree.map(lambda *x: np.concatenate(x), test, train)
    values = np.concatenate([densities["test"], densities["train"]])[distinct(machine, both)]
    log_z = refute(log_z, values) if len(values) else log_z
    likelihoods = {}
    for split, values in densities.items():
        answer = log_likelihood(values, log_z)
        if coupled(machine, test):
            answer = answer._replace(kind="lower_bound", estimator=f"mean-field bound and {answer.estimator}")
        answer = answer._asdict()
        other = answer["mean"] if reverse is None else float(values.mean()) - reverse.mean
        likelihoods[split] = answer | {"bracket": sorted([other, answer["mean"]])}
    return {
        "log_likelihood": likelihoods,
        "log_z": numbers(log_z) | {"reverse": None if reverse is None else numbers(reverse)},
        "pseudo_log_likelihood": pseudo(subkey(key, "pixel"), machine, rows(test, slice(1000))),
    }


def pseudo(key: Key[Array, ""], machine: Machine, data: States) -> dict[str, Any] | None:
    """Pseudo-log-likelihoods, exact and by one pixel an image; None for visible units of more than two values
    and for deep machines."""
    if machine.units[0].states != 2 or coupled(machine, data):
        return None
    exact_pseudo = np.asarray(jax.jit(pseudo_log_likelihood)(machine, data))
    one_pixel = np.asarray(jax.jit(one_pixel_pseudo_log_likelihood)(key, machine, data))
    return {
        "exact": float(exact_pseudo.mean()),
        "one_pixel_estimate": float(one_pixel.mean()),
        "images": len(exact_pseudo),
    }


def numbers(log_z: LogZ) -> dict[str, Any]:
    """An estimate's fields by name, as JSON takes them."""
    answer = log_z._asdict()
    return answer | {"effective_samples": None} if math.isinf(answer["effective_samples"]) else answer


def from_numbers(content: dict[str, Any]) -> tuple[LogZ, LogZ | None]:
    """Both sides of log Z, back from the numbers that `evaluate` made of them."""

    def estimate(side: dict[str, Any]) -> LogZ:
        worth = side["effective_samples"]
        fields: dict[str, Any] = side | {"effective_samples": math.inf if worth is None else worth}
        return LogZ(**{name: fields[name] for name in LogZ._fields})

    return estimate(content), None if content["reverse"] is None else estimate(content["reverse"])
