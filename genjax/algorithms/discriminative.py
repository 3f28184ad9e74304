"""Discriminative fine-tuning: a machine unrolled into a classifier (Salakhutdinov and Hinton 2009).

A deep machine's hidden layer has two inputs, and so it keeps both: what comes from below, and the mean-field posterior
of the layer above, which is found once by the machine as it was and is an extra input of the network. Before the first
step the network's hidden layers are therefore those of mean field. An RBM and a belief network have no such input.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from genjax import random
from genjax.algorithms import examples
from genjax.boltzmann.dbm import dbm
from genjax.boltzmann.machine import Machine
from genjax.boltzmann.mean_field import mean_field, means
from genjax.networks.unrolled import Unrolled
from genjax.random import subkey
from genjax.training.config import at_least, completed, factory, positive, rate, shares, sizes
from genjax.training.devices import averaged, own_copy, own_key
from genjax.training.update import Rates, first, update
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics


@dataclass(frozen=True, kw_only=True)
class DiscriminativeConfig(Rates):
    """How the unrolled network learns."""

    layers: tuple[int, ...] = (128, 128)
    """Hidden units of each layer, lowest first."""
    classes: int = 10
    """How many labels there are."""
    posterior: bool = True
    """Whether each layer takes the mean-field posterior of the one above (of a DBM; not of an RBM or DBN)."""
    mean_field: int = 10
    """Most rounds of mean field."""
    tolerance: float = 1e-3
    """Mean field stops where no mean changes by more than this."""
    input_dropout: float = rate(0.2)
    """Share of the inputs, pixels and posterior, that is left out of a step."""
    dropout: float = rate(0.5)
    """Share of the hidden units that is left out of a step."""
    label_smoothing: float = rate(0.0)
    """Share of each label that is spread over all of them."""

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        sizes(self, "layers", least=1)
        super().check()
        positive(self, "classes", "mean_field")
        at_least(self, 0, "tolerance")
        shares(self, "input_dropout", "dropout", "label_smoothing")


class DiscriminativeState(NamedTuple):
    """What fine-tuning carries from step to step."""

    parameters: Any
    machine: Machine  # as it was trained: what the posterior is taken from
    optimiser: Any
    average: Any
    step: Int[Array, ""]
    hyper: Hyper


def trained_parameters(state: DiscriminativeState) -> PyTree:
    """Those to evaluate: the average over the end of the run where one was asked for."""
    return state.parameters if state.average is None else state.average


def unrolled(machine: Machine, config: DiscriminativeConfig) -> PyTree:
    """The network's parameters at the machine's weights; the softmax begins at zero."""
    answer: dict[str, Any] = {}
    for number, (weights, bias) in enumerate(zip(machine.weights, machine.biases[1:])):
        answer[f"up_{number}"] = {"kernel": weights, "bias": bias}
        if number and config.posterior:
            answer[f"down_{number - 1}"] = {"kernel": weights.T}
    answer["out"] = {
        "kernel": jnp.zeros((config.layers[-1], config.classes), jnp.float32),
        "bias": jnp.zeros(config.classes, jnp.float32),
    }
    return {"params": jax.tree.map(jnp.copy, answer)}


def first_state(machine: Machine, config: DiscriminativeConfig, hyper: Hyper) -> DiscriminativeState:
    """The state before the first step: binary hidden units, no labels on top (`labels.without_label`).

    What `hyper` lacks is the config's.
    """
    parameters = unrolled(machine, config)
    fields = first(config, completed(config, hyper), parameters)
    return DiscriminativeState(parameters=parameters, machine=jax.tree.map(jnp.copy, machine), **fields)


def inputs(
    machine: Machine, x: Float[Array, "batch pixels"], config: DiscriminativeConfig
) -> tuple[Array, tuple[Array, ...]]:
    """The network's inputs for images in [0, 1]: visible units, and the posterior's means from the second layer up.

    Those are found here, unless they stand behind the pixels already (`with_posterior`).
    """
    if not config.posterior or machine.depth == 2:
        return machine.units[0].of_intensities(x), ()
    first, *upper = np.cumsum([machine.sizes[0] // machine.units[0].width, *machine.sizes[2:]]).tolist()
    visible = machine.units[0].of_intensities(x[:, :first])
    if x.shape[-1] > first:
        return visible, tuple(x[:, low:high] for low, high in zip([first, *upper], upper))
    data = (visible, *[None] * (machine.depth - 1))
    fields = mean_field(machine, data, config.mean_field, config.tolerance).fields
    return visible, means(machine, data, fields)[2:]


def with_posterior(
    machine: Machine, x: Float[Array, "batch pixels"], config: DiscriminativeConfig
) -> Float[Array, "batch inputs"]:
    """Images with their posterior behind them: most of a step's work, where they are shown often and always alike."""
    return jnp.concatenate([x, *inputs(machine, x, config)[1]], axis=-1)


