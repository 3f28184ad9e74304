"""The deep belief network: trained layer by layer, then up and down; its likelihood is importance-sampled."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from genjax.algorithms import examples, updown
from genjax.algorithms.updown import DBNConfig, trained_network
from genjax.blocks import in_blocks
from genjax.boltzmann import filters
from genjax.boltzmann.dbn import DBN as Network
from genjax.boltzmann.dbn import ascent, downward
from genjax.boltzmann.machine import States, mean
from genjax.data import Dataset
from genjax.evaluation import importance
from genjax.models import chains
from genjax.models.base import Config
from genjax.models.effort import AIS
from genjax.models.rbm import LIKELIHOODS
from genjax.plots import panels
from genjax.random import bernoulli_of_mean, subkey
from genjax.training.settings import RunConfig
from genjax.typing import Answer, Kernel, Model, Stage


@dataclass(frozen=True, kw_only=True)
class DBN(Config, DBNConfig):
    """A deep belief network, trained layer by layer, then up and down."""


def stages(config: DBN, steps: int, steps_per_epoch: int) -> tuple[Stage, ...]:
    """The stack of RBMs, then the fine-tuning."""
    return updown.stages(config, steps, steps_per_epoch)


def check(config: DBN, run: RunConfig, dataset: Dataset) -> None:
    """Pixels have to be binary."""
    for x in (dataset.train, dataset.validation, dataset.test):
        if run.binarisation == "none":
            examples.binary(x, "A belief network", "another model")
        else:
            examples.intensities(x, f"`binarisation` {run.binarisation}")


def begin(state: Any, network: Network) -> Any:
    """A fresh state whose network is this one."""
    average = None if state.average is None else jax.tree.map(jnp.copy, network)
    return state._replace(network=jax.tree.map(jnp.copy, network), average=average)


def answer(
    key: Key[Array, ""], network: Network, mean: np.ndarray, chains: States | None = None, **effort: Any
) -> Answer:
    """Log p from below, importance-sampled, with the errors of both the draws and log Z."""
    return importance.belief(key, network, mean, chains, **effort)


@jax.jit
def _down(key: Key[Array, ""], network: Network, x: Array) -> Array:
    return downward(key, network, x)[0]


def sample(
    key: Key[Array, ""],
    network: Network,
    count: int,
    times: tuple[int, ...],
    label: int | None = None,
    kernel: Kernel | None = None,
    start: States | None = None,
) -> dict[str, Any]:
    """Fresh chains of the top RBM, or those given, drawn downwards after each number of sweeps."""

    def show(number: int, states: States) -> Array:
        return _down(jax.random.fold_in(key, 2 * number + 2), network, states[0])

    odd = lambda number: 2 * number + 1  # noqa: E731
    found = chains.path(key, network.top, count, times, show, kernel, start, odd)
    means = found.shown[:, -1]
    drawn = np.asarray(bernoulli_of_mean(subkey(key, "pixels"), jnp.asarray(means)))
    return {"samples": drawn.astype(np.float32), "means": means, "path": found.shown, "info": found.info}


def arrays(network: Network) -> dict[str, np.ndarray]:
    """Plain arrays: generation_i and recognition_i `(lower, upper)`, their biases, and the top RBM's.

    bias_down_i `(lower,)` belongs to generation_i, bias_up_i `(upper,)` to recognition_i.
    """
    named: dict[str, Any] = {}
    for number, (down, up) in enumerate(zip(network.generation, network.recognition)):
        named |= {f"generation_{number}": down.weights[0], f"bias_down_{number}": down.biases[0]}
        named |= {f"recognition_{number}": up.weights[0], f"bias_up_{number}": up.biases[1]}
    named |= {"top_weights": network.top.weights[0]}
    named |= {"top_bias_0": network.top.biases[0], "top_bias_1": network.top.biases[1]}
    return {name: np.asarray(array) for name, array in named.items()}


def weights(network: Network) -> list[np.ndarray]:
    """The weights down to the pixels, through the layers between."""
    machines = (*network.generation, network.top)
    return [np.asarray(w) for w in filters.visible_weights([machine.weights[0] for machine in machines])]


def _reached(network: Network, x: Array, layer: int) -> Array:
    return ascent(network, x)[layer - 1]


def maxima(key: Key[Array, ""], network: Network, layer: int, units: np.ndarray, norm: float) -> np.ndarray:
    """What drives these units most by the recognition model."""
    return np.asarray(filters.maxima(key, network, jnp.asarray(units), norm, _reached, layer, network.sizes[0]))


@jax.jit
def _hidden(network: Network, x: Array) -> list[Array]:
    machines = (*network.recognition, network.top)
    return [m.units[1].mean(field, m.quadratic(1)) for m, field in zip(machines, ascent(network, x))]


def features(network: Network, x: np.ndarray) -> np.ndarray:
    """Means of all hidden layers side by side, in one pass upwards."""
    return in_blocks(lambda part: jnp.concatenate(_hidden(network, part), axis=-1), x)


def encode(network: Network, x: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
    """Means of the highest hidden layer, in one pass upwards."""
    return in_blocks(lambda part: _hidden(network, part)[-1], x)


def decode(network: Network, code: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
    """Expected pixels of codes, passed down as means."""
    return in_blocks(partial(_decoded, network), code)


@jax.jit
def _decoded(network: Network, x: Array) -> Array:
    for machine in (network.top, *reversed(network.generation)):
        x = mean(machine, (None, x), 0)
    return x


def back(network: Network, x: np.ndarray) -> np.ndarray:
    """There and back by means."""
    return decode(network, encode(network, x))


DBN.model = Model(
    name="dbn",
    config=DBN,
    stages=stages,
    parameters=trained_network,
    begin=begin,
    check=check,
    binarisation=lambda config: "sampled",
    effort=AIS,
    answer=answer,
    machine=lambda network: network.top,
    chains=lambda config, state: state.chains,
    sample=sample,
    back=back,
    encode=encode,
    decode=decode,
    features=features,
    filters=weights,
    maxima=maxima,
    arrays=arrays,
    measures=LIKELIHOODS,
    panels=panels.BOLTZMANN,
)
