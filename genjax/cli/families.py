"""The table of models: what the command line knows of each. A new model is one row here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from genjax.algorithms.contrastive import ContrastiveConfig, ContrastiveState, contrastive, trained_machine
from genjax.boltzmann.machine import Machine, mean
from genjax.cli import recommending
from genjax.cli.options import RunConfig
from genjax.likelihood.evaluate import evaluate
from genjax.plots.curves import BOLTZMANN, Panel
from genjax.sampling.gibbs import initial_state, sample
from genjax.sampling.inpainting import inpaint
from genjax.training.config import part, split
from genjax.typing import Algorithm, Hyper


class Family(NamedTuple):
    """One kind of model. Functions take its state first; None where a question makes no sense for it.

    - `algorithm(config, total_steps)`: the learner and its rates.
    - `evaluate(key, state, train, test, temperatures, chains, progress)`: plain numbers by name.
    - `sample(key, state, chains, times)`: expected pixels after each number of sweeps `(chains, times, pixels)`,
      and the last states `(chains, pixels)`.
    - `reconstruct(key, state, images, removed, sweeps)`: expected pixels `(images, pixels)`.
    - `arrays(state)`: what `export` writes.
    - `filters(state)`: `(pixels, units)` to be shown as pictures.
    - `prepare(config)`: dataset, training set, plan, and what the data settle of `algorithm` (keyword arguments);
      None for models of images.
    - `sentences(evaluation)`: what a person reads of it; None where it is a likelihood.
    - `recommend(state, dataset, user, top)`: items with expected ratings.
    """

    config: type[RunConfig]
    algorithm: Callable[..., tuple[Algorithm, Hyper]]
    evaluate: Callable[..., dict[str, Any]] | None
    sample: Callable[..., tuple[np.ndarray, np.ndarray]] | None
    reconstruct: Callable[..., np.ndarray] | None
    arrays: Callable[[Any], dict[str, np.ndarray]] | None
    filters: Callable[[Any], np.ndarray] | None
    panels: tuple[Panel, ...]
    binary: bool  # whether it takes binary images alone
    prepare: Callable[[Any], tuple[Any, ...]] | None = None
    sentences: Callable[[dict[str, Any]], list[str]] | None = None
    recommend: Callable[..., list[dict[str, Any]]] | None = None
    examples: str = "images"  # what one row of its data is


@dataclass(frozen=True, kw_only=True)
class RBMRun(ContrastiveConfig, RunConfig):
    """Train a restricted Boltzmann machine by contrastive gradients."""


def rbm_algorithm(config: RBMRun, total_steps: int) -> tuple[Algorithm, Hyper]:
    """CD or PCD with its rates."""
    static, hyper = split(part(config, ContrastiveConfig), total_steps)
    return contrastive(static), hyper


def rbm_evaluate(key: Key[Array, ""], state: ContrastiveState, *images: Any, **options: Any) -> dict[str, Any]:
    """Log-likelihoods of a trained machine."""
    return evaluate(key, trained_machine(state), *images, **options)


@jax.jit
def _more_sweeps(key: Key[Array, ""], machine: Machine, state: Any, count: Array) -> Any:
    def one(i: Array, state: Any) -> Any:
        return sample(jax.random.fold_in(key, i), machine, state, 1)[0]

    return jax.lax.fori_loop(0, count, one, state)


def rbm_sample(
    key: Key[Array, ""], state: ContrastiveState, chains: int, times: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Independent chains from fresh starting points (never from training images)."""
    machine = trained_machine(state)
    here = initial_state(jax.random.fold_in(key, 0), machine, chains)
    seen, done = [], 0
    for number, time in enumerate(times):
        here = _more_sweeps(jax.random.fold_in(key, number + 1), machine, here, jnp.asarray(time - done))
        seen.append(np.asarray(mean(machine, here, 0)))
        done = time
    return np.stack(seen, axis=1), np.asarray(here[0])


def rbm_reconstruct(
    key: Key[Array, ""], state: ContrastiveState, images: np.ndarray, removed: np.ndarray, sweeps: int
) -> np.ndarray:
    """Expected removed pixels given the others."""
    burn_in = max(1, sweeps // 4)
    return np.asarray(
        inpaint(key, trained_machine(state), jnp.asarray(images), jnp.asarray(removed), sweeps - burn_in, burn_in)
    )


def rbm_arrays(state: ContrastiveState) -> dict[str, np.ndarray]:
    """Plain arrays: weights_0 `(visible, hidden)`, bias_0 `(visible,)`, bias_1 `(hidden,)`."""
    machine = trained_machine(state)
    weights = {f"weights_{i}": np.asarray(w) for i, w in enumerate(machine.weights)}
    return weights | {f"bias_{i}": np.asarray(b) for i, b in enumerate(machine.biases)}


def rbm_filters(state: ContrastiveState) -> np.ndarray:
    """The weights to the visible layer."""
    return np.asarray(trained_machine(state).weights[0])


FAMILIES = {
    "rbm": Family(
        config=RBMRun,
        algorithm=rbm_algorithm,
        evaluate=rbm_evaluate,
        sample=rbm_sample,
        reconstruct=rbm_reconstruct,
        arrays=rbm_arrays,
        filters=rbm_filters,
        panels=BOLTZMANN,
        binary=True,
    ),
    "recommender": Family(
        config=recommending.RecommenderRun,
        algorithm=recommending.recommender_algorithm,
        evaluate=recommending.recommender_evaluate,
        sample=None,
        reconstruct=None,
        arrays=recommending.recommender_arrays,
        filters=None,
        panels=recommending.PANELS,
        binary=False,
        prepare=recommending.recommender_data,
        sentences=recommending.recommender_sentences,
        recommend=recommending.recommend,
        examples="users",
    ),
}
