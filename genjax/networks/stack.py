"""A stack of pairs of layers, each a way up and a way down: what autoencoders are made of, trained at once or in turn.

Between two pairs everything is flat, `(*batch, units)`; convolutional pairs know the shape of what they see.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from genjax.networks.backbones import ActivationName, Shape, activation
from genjax.networks.conv import Conv, ConvTranspose
from genjax.networks.mlp import parameter_count
from genjax.networks.pixels import PixelName
from genjax.random import subkey


class ConvUp(nn.Module):
    """A convolution of stride 2 from images of this shape, flat on both sides."""

    shape: Shape
    channels: int

    @nn.compact
    def __call__(self, x: Float[Array, "*batch lower"]) -> Float[Array, "*batch upper"]:
        y = Conv(self.channels, stride=2)(x.reshape(-1, *self.shape))
        return y.reshape(*x.shape[:-1], -1)


class ConvDown(nn.Module):
    """A transposed convolution of stride 2 to images of this shape, flat on both sides."""

    shape: Shape
    channels: int

    @nn.compact
    def __call__(self, y: Float[Array, "*batch upper"]) -> Float[Array, "*batch lower"]:
        height, width, channels = self.shape
        images = y.reshape(-1, -(-height // 2), -(-width // 2), self.channels)
        x = ConvTranspose(channels, stride=2)(images)[:, :height, :width]
        return x.reshape(*y.shape[:-1], -1)


class Stack(nn.Module):
    """Convolutional pairs of these channels (none: no such), then dense pairs of these sizes, the last being the code.

    Every layer is followed by the activation, but the lowest on its way down, whose outputs are those of `pixels` (see
    `networks.pixels`), and the code where it is linear. With `classes`, logits are read from the code.
    """

    shape: Shape
    layers: tuple[int, ...]
    channels: tuple[int, ...] = ()
    activation: ActivationName = "relu"
    linear_code: bool = True
    pixels: PixelName = "gaussian"
    classes: int = 0

    def setup(self) -> None:
        up, down, here = [], [], self.shape
        for channels in self.channels:
            up.append(ConvUp(here, channels))
            down.append(ConvDown(here, channels))
            here = (-(-here[0] // 2), -(-here[1] // 2), channels)
        below = math.prod(here)
        for size in self.layers:
            up.append(nn.Dense(size))
            down.append(nn.Dense(below))
            below = size
        self.up, self.down = up, down
        self.head = nn.Dense(self.classes) if self.classes else None

    @property
    def depth(self) -> int:
        """How many pairs."""
        return len(self.channels) + len(self.layers)

    def encode(self, x: Float[Array, "*batch lower"], first: int, end: int) -> Float[Array, "*batch upper"]:
        """Through pairs `first` to before `end`, upwards."""
        for number in range(first, end):
            x = self.up[number](x)
            if not (self.linear_code and number == self.depth - 1):
                x = activation(self.activation)(x)
        return x

    def decode(self, code: Float[Array, "*batch upper"], first: int, end: int) -> Float[Array, "*batch lower"]:
        """Through the same pairs downwards, to the pixels' outputs where `first` is 0."""
        for number in reversed(range(first, end)):
            code = self.down[number](code)
            if number:
                code = activation(self.activation)(code)
        return code

    def logits(self, code: Float[Array, "*batch units"]) -> Float[Array, "*batch classes"]:
        """Of the classes, if any."""
        return code[..., :0] if self.head is None else self.head(code)

    def __call__(self, x: Float[Array, "*batch pixels"]) -> tuple[Array, Array]:
        """The pixels' outputs and the logits."""
        code = self.encode(x, 0, self.depth)
        return self.decode(code, 0, self.depth), self.logits(code)


@partial(jax.tree_util.register_dataclass, data_fields=["parameters"], meta_fields=["of"])
@dataclass(frozen=True)
class StackModel:
    """Parameters, and what they are of (static)."""

    parameters: PyTree
    of: Stack

    def __repr__(self) -> str:
        of, numbers = self.of, parameter_count(self.parameters)
        return f"StackModel(shape={of.shape}, layers={of.layers}, channels={of.channels}, {numbers:,} parameters)"

    def encode(self, x: Float[Array, "*batch lower"], first: int = 0, end: int | None = None) -> Array:
        """Pairs `first` to before `end` (all of them) upwards."""
        return self._apply("encode", x, first, self.of.depth if end is None else end)

    def decode(self, code: Float[Array, "*batch upper"], first: int = 0, end: int | None = None) -> Array:
        """The same pairs downwards."""
        return self._apply("decode", code, first, self.of.depth if end is None else end)

    def logits(self, code: Float[Array, "*batch units"]) -> Array:
        """Of the classes, from a code."""
        return self._apply("logits", code)

    def _apply(self, method: str, *arguments: Any) -> Array:
        answer: Any = self.of.apply(self.parameters, *arguments, method=method)
        return answer


def stack_model(key: Key[Array, ""], of: Stack) -> StackModel:
    """An untrained one."""
    return StackModel(of.init(subkey(key, "stack"), jnp.zeros((1, math.prod(of.shape)), jnp.float32)), of)
