"""Discriminative fine-tuning: a machine unrolled into a network that tells labels (Salakhutdinov and Hinton 2009).

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
from genjax.evaluation.classifier import kernels
from genjax.networks.unrolled import Unrolled
from genjax.random import subkey
from genjax.training.config import at_least, completed, factory, positive, rate, shares, sizes
from genjax.training.devices import averaged, own_copy, own_key
from genjax.training.optimiser import Optimiser, Schedule, learning_rate_at, tail_average, transformation
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics


@dataclass(frozen=True, kw_only=True)
class DiscriminativeConfig:
    """How the unrolled network learns."""

    layers: tuple[int, ...] = (128, 128)
    """Hidden units of each layer, lowest first."""
    classes: int = 10
    """How many labels there are."""
    posterior: bool = True
    """Whether each layer sees the mean-field posterior of the one above (of a DBM; not of an RBM or DBN)."""
    mean_field: int = 10
    """Most rounds of mean field."""
    tolerance: float = 1e-3
    """Mean field stops where no mean changes by more than this."""
    optimiser: Optimiser = "adam"
    """Which optax transformation."""
    schedule: Schedule = "linear"
    """How the learning rate falls over the run."""
    learning_rate: float = rate(1e-3)
    """Learning rate at the start."""
    momentum: float = rate(0.9)
    """Decay of the velocity (for adam and lion: the first beta)."""
    weight_decay: float = rate(0.0)
    """Decoupled decay of the weights."""
    input_dropout: float = rate(0.2)
    """Share of the inputs, pixels and posterior, that is left out of a step."""
    dropout: float = rate(0.5)
    """Share of the hidden units that is left out of a step."""
    label_smoothing: float = rate(0.0)
    """Share of each label that is spread over all of them."""
    average: float = 0.2
    """Share of the run, at its end, over which the parameters are averaged (0: none)."""

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        sizes(self, "layers", least=1)
        positive(self, "classes", "mean_field", "learning_rate")
        at_least(self, 0, "tolerance", "weight_decay")
        shares(self, "momentum", "input_dropout", "dropout", "label_smoothing", "average")


class DiscriminativeState(NamedTuple):
    """What fine-tuning carries from step to step."""

    parameters: Any
    machine: Machine  # as it was trained: what the posterior is taken from
    optimiser: Any
    average: Any
    step: Int[Array, ""]
    hyper: Hyper


def trained_parameters(state: DiscriminativeState) -> PyTree:
    """Those to judge: the average over the tail of the run where one was asked for."""
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


def begun(machine: Machine, config: DiscriminativeConfig, hyper: Hyper) -> DiscriminativeState:
    """The state before the first step: binary hidden units, no labels on top (`labels.without_label`).

    What `hyper` lacks is the config's.
    """
    hyper = completed(config, hyper)
    parameters = unrolled(machine, config)
    chain = transformation(config.optimiser, hyper, hyper["learning_rate"], kernels(parameters))
    average = jax.tree.map(jnp.copy, parameters) if config.average > 0 else None
    machine = jax.tree.map(jnp.copy, machine)
    return DiscriminativeState(parameters, machine, chain.init(parameters), average, jnp.zeros((), jnp.int32), hyper)


def inputs(
    machine: Machine, x: Float[Array, "batch pixels"], config: DiscriminativeConfig
) -> tuple[Array, tuple[Array, ...]]:
    """What the network sees of images in [0, 1]: visible units, and the posterior's means from the second layer up.

    Those are found here, unless they stand behind the pixels already (`with_posterior`).
    """
    if not config.posterior or machine.depth == 2:
        return machine.units[0].of_intensities(x), ()
    first, *upper = np.cumsum([machine.sizes[0] // machine.units[0].width, *machine.sizes[2:]]).tolist()
    visible = machine.units[0].of_intensities(x[:, :first])
    if x.shape[-1] > first:
        return visible, tuple(x[:, low:high] for low, high in zip([first, *upper], upper))
    data = (visible, *[None] * (machine.depth - 1))
    found = mean_field(machine, data, config.mean_field, config.tolerance)
    return visible, means(machine, data, found.fields)[2:]


def with_posterior(
    machine: Machine, x: Float[Array, "batch pixels"], config: DiscriminativeConfig
) -> Float[Array, "batch inputs"]:
    """Images with their posterior behind them: most of a step's work, where they are shown often and always alike."""
    return jnp.concatenate([x, *inputs(machine, x, config)[1]], axis=-1)


def logits(state: DiscriminativeState, x: Float[Array, "batch pixels"], config: DiscriminativeConfig) -> Array:
    """Unnormalised log-probabilities of the labels, `(batch, classes)`, of images in [0, 1]."""
    found: Any = Unrolled(config.layers, config.classes).apply(
        trained_parameters(state), *inputs(state.machine, x, config)
    )
    return found


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
        return begun(dbm(key, config.layers, example.mean), config, hyper)

    def step(key: Key[Array, ""], state: DiscriminativeState, batch: Batch) -> tuple[DiscriminativeState, Metrics]:
        key = own_key(key, axis_name)
        seen = inputs(state.machine, batch.x, config)
        hyper = state.hyper

        def noise(name: str, x: Array) -> Array:
            outside = name == "up_0" or name.startswith("down")
            return dropped(subkey(key, name), x, hyper["input_dropout" if outside else "dropout"])

        def objective(parameters: PyTree) -> tuple[Float[Array, ""], Metrics]:
            metrics = scores(network.apply(parameters, *seen, noise), batch.target, hyper["label_smoothing"])  # type: ignore[arg-type]
            return metrics["loss"], metrics

        found = jax.grad(objective, has_aux=True)(own_copy(state.parameters, axis_name))
        slope, metrics = averaged(found, axis_name)
        learning_rate = learning_rate_at(config.schedule, hyper, state.step)
        chain = transformation(config.optimiser, hyper, learning_rate, kernels(state.parameters))
        change, optimiser = chain.update(slope, state.optimiser, state.parameters)
        parameters = optax.apply_updates(state.parameters, change)
        average = tail_average(config.average, state.average, parameters, state.step, hyper)
        new = DiscriminativeState(parameters, state.machine, optimiser, average, state.step + 1, hyper)
        largest = jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(parameters)]))
        norm = optax.tree.norm(slope)
        return new, metrics | {"parameter_max": largest, "gradient_norm": norm, "learning_rate": learning_rate}

    def observe(key: Key[Array, ""], state: DiscriminativeState, train: Batch, held_out: Batch | None) -> Metrics:
        found = {}
        for prefix, batch in (("train_", train), ("held_out_", held_out)):
            if batch is not None:
                told = scores(logits(state, batch.x, config), batch.target)
                found |= {prefix + name: value for name, value in told.items()}
        return found

    def check(batch: Batch) -> None:
        examples.finite(batch.x)
        examples.labels(batch.target, config.classes)

    return Algorithm(init, step, observe, check)


def scores(
    logits: Float[Array, "batch classes"], label: Int[Array, " batch"], smoothing: Float[Array, ""] | float = 0.0
) -> Metrics:
    """Cross-entropy in nats, and the share of labels told wrong."""
    goal = optax.smooth_labels(jax.nn.one_hot(label, logits.shape[-1], dtype=jnp.float32), smoothing)  # type: ignore[arg-type]
    loss = optax.softmax_cross_entropy(logits, goal)
    return {"loss": jnp.mean(loss), "error": jnp.mean(jnp.argmax(logits, -1) != label)}
