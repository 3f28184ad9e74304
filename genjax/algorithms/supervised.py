"""Supervised learning: any flax network from examples to targets, by gradient descent on a loss.

A network is a `flax.linen` module whose call takes flat examples `(batch, values)`; where it does something else in
training than after it (dropout, batch normalisation) it also takes `train`. What it keeps beside its parameters, such
as running moments, travels with them. A target is whatever the loss takes: class numbers, numbers, any pytree.
"""

import dataclasses
import inspect
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from genjax.algorithms import examples
from genjax.errors import UserError
from genjax.networks.backbones import ActivationName
from genjax.networks.perceptron import Perceptron
from genjax.random import subkey
from genjax.training.config import at_least, choice, factory, rate, sizes
from genjax.training.devices import averaged, own_copy, own_key
from genjax.training.update import Rates, first, kernels, update
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics


@dataclass(frozen=True)
class MLP:
    """A multilayer perceptron, as wide at its end as the targets are."""

    layers: tuple[int, ...] = (256,)
    """Units of the hidden layers."""
    activation: ActivationName = "relu"
    """Activation of the hidden units."""
    dropout: float = 0.0
    """Share of the hidden units that is dropped in training."""
    batch_norm: bool = False
    """Whether hidden layers are normalised over the batch."""

    kind: ClassVar[str] = "mlp"

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        sizes(self, "layers")
        if not 0 <= self.dropout < 1:
            raise UserError(f"`dropout` {self.dropout} is out of range; give a number from 0 to below 1.")

    def module(self, outputs: int) -> nn.Module:
        """The network."""
        return Perceptron(self.layers, outputs, self.activation, self.dropout, self.batch_norm)


@runtime_checkable
class Loss(Protocol):
    """How outputs and targets are compared: a frozen value.

    - `losses(outputs, target)`: of each example, `(batch,)`; its mean is minimised.
    - `metrics(outputs, target)`: scalars by name, more is better or worse as their names say.
    - `outputs(target)`: how many of them a network needs for such targets.
    - `check(target)`: raises `UserError` where it cannot compare with these.
    """

    kind: ClassVar[str]

    def losses(self, outputs: PyTree, target: PyTree) -> Float[Array, " batch"]: ...

    def metrics(self, outputs: PyTree, target: PyTree) -> Metrics: ...

    def outputs(self, target: PyTree) -> int: ...

    def check_targets(self, target: PyTree) -> None: ...


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy of class numbers, nats; a class is the largest of the outputs."""

    kind: ClassVar[str] = "cross_entropy"

    def losses(self, outputs: Float[Array, "batch classes"], target: Int[Array, " batch"]) -> Float[Array, " batch"]:
        """The negative log-probability of the class."""
        return optax.softmax_cross_entropy_with_integer_labels(outputs, target)

    def metrics(self, outputs: Float[Array, "batch classes"], target: Int[Array, " batch"]) -> Metrics:
        """The share of examples that are classified wrongly."""
        return {"error": jnp.mean(jnp.argmax(outputs, -1) != target)}

    def outputs(self, target: Any) -> int:
        """One a class."""
        return int(np.asarray(target).max()) + 1

    def check_targets(self, target: PyTree) -> None:
        """Class numbers, all of them known."""
        if target is None:
            raise UserError("`loss` cross_entropy: the examples have no labels; give class numbers as `y`.")
        is_array = isinstance(target, Array | np.ndarray) and target.ndim == 1
        if not is_array or not np.issubdtype(target.dtype, np.integer):
            raise UserError(
                "`loss` cross_entropy: the targets are not class numbers, an integer for each example; of numbers "
                "squared_error is the loss."
            )
        if np.min(np.asarray(target)) < 0:
            raise UserError("`loss` cross_entropy compares with classes, and some examples have none; leave them out.")


@dataclass(frozen=True)
class SquaredError:
    """Squared error, averaged over the numbers of a target."""

    kind: ClassVar[str] = "squared_error"

    def losses(self, outputs: Float[Array, "batch outputs"], target: Float[Array, "batch ..."]) -> Array:
        """Of each example."""
        return jnp.mean((outputs - target.reshape(outputs.shape)) ** 2, axis=-1)

    def metrics(self, outputs: Float[Array, "batch outputs"], target: Float[Array, "batch ..."]) -> Metrics:
        """No more than the loss says."""
        return {}

    def outputs(self, target: Any) -> int:
        """One a number."""
        return target[0].size

    def check_targets(self, target: PyTree) -> None:
        """One array of finite numbers."""
        if target is None or len(jax.tree.leaves(target)) != 1:
            raise UserError("`loss` squared_error compares with one array of numbers; give it as `y`, floats.")
        leaf = np.asarray(jax.tree.leaves(target)[0])
        if not np.issubdtype(leaf.dtype, np.floating):
            raise UserError("`loss` squared_error compares with numbers, and these are classes; try cross_entropy.")
        if not np.isfinite(leaf).all():
            raise UserError("The targets hold NaN or infinity; leave those examples out.")


def is_network(value: Any) -> bool:
    """Whether it is a flax module."""
    return isinstance(value, nn.Module)


def is_loss(value: Any) -> bool:
    """Whether it is a `Loss`."""
    return isinstance(value, Loss) and not isinstance(value, type)


@dataclass(frozen=True, kw_only=True)
class SupervisedConfig(Rates):
    """The network, the loss, and how it is minimised."""

    network: Any = choice(MLP(), MLP, takes=is_network)
    """The network: a perceptron, or from Python any `flax.linen` module."""
    loss: Any = choice(CrossEntropy(), CrossEntropy, SquaredError, takes=is_loss)
    """What is minimised: cross-entropy of classes or squared error of numbers; from Python also a `Loss` of yours."""
    l1: float = rate(0.0)
    """Weight of the sum of the weights' magnitudes in the loss."""
    l2: float = rate(0.0)
    """Weight of the sum of the weights' squares in the loss."""
    average: float = 0.0
    """Fraction of the run, at its end, over which the parameters are averaged (0: none)."""

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        super().check()
        at_least(self, 0, "l1", "l2")


