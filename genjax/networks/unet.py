"""A small U-Net (Ronneberger, Fischer and Brox 2015) in the form that diffusion takes (Ho, Jain and Abbeel 2020).

It works at half the images' sides and below: one layer at their full size would take longer than all others. So the
first layer cuts, and the last one joins, patches that overlap.
"""

import math

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.networks.backbones import Shape
from genjax.networks.conv import Conv, ConvTranspose
from genjax.networks.mlp import MLP

KERNEL = 4  # of what changes the size: even, so that every pixel is met equally often at stride 2
WAVES = 16
EMBEDDED = 128


class UNet(nn.Module):
    """From images to images of as many channels as `outputs` says, given what there is to be said of each: its time.

    `channels` are those at half the sides, a quarter, ...; `blocks` are the residual blocks at each size, on the way
    down and on the way up again.
    """

    outputs: int
    channels: tuple[int, ...]
    blocks: int = 1

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width inputs"], given: Float[Array, "batch features"] | None = None
    ) -> Float[Array, "batch height width outputs"]:
        y, passed = x, []
        for size in self.channels:
            passed.append(y)
            y = Conv(size, KERNEL, 2)(y)
            for _ in range(self.blocks):
                y = Block(size)(y, given)
        for number, size in reversed(list(enumerate((self.outputs, *self.channels[:-1])))):
            beside = passed[number]
            y = ConvTranspose(size, KERNEL, 2)(nn.silu(y))[:, : beside.shape[1], : beside.shape[2]]
            if number:
                y += beside
                for _ in range(self.blocks):
                    y = Block(size)(y, given)
        return y


class Block(nn.Module):
    """Two convolutions, between which features are scaled and shifted by what is given, added to what comes in."""

    size: int

    @nn.compact
    def __call__(self, y: Array, given: Array | None) -> Array:
        inside = normalised(Conv(self.size)(nn.silu(normalised(y))))
        if given is not None:
            scale, shift = jnp.split(nn.Dense(2 * self.size)(given)[:, None, None], 2, axis=-1)
            inside = inside * (1 + scale) + shift
        return y + Conv(self.size)(nn.silu(inside))


def normalised(y: Float[Array, "batch height width channels"]) -> Array:
    """Divided by the root mean square over the channels, place by place (Zhang and Sennrich 2019, without a gain)."""
    return y * (jnp.mean(y**2, -1, keepdims=True) + 1e-6) ** -0.5


class TimedUNet(nn.Module):
    """From flat noisy images and a time from 0 to 1 for each to flat images.

    Dense layers of these sizes (none: no such) see all of an image at once. The U-Net gets what they say beside the
    image, and adds to it.
    """

    shape: Shape
    channels: tuple[int, ...]
    blocks: int = 1
    layers: tuple[int, ...] = ()

    @nn.compact
    def __call__(self, z: Float[Array, "batch values"], t: Float[Array, " batch"]) -> Float[Array, "batch values"]:
        time = nn.silu(nn.Dense(EMBEDDED)(waves(t)))
        seen = [z]
        if self.layers:
            seen.append(MLP((*self.layers, z.shape[-1]), nn.silu)(jnp.concatenate([z, time], -1)))
        images = jnp.concatenate([part.reshape(-1, *self.shape) for part in seen], -1)
        refined = UNet(self.shape[2], self.channels, self.blocks)(images, time).reshape(z.shape)
        return refined + sum(seen[1:])


def waves(t: Float[Array, " batch"]) -> Float[Array, "batch twice"]:
    """Sines and cosines of the time, of wavelengths from a few hundredths to beyond the interval."""
    angles = t[:, None] * jnp.exp(jnp.linspace(0.0, math.log(200.0), WAVES, dtype=jnp.float32))
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], -1)
