"""Functions of many images, block by block."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

BLOCK = 500  # images that are on the way at once


def in_blocks(function: Callable[..., Array], *arrays: Any) -> np.ndarray:
    """What a function of rows makes of all rows, `BLOCK` of them at a time."""
    starts = range(0, len(arrays[0]), BLOCK)
    return np.concatenate([np.asarray(function(*(jnp.asarray(a[i : i + BLOCK]) for a in arrays))) for i in starts])
