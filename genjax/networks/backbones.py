"""From images of any shape to vectors and back: dense layers, with convolutions on the image's side where asked for.

Images are flat, `(*batch, pixels)`, whatever shape they have; `given`, such as a label, stands beside what the dense
layers see, and has width 0 where there is nothing to be said.
"""

import math
from collections.abc import Callable
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.networks.conv import Conv, ConvTranspose
from genjax.networks.mlp import MLP

Shape = tuple[int, int, int]
"""Height, width, channels."""

ActivationName = Literal["tanh", "relu", "gelu", "silu", "elu", "softplus", "sigmoid"]


def activation(name: ActivationName) -> Callable[[Array], Array]:
    """The function of that name."""
    return getattr(nn, name)


def beside(x: Float[Array, "*batch units"], given: Float[Array, "*some classes"]) -> Float[Array, "*batch both"]:
    """The two in one vector; `given` may lack leading axes, over which it is repeated."""
    return jnp.concatenate([x, jnp.broadcast_to(given, (*x.shape[:-1], given.shape[-1]))], axis=-1)


class Encoder(nn.Module):
    """Convolutions of stride 2 with these channels (none: an MLP), then dense layers of these sizes."""

    shape: Shape
    sizes: tuple[int, ...]
    channels: tuple[int, ...] = ()
    activation: Callable[[Array], Array] = nn.relu
    last_bias_init: nn.initializers.Initializer = nn.initializers.zeros

    @nn.compact
    def __call__(
        self, x: Float[Array, "*batch pixels"], given: Float[Array, "*some classes"]
    ) -> Float[Array, "*batch outputs"]:
        y = x.reshape(-1, *self.shape) if self.channels else x
        for channels in self.channels:
            y = self.activation(Conv(channels, stride=2)(y))
        dense = MLP(self.sizes, self.activation, last_bias_init=self.last_bias_init)
        return dense(beside(y.reshape(*x.shape[:-1], -1), given))


class Decoder(nn.Module):
    """An `Encoder` turned round: dense layers of these sizes, then transposed convolutions of stride 2.

    The channels are in the encoder's order, the last being those of the smallest images. Pixels have a bias each,
    `bias`, which is zero at first.
    """

    shape: Shape
    sizes: tuple[int, ...]
    channels: tuple[int, ...] = ()
    activation: Callable[[Array], Array] = nn.relu

    @nn.compact
    def __call__(
        self, code: Float[Array, "*batch units"], given: Float[Array, "*some classes"]
    ) -> Float[Array, "*batch pixels"]:
        heights, widths = (
            [-(-side // 2**halvings) for halvings in range(len(self.channels) + 1)] for side in self.shape[:2]
        )
        *larger, last = (self.shape[2], *self.channels)
        smallest = (heights[-1], widths[-1], last)
        y = MLP((*self.sizes, math.prod(smallest)), self.activation, bool(self.channels))(beside(code, given))
        if self.channels:
            y = y.reshape(-1, *smallest)
        for number, channels in reversed(list(enumerate(larger))):
            y = ConvTranspose(channels, stride=2, use_bias=number > 0)(self.activation(y))
            y = y[:, : heights[number], : widths[number]]
        pixels = math.prod(self.shape)
        return y.reshape(*code.shape[:-1], pixels) + self.param("bias", nn.initializers.zeros, (pixels,), jnp.float32)
