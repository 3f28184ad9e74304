"""Maximum likelihood of an autoregressive model (Larochelle and Murray 2011): the gradient is exact, without chains."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from genjax.algorithms import examples
from genjax.networks.backbones import ActivationName
from genjax.networks.nade import NADE, Weights, log_probability, nade
from genjax.random import subkey
from genjax.training.config import factory, positive, rate
from genjax.training.devices import averaged, own_copy
from genjax.training.update import Rates, first, update
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics


@dataclass(frozen=True, kw_only=True)
class AutoregressiveConfig(Rates):
    """What the model is, and how it learns."""

    hidden: int = 200
    """Hidden units of every value, computed from those before it with weights that all of them share."""
    activation: ActivationName = "relu"
    """Activation of the hidden units."""
    ordering: Literal["given", "random"] = "given"
    """The order in which values are explained: as they are given (of images row by row), or a random one of the run."""
    learning_rate: float = rate(2e-3)

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        positive(self, "hidden")
        super().check()


class AutoregressiveState(NamedTuple):
    """What training carries from step to step."""

    model: NADE
    optimiser: Any
    average: Weights | None
    step: Int[Array, ""]
    hyper: Hyper

    @property
    def parameters(self) -> Weights:
        """What is learned."""
        return self.model.weights


def trained_model(state: AutoregressiveState) -> NADE:
    """The model to evaluate: the average over the end of the run where one was asked for."""
    return state.model if state.average is None else dataclasses.replace(state.model, weights=state.average)


@factory
def autoregressive(config: AutoregressiveConfig, axis_name: str | None = None) -> Algorithm:
    """Learning by the likelihood's gradient, as `config` says; rates come through `hyper`.

    With `axis_name`, `step` runs inside `jax.pmap` or `jax.shard_map`: gradients are averaged over the axis.
    """

    def init(key: Key[Array, ""], example: Example, hyper: Hyper) -> AutoregressiveState:
        shuffled = config.ordering == "random"
        model = nade(subkey(key, "model"), config.hidden, example.mean, config.activation, shuffled)
        return AutoregressiveState(model=model, **first(config, hyper, model.weights))

    def step(key: Key[Array, ""], state: AutoregressiveState, batch: Batch) -> tuple[AutoregressiveState, Metrics]:
        def loss(weights: Weights) -> Float[Array, ""]:
            return -jnp.mean(log_probability(dataclasses.replace(state.model, weights=weights), batch.x))

        value, gradient = jax.value_and_grad(loss)(own_copy(state.model.weights, axis_name))
        weights, new, metrics = update(
            config, state, state.model.weights, gradient, axis_name=axis_name, loss=(value, loss)
        )
        model = dataclasses.replace(state.model, weights=weights)
        return new._replace(model=model), metrics | {"batch_log_likelihood": -averaged(value, axis_name)}

    def observe(key: Key[Array, ""], state: AutoregressiveState, train: Batch, held_out: Batch | None) -> Metrics:
        model = trained_model(state)
        metrics = {"log_likelihood": jnp.mean(log_probability(model, train.x))}
        if held_out is not None:
            metrics["held_out_log_likelihood"] = jnp.mean(log_probability(model, held_out.x))
            metrics["free_energy_gap"] = metrics["log_likelihood"] - metrics["held_out_log_likelihood"]
        return metrics

    def check(batch: Batch) -> None:
        examples.binary(batch.x, "An autoregressive model", "another model", "values")

    return Algorithm(init, step, observe, check)
