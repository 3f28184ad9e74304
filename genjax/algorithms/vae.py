"""Variational autoencoders (Kingma and Welling 2014) and importance-weighted ones (Burda et al. 2016)."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
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
from genjax.training.config import at_least, factory, positive, rate, shares, sizes
from genjax.training.devices import averaged, own_copy, own_key
from genjax.training.optimiser import Optimiser, Schedule, learning_rate_at, tail_average, transformation
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics


@dataclass(frozen=True, kw_only=True)
class VAEConfig:
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
    """Of all hidden layers."""
    pixels: PixelName = "bernoulli"
    """What a pixel is, given the latents: 0 or 1, an intensity in [0, 1], or a real number."""
    bound: Literal["elbo", "iwae"] = "elbo"
    """What is raised: the mean of the log weights, or the log of their mean over `draws`."""
    draws: int = 1
    """Latents drawn for each image in a step."""
    gradient: Literal["reparameterised", "doubly"] = "reparameterised"
    """Of the encoder under iwae: as it comes, or doubly reparameterised (Tucker et al. 2019)."""
    optimiser: Optimiser = "adam"
    """Which optax transformation."""
    schedule: Schedule = "linear"
    """How the learning rate falls over the run."""
    learning_rate: float = rate(2e-3)
    """Learning rate at the start."""
    momentum: float = rate(0.9)
    """Decay of the velocity (for adam and lion: the first beta)."""
    weight_decay: float = rate(0.0)
    """Decoupled decay of the weights."""
    beta: float = rate(1.0)
    """Weight of the divergence from the prior (Higgins et al. 2017)."""
    warm_up: float = rate(0.0, of_run=True)
    """Share of the run over which that weight rises from 0."""
    average: float = 0.2
    """Share of the run, at its end, over which the parameters are averaged (0: none)."""

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        sizes(self, "latents", least=1)
        sizes(self, "layers", "between", "channels")
        positive(self, "draws", "learning_rate")
        at_least(self, 0, "weight_decay")
        shares(self, "momentum", "average")
        for name, most in (("beta", np.finfo(np.float32).max), ("warm_up", 1.0)):
            if not 0 <= getattr(self, name) <= most:
                raise UserError(f"`{name}` {getattr(self, name)} is out of range; give a number from 0 to {most:g}.")
        if self.gradient == "doubly" and self.bound != "iwae":
            raise UserError("`gradient` doubly is of the importance-weighted bound; give `bound` iwae.")


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
    """The model to judge: the average over the tail of the run where one was asked for."""
    return state.model if state.average is None else state.average


class Seen(NamedTuple):
    """A batch as the networks see it, how many latents are drawn of it, and the weight of the divergence."""

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


def elbo(key: Key[Array, ""], model: LatentModel, seen: Seen) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """What is raised, and the same with beta = 1; mean over the batch, nats an image."""
    z, layers = draw(key, model, seen.x, seen.given, seen.draws)
    parts = terms(model, seen.x, z, layers, seen.given)
    image, away = jnp.mean(parts.image), jnp.mean(divergence(model, z, layers, parts))
    return image - seen.beta * away, image - away


def iwae(key: Key[Array, ""], model: LatentModel, seen: Seen) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """What is raised, and the same with beta = 1; mean over the batch, nats an image (Burda et al., equation 8)."""
    z, layers = draw(key, model, seen.x, seen.given, seen.draws)
    parts = terms(model, seen.x, z, layers, seen.given)
    return jnp.mean(log_mean(log_weights(parts, seen.beta))), jnp.mean(log_mean(log_weights(parts)))


def doubly_reparameterised(key: Key[Array, ""], model: LatentModel, seen: Seen) -> tuple[LatentModel, Float[Array, ""]]:
    """The gradient of `iwae`, the encoder's part by way of the latents alone, each weighted by its share squared.

    Its expectation is that of the plain gradient; its variance does not swamp it as the draws become many (Tucker,
    Lawson, Gu and Maddison 2019, equation 8, of which this is the form for any beta). Also the bound with beta = 1.
    """

    def drawn(recognition: PyTree) -> tuple[Array, ...]:
        return draw(key, dataclasses.replace(model, recognition=recognition), seen.x, seen.given, seen.draws)[0]

    def weights(generation: PyTree, z: tuple[Array, ...]) -> tuple[Array, Array]:
        here = dataclasses.replace(model, generation=generation)
        parts = terms(here, seen.x, z, recognised(here, seen.x, z, seen.given), seen.given)
        return log_weights(parts, seen.beta), jnp.mean(log_mean(log_weights(parts)))

    z, to_recognition = jax.vjp(drawn, model.recognition)
    values, backwards, bound = jax.vjp(weights, model.generation, z, has_aux=True)
    share = jax.nn.softmax(values, axis=0)
    generation, by_z = backwards(share / share.shape[1])
    again = (1 - seen.beta + seen.beta * share)[..., None]
    (recognition,) = to_recognition(tuple(again * slope for slope in by_z))
    return dataclasses.replace(model, recognition=recognition, generation=generation), bound


def uphill(
    config: VAEConfig, key: Key[Array, ""], model: LatentModel, seen: Seen
) -> tuple[LatentModel, Float[Array, ""]]:
    """The gradient of what the config raises, shaped like the model, and the bound with beta = 1."""
    if config.bound == "iwae" and config.gradient == "doubly":
        return doubly_reparameterised(key, model, seen)
    objective = elbo if config.bound == "elbo" else iwae
    return jax.grad(objective, argnums=1, has_aux=True)(key, model, seen)


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
        chain = transformation(config.optimiser, hyper, hyper["learning_rate"], kernels(model))
        average = jax.tree.map(jnp.copy, model) if config.average > 0 else None
        return VAEState(model, chain.init(model), average, jnp.zeros((), jnp.int32), hyper)

    def step(key: Key[Array, ""], state: VAEState, batch: Batch) -> tuple[VAEState, Metrics]:
        key = own_key(key, axis_name)
        beta = divergence_weight(state.hyper, state.step)
        seen = Seen(batch.x, condition_of(state.model, batch), config.draws, beta)
        slope, bound = averaged(uphill(config, key, own_copy(state.model, axis_name), seen), axis_name)
        learning_rate = learning_rate_at(config.schedule, state.hyper, state.step)
        here: Any = state.model
        chain = transformation(config.optimiser, state.hyper, learning_rate, kernels(here))
        downhill: Any = jax.tree.map(jnp.negative, slope)
        change, optimiser = chain.update(downhill, state.optimiser, here)
        model: Any = optax.apply_updates(here, change)
        average = tail_average(config.average, state.average, model, state.step, state.hyper)
        new = VAEState(model, optimiser, average, state.step + 1, state.hyper)
        return new, {
            "bound": bound,
            "beta": beta,
            "parameter_max": jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(model)])),
            "gradient_norm": optax.tree.norm(slope),
            "learning_rate": learning_rate,
        }

    def observe(key: Key[Array, ""], state: VAEState, train: Batch, held_out: Batch | None) -> Metrics:
        model = trained_model(state)
        metrics = view(key, model, train, "")
        if held_out is not None:  # common noise: a fairer gap
            metrics |= view(key, model, held_out, "held_out_")
            metrics["free_energy_gap"] = metrics["elbo"] - metrics["held_out_elbo"]
        return metrics

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


def kernels(model: PyTree) -> PyTree:
    """Booleans shaped like the model: weight decay acts on kernels, not on biases."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, model)


def view(key: Key[Array, ""], model: LatentModel, batch: Batch, prefix: str) -> Metrics:
    """The ELBO and its two parts, nats an image, by one draw each; names get the prefix."""
    given = condition_of(model, batch)
    z, layers = draw(key, model, batch.x, given, 1)
    parts = terms(model, batch.x, z, layers, given)
    image, away = jnp.mean(parts.image), jnp.mean(divergence(model, z, layers, parts))
    return {prefix + "elbo": image - away, prefix + "reconstruction": image, prefix + "divergence": away}
