"""From intensities in [0, 1] to what a model is shown."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from genjax import random
from genjax.errors import UserError

Binarisation = Literal["sampled", "threshold", "none"]
"""`sampled`: a Bernoulli draw of each intensity; `threshold`: intensity > 0.5; `none`: the intensity itself."""


def binarise(key: Key[Array, ""], x: Float[Array, "*shape"], how: Binarisation) -> Float[Array, "*shape"]:
    """Shows `x` as `how` says (static under jit); float32 of the same shape.

    Only `sampled` uses the key. Raises `UserError` for another `how`.
    """
    match how:
        case "sampled":
            return random.bernoulli_of_mean(key, x.astype(jnp.float32))
        case "threshold":
            return (x > 0.5).astype(jnp.float32)
        case "none":
            return x.astype(jnp.float32)
    raise UserError(f"`binarisation` {how}: not one of sampled, threshold, none; choose one of the three.")


def binarise_fixed(
    x: Float[np.ndarray, "images pixels"], how: Binarisation, seed: int
) -> Float[np.ndarray, "images pixels"]:
    """The one draw that validation and test images are judged on: host arrays in and out, float32.

    Image i is drawn with `fold_in(jax.random.key(seed), i)`, so it looks the same however many images
    stand beside it, and the generator is named here, so that no setting of JAX changes the test set.
    """
    if how != "sampled" or not len(x):
        return np.asarray(binarise(jax.random.key(seed, impl="threefry2x32"), jnp.asarray(x), how))
    return np.asarray(_draw_rows(jax.random.key(seed, impl="threefry2x32"), jnp.asarray(x)))


@jax.jit
def _draw_rows(key: Key[Array, ""], x: Float[Array, "images pixels"]) -> Float[Array, "images pixels"]:
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, jnp.arange(len(x)))
    return jax.vmap(jax.random.bernoulli)(keys, x).astype(jnp.float32)