def logits(state: DiscriminativeState, x: Float[Array, "batch pixels"], config: DiscriminativeConfig) -> Array:
    """Unnormalised log-probabilities of the labels, `(batch, classes)`, of images in [0, 1]."""
    answer: Any = Unrolled(config.layers, config.classes).apply(
        trained_parameters(state), *inputs(state.machine, x, config)
    )
    return answer


def dropped(
    key: Key[Array, ""], x: Float[Array, "batch units"], share: Float[Array, ""]
) -> Float[Array, "batch units"]:
    """Each entry zero with probability `share`, the others larger for it, so that the mean stays."""
    kept = random.bernoulli_of_mean(key, jnp.broadcast_to(1 - share, x.shape))
    return x * kept / (1 - share)


@factory
def discriminative(config: DiscriminativeConfig, axis_name: str | None = None) -> Algorithm:
    """Cross-entropy of the labels with dropout (Srivastava et al. 2014); `init` begins with an untrained machine.

    With `axis_name`, `step` runs inside `jax.pmap` or `jax.shard_map`: gradients are averaged over the axis.
    """
    network = Unrolled(config.layers, config.classes)

    def init(key: Key[Array, ""], example: Example, hyper: Hyper) -> DiscriminativeState:
        return first_state(dbm(key, config.layers, example.mean), config, hyper)

    def step(key: Key[Array, ""], state: DiscriminativeState, batch: Batch) -> tuple[DiscriminativeState, Metrics]:
        key = own_key(key, axis_name)
        layers = inputs(state.machine, batch.x, config)
        hyper = state.hyper

        def noise(name: str, x: Array) -> Array:
            outside = name == "up_0" or name.startswith("down")
            return dropped(subkey(key, name), x, hyper["input_dropout" if outside else "dropout"])

        def objective(parameters: PyTree) -> tuple[Float[Array, ""], Metrics]:
            metrics = scores(network.apply(parameters, *layers, noise), batch.target, hyper["label_smoothing"])  # type: ignore[arg-type]
            return metrics["loss"], metrics

        own = own_copy(state.parameters, axis_name)
        (value, scored), slope = jax.value_and_grad(objective, has_aux=True)(own)
        loss = value, lambda parameters: objective(parameters)[0]
        parameters, state, metrics = update(config, state, state.parameters, slope, axis_name=axis_name, loss=loss)
        return state._replace(parameters=parameters), averaged(scored, axis_name) | metrics

    def observe(key: Key[Array, ""], state: DiscriminativeState, train: Batch, held_out: Batch | None) -> Metrics:
        metrics = {}
        for prefix, batch in (("train_", train), ("held_out_", held_out)):
            if batch is not None:
                scored = scores(logits(state, batch.x, config), batch.target)
                metrics |= {prefix + name: value for name, value in scored.items()}
        return metrics

    def check(batch: Batch) -> None:
        examples.finite(batch.x)
        examples.labels(batch.target, config.classes)

    return Algorithm(init, step, observe, check)


def scores(
    logits: Float[Array, "batch classes"], label: Int[Array, " batch"], smoothing: Float[Array, ""] | float = 0.0
) -> Metrics:
    """Cross-entropy in nats, and the error: the share of images that are classified wrong."""
    goal = optax.smooth_labels(jax.nn.one_hot(label, logits.shape[-1], dtype=jnp.float32), smoothing)  # type: ignore[arg-type]
    loss = optax.softmax_cross_entropy(logits, goal)
    return {"loss": jnp.mean(loss), "error": jnp.mean(jnp.argmax(logits, -1) != label)}
