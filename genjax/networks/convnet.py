"""The convolutional classifier that courses begin with: convolve, pool, convolve, pool, decide (LeCun et al. 1998)."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.errors import UserError
from genjax.networks.backbones import Shape
from genjax.networks.windows import INITIAL, Windows, images_last, pooled


class ConvNet(nn.Module):
    """Flat images to logits: convolutions without padding, each with pooling by the maximum of 2x2 pixels and ReLU,
    then hidden dense layers, if any, and the last. What dense layers take is dropped in part in training.

    `ConvNet((28, 28, 1), 10)` has 34,826 parameters.
    """

    shape: Shape
    outputs: int
    channels: tuple[int, ...] = (32, 64)
    kernel: int = 3
    layers: tuple[int, ...] = ()
    dropout: float = 0.5

    @nn.compact
    def __call__(self, x: Float[Array, "batch pixels"], train: bool = False) -> Float[Array, "batch outputs"]:
        y = images_last(x, self.shape)
        for channels in self.channels:
            y = nn.relu(pooled(Windows(channels, self.kernel)(y)))  # the same as ReLU first, and a quarter of it
            if not y.size:
                raise UserError(f"`channels` {self.channels} with `kernel` {self.kernel} leave no pixel; give fewer.")
        y = jnp.moveaxis(y, 2, 0).reshape(x.shape[0], -1)
        for size in self.layers:
            y = nn.relu(nn.Dense(size, kernel_init=INITIAL)(self._dropped(y, train)))
        return nn.Dense(self.outputs, kernel_init=INITIAL)(self._dropped(y, train))

    def _dropped(self, y: Array, train: bool) -> Array:
        return nn.Dropout(self.dropout, deterministic=not train)(y)
