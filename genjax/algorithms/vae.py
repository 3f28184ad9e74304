"""Variational autoencoders (Kingma and Welling 2014) and importance-weighted ones (Burda et al. 2016)."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, PyTree

from genjax.algorithms import examples
from genjax.errors import UserError
from genjax.networks.backbones import ActivationName, Shape
from genjax.networks.latent import (
    Architecture,
    LatentModel,
    Terms,
    condition_of,
    divergence,
    draw,
    latent_model,
    recognised,
    terms,
)
from genjax.networks.pixels import PixelName
from genjax.random import subkey
from genjax.training.config import choice, factory, positive, rate, sizes, traced
from genjax.training.devices import averaged, own_copy, own_key
from genjax.training.update import Rates, first, update
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics


class BoundInputs(NamedTuple):
    """A batch as the networks take it, how many latents are drawn of it, and the weight of the divergence."""

    x: Float[Array, "batch pixels"]
    given: Float[Array, "batch classes"]
    draws: int
    beta: Float[Array, ""]


def log_weights(parts: Terms, beta: Float[Array, ""] | float = 1.0) -> Float[Array, "draws batch"]:
    """log p(x, z) / q(z | x), nats, the divergence's part weighted."""
    return parts.image + beta * (parts.prior - parts.posterior)


def log_mean(weights: Float[Array, "draws batch"]) -> Float[Array, " batch"]:
    """Of the exponentials, over the draws: the bound of IWAE."""
    return jax.nn.logsumexp(weights, axis=0) - jnp.log(weights.shape[0])


def elbo(key: Key[Array, ""], model: LatentModel, inputs: BoundInputs) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The objective, and the same with beta = 1; mean over the batch, nats an image."""
    z, layers = draw(key, model, inputs.x, inputs.given, inputs.draws)
    parts = terms(model, inputs.x, z, layers, inputs.given)
    image, kl = jnp.mean(parts.image), jnp.mean(divergence(model, z, layers, parts))
    return image - inputs.beta * kl, image - kl


def iwae(key: Key[Array, ""], model: LatentModel, inputs: BoundInputs) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The objective, and the same with beta = 1; mean over the batch, nats an image (Burda et al., equation 8)."""
    z, layers = draw(key, model, inputs.x, inputs.given, inputs.draws)
    parts = terms(model, inputs.x, z, layers, inputs.given)
    return jnp.mean(log_mean(log_weights(parts, inputs.beta))), jnp.mean(log_mean(log_weights(parts)))


def doubly_reparameterised(
    key: Key[Array, ""], model: LatentModel, inputs: BoundInputs
) -> tuple[LatentModel, Float[Array, ""]]:
    """The gradient of `iwae`, the encoder's part by way of the latents alone, each weighted by its share squared.

    Its expectation is that of the plain gradient; its variance does not swamp it as the draws become many (Tucker,
    Lawson, Gu and Maddison 2019, equation 8, of which this is the form for any beta). Also the bound with beta = 1.
    """

    def drawn(recognition: PyTree) -> tuple[Array, ...]:
        return draw(key, dataclasses.replace(model, recognition=recognition), inputs.x, inputs.given, inputs.draws)[0]

    def weights(generation: PyTree, z: tuple[Array, ...]) -> tuple[Array, Array]:
        here = dataclasses.replace(model, generation=generation)
        parts = terms(here, inputs.x, z, recognised(here, inputs.x, z, inputs.given), inputs.given)
        return log_weights(parts, inputs.beta), jnp.mean(log_mean(log_weights(parts)))

    z, to_recognition = jax.vjp(drawn, model.recognition)
    values, backwards, bound = jax.vjp(weights, model.generation, z, has_aux=True)
    share = jax.nn.softmax(values, axis=0)
    generation, by_z = backwards(share / share.shape[1])
    again = (1 - inputs.beta + inputs.beta * share)[..., None]
    (recognition,) = to_recognition(tuple(again * slope for slope in by_z))
    return dataclasses.replace(model, recognition=recognition, generation=generation), bound


class Climb(NamedTuple):
    """Of an objective: its gradient, shaped like the model, the bound with beta = 1, and its value if it has one."""

    gradient: LatentModel
    bound: Float[Array, ""]
    value: Float[Array, ""] | None


