"""Diffusion: learning to undo noise, whichever process makes it."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from genjax.algorithms.denoiser import Denoiser, Process, Range, is_process
from genjax.algorithms.gaussian import DDPM, Flow
from genjax.algorithms.masked import Masked
from genjax.networks.backbones import Shape
from genjax.random import subkey
from genjax.training.config import choice, factory, rate
from genjax.training.devices import averaged, own_copy, own_key
from genjax.training.update import Rates, first, update
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics

OBSERVED = 1000  # examples at most


@dataclass(frozen=True, kw_only=True)
class DiffusionConfig(Rates):
    """What the process is, and how it is undone."""

    process: Process = choice(Masked(), Masked, DDPM, Flow, takes=is_process)
    """What noise is: hidden pixels of binary images, or Gaussian noise on intensities, along a cosine (ddpm) or a
    straight line (flow)."""
    learning_rate: float = rate(2e-3)
    """Learning rate at the start."""


class DiffusionState(NamedTuple):
    """What training carries from step to step; `average` is of the parameters."""

    model: Denoiser
    optimiser: Any
    average: PyTree
    step: Int[Array, ""]
    hyper: Hyper

    @property
    def parameters(self) -> PyTree:
        """What is learned."""
        return self.model.parameters


def trained_model(state: DiffusionState) -> Denoiser:
    """The model to evaluate: the average over the end of the run where one was asked for."""
    return state.model if state.average is None else dataclasses.replace(state.model, parameters=state.average)


@factory
def diffusion(
    config: DiffusionConfig,
    shape: Shape | None = None,
    limits: tuple[float, float] | None = None,
    axis_name: str | None = None,
) -> Algorithm:
    """Learning by the loss of the process; rates come through `hyper`.

    Images have this shape (None: a row of values), and their values these limits, if any. With `axis_name`, `step` runs
    inside `jax.pmap` or `jax.shard_map`: gradients are averaged over the axis, and each device draws its own noise.
    """
    process = config.process

    def init(key: Key[Array, ""], example: Example, hyper: Hyper) -> DiffusionState:
        of = shape or (1, example.mean.shape[0], 1)
        network = process.network(of)
        parameters = process.first(subkey(key, "network"), network, of, example.mean)
        model = Denoiser(parameters, range_of(example, limits), network, process, of)
        return DiffusionState(model=model, **first(config, hyper, parameters))

    def step(key: Key[Array, ""], state: DiffusionState, batch: Batch) -> tuple[DiffusionState, Metrics]:
        key = own_key(key, axis_name)

        def loss(parameters: PyTree) -> Float[Array, ""]:
            return process.loss(key, dataclasses.replace(state.model, parameters=parameters), batch.x)

        parameters = state.model.parameters
        value, gradient = jax.value_and_grad(loss)(own_copy(parameters, axis_name))
        parameters, state, metrics = update(
            config, state, parameters, gradient, axis_name=axis_name, loss=(value, loss)
        )
        state = state._replace(model=dataclasses.replace(state.model, parameters=parameters))
        return state, metrics | {"loss": averaged(value, axis_name)}

    def observe(key: Key[Array, ""], state: DiffusionState, train: Batch, held_out: Batch | None) -> Metrics:
        model = trained_model(state)
        metrics = process.observe(key, model, train.x[:OBSERVED])
        if held_out is not None:  # common noise: a fairer gap
            metrics |= {f"held_out_{n}": v for n, v in process.observe(key, model, held_out.x[:OBSERVED]).items()}
            if "elbo" in metrics:
                metrics["free_energy_gap"] = metrics["elbo"] - metrics["held_out_elbo"]
        return metrics

    def check(batch: Batch) -> None:
        process.check_examples(batch.x)

    return Algorithm(init, step, observe, check)


def range_of(example: Example, limits: tuple[float, float] | None) -> Range:
    """Mean and deviation of all training values at once, and their limits."""
    mean = example.mean.mean()
    deviation = jnp.sqrt(example.variance.mean() + example.mean.var())
    low, high = (-math.inf, math.inf) if limits is None else limits
    return Range(mean, jnp.maximum(deviation, 1e-6), jnp.asarray(low, jnp.float32), jnp.asarray(high, jnp.float32))