@partial(jax.tree_util.register_dataclass, data_fields=["parameters", "variables"], meta_fields=["network", "loss"])
@dataclass(frozen=True)
class Predictor:
    """A network with its parameters and what else it keeps; network and loss are static. Called on flat examples."""

    parameters: PyTree
    variables: PyTree
    network: nn.Module
    loss: Any

    def __call__(self, x: Float[Array, "batch values"]) -> Any:
        """Its outputs, as after training."""
        return self.network.apply({"params": self.parameters, **self.variables}, x, **_switch(self.network, False))

    def in_training(self, key: Key[Array, ""], parameters: PyTree, x: Float[Array, "batch values"]) -> tuple[Any, Any]:
        """Outputs at other parameters with what training draws, and what it keeps after that."""
        given, options = {"params": parameters, **self.variables}, _switch(self.network, True)
        return self.network.apply(given, x, rngs={"dropout": key}, mutable=list(self.variables), **options)  # type: ignore[return-value]


def _switch(network: nn.Module, train: bool) -> dict[str, Any]:
    return {"train": train} if "train" in inspect.signature(type(network).__call__).parameters else {}


class SupervisedState(NamedTuple):
    """What training carries from step to step; `average` is of the parameters."""

    model: Predictor
    optimiser: Any
    average: PyTree
    step: Int[Array, ""]
    hyper: Hyper

    @property
    def parameters(self) -> PyTree:
        """What is learned."""
        return self.model.parameters


def trained_model(state: SupervisedState) -> Predictor:
    """The model to evaluate: the average over the end of the run where one was asked for."""
    return state.model if state.average is None else dataclasses.replace(state.model, parameters=state.average)


@factory
def supervised(config: SupervisedConfig, outputs: int = 1, axis_name: str | None = None) -> Algorithm:
    """Learning by the loss; rates come through `hyper`.

    A perceptron has as many `outputs`; a network from outside knows its own. With `axis_name`, `step` runs inside
    `jax.pmap` or `jax.shard_map`: gradients, and what the network keeps, are averaged over the axis.
    """
    loss = config.loss

    def init(key: Key[Array, ""], example: Example, hyper: Hyper) -> SupervisedState:
        network = config.network
        if not is_network(network):
            network = network.module(outputs)
        variables: Any = network.init(subkey(key, "network"), example.batch.x[:1], **_switch(network, False))
        parameters = variables["params"]
        others = {name: value for name, value in variables.items() if name != "params"}
        model = Predictor(parameters, others, network, loss)
        return SupervisedState(model=model, **first(config, hyper, parameters))

    def step(key: Key[Array, ""], state: SupervisedState, batch: Batch) -> tuple[SupervisedState, Metrics]:
        key, model = own_key(key, axis_name), state.model

        def objective(parameters: PyTree) -> tuple[Float[Array, ""], tuple[Metrics, PyTree]]:
            found, kept = model.in_training(key, parameters, batch.x)
            value = jnp.mean(loss.losses(found, batch.target))
            metrics = {"loss": value, **loss.metrics(found, batch.target)}
            return value + penalty(parameters, state.hyper), (metrics, kept)

        own = own_copy(model.parameters, axis_name)
        (value, (metrics, kept)), slope = jax.value_and_grad(objective, has_aux=True)(own)
        parameters, state, common = update(
            config,
            state,
            model.parameters,
            slope,
            axis_name=axis_name,
            loss=(value, lambda parameters: objective(parameters)[0]),
        )
        model = dataclasses.replace(model, parameters=parameters, variables=averaged(kept, axis_name))
        return state._replace(model=model), averaged(metrics, axis_name) | common

    def observe(key: Key[Array, ""], state: SupervisedState, train: Batch, held_out: Batch | None) -> Metrics:
        model, metrics = trained_model(state), {}
        for prefix, batch in (("train_", train), ("held_out_", held_out)):
            if batch is not None:
                metrics |= {prefix + name: value for name, value in scores(model, batch).items()}
        return metrics

    def check(batch: Batch) -> None:
        examples.finite(batch.x)
        loss.check_targets(batch.target)

    return Algorithm(init, step, observe, check)


def penalty(parameters: PyTree, hyper: Hyper) -> Float[Array, ""]:
    """Of the weights, not of the biases."""
    weights = [w for w, kernel in zip(jax.tree.leaves(parameters), jax.tree.leaves(kernels(parameters))) if kernel]
    magnitudes, squares = (sum((jnp.sum(f(w)) for w in weights), jnp.zeros(())) for f in (jnp.abs, jnp.square))
    return hyper["l1"] * magnitudes + hyper["l2"] * squares


def scores(model: Predictor, batch: Batch) -> Metrics:
    """The mean loss, without penalties, and the loss's own metrics."""
    found = model(batch.x)
    return {"loss": jnp.mean(model.loss.losses(found, batch.target)), **model.loss.metrics(found, batch.target)}
