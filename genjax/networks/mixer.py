"""A network for images with hidden pixels that is matrix products alone: patches are mixed, then the features of each.

After MLP-Mixer (Tolstikhin et al. 2021) and ResMLP (Touvron et al. 2021). Features lie as (patches, batch, width): then
mixing patches is one product with a matrix on the left, mixing features one with a matrix on the right, and nothing is
ever moved. On a CPU that is what counts: a convolution with as many multiplications takes twice as long.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from genjax.networks.backbones import Shape


class Mixer(nn.Module):
    """From flat images and which of their values are hidden to an output a value; what is hidden is not read.

    Residual blocks begin as no more than they add nothing, so that no normalisation is needed; `bias` is an offset of
    each output, at zero to begin with.
    """

    shape: Shape
    patch: int = 4
    width: int = 128
    blocks: int = 4

    @nn.compact
    def __call__(self, x: Float[Array, "batch values"], hidden: Bool[Array, "batch values"]) -> Array:
        height, width, channels = self.shape
        high, wide = min(self.patch, height), min(self.patch, width)
        rows, columns = -(-height // high), -(-width // wide)
        shown = jnp.stack([jnp.where(hidden, 0.0, 2 * x - 1), hidden.astype(x.dtype)], -1)
        z = shown.reshape(-1, height, width, 2 * channels)
        z = jnp.pad(z, ((0, 0), (0, rows * high - height), (0, columns * wide - width), (0, 0)))
        z = z.reshape(-1, rows, high, columns, wide, 2 * channels).transpose(1, 3, 0, 2, 4, 5)
        z = z.reshape(rows * columns, x.shape[0], -1)

        place = self.param("place", nn.initializers.normal(0.1), (rows * columns, 1, self.width), jnp.float32)
        y = nn.Dense(self.width)(z) + place
        for number in range(self.blocks):
            y += self._mixed(y, number)
            y += nn.Dense(self.width, kernel_init=nn.initializers.zeros)(nn.silu(nn.Dense(2 * self.width)(y)))

        out = nn.Dense(high * wide * channels)(nn.silu(y)).reshape(rows, columns, -1, high, wide, channels)
        out = out.transpose(2, 0, 3, 1, 4, 5).reshape(-1, rows * high, columns * wide, channels)
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],), jnp.float32)
        return out[:, :height, :width].reshape(x.shape) + bias

    def _mixed(self, y: Float[Array, "patches batch width"], number: int) -> Array:
        """Each feature a sum over all patches, which are connected by one matrix for all features."""
        patches = y.shape[0]
        initial = nn.initializers.variance_scaling(0.25, "fan_in", "normal", in_axis=1, out_axis=0)
        mix = self.param(f"mix_{number}", initial, (patches, patches), jnp.float32)
        return (mix @ y.reshape(patches, -1)).reshape(y.shape)
