"""Images moved by a few pixels: augmentation by what leaves a digit the same digit."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from genjax import random
from genjax.networks.backbones import Shape


class Shifted(nn.Module):
    """Another network, which is shown `shifted` images in training and images as they are after it.

    Draws come from the stream "dropout", as those of everything else that training draws within a network.
    """

    network: nn.Module
    shape: Shape

    @nn.compact
    def __call__(self, x: Float[Array, "batch pixels"], train: bool = False) -> Array:
        if train:
            x = shifted(self.make_rng("dropout"), x, self.shape)
        return self.network(x, train=train)  # type: ignore[operator]


def shifted(key: Key[Array, ""], x: Float[Array, "batch pixels"], shape: Shape) -> Float[Array, "batch pixels"]:
    """Each image moved by up to a 14th of its height and width (two pixels of 28), black coming in from outside."""
    height, width, _ = shape
    reach = jnp.array([height // 14, width // 14, 0])
    pad = ((height // 14,) * 2, (width // 14,) * 2, (0, 0))

    def one(image: Array, start: Array) -> Array:
        return jax.lax.dynamic_slice(jnp.pad(image, pad), start, shape)

    starts = random.uniform(random.bits(key, (x.shape[0], 3))) * (2 * reach + 1)
    return jax.vmap(one)(x.reshape(-1, *shape), starts.astype(int)).reshape(x.shape)
