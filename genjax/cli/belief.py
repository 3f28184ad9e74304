"""What the command line knows of deep belief networks (see `families.Family`)."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from genjax.algorithms import examples, updown
from genjax.algorithms.updown import BeliefConfig, BeliefState, trained_network
from genjax.boltzmann import filters
from genjax.boltzmann.dbn import DBN, ascent, downward, log_weight, log_weight_of, upward
from genjax.boltzmann.machine import States
from genjax.cli.blocks import in_blocks
from genjax.cli.boltzmann import fresh, more_sweeps
from genjax.cli.options import RunConfig
from genjax.data import Dataset
from genjax.likelihood.estimate import LogZ, log_likelihood
from genjax.likelihood.evaluate import log_partition, numbers
from genjax.likelihood.importance import importance, normalised, refuted, total
from genjax.random import bernoulli_of_mean, subkey
from genjax.training.config import part
from genjax.training.stages import Stage
from genjax.typing import Batch

DRAWS = 100  # from the recognition model, an image
DREAMS = 1000  # samples of the network itself, at most, on which its recognition model is tried


@dataclass(frozen=True, kw_only=True)
class DBNRun(BeliefConfig, RunConfig):
    """Train a deep belief network: layer by layer, then up and down."""

    pretraining: int = 40
    """Passes over the training images for each layer's RBM (0: fine-tune an untrained stack)."""
    pretraining_rate: float = 0.2
    """Learning rate of those RBMs at the start."""


def dbn_stages(config: DBNRun, steps_per_epoch: int) -> tuple[Stage, ...]:
    """The stack of RBMs, then the fine-tuning."""
    assert config.epochs is not None
    length = (config.epochs * steps_per_epoch, config.pretraining * steps_per_epoch)
    return updown.stages(part(config, BeliefConfig), *length, config.pretraining_rate)


def dbn_check(config: DBNRun, dataset: Dataset) -> None:
    """Pixels have to be binary."""
    if config.binarisation == "none":
        for x in (dataset.train, dataset.validation, dataset.test):
            examples.binary(x, "A belief network", "another model")


def dbn_evaluate(key: Key[Array, ""], state: BeliefState, train: Batch, test: Batch, **options: Any) -> dict[str, Any]:
    """Both below the log-likelihood: the variational bound, and the importance-sampled estimate (Murray and
    Salakhutdinov 2008 estimate it by other means); log Z of the top RBM by AIS and reverse AIS.

    Both errors are in the interval. The recognition model is tried on images that the network's chains stand for.
    """
    network = trained_network(state)
    above = upward(subkey(key, "above"), network, train.x[:10_000])[-1]
    options["start"] = state.chains
    log_z, reverse = log_partition(subkey(key, "log_z"), network.top, above, **options)
    dreams = downward(subkey(key, "dreams"), network, state.chains[0][:DREAMS], expect=False)
    own = importance(subkey(key, "own"), network, dreams[0], log_weight, DRAWS)
    exact = np.asarray(log_weight_of(network, dreams), np.float64)
    likelihoods, bounds = {}, {}
    for number, (name, batch) in enumerate({"test": test, "train": train}.items()):
        found = importance(jax.random.fold_in(key, number), network, batch.x, log_weight, DRAWS)
        answer = refuted(normalised(total(found), log_z), own, exact)
        estimator = answer.estimator.replace("importance sampling", f"importance sampling, {DRAWS} draws", 1)
        answer = answer._replace(estimator=estimator)._asdict()
        other = answer["mean"] if reverse is None else answer["mean"] + log_z.mean - reverse.mean
        likelihoods[name] = answer | {"bracket": sorted([other, answer["mean"]])}
        bounds[name] = of_bound(found.bounds, log_z)
    return {
        "log_likelihood": likelihoods,
        "variational_bound": bounds,
        "log_z": numbers(log_z) | {"reverse": None if reverse is None else numbers(reverse)},
        "pseudo_log_likelihood": None,
    }


def of_bound(values: np.ndarray, log_z: LogZ) -> dict[str, Any]:
    """The mean bound, nats an image, with log Z's interval."""
    return log_likelihood(values, log_z)._replace(kind="lower_bound", estimator="variational bound")._asdict()


@jax.jit
def _down(key: Key[Array, ""], network: DBN, x: Array) -> Array:
    return downward(key, network, x)[0]


def dbn_sample(
    key: Key[Array, ""], state: BeliefState, chains: int, times: list[int], start: States | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Fresh chains of the top RBM, or those given, drawn downwards after each number of sweeps."""
    network = trained_network(state)
    here = fresh(jax.random.fold_in(key, 0), network.top, chains) if start is None else start
    seen, done = [], 0
    for number, time in enumerate(times):
        here = more_sweeps(jax.random.fold_in(key, 2 * number + 1), network.top, here, jnp.asarray(time - done))
        seen.append(np.asarray(_down(jax.random.fold_in(key, 2 * number + 2), network, here[0])))
        done = time
    means = seen[-1]
    drawn = np.asarray(bernoulli_of_mean(subkey(key, "pixels"), jnp.asarray(means)))
    return np.stack(seen, axis=1), drawn


def dbn_arrays(state: BeliefState) -> dict[str, np.ndarray]:
    """Plain arrays: generation_i and recognition_i `(lower, upper)`, their biases, and the top RBM's.

    bias_down_i `(lower,)` belongs to generation_i, bias_up_i `(upper,)` to recognition_i.
    """
    network = trained_network(state)
    arrays: dict[str, Any] = {}
    for number, (down, up) in enumerate(zip(network.generation, network.recognition)):
        arrays |= {f"generation_{number}": down.weights[0], f"bias_down_{number}": down.biases[0]}
        arrays |= {f"recognition_{number}": up.weights[0], f"bias_up_{number}": up.biases[1]}
    arrays |= {"top_weights": network.top.weights[0]}
    arrays |= {"top_bias_0": network.top.biases[0], "top_bias_1": network.top.biases[1]}
    return {name: np.asarray(array) for name, array in arrays.items()}


def dbn_persistent(state: BeliefState, config: BeliefConfig, chains: int) -> States:
    """The first chains that fine-tuning kept, of the top RBM."""
    return jax.tree.map(lambda x: x[:chains], state.chains)


def dbn_filters(state: BeliefState) -> list[np.ndarray]:
    """The weights down to the pixels, through the layers between."""
    network = trained_network(state)
    machines = (*network.generation, network.top)
    return [np.asarray(w) for w in filters.through([machine.weights[0] for machine in machines])]


def _reach(network: DBN, x: Array, layer: int) -> Array:
    return ascent(network, x)[layer - 1]


def dbn_maxima(key: Key[Array, ""], state: BeliefState, layer: int, units: np.ndarray, norm: float) -> np.ndarray:
    """What the recognition model sees these units in most."""
    network = trained_network(state)
    return np.asarray(filters.maxima(key, network, jnp.asarray(units), norm, _reach, layer, network.sizes[0]))


@jax.jit
def _features(network: DBN, x: Array) -> Array:
    machines = (*network.recognition, network.top)
    return jnp.concatenate([m.units[1].mean(f, m.quadratic(1)) for m, f in zip(machines, ascent(network, x))], axis=-1)


def dbn_features(state: BeliefState, images: np.ndarray) -> np.ndarray:
    """Means of all hidden layers side by side, in one pass upwards."""
    return in_blocks(partial(_features, trained_network(state)), images)
