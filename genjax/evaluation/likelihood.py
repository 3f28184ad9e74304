"""The likelihood of Boltzmann machines: log Z once, then log p of any examples. What every model's report says of it.

    answer = boltzmann(key, machine, mean)      # log Z is estimated here; `mean` is the training mean
    scores = answer.score(batch)                # log p of each example, or its bound
    answer.estimate(scores)                     # their mean as an `Estimate`

Everything starts from the training mean and from chains, never from training images, so that a machine that was
loaded without its data gives the same answer.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from genjax.algorithms.labels import labelled, observed
from genjax.boltzmann.machine import Machine, States
from genjax.boltzmann.mean_field import coupled, log_density
from genjax.errors import UserError
from genjax.evaluation.importance import Scores, elbo
from genjax.likelihood import conditional
from genjax.likelihood.bidirectional import PathKind, Schedule
from genjax.likelihood.estimate import (
    NORMAL,
    both_numbers,
    log_likelihood,
    mean_over_examples,
    refute,
)
from genjax.likelihood.partition import LogZ, log_partition, visible_mean
from genjax.likelihood.pseudo import one_pixel_pseudo_log_likelihood, pseudo_log_likelihood
from genjax.random import subkey
from genjax.typing import Answer, Batch, Energy, Estimate, Progress

TIGHTNESS_IMAGES, PSEUDO_IMAGES = 100, 1000
BLOCK = 5000  # examples in memory at once

Refute = Callable[[Answer, Mapping[str, Batch], Mapping[str, np.ndarray]], Answer]


def boltzmann(
    key: Key[Array, ""],
    machine: Energy,
    mean: Float[Array | np.ndarray, " values"],
    chains: States | None = None,
    known: LogZ | None = None,
    temperatures: int = 10_000,
    ais_chains: int = 500,
    standard_error: float | None = None,
    path: PathKind = "geometric",
    schedule: Schedule = "sine",
    minutes: float | None = None,
    past: tuple[Energy, ...] | None = None,
    progress: Progress | None = None,
) -> Answer:
    """What the likelihood of a machine of any depth is asked through; log Z is estimated here unless it is `known`.

    A machine that is no `Machine` (`Energy` in `genjax.typing`) has its even layers given by the examples: one layer.

    `mean` holds the training mean of each value (intensities), `chains` states of about this machine,
    `(chains, units)` a layer, or None. Scores are nats an example: log p, or of a machine whose posterior has no
    closed form its mean-field bound; of a machine with labels on top they are of example and label together. With a
    `standard_error` in nats of log Z, `temperatures` and `ais_chains` are not read: a pilot run chooses them. An
    estimate that is not to be trusted goes on for so many `minutes`, along the `past` where there is one
    (`likelihood.going_on`).
    """
    log_z = known or log_partition(
        subkey(key, "log_z"),
        machine,
        visible_mean(machine.units[0], mean) if isinstance(machine, Machine) else jnp.asarray(mean, jnp.float32),
        chains,
        temperatures,
        ais_chains,
        standard_error,
        path,
        schedule,
        minutes,
        past,
        progress,
    )
    return answer_of(machine, log_z)


def answer_of(machine: Energy, log_z: LogZ) -> Answer:
    """The same, with both sides of log Z given."""
    if not isinstance(machine, Machine):
        return Answer(lambda batch: _marginals(machine, batch.x) - log_z[0].mean, _mean_of(log_z[0]), log_z)
    top = [0.0] if labelled(machine) else [None]
    is_bound = coupled(machine, (0.0, *[None] * (machine.depth - 2), *top))

    def score(batch: Batch) -> np.ndarray:
        return log_densities(machine, given(machine, batch)) - log_z[0].mean

    return Answer(score, _mean_of(log_z[0], is_bound), log_z)


def _mean_of(log_z: Estimate, is_bound: bool = False) -> Callable[[np.ndarray], Estimate]:
    def estimate(scores: np.ndarray) -> Estimate:
        answer = log_likelihood(scores + log_z.mean, log_z)
        if not is_bound:
            return answer
        return answer._replace(kind="lower_bound", estimator=f"mean-field bound and {answer.estimator}")

    return estimate


def _marginals(machine: Energy, x: Float[Array, "examples visible"]) -> Float[np.ndarray, " examples"]:
    """Log of the unnormalised probability of the one even layer, float64 `(examples,)` nats."""
    marginal = jax.jit(lambda machine, x: machine.marginal((x, None), 1))
    parts = [marginal(machine, x[i : i + BLOCK]) for i in range(0, len(x), BLOCK)]
    return np.concatenate([np.asarray(part, np.float64) for part in parts])


def log_densities(machine: Machine, data: States, block: int = BLOCK) -> Float[np.ndarray, " examples"]:
    """Log of the unnormalised probability of the layers given, hidden units summed out, float64 `(examples,)` nats.

    Of a deep machine its mean-field lower bound. In blocks, so that memory is flat.
    """
    density = jax.jit(log_density)
    parts = [density(machine, rows(data, slice(i, i + block))) for i in range(0, len(data[0]), block)]
    return np.concatenate([np.asarray(part, np.float64) for part in parts])


def given(machine: Any, batch: Batch) -> States:
    """What a batch says of the layers: visible units, labels on top where the machine has them, None for the others.

    Raises `UserError` where such a machine is not given labels.
    """
    if not isinstance(machine, Machine):
        return batch.x, None
    if not labelled(machine):
        return (machine.units[0].of_intensities(batch.x), *[None] * (machine.depth - 1))
    if batch.target is None:
        raise UserError("The likelihood of this machine is that of example and label together; give `target`, labels.")
    return observed(machine, batch)


def rows(data: Any, index: slice) -> Any:
    """Some of the examples, of a batch or of states."""
    return jax.tree.map(lambda x: x[index], data)


def distinct(machine: Any, data: States) -> np.ndarray:
    """Indices of states that differ from each other; none where states are not discrete, so cannot be summed."""
    layers = [layer for layer, x in enumerate(data) if x is not None]
    if any(machine.units[layer].states is None for layer in layers):
        return np.zeros(0, int)
    everything = np.concatenate([np.asarray(data[layer]) > 0 for layer in layers], axis=1)
    return np.unique(np.packbits(everything, axis=1), axis=0, return_index=True)[1]


def refuted_by_states(
    machine: Any, answer: Answer, batches: Mapping[str, Batch], scores: Mapping[str, np.ndarray]
) -> Answer:
    """The same answer, its log Z marked as untrusted where distinct examples add up to more than it allows."""
    assert answer.log_z is not None
    data = [given(machine, batch) for batch in batches.values()]
    both = jax.tree.map(lambda *x: np.concatenate(x), *data)
    forward, reverse = answer.log_z
    values = np.concatenate([scores[name] for name in batches])[distinct(machine, both)] + forward.mean
    return answer_of(machine, (refute(forward, values), reverse)) if len(values) else answer


def sides(estimate: Estimate, log_z: LogZ) -> tuple[float, float]:
    """A log-likelihood by each side of log Z, lower first (where the two agree, noise decides which that is)."""
    forward, reverse = log_z
    other = estimate.mean if reverse is None else estimate.mean + forward.mean - reverse.mean
    return (min(other, estimate.mean), max(other, estimate.mean))


def report(
    answer: Answer, train: Batch, test: Batch, refute_by: Refute | None = None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The likelihood of both splits for every model that has one, and the scores of each.

    `log_likelihood.test` and `.train` are Estimates (nats an example), `bracket` the two sides of each where both
    sides of log Z are known, `log_z` as `both_numbers` writes it, `elbo` the variational bounds by the same draws where
    likelihoods are importance-sampled. `refute_by(answer, batches, scores)` may take back
    trust.
    """
    batches = {"test": test, "train": train}
    scores = {name: answer.score(batch) for name, batch in batches.items()}
    if refute_by is not None:
        answer = refute_by(answer, batches, scores)
    found: dict[str, Any] = {"log_likelihood": {name: answer.estimate(values) for name, values in scores.items()}}
    if answer.log_z is not None:
        found["log_z"] = both_numbers(answer.log_z)
        if answer.log_z[1] is not None:
            found["bracket"] = {name: sides(one, answer.log_z) for name, one in found["log_likelihood"].items()}
    bounds = {name: elbo(values, answer.log_z) for name, values in scores.items() if isinstance(values, Scores)}
    return found | ({"elbo": bounds} if bounds else {}), scores


