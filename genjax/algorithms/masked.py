"""Masked (absorbing) diffusion of binary values: pixels are hidden at random, and a network guesses all hidden ones.

The noise masks each pixel independently with probability t, t from 0 to 1 (Austin et al. 2021; Shi et al. 2024). Its
evidence lower bound is that of an autoregressive model in a random order (Uria, Murray and Larochelle 2014; Hoogeboom
et al. 2022): with D pixels, of which a uniformly drawn number m is masked,

    log p(x) >= E over orders of log p(x in that order) = D E[ mean over masked pixels of log p(x_k | pixels shown) ],

so one evaluation of the network gives an unbiased estimate. Drawn by t, m is uniform on 0, ..., D, of which 0 says
nothing: hence the weight (D + 1) / m. Unmasking one pixel at a time in a random order samples the model exactly.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from genjax import random
from genjax.algorithms import examples
from genjax.algorithms.denoiser import Denoiser, Holes, Images, spread_levels
from genjax.errors import UserError
from genjax.networks import pixels
from genjax.networks.backbones import Shape
from genjax.networks.unmasking import Unmasking
from genjax.random import subkey
from genjax.training.config import positive, sizes
from genjax.training.mesh import sharded
from genjax.typing import Metrics


def elbo(key: Key[Array, ""], model: Denoiser, x: Images, level: Float[Array, " images"]) -> Float[Array, " images"]:
    """Of each image an estimate of its bound, nats, by one mask; unbiased where `level` is uniform on [0, 1)."""
    masked = random.uniform(random.bits(key, x.shape)) < level[:, None]
    logits = model(x, masked)
    total = jnp.sum(jnp.where(masked, logits * x - pixels.softplus(logits), 0.0), axis=-1)
    count = masked.sum(-1, dtype=jnp.float32)
    return jnp.where(count > 0, (x.shape[-1] + 1) / jnp.maximum(count, 1), 0.0) * total


def turns(key: Key[Array, ""], missing: Holes, steps: Int[Array, ""]) -> Int[Array, "images values"]:
    """In which of `steps` steps each missing value is drawn: a random order, as many values in each step as in any
    other (to within one); what is not missing has no turn, -1."""
    words = jnp.where(missing, random.bits(key, missing.shape) >> 1, jnp.uint32(2**31))  # what is missing goes first
    place = jnp.argsort(jnp.argsort(words, axis=-1), axis=-1)
    count = jnp.maximum(missing.sum(-1, keepdims=True), 1)
    here = jnp.minimum(steps, count)  # where fewer are missing than there are steps, the last steps do nothing
    return jnp.where(missing, place * here // count, -1)


def unmask(key: Key[Array, ""], model: Denoiser, x: Images, missing: Holes, steps: int | None = None) -> Images:
    """Draws of what is missing given the rest, in at most so many steps, each pixel given all that came before its
    step; None: one pixel a step, which is exact."""
    most = jnp.max(missing.sum(-1))
    count = most if steps is None else jnp.minimum(most, steps)
    turn = turns(subkey(key, "order"), missing, count)

    def one(number: Int[Array, ""], x: Array) -> Array:
        drawn = random.bernoulli(jax.random.fold_in(key, number), model(x, turn >= number))
        return sharded(jnp.where(turn == number, drawn, x))

    return jax.lax.fori_loop(0, count, one, jnp.where(missing, 0.0, x))


@dataclass(frozen=True)
class Masked:
    """Binary pixels are hidden, and guessed from those that are shown: a bound of log p(x) in nats."""

    layers: tuple[int, ...] = (512,)
    """Units of the dense layers that see all of an image (none: the U-Net alone)."""
    channels: tuple[int, ...] = (32, 64, 64)
    """Channels of the U-Net, first at half the image's sides, then halved each time (none: dense layers alone)."""
    blocks: int = 1
    """Residual blocks of the U-Net at each size, on either way."""
    unmasking_steps: int | None = None
    """Steps in which a sample is unmasked (by default one pixel a step, which is exact)."""

    kind: ClassVar[str] = "masked"
    binarisation: ClassVar[str] = "sampled"

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        sizes(self, "layers", "channels")
        positive(self, "blocks", "unmasking_steps")
        if not self.layers and not self.channels:
            raise UserError("`layers` and `channels` are both empty, which leaves no network; give one of them.")

    def network(self, shape: Shape) -> nn.Module:
        """From values and mask to logits."""
        return Unmasking(shape, self.layers, self.channels, self.blocks)

    def first(self, key: Key[Array, ""], network: nn.Module, shape: Shape, mean: Float[Array, " values"]) -> PyTree:
        """Logits begin at the training mean."""
        x = jnp.zeros((1, mean.shape[0]), jnp.float32)
        drawn: Any = network.init(key, x, x > 0)
        return {"params": drawn["params"] | {"bias": pixels.first_bias("bernoulli", mean)}}

    def elbo(
        self, key: Key[Array, ""], model: Denoiser, x: Images, level: Float[Array, " images"]
    ) -> Float[Array, " images"]:
        """`elbo`."""
        return elbo(key, model, x, level)

    def loss(self, key: Key[Array, ""], model: Denoiser, x: Images) -> Float[Array, ""]:
        """The negative bound, nats an image."""
        level = spread_levels(subkey(key, "level"), len(x))
        return -jnp.mean(elbo(subkey(key, "mask"), model, x, level))

    def observe(self, key: Key[Array, ""], model: Denoiser, x: Images) -> Metrics:
        """The bound, by one mask an image."""
        return {"elbo": -self.loss(key, model, x)}

    def sample(self, key: Key[Array, ""], model: Denoiser, count: int) -> Images:
        """All pixels unmasked."""
        x = jnp.zeros((count, model.values), jnp.float32)
        return unmask(key, model, x, jnp.ones(x.shape, bool), self.unmasking_steps)

    def complete(self, key: Key[Array, ""], model: Denoiser, x: Images, missing: Holes) -> Images:
        """The missing pixels unmasked: exact draws given the others, where the order begins with these."""
        return unmask(key, model, x, missing, self.unmasking_steps)

    def reconstruct(self, key: Key[Array, ""], model: Denoiser, x: Images, missing: Holes, sweeps: int) -> Images:
        """The network's guess is the expected value: one evaluation, no chance."""
        shown = jnp.where(missing, 0.0, x)
        return jnp.where(missing, jax.nn.sigmoid(model(shown, missing)), x)

    def check_examples(self, x: examples.Values) -> None:
        """Raise `UserError` where they are not binary."""
        examples.binary(x, "`process` masked", "`process` ddpm or flow", "ones")
