"""Square windows of images, each times the same matrix: a convolution without padding, or patches of a transformer.

Features are laid out as (height, width, batch, channels). One pixel of a window, of all images, is then one block of
memory, so that all windows are a few copies and a convolution is one matrix product; under `vmap` over runs it is a
batched product. For small images at stride 1 that is faster on a CPU than the convolutions of `networks.conv` (a
training step of the course's net on 100 images takes 0.6 of their time), which are faster for large ones of few
channels and keep the usual layout.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

INITIAL = nn.initializers.glorot_uniform()


class Windows(nn.Module):
    """Features of every window, `(kernel, kernel)` pixels that begin `stride` pixels apart, within the image alone."""

    features: int
    kernel: int
    stride: int = 1

    @nn.compact
    def __call__(self, y: Float[Array, "height width batch channels"]) -> Float[Array, "rows columns batch features"]:
        shape = (self.kernel, self.kernel, y.shape[-1], self.features)
        weights = self.param("kernel", INITIAL, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        return windows(y, self.kernel, self.stride) @ weights.reshape(-1, self.features) + bias


def images_last(
    x: Float[Array, "batch pixels"], shape: tuple[int, int, int]
) -> Float[Array, "height width batch channels"]:
    """Flat images in the layout of this file."""
    return jnp.moveaxis(x.reshape(-1, *shape), 0, 2)


def windows(
    y: Float[Array, "height width batch channels"], kernel: int, stride: int = 1
) -> Float[Array, "rows columns batch values"]:
    """The values of each window, those of its first row first."""
    rows, columns = (max((side - kernel) // stride + 1, 0) for side in y.shape[:2])
    reach = [(count - 1) * stride + 1 for count in (rows, columns)]
    if not rows * columns:
        return jnp.zeros((rows, columns, y.shape[2], kernel**2 * y.shape[3]), y.dtype)
    parts = [y[i : i + reach[0] : stride, j : j + reach[1] : stride] for i in range(kernel) for j in range(kernel)]
    return jnp.concatenate(parts, -1)


def pooled(y: Float[Array, "height width batch channels"]) -> Float[Array, "rows columns batch channels"]:
    """The maximum of each 2x2 pixels, an odd last row or column left out."""
    height, width = (side // 2 * 2 for side in y.shape[:2])
    y = jnp.maximum(y[0:height:2, :width], y[1:height:2, :width])
    return jnp.maximum(y[:, 0::2], y[:, 1::2])
