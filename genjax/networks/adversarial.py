"""Generators and discriminators: perceptrons, and convolutions in the manner of DCGAN (Radford et al. 2016).

Images are flat, with intensities in [0, 1] where they are `bounded`; otherwise the generator's last layer is linear.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.networks.conv import Conv, ConvTranspose

Conditioning = Literal["none", "projection", "concatenation"]
Normalisation = Literal["none", "batch", "layer", "spectral"]
Shape = tuple[int, int, int]  # height, width, channels

KERNEL = 4  # even, so that every pixel is met equally often at stride 2


class Generator(nn.Module):
    """Latents to images, through dense layers and then transposed convolutions of stride 2, each with BatchNorm and
    ReLU.

    `layers` are the dense ones from the latents on, `channels` those from the image inwards; there may be none of
    either. Labels, one-hot, are joined to the latents.
    """

    shape: Shape
    layers: tuple[int, ...]
    channels: tuple[int, ...] = ()
    batch_norm: bool = True
    bounded: bool = True
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, z: Float[Array, "batch latent"], label: Float[Array, "batch classes"], train: bool
    ) -> Float[Array, "batch pixels"]:
        def activated(y: Array) -> Array:
            if self.batch_norm:
                y = nn.BatchNorm(not train, momentum=0.9, axis_name=self.axis_name)(y)
            return nn.relu(y)

        y, bias = jnp.concatenate([z, label], -1), not self.batch_norm
        for size in self.layers:
            y = activated(nn.Dense(size, use_bias=bias)(y))
        y = self._image(y, activated, bias) if self.channels else nn.Dense(math.prod(self.shape))(y)
        return nn.sigmoid(y) if self.bounded else y

    def _image(self, y: Array, activated: Callable[[Array], Array], bias: bool) -> Array:
        height, width, channels = self.shape
        *outer, inner = self.channels
        factor = 2 ** len(self.channels)
        rows, columns = -(-height // factor), -(-width // factor)
        y = activated(nn.Dense(rows * columns * inner, use_bias=bias)(y).reshape(-1, rows, columns, inner))
        for size in reversed(outer):
            y = activated(ConvTranspose(size, KERNEL, 2, use_bias=bias)(y))
        y = ConvTranspose(channels, KERNEL, 2)(y)
        return y[:, :height, :width].reshape(y.shape[0], -1)


class Discriminator(nn.Module):
    """Images, `pack` of them at a time, to one score, through convolutions of stride 2 and then dense layers, each with
    a leaky ReLU: the generator's sizes the other way round.

    Labels are joined to what goes in, or give the last layer's features a direction (Miyato and Koyama 2018).
    """

    shape: Shape
    layers: tuple[int, ...]
    channels: tuple[int, ...] = ()
    normalisation: Normalisation = "none"
    conditioning: Conditioning = "none"
    pack: int = 1
    bounded: bool = True
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch pixels"], label: Float[Array, "batch classes"], train: bool
    ) -> Float[Array, " packs"]:
        packs = x.shape[0] // self.pack
        x = 2 * x - 1 if self.bounded else x
        joined = label if self.conditioning == "concatenation" else jnp.zeros((packs, 0), jnp.float32)
        if self.channels:
            y = x.reshape(packs, self.pack, *self.shape)
            y = jnp.moveaxis(y, 1, 3).reshape(packs, *self.shape[:2], -1)  # images of a pack side by side as channels
            maps = jnp.broadcast_to(joined[:, None, None], (*y.shape[:3], joined.shape[-1]))
            y = jnp.concatenate([y, maps], -1)
        else:
            y = jnp.concatenate([x.reshape(packs, -1), joined], -1)
        for number, size in enumerate((*self.channels, *reversed(self.layers))):
            convolve = number < len(self.channels)
            batch = self.normalisation == "batch" and number > 0  # the first layer sees the images as they are
            bias = not batch
            layer = Conv(size, KERNEL, 2, use_bias=bias) if convolve else nn.Dense(size, use_bias=bias)
            y = self._apply(layer, y if convolve else y.reshape(packs, -1), train)
            if batch:
                y = nn.BatchNorm(not train, momentum=0.9, axis_name=self.axis_name)(y)
            elif self.normalisation == "layer":
                y = nn.LayerNorm(reduction_axes=tuple(range(1, y.ndim)))(y)  # of a whole image, as in WGAN-GP
            y = nn.leaky_relu(y, 0.2)
        y = y.reshape(packs, -1)
        score = self._apply(nn.Dense(1), y, train)[:, 0]
        if self.conditioning == "projection":
            score += jnp.sum(y * self._apply(nn.Dense(y.shape[-1], use_bias=False), label, train), -1)
        return score

    def _apply(self, layer: nn.Module, y: Array, train: bool) -> Any:
        if self.normalisation == "spectral":
            return nn.SpectralNorm(layer)(y, update_stats=train)
        return layer(y)  # type: ignore[operator]


def one_hot(label: Array, classes: int) -> Float[Array, "batch classes"]:
    """Labels as the networks take them: no columns where there are no classes."""
    return jax.nn.one_hot(label, classes, dtype=jnp.float32) if classes else jnp.zeros((label.shape[0], 0), jnp.float32)
