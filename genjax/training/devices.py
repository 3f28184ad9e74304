"""A step of training on many devices: one model, to which each device brings its own part of the batch and its noise.

`step` runs inside `jax.pmap`, `jax.shard_map` (with `check_vma` or without) or `jax.vmap`, which name the axis that the
devices are along. Without a name there is one device, and all of these return what they are given.
"""

from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

Tree = TypeVar("Tree")


def own_key(key: Key[Array, ""], axis_name: str | None) -> Key[Array, ""]:
    """A key for each device."""
    return key if axis_name is None else jax.random.fold_in(key, jax.lax.axis_index(axis_name))


def own_copy(parameters: Tree, axis_name: str | None) -> Tree:
    """The same parameters, of which a gradient is that of the device's own loss.

    By its default, `jax.shard_map` sums the gradients of parameters that all devices share, and their mean over the
    devices would be that sum once more.
    """
    if axis_name is None:
        return parameters
    everywhere = jax.lax.axis_index(axis_name) >= 0  # differs between devices, as far as JAX can see
    return jax.tree.map(lambda x: jnp.where(everywhere, x, x), parameters)  # `pcast` refuses what differs already


def averaged(x: Tree, axis_name: str | None) -> Tree:
    """The mean over the devices, the same on all of them."""
    return x if axis_name is None else jax.lax.pmean(x, axis_name)
