"""A small U-Net (Ronneberger, Fischer and Brox 2015) of images and times, as diffusion takes it (Ho, Jain and Abbeel
2020). It works at half the image's sides and below: a layer at full size would take longer than all others."""

import math

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.networks.backbones import Shape
from genjax.networks.conv import Conv, ConvTranspose

KERNEL = 4  # of what changes the size: even, so that every pixel is met equally often at stride 2
FREQUENCIES = 16
EMBEDDED = 128


class UNet(nn.Module):
    """From flat images and a time from 0 to 1 for each to flat images.

    `channels` are those at half the sides, a quarter, ...; `blocks` residual blocks at each size on the way down and on
    the way up. The last layer begins at zero.
    """

    shape: Shape
    channels: tuple[int, ...] = (32, 64)
    blocks: int = 1

    @nn.compact
    def __call__(self, z: Float[Array, "batch values"], t: Float[Array, " batch"]) -> Float[Array, "batch values"]:
        height, width, channels = self.shape
        time = nn.silu(nn.Dense(EMBEDDED)(waves(t)))
        y, passed = z.reshape(-1, height, width, channels), []
        for size in self.channels:
            y = Conv(size, KERNEL, 2)(y)
            for _ in range(self.blocks):
                y = Block(size)(y, time)
            passed.append(y)
        for number, size in reversed(list(enumerate(self.channels))):
            if number + 1 < len(self.channels):
                rows, columns = passed[number].shape[1:3]
                larger = ConvTranspose(size, KERNEL, 2)(nn.silu(y))[:, :rows, :columns]
                y = jnp.concatenate([larger, passed[number]], -1)
            for _ in range(self.blocks):
                y = Block(size)(y, time)
        y = nn.silu(y)
        out = ConvTranspose(channels, KERNEL, 2)(y)[:, :height, :width]
        return out.reshape(z.shape)


class Block(nn.Module):
    """Two convolutions with the time between them, added to what comes in."""

    size: int

    @nn.compact
    def __call__(self, y: Array, time: Array) -> Array:
        inside = Conv(self.size)(nn.silu(normalised(y)))
        scale, shift = jnp.split(nn.Dense(2 * self.size)(time)[:, None, None], 2, axis=-1)
        inside = Conv(self.size)(nn.silu(normalised(inside) * (1 + scale) + shift))
        way = y if y.shape[-1] == self.size else nn.Dense(self.size)(y)
        return way + inside


def normalised(y: Float[Array, "batch height width channels"]) -> Array:
    """Divided by the root mean square over an image's channels, place by place."""
    return y * (jnp.mean(y**2, -1, keepdims=True) + 1e-6) ** -0.5


def waves(t: Float[Array, " batch"]) -> Float[Array, "batch twice"]:
    """Sines and cosines of the time, of wavelengths from a few hundredths to beyond the interval."""
    angles = t[:, None] * jnp.exp(jnp.linspace(0.0, math.log(200.0), FREQUENCIES))
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], -1)
