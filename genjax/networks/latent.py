"""Latent-variable models with an encoder: p(x, z) and q(z | x) as networks, one or several stochastic layers.

z is a tuple, the layer next to the image first. q goes up, q(z_1 | x) q(z_2 | z_1) ..., p comes down from a standard
Gaussian on top, p(z_1 | z_2) ... p(x | z_1) (Burda, Grosse and Salakhutdinov 2016, section 2). Where a model is
conditional, every network sees the label too.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from genjax import random
from genjax.networks import gaussian, pixels
from genjax.networks.backbones import ActivationName, Decoder, Encoder, Shape, activation, beside
from genjax.networks.gaussian import Gaussian
from genjax.networks.mlp import MLP, parameter_count
from genjax.networks.pixels import PixelName
from genjax.random import subkey
from genjax.typing import Batch

Latents = tuple[Array, ...]
"""One `(*draws, batch, units)` a stochastic layer, the one next to the image first."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """All that is static about a model."""

    shape: Shape
    latents: tuple[int, ...] = (50,)
    layers: tuple[int, ...] = (200, 200)  # between the image and the first stochastic layer
    between: tuple[int, ...] = (100, 100)  # between stochastic layers
    channels: tuple[int, ...] = ()  # of convolutions next to the image
    activation: ActivationName = "tanh"
    pixels: PixelName = "bernoulli"
    classes: int = 0  # of the label that everything is conditional on


NARROW = math.exp(-1)
"""About the deviation with which q begins where units are rectified. From deviations of 1, the noise of a hundred
latents kills such units of the decoder before these have said anything, and nothing revives them."""


def narrow(key: Key[Array, ""], shape: tuple[int, ...], dtype: Any = jnp.float32) -> Float[Array, " twice"]:
    """Biases of a Gaussian's outputs (see `gaussian.from_outputs`), for means at 0 and that deviation."""
    return jnp.repeat(jnp.array([0.0, 2 * math.log(NARROW)], dtype), shape[0] // 2)


class Recognition(nn.Module):
    """q: a Gaussian for each stochastic layer, given what lies below it."""

    of: Architecture

    def setup(self) -> None:
        a, act = self.of, activation(self.of.activation)
        bias = narrow if a.activation == "relu" else nn.initializers.zeros
        first, *others = a.latents
        self.lowest = Encoder(a.shape, (*a.layers, 2 * first), a.channels, act, bias)
        self.upper = [MLP((*a.between, 2 * size), act, last_bias_init=bias) for size in others]

    def layer(self, number: int, below: Array, given: Array) -> Gaussian:
        """q(z_number | below), from 0, `below` being the image or the latents of the layer under it."""
        if number == 0:
            return gaussian.from_outputs(self.lowest(below, given))
        return gaussian.from_outputs(self.upper[number - 1](beside(below, given)))

    def __call__(self, x: Array, z: Latents, given: Array) -> tuple[Gaussian, ...]:
        """All layers at these latents."""
        return tuple(self.layer(number, below, given) for number, below in enumerate((x, *z[:-1])))


class Generation(nn.Module):
    """p: a Gaussian for each stochastic layer but the top one, and the pixels' outputs."""

    of: Architecture

    def setup(self) -> None:
        a, act = self.of, activation(self.of.activation)
        self.lower = [MLP((*reversed(a.between), 2 * size), act) for size in a.latents[:-1]]
        self.image = Decoder(a.shape, tuple(reversed(a.layers)), a.channels, act)
        self.deviation = self.param("log_deviation", nn.initializers.zeros, (), jnp.float32)

    def layer(self, number: int, above: Array, given: Array) -> Gaussian:
        """p(z_number | z_number+1), from 0."""
        return gaussian.from_outputs(self.lower[number](beside(above, given)))

    def outputs(self, z: Array, given: Array) -> tuple[Array, Array]:
        """What `networks.pixels` takes: an output a pixel, and the Gaussian's logarithmic deviation."""
        return self.image(z, given), self.deviation

    def __call__(self, z: Latents, given: Array) -> tuple[tuple[Gaussian, ...], tuple[Array, Array]]:
        """All layers at these latents."""
        layers = tuple(self.layer(number, above, given) for number, above in enumerate(z[1:]))
        return layers, self.outputs(z[0], given)


@partial(jax.tree_util.register_dataclass, data_fields=["recognition", "generation"], meta_fields=["of"])
@dataclass(frozen=True)
class LatentModel:
    """Parameters of both networks, and what they are of (static)."""

    recognition: PyTree
    generation: PyTree
    of: Architecture

    def __repr__(self) -> str:
        return f"LatentModel({self.of}, {parameter_count((self.recognition, self.generation)):,} parameters)"


def latent_model(key: Key[Array, ""], of: Architecture, mean: Float[Array, " pixels"] | None = None) -> LatentModel:
    """An untrained model; with the training images' mean its decoder begins there."""
    x, z = (
        jnp.zeros((1, math.prod(of.shape)), jnp.float32),
        tuple(jnp.zeros((1, size), jnp.float32) for size in of.latents),
    )
    given = jnp.zeros((1, of.classes), jnp.float32)
    recognition = Recognition(of).init(subkey(key, "recognition"), x, z, given)
    generation: Any = Generation(of).init(subkey(key, "generation"), z, given)
    if mean is not None:
        image = generation["params"]["image"] | {"bias": pixels.first_bias(of.pixels, mean)}
        generation = {"params": generation["params"] | {"image": image}}
    return LatentModel(recognition, generation, of)


def condition(model: LatentModel, label: Int[Array, " batch"]) -> Float[Array, "batch classes"]:
    """The label as the networks see it; of width 0 in a model that is not conditional."""
    return jax.nn.one_hot(label, model.of.classes, dtype=jnp.float32)


def condition_of(model: LatentModel, batch: Batch) -> Float[Array, "batch classes"]:
    """The labels of a batch as the networks see them; a model that is not conditional takes any target."""
    label = batch.target if model.of.classes else jnp.zeros(batch.x.shape[0], jnp.int32)
    return condition(model, label)


def posterior(model: LatentModel, number: int, below: Array, given: Array) -> Gaussian:
    """q of one stochastic layer."""
    answer: Any = Recognition(model.of).apply(model.recognition, number, below, given, method="layer")
    return answer


def draw(
    key: Key[Array, ""], model: LatentModel, x: Float[Array, "batch pixels"], given: Array, draws: int
) -> tuple[Latents, tuple[Gaussian, ...]]:
    """`draws` latents for each image from q, `(draws, batch, units)` a layer, and the Gaussians that they are of."""
    below, z, layers = x, [], []
    for number, size in enumerate(model.of.latents):
        q = posterior(model, number, below, given)
        noise = random.normal(jax.random.fold_in(key, number), (draws, x.shape[0], size))
        below = gaussian.drawn(q, noise)
        z.append(below)
        layers.append(q)
    return tuple(z), tuple(layers)


class Terms(NamedTuple):
    """Of log p(x, z) / q(z | x), nats, `(*draws, batch)`: it is `image + prior - posterior`."""

    image: Float[Array, "*draws"]
    prior: Float[Array, "*draws"]
    posterior: Float[Array, "*draws"]


def terms(model: LatentModel, x: Float[Array, "batch pixels"], z: Latents, layers: Any, given: Array) -> Terms:
    """At these latents, `layers` being the Gaussians of q there."""
    (below, outputs) = generated(model, z, given)
    prior = gaussian.standard_log_density(z[-1])
    for p, latents in zip(below, z):
        prior += gaussian.log_density(p, latents)
    posterior = jnp.zeros((), jnp.float32)
    for q, latents in zip(layers, z):
        posterior += gaussian.log_density(q, latents)
    return Terms(pixels.log_probability(model.of.pixels, *outputs, x), prior, posterior)


def recognised(model: LatentModel, x: Float[Array, "batch pixels"], z: Latents, given: Array) -> tuple[Gaussian, ...]:
    """The Gaussians of q at these latents."""
    answer: Any = Recognition(model.of).apply(model.recognition, x, z, given)
    return answer


def generated(model: LatentModel, z: Latents, given: Array) -> tuple[tuple[Gaussian, ...], tuple[Array, Array]]:
    """The Gaussians of p at these latents, and the pixels' outputs."""
    answer: Any = Generation(model.of).apply(model.generation, z, given)
    return answer


def divergence(model: LatentModel, z: Latents, layers: tuple[Gaussian, ...], parts: Terms) -> Float[Array, "*draws"]:
    """KL(q(z | x) || p(z)), nats: analytic for the top layer, and for those below it as the draws say."""
    top = gaussian.divergence_from_standard(layers[-1])
    if len(z) == 1:
        return jnp.broadcast_to(top, parts.image.shape)
    of_top = gaussian.standard_log_density(z[-1]) - gaussian.log_density(layers[-1], z[-1])
    return parts.posterior - parts.prior + of_top + top


def log_weight(key: Key[Array, ""], model: LatentModel, batch: Batch) -> Float[Array, " batch"]:
    """log p(x, z) / q(z | x) at one draw of z from q, nats; of conditional models log p(x, z | label).

    Its mean over draws is the ELBO, the log of the mean of its exponentials over k draws the bound of IWAE, which
    tends to log p(x) (see `likelihood.importance`).
    """
    given = condition_of(model, batch)
    z, layers = draw(key, model, batch.x, given, 1)
    parts = terms(model, batch.x, z, layers, given)
    return (parts.image + parts.prior - parts.posterior)[0]


def codes(model: LatentModel, x: Float[Array, "batch pixels"], given: Array) -> Latents:
    """Means of q, each layer's at the means below it."""
    below, answer = x, []
    for number in range(len(model.of.latents)):
        below = posterior(model, number, below, given).mean
        answer.append(below)
    return tuple(answer)


def downward(
    model: LatentModel, z: Float[Array, "batch units"], given: Array, key: Key[Array, ""] | None = None, layer: int = -1
) -> Float[Array, "batch pixels"]:
    """The pixels' outputs at latents of a layer (the top one); those below are means, or drawn where there is a key."""
    module, here = Generation(model.of), z
    for number in reversed(range(layer % len(model.of.latents))):
        p: Any = module.apply(model.generation, number, here, given, method="layer")
        noise = 0.0 if key is None else random.normal(jax.random.fold_in(key, number), p.mean.shape)
        here = p.mean + jnp.exp(p.log_deviation) * noise
    answer: Any = module.apply(model.generation, here, given, method="outputs")
    return answer[0]


def decoded(
    model: LatentModel, z: Float[Array, "batch units"], given: Array, layer: int = -1
) -> Float[Array, "batch pixels"]:
    """Expected pixels at latents of a layer (the top one), those below it at their means."""
    return pixels.mean(model.of.pixels, downward(model, z, given, None, layer))


def prior_at_means(model: LatentModel, layer: int, given: Float[Array, "batch classes"]) -> Gaussian:
    """p(z_layer | z above), from 0, with all latents above at their means, those of the top layer at 0."""
    module, top = Generation(model.of), len(model.of.latents) - 1
    here = Gaussian(*jnp.zeros((2, len(given), model.of.latents[top]), jnp.float32))
    for number in reversed(range(layer, top)):
        below: Any = module.apply(model.generation, number, here.mean, given, method="layer")
        here = below
    return here


def reconstructed(model: LatentModel, x: Float[Array, "batch pixels"], given: Array) -> Float[Array, "batch pixels"]:
    """Expected pixels at the mean of q(z_1 | x): what is left of an image in the layer next to it."""
    answer: Any = Generation(model.of).apply(model.generation, codes(model, x, given)[0], given, method="outputs")
    return pixels.mean(model.of.pixels, answer[0])