@runtime_checkable
class Bound(Protocol):
    """An objective of the model: a frozen value, those below or one's own.

    - `draws`: latents drawn for each image in a step.
    - `objective(key, model, inputs)`: what learning maximises, and the bound of log p(x) to be reported, nats an image.
    - `climb(key, model, inputs)`: its gradient.
    """

    @property
    def draws(self) -> int: ...

    def objective(
        self, key: Key[Array, ""], model: LatentModel, inputs: BoundInputs
    ) -> tuple[Float[Array, ""], Float[Array, ""]]: ...

    def climb(self, key: Key[Array, ""], model: LatentModel, inputs: BoundInputs) -> Climb: ...


@dataclass(frozen=True)
class ELBO:
    """The evidence lower bound: the mean of the log weights (Kingma and Welling 2014)."""

    draws: int = 1
    """Latents drawn for each image in a step."""

    kind: ClassVar[str] = "elbo"

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        positive(self, "draws")

    def objective(
        self, key: Key[Array, ""], model: LatentModel, inputs: BoundInputs
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """`elbo`."""
        return elbo(key, model, inputs)

    def climb(self, key: Key[Array, ""], model: LatentModel, inputs: BoundInputs) -> Climb:
        """By reparameterised draws."""
        return reparameterised(self.objective, key, model, inputs)


@dataclass(frozen=True)
class IWAE:
    """The importance-weighted bound: the log of the weights' mean (Burda et al. 2016)."""

    draws: int = 50
    """Latents drawn for each image in a step."""
    gradient: Literal["reparameterised", "doubly"] = "reparameterised"
    """Gradient of the encoder: as it comes, or doubly reparameterised (Tucker et al. 2019)."""

    kind: ClassVar[str] = "iwae"

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        positive(self, "draws")

    def objective(
        self, key: Key[Array, ""], model: LatentModel, inputs: BoundInputs
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """`iwae`."""
        return iwae(key, model, inputs)

    def climb(self, key: Key[Array, ""], model: LatentModel, inputs: BoundInputs) -> Climb:
        """By `gradient`. The doubly reparameterised one is of no function, and has no value."""
        if self.gradient == "doubly":
            return Climb(*doubly_reparameterised(key, model, inputs), None)
        return reparameterised(self.objective, key, model, inputs)


def reparameterised(
    objective: Callable[..., tuple[Float[Array, ""], Float[Array, ""]]],
    key: Key[Array, ""],
    model: LatentModel,
    inputs: BoundInputs,
) -> Climb:
    """The gradient of an objective as it comes."""
    (value, bound), gradient = jax.value_and_grad(objective, argnums=1, has_aux=True)(key, model, inputs)
    return Climb(gradient, bound, value)


def is_bound(value: Any) -> bool:
    """Whether it is a `Bound`."""
    return isinstance(value, Bound) and not isinstance(value, type)


@dataclass(frozen=True, kw_only=True)
class VAEConfig(Rates):
    """What the model is, and how it learns."""

    latents: tuple[int, ...] = (50,)
    """Units of each stochastic layer, the one next to the image first."""
    layers: tuple[int, ...] = (200, 200)
    """Units of the dense layers between the image and the first stochastic layer."""
    between: tuple[int, ...] = (100, 100)
    """Units of the dense layers between two stochastic layers."""
    channels: tuple[int, ...] = ()
    """Channels of convolutions of stride 2 next to the image (none: dense layers alone)."""
    activation: ActivationName = "tanh"
    """Activation of all hidden layers."""
    pixels: PixelName = "bernoulli"
    """What a pixel is, given the latents: 0 or 1, an intensity in [0, 1], or a real number."""
    bound: Bound = choice(ELBO(), ELBO, IWAE, takes=is_bound)
    """Objective: the mean of the log weights, or the log of their mean over `draws`."""
    learning_rate: float = rate(2e-3)
    beta: float = rate(1.0)
    """Weight of the divergence from the prior (Higgins et al. 2017)."""
    warm_up: float = rate(0.0, of_run=True)
    """Fraction of the run over which that weight rises from 0."""

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        sizes(self, "latents", least=1)
        sizes(self, "layers", "between", "channels")
        super().check()
        for name, most in (("beta", np.finfo(np.float32).max), ("warm_up", 1.0)):
            if not 0 <= getattr(self, name) <= most:
                raise UserError(f"`{name}` {getattr(self, name)} is out of range; give a number from 0 to {most:g}.")


class VAEState(NamedTuple):
    """What training carries from step to step."""

    model: LatentModel
    optimiser: Any
    average: LatentModel | None
    step: Int[Array, ""]
    hyper: Hyper

    @property
    def parameters(self) -> PyTree:
        """What is learned."""
        return self.model.recognition, self.model.generation


def trained_model(state: VAEState) -> LatentModel:
    """The model to evaluate: the average over the end of the run where one was asked for."""
    return state.model if state.average is None else state.average


@factory
def vae(config: VAEConfig, shape: Shape | None = None, classes: int = 0, axis_name: str | None = None) -> Algorithm:
    """Learning by a bound of the likelihood, as `config` says; rates come through `hyper`.

    Images have this shape (None: a row of pixels). With `classes`, all is conditional on the label (Sohn, Lee and Yan
    2015). With `axis_name`, `step` runs inside `jax.pmap` or `jax.shard_map`: gradients are averaged over the axis and
    each device draws its own noise.
    """

    def init(key: Key[Array, ""], example: Example, hyper: Hyper) -> VAEState:
        of = Architecture(
            shape=shape or (1, example.mean.shape[0], 1),
            latents=config.latents,
            layers=config.layers,
            between=config.between,
            channels=config.channels,
            activation=config.activation,
            pixels=config.pixels,
            classes=classes,
        )
        model: Any = latent_model(subkey(key, "model"), of, example.mean)
        return VAEState(model=model, **first(config, hyper, model))

    def step(key: Key[Array, ""], state: VAEState, batch: Batch) -> tuple[VAEState, Metrics]:
        key = own_key(key, axis_name)
        beta = divergence_weight(state.hyper, state.step)
        objective = traced(config.bound, state.hyper)
        inputs = BoundInputs(batch.x, condition_of(state.model, batch), objective.draws, beta)
        climb = objective.climb(key, own_copy(state.model, axis_name), inputs)

        def loss(model: LatentModel) -> Float[Array, ""]:
            return -objective.objective(key, model, inputs)[0]

        model, state, metrics = update(
            config,
            state,
            state.model,
            jax.tree.map(jnp.negative, climb.gradient),
            axis_name=axis_name,
            loss=None if climb.value is None else (-climb.value, loss),
        )
        return state._replace(model=model), metrics | {"bound": averaged(climb.bound, axis_name), "beta": beta}

    def observe(key: Key[Array, ""], state: VAEState, train: Batch, held_out: Batch | None) -> Metrics:
        model = trained_model(state)
        metrics = elbo_parts(key, model, train, "")
        if held_out is not None:  # common noise: a fairer gap
            metrics |= elbo_parts(key, model, held_out, "held_out_")
            metrics["free_energy_gap"] = metrics["elbo"] - metrics["held_out_elbo"]
            metrics["held_out_objective"] = objective(key, state, held_out)
        return metrics

    def objective(key: Key[Array, ""], state: VAEState, batch: Batch) -> Float[Array, ""]:
        """What learning maximises, with the divergence's last weight, on so many examples that it costs 1,000 draws."""
        model, bound = trained_model(state), traced(config.bound, state.hyper)
        some = jax.tree.map(lambda x: x[: max(1000 // bound.draws, 50)], batch)
        beta = state.hyper["beta"]
        return bound.objective(key, model, BoundInputs(some.x, condition_of(model, some), bound.draws, beta))[0]

    def check(batch: Batch) -> None:
        pixels_fit(config, batch.x)
        if classes:
            examples.labels(batch.target, classes)

    return Algorithm(init, step, observe, check)


def pixels_fit(config: VAEConfig, x: examples.Values) -> None:
    """Raise `UserError` where these are not what the decoder says pixels are."""
    if config.pixels == "bernoulli":
        examples.binary(x, "`pixels` bernoulli", "`pixels` continuous_bernoulli or gaussian", "ones")
    elif config.pixels == "continuous_bernoulli":
        examples.intensities(x, "`pixels` continuous_bernoulli")
    examples.finite(x)


def divergence_weight(hyper: Hyper, step: Int[Array, ""]) -> Float[Array, ""]:
    """`beta`, after rising over the first part of the run."""
    steps = jnp.where(hyper["warm_up"] > 0, hyper["warm_up"] * hyper["total_steps"], 1.0)  # a run may have no end
    rising = jnp.maximum(steps, 1.0)
    return hyper["beta"] * jnp.minimum((step + 1) / rising, 1.0)


def elbo_parts(key: Key[Array, ""], model: LatentModel, batch: Batch, prefix: str) -> Metrics:
    """The ELBO and its two parts, nats an image, by one draw each; names get the prefix."""
    given = condition_of(model, batch)
    z, layers = draw(key, model, batch.x, given, 1)
    parts = terms(model, batch.x, z, layers, given)
    image, kl = jnp.mean(parts.image), jnp.mean(divergence(model, z, layers, parts))
    return {prefix + "elbo": image - kl, prefix + "reconstruction": image, prefix + "divergence": kl}
