"""`example`: what an algorithm's `init` takes, made of an array, for a loop of one's own."""

from typing import Any

import jax
import jax.numpy as jnp

from genjax.data import Dataset
from genjax.typing import Batch, Example


def example(x: Any, target: Any = None, batch_size: int = 100) -> Example:
    """The first examples `(n, ...)` with their targets, and the moments of all of them, for `Algorithm.init`.

    Values are read as by `Dataset.from_arrays`; binary units take binary examples. Raises `UserError`.
    """
    data = Dataset.from_arrays(x, target, test=0, validation=0)
    first = jnp.asarray(data.train[:batch_size])
    of_first = (
        None if target is None else jax.tree.map(lambda leaf: jnp.asarray(leaf[:batch_size]), data.target("train"))
    )
    return Example(Batch(first, of_first), jnp.asarray(data.train.mean(0)), jnp.asarray(data.train.var(0)))
