"""Functions of many images, block by block."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

BLOCK = 500  # images that are on the way at once


def in_blocks(function: Callable[..., Any], *arrays: Any) -> Any:
    """What a function of rows makes of all rows, `BLOCK` of them at a time: an array, or a pytree of arrays."""
    starts = range(0, len(arrays[0]), BLOCK)
    found = [jax.tree.map(np.asarray, function(*(jnp.asarray(a[i : i + BLOCK]) for a in arrays))) for i in starts]
    return jax.tree.map(lambda *parts: np.concatenate(parts), *found)
