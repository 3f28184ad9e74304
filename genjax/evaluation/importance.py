"""The likelihood of models with a recognition model, by importance sampling: belief networks and autoencoders alike.

answer = latent(key, model)                 # or belief(key, network, mean, chains), which has a log Z too
scores = answer.score(batch)                # each example's estimate; it carries its standard error along
answer.estimate(scores)                     # the mean with its interval; `elbo(scores)` by the same draws
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from genjax.boltzmann import dbn
from genjax.boltzmann.dbn import DBN
from genjax.boltzmann.machine import States
from genjax.errors import UserError
from genjax.likelihood import importance as estimator
from genjax.likelihood.estimate import exact, log_likelihood
from genjax.likelihood.importance import Importance, LogWeight, missed, normalised, refuted, total
from genjax.likelihood.partition import LogZ, fresh_chains, log_partition
from genjax.networks import latent as networks
from genjax.networks.latent import LatentModel
from genjax.random import subkey
from genjax.typing import Answer, Batch, Estimate, Progress

BELIEF_DRAWS, LATENT_DRAWS = 100, 5000  # from the recognition model, an example
DREAMS = 1000  # samples of a belief network itself, at most, on which its recognition model is tried
ROWS = {"cpu": (100, 10), "gpu": (1000, 50), "tpu": (1000, 50)}
"""Images of a block and draws side by side: as many rows as the caches hold, or as keep a device busy."""


class Scores(np.ndarray):
    """Estimates of each example, float64 `(examples,)` nats, with all that their draws say (`Importance`).

    A slice keeps it; the result of arithmetic does not have it.
    """

    importance: Importance | None

    def __array_finalize__(self, _: Any) -> None:
        self.importance = None

    def __getitem__(self, index: Any) -> Any:
        part = super().__getitem__(index)
        if isinstance(part, Scores) and part.ndim == 1 and self.importance is not None:
            bounds, estimates, errors, draws = self.importance
            part.importance = Importance(bounds[index], estimates[index], errors[index], draws)
        return part


def scores_of(found: Importance, log_z: float = 0.0) -> Scores:
    """Normalised estimates that remember what they come from."""
    scores = (found.estimates - log_z).view(Scores)
    scores.importance = found
    return scores


def importance_of(scores: np.ndarray) -> Importance:
    """What was found of these. Raises `UserError` where they are not what `score` returned, or a slice of it."""
    found = getattr(scores, "importance", None)
    if found is None:
        raise UserError("`scores` do not carry their standard errors; give what `score` returned, or a slice of it.")
    return found


def importance(
    key: Key[Array, ""],
    model: Any,
    log_weight: LogWeight,
    draws: int,
    log_z: LogZ | None = None,
    gap: float = 0.0,
    block: int = 1000,
    at_once: int = 1,
    progress: Progress | None = None,
) -> Answer:
    """Likelihoods by `draws` draws from q for each example; `log_weight(key, model, batch)` gives one, in nats.

    With `log_z` the weights are those of a model that is not normalised. `gap` is what the recognition model misses of
    the model's own samples (`likelihood.importance.missed`, nats). `progress` is called with the share of each batch.
    """
    constant = 0.0 if log_z is None else log_z[0].mean

    def score(batch: Batch) -> np.ndarray:
        size = min(block, len(batch.x))
        found = estimator.importance(key, model, batch, log_weight, draws, size, min(at_once, draws), progress)
        return scores_of(found, constant)

    def estimate(scores: np.ndarray) -> Estimate:
        answer = total(importance_of(scores))
        return refuted(answer if log_z is None else normalised(answer, log_z[0]), gap)

    return Answer(score, estimate, log_z)


def elbo(scores: np.ndarray, log_z: LogZ | None = None) -> Estimate:
    """The mean variational bound, nats an example, by the draws that gave these scores; log Z's interval if it has one.

    The noise of the draws is part of the scatter over examples.
    """
    known = exact(0.0, np.nan, "ELBO", "") if log_z is None else log_z[0]
    answer = log_likelihood(importance_of(scores).bounds, known)
    reason = "the draws' noise is in the standard error over examples" if log_z is None else answer.reason
    return answer._replace(kind="lower_bound", estimator="variational bound", reason=reason)


def latent(
    key: Key[Array, ""], model: LatentModel, draws: int = LATENT_DRAWS, progress: Progress | None = None
) -> Answer:
    """Of a latent-variable model, log p(x), of a conditional one log p(x | label); below it in expectation."""
    block, at_once = ROWS.get(jax.default_backend(), ROWS["gpu"])
    return importance(subkey(key, "test"), model, networks.log_weight, draws, None, 0.0, block, at_once, progress)


def _belief_weight(key: Key[Array, ""], network: DBN, batch: Batch) -> Float[Array, " batch"]:
    return dbn.log_weight(key, network, batch.x)


def belief(
    key: Key[Array, ""],
    network: DBN,
    mean: Float[Array | np.ndarray, " values"],
    chains: States | None = None,
    known: LogZ | None = None,
    draws: int = BELIEF_DRAWS,
    progress: Progress | None = None,
    **effort: Any,
) -> Answer:
    """Of a belief network, with the errors of importance sampling and of its top machine's log Z in one interval.

    `mean` is the training mean, `chains` those of the top machine that training left, or None; `effort` are the
    options of `log_partition`. The recognition model is tried on images that these chains stand for (Murray and
    Salakhutdinov 2008 estimate the likelihood by other means).
    """
    x = jnp.asarray(mean, jnp.float32)
    for machine, field in zip(network.recognition, dbn.ascent(network, x[None])):
        x = machine.units[1].mean(field[0], machine.quadratic(1))
    log_z = known or log_partition(subkey(key, "log_z"), network.top, x, chains, progress=progress, **effort)
    start = chains or fresh_chains(subkey(key, "fresh"), network.top, x, DREAMS)
    dreams = dbn.downward(subkey(key, "dreams"), network, start[0][:DREAMS], expect=False)
    own = estimator.importance(subkey(key, "own"), network, Batch(dreams[0]), _belief_weight, draws)
    gap = missed(own, np.asarray(dbn.log_weight_of(network, dreams), np.float64))
    return importance(jax.random.fold_in(key, 0), network, _belief_weight, draws, log_z, gap)