def pseudo(key: Key[Array, ""], machine: Machine, batch: Batch) -> dict[str, Any] | None:
    """Pseudo-log-likelihoods of the first 1,000 examples, exact and by one pixel an example, as Estimates.

    None for visible units of more than two values and for deep machines.
    """
    data = given(machine, rows(batch, slice(PSEUDO_IMAGES)))
    if machine.units[0].states != 2 or coupled(machine, data):
        return None
    every = np.asarray(jax.jit(pseudo_log_likelihood)(machine, data))
    one = np.asarray(jax.jit(one_pixel_pseudo_log_likelihood)(key, machine, data))
    estimate = mean_over_examples(one, "one pixel an example")
    return {
        "exact": mean_over_examples(every, "every pixel"),
        "one_pixel": estimate._replace(
            low=estimate.mean - NORMAL * estimate.examples_se,
            high=estimate.mean + NORMAL * estimate.examples_se,
            standard_error=estimate.examples_se,
            kind="estimate",
        ),
        "images": len(every),
    }


def tightness(
    key: Key[Array, ""], machine: Machine, batch: Batch, images: int = TIGHTNESS_IMAGES
) -> dict[str, Any] | None:
    """How far below log p the bound of a deep machine is for the first examples, by an AIS run for each: `gap` in nats
    as an Estimate, `largest` of them. None where log p is no bound."""
    data = given(machine, batch)
    if not coupled(machine, data) or data[-1] is not None:
        return None
    data = rows(data, slice(images))
    found = conditional.tightness(subkey(key, "tightness"), machine, data[0])
    gaps = found.estimates - found.bounds
    error = float(np.sqrt(np.sum(found.standard_errors**2)) / len(gaps))
    mean = mean_over_examples(gaps, "AIS with each example clamped")
    gap = mean._replace(
        low=mean.mean - NORMAL * error, high=mean.mean + NORMAL * error, standard_error=error, kind="estimate"
    )
    return {"images": len(gaps), "gap": gap, "largest": float(gaps.max())}
