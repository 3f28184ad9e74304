"""Whether two sets of chains stand for the same machine: of fresh chains against persistent ones, of AIS against both.

Chains that have not reached equilibrium look fine one by one. Two sets that began elsewhere cannot both be right where
they differ: in the unnormalised log-probability, or along the directions in which their states vary most, which tell
far modes apart.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from genjax.boltzmann.machine import Machine, States
from genjax.likelihood.ais import Annealed, summed_parity
from genjax.typing import Energy

DIRECTIONS = 5
WIDE = 4.0  # of the shift of strangers' fields: shares of 2 to 98 %
LESS_LIKELY = 5.0  # nats
MOST_STRANGE = 0.03  # of strangers, nowhere near where AIS ends
MOST_ERRORS = 4.0  # standard errors: six comparisons of equal sets pass it once in 3,000
MOST_SPREADS = 0.3  # of a quantity's own deviation: a mode of 8 % that one set lacks, or 0.09 nats of log Z


def observed(machine: Energy, *sets: States) -> list[Float[np.ndarray, "chains quantities"]]:
    """Of each set the log of the unnormalised probability, and its place along the directions of largest variance."""
    parity = summed_parity(machine)
    visible = [np.asarray(states[0], np.float64) for states in sets]
    together = np.concatenate(visible)
    directions = np.linalg.svd(together - together.mean(0), full_matrices=False)[2][:DIRECTIONS]
    logs = [np.asarray(machine.marginal(states, parity), np.float64)[:, None] for states in sets]
    return [np.concatenate([log, x @ directions.T], axis=1) for log, x in zip(logs, visible)]


def difference(
    machine: Energy, one: States, other: States, log_weights: Float[np.ndarray, " chains"] | None = None
) -> tuple[float, float]:
    """The largest difference of two sets of independent chains: in deviations of its quantity, and in standard errors.

    The first set is weighed by `log_weights` where there are any. Of quantities that differ by more than noise, the
    largest; both 0 where none does.
    """
    first, second = observed(machine, one, other)
    shares = np.ones(len(first)) if log_weights is None else np.exp(log_weights - np.max(log_weights))
    shares = (shares / shares.sum())[:, None]
    mean = (shares * first).sum(0)
    of_first, of_second = (shares * (first - mean) ** 2).sum(0), second.var(0)
    error = np.sqrt((shares**2 * (first - mean) ** 2).sum(0) + of_second / len(second))
    gap = np.abs(mean - second.mean(0))
    spread = np.sqrt((of_first + of_second) / 2 + gap**2 / 4)
    found = [(g / max(s, 1e-9), g / max(e, 1e-9)) for g, s, e in zip(gap, spread, error)]
    largest = max(found, key=lambda pair: pair[0] * (pair[1] > MOST_ERRORS))
    return float(largest[0]), float(largest[1])


def apart(machine: Energy, one: States, other: States, log_weights: Float[np.ndarray, " chains"] | None = None) -> bool:
    """Whether the two sets differ by more than noise and by enough to matter."""
    spreads, errors = difference(machine, one, other, log_weights)
    return bool(spreads > MOST_SPREADS and errors > MOST_ERRORS)


def spread_out(key: Key[Array, ""], machine: Energy, chains: int) -> States | None:
    """States unlike each other and unlike the data: of a chain all pixels are drawn alike, nearly all off to all on.

    Where modes lie far apart, chains that begin near the data's mean all fall into one; these fall into any. None for
    machines that are no layered `Machine`.
    """
    if not isinstance(machine, Machine):
        return None
    flat = machine.uncoupled()

    def one(key: Key[Array, ""], shift: Array) -> States:
        biases = (jnp.zeros_like(flat.biases[0]) + shift, *flat.biases[1:])
        return jax.tree.map(lambda x: x[0], dataclasses.replace(flat, biases=biases).draw(key, 1))

    return jax.vmap(one)(jax.random.split(key, chains), jnp.linspace(-WIDE, WIDE, chains))


def strange(machine: Energy, run: Annealed, strangers: States) -> float:
    """The share of strangers that are nowhere near where AIS ends, and yet as likely: a mode that it has missed.

    Near is as near as all but one of a hundred of AIS's own ends are to their nearest; likely is an unnormalised
    log-probability of at most 5 nats less than one of a hundred of them has.
    """
    ends, others = (np.asarray(states[0], np.float64) for states in (run.states, strangers))
    own = _nearest(ends, ends)
    logs = np.asarray(machine.marginal(run.states, summed_parity(machine)), np.float64)
    theirs = np.asarray(machine.marginal(strangers, summed_parity(machine)), np.float64)
    far = _nearest(others, ends) > 1.2 * np.quantile(own, 0.99) + 1e-9
    return float(np.mean(far & (theirs > np.quantile(logs, 0.01) - LESS_LIKELY)))


def _nearest(x: Float[np.ndarray, "n values"], of: Float[np.ndarray, "m values"]) -> Float[np.ndarray, " n"]:
    """The distance of each to the nearest of the others, itself left out."""
    squares = (x**2).sum(1)[:, None] + (of**2).sum(1) - 2 * x @ of.T
    if x is of:
        np.fill_diagonal(squares, np.inf)
    return np.sqrt(np.maximum(squares.min(1), 0.0))
