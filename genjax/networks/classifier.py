"""A small convolutional classifier whose features may be asked for."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.networks.backbones import Encoder, Shape


class FeatureClassifier(nn.Module):
    """Convolutions of stride 2 with these `channels` and a dense layer of `size` units, which are the features; one
    more dense layer, `last`, for the classes."""

    shape: Shape
    classes: int
    channels: tuple[int, ...] = (16, 32)
    size: int = 64

    def setup(self) -> None:
        self.encoder = Encoder(self.shape, (self.size,), self.channels)
        self.last = nn.Dense(self.classes)

    def features(self, x: Float[Array, "batch pixels"]) -> Float[Array, "batch size"]:
        """What the last layer sees, at least zero."""
        return nn.relu(self.encoder(x, jnp.zeros((len(x), 0))))

    def __call__(self, x: Float[Array, "batch pixels"]) -> Float[Array, "batch classes"]:
        return self.last(self.features(x))
