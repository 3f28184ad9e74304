"""What guesses hidden values of an image from those that are shown: dense layers, then a U-Net that refines them."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from genjax.networks.backbones import Shape
from genjax.networks.mlp import MLP
from genjax.networks.unet import UNet


class Unmasking(nn.Module):
    """From flat images and which of their values are hidden to a logit of each value; what is hidden is not read.

    Dense layers of these sizes (none: no such) see all of an image at once, as a deep NADE does (Uria, Murray and
    Larochelle 2014). A U-Net of these channels (none: no such) gets their logits beside the image, and adds to them.
    `bias` is an offset of each logit, at zero to begin with.
    """

    shape: Shape
    layers: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    blocks: int = 1
    activation: Callable[[Array], Array] = nn.silu

    @nn.compact
    def __call__(self, x: Float[Array, "batch values"], hidden: Bool[Array, "batch values"]) -> Array:
        shown, mask = jnp.where(hidden, 0.0, 2 * x - 1), hidden.astype(x.dtype)
        logits = jnp.broadcast_to(self.param("bias", nn.initializers.zeros, (x.shape[-1],), jnp.float32), x.shape)
        if self.layers:
            logits += MLP((*self.layers, x.shape[-1]), self.activation)(jnp.concatenate([shown, mask], -1))
        if self.channels:
            parts = [part.reshape(-1, *self.shape) for part in (shown, mask, logits)]
            refined = UNet(self.shape[2], self.channels, self.blocks)(jnp.concatenate(parts, -1))
            logits += refined.reshape(x.shape)
        return logits
