"""From intensities in [0, 1] to the values that a model is trained on."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from genjax import random
from genjax.data.stored import Array2D, Examples
from genjax.errors import UserError

Binarisation = Literal["sampled", "threshold", "none"]
"""`sampled`: a Bernoulli draw of each intensity; `threshold`: intensity > 0.5; `none`: the intensity itself."""

Shown = Literal[Binarisation, "means"]
"""What the loop also knows: `means`, any number as it is, taken for the mean of a binary unit. No run has it as an
option: `genjax.sklearn` alone shows its data so, as scikit-learn does."""


def binarise(key: Key[Array, ""], x: Float[Array, "*shape"], how: Shown) -> Float[Array, "*shape"]:
    """`x` binarised as `how` says (static under jit); float32 of the same shape.

    Only `sampled` uses the key. Raises `UserError` for another `how`.
    """
    match how:
        case "sampled":
            return random.bernoulli_of_mean(key, x.astype(jnp.float32))
        case "threshold":
            return (x > 0.5).astype(jnp.float32)
        case "none" | "means":
            return x.astype(jnp.float32)
    raise UserError(f"`binarisation` {how}: not one of sampled, threshold, none; choose one of the three.")


def refuse_unbounded(how: Binarisation, **x: Examples) -> None:
    """Raise `UserError` where `sampled` would draw values that are no probabilities; arrays by the name to be said."""
    for name, part in x.items():
        if how == "sampled" and part.size and not (part.min() >= 0 and part.max() <= 1):
            raise UserError(
                f"`binarisation` sampled: the {name} examples run from {part.min():g} to {part.max():g}, and "
                "probabilities from 0 to 1; give `binarisation` none and units for such values, or rescale them."
            )


def binarise_fixed(
    x: Float[Array2D, "images pixels"], how: Binarisation, seed: int
) -> Float[np.ndarray, "images pixels"]:
    """The one draw that validation and test images are evaluated on: host arrays in and out, float32.

    Image i is drawn with `fold_in(jax.random.key(seed), i)`, so it is the same however many images
    stand beside it, and the generator is named here, so that no setting of JAX changes the test set.
    """
    if how != "sampled" or not len(x):
        return np.asarray(binarise(jax.random.key(seed, impl="threefry2x32"), jnp.asarray(x), how))
    return np.asarray(_draw_rows(jax.random.key(seed, impl="threefry2x32"), jnp.asarray(x)))


@jax.jit
def _draw_rows(key: Key[Array, ""], x: Float[Array, "images pixels"]) -> Float[Array, "images pixels"]:
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, jnp.arange(len(x)))
    return jax.vmap(jax.random.bernoulli)(keys, x).astype(jnp.float32)
