"""Capsules: groups of units whose length says whether something is there, and whose direction says how it looks.

Capsules of one layer vote for those of the next; votes that agree are routed together (Sabour, Frosst and Hinton 2017).
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from genjax.networks.backbones import Shape
from genjax.networks.conv import Conv
from genjax.networks.mlp import MLP

TINY = 1e-7  # below it a squared length has no direction; keeps gradients finite at zero


class Found(NamedTuple):
    """What a capsule network says of images: lengths in [0, 1) of the classes' capsules, the capsules, what the decoder
    makes of the longest one, and the sum of that image's squared errors."""

    lengths: Float[Array, "batch classes"]
    capsules: Float[Array, "batch classes units"]
    image: Float[Array, "batch pixels"]
    reconstruction_error: Float[Array, " batch"]


def squash(x: Float[Array, "*batch units"]) -> Float[Array, "*batch units"]:
    """The vector with its length l shortened to l^2 / (1 + l^2) (eq. 1)."""
    square = jnp.sum(x**2, axis=-1, keepdims=True)
    return x * jnp.sqrt(square + TINY) / (1 + square)


def route(
    votes: Float[Array, "batch lower higher units"], iterations: int
) -> tuple[Float[Array, "batch higher units"], Float[Array, "batch lower higher"]]:
    """Higher capsules by routing votes that agree (procedure 1), and the couplings, which sum to 1 over the higher.

    Couplings are constants for the gradient, which so goes through the last sum alone. With one iteration all votes
    count the same.
    """
    fixed = jax.lax.stop_gradient(votes)
    couplings = jnp.full(votes.shape[:3], 1 / votes.shape[2], votes.dtype)
    logits = 0.0
    for _ in range(iterations - 1):
        higher = squash(jnp.einsum("blh,blhu->bhu", couplings, fixed))
        logits = logits + jnp.einsum("blhu,bhu->blh", fixed, higher)
        couplings = nn.softmax(logits, -1)
    return squash(jnp.einsum("blh,blhu->bhu", couplings, votes)), couplings


def masked(capsules: Float[Array, "batch classes units"], kept: Int[Array, " batch"]) -> Float[Array, "batch flat"]:
    """All capsules as one vector, those of other classes than `kept` as zeros."""
    one = jax.nn.one_hot(kept, capsules.shape[1], dtype=capsules.dtype)
    return (capsules * one[:, :, None]).reshape(len(capsules), -1)


class CapsuleNetwork(nn.Module):
    """Convolutions of stride 2, primary capsules, one capsule for each class, and a decoder of images from it.

    The last convolution gives `types` capsules of `size` units at each place. A primary capsule has a matrix of its own
    for each class. The decoder sees the longest capsule alone, also in training; the original one sees there the true
    class's, which is the same wherever the network is right (`algorithms.margin` leaves out the others).
    """

    shape: Shape = (28, 28, 1)
    channels: tuple[int, ...] = (32, 64)
    kernels: tuple[int, ...] = (5, 3, 3)
    types: int = 16
    size: int = 8
    classes: int = 10
    units: int = 16
    iterations: int = 3
    decoder: tuple[int, ...] = (256, 512)

    def setup(self) -> None:
        *kernels, last = self.kernels
        self.convolutions = [Conv(c, kernel, stride=2) for c, kernel in zip(self.channels, kernels, strict=True)]
        self.primary = Conv(self.types * self.size, last, stride=2)
        places = 1
        for side in self.shape[:2]:
            places *= -(-side // 2 ** (len(self.channels) + 1))
        shape = (places * self.types, self.classes, self.size, self.units)
        self.matrices = self.param("matrices", nn.initializers.normal(0.1), shape)
        self.back = MLP((*self.decoder, self.shape[0] * self.shape[1] * self.shape[2]))

    def capsules(self, x: Float[Array, "batch pixels"]) -> Float[Array, "batch classes units"]:
        """The capsule of each class."""
        y = x.reshape(-1, *self.shape)
        for convolution in self.convolutions:
            y = nn.relu(convolution(y))
        lower = squash(self.primary(y).reshape(len(x), -1, self.size))
        return route(jnp.einsum("bls,lhsu->blhu", lower, self.matrices), self.iterations)[0]

    def decode(self, code: Float[Array, "batch flat"]) -> Float[Array, "batch pixels"]:
        """Images of `masked` capsules."""
        return nn.sigmoid(self.back(code))

    def __call__(self, x: Float[Array, "batch pixels"]) -> Found:
        found = self.capsules(x)
        lengths = jnp.sqrt(jnp.sum(found**2, axis=-1) + TINY)
        image = self.decode(masked(found, jnp.argmax(lengths, axis=-1)))
        return Found(lengths, found, image, jnp.sum((image - x) ** 2, axis=-1))
