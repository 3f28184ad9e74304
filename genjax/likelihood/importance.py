"""Importance-sampled log-likelihoods of models with a recognition model: the bound, and the estimate above it."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

LogWeight = Callable[[Key[Array, ""], Any, Array], Array]
"""`(key, model, x) -> (batch,)`: log p(x, h) / q(h | x) in nats at one draw of h."""


class Importance(NamedTuple):
    """Of some images, `(images,)` nats each, float64.

    - `bounds`: mean log weight, a lower bound of the log-likelihood in expectation (ELBO).
    - `estimates`: log of the mean weight (IWAE; Burda, Grosse and Salakhutdinov 2016): below the log-likelihood in
      expectation, and it tends to it.
    - `standard_errors`: of `estimates`, by the delta method.
    """

    bounds: np.ndarray
    estimates: np.ndarray
    standard_errors: np.ndarray


@partial(jax.jit, static_argnames=("log_weight", "draws"))
def _block(
    key: Key[Array, ""], model: Any, x: Array, log_weight: LogWeight, draws: int
) -> tuple[Float[Array, " batch"], Float[Array, " batch"], Float[Array, " batch"]]:
    """Mean, log-mean-exp and its standard error of `draws` log weights, without keeping them."""

    def one(carry: tuple[Array, Array, Array, Array], draw: Array) -> tuple[tuple[Array, Array, Array, Array], None]:
        total, peak, first, second = carry
        value = log_weight(jax.random.fold_in(key, draw), model, x)
        top = jnp.maximum(peak, value)
        shrink, share = jnp.exp(peak - top), jnp.exp(value - top)
        return (total + value, top, first * shrink + share, second * shrink**2 + share**2), None

    zeros = jnp.zeros(x.shape[0])
    start = (zeros, jnp.full(x.shape[0], -jnp.inf), zeros, zeros)
    (total, peak, first, second), _ = jax.lax.scan(one, start, jnp.arange(draws))
    mean = first / draws
    spread = jnp.sqrt(jnp.maximum(second / draws - mean**2, 0.0) / draws) / mean
    return total / draws, peak + jnp.log(mean), spread


def importance(
    key: Key[Array, ""],
    model: Any,
    x: Float[Array, "images visible"],
    log_weight: LogWeight,
    draws: int,
    block: int = 1000,
    progress: Callable[[float], None] | None = None,
) -> Importance:
    """Bound and estimate for each image by `draws` draws from q, block by block, so that memory is flat."""
    parts = []
    for number, start in enumerate(range(0, len(x), block)):
        found = _block(jax.random.fold_in(key, number), model, x[start : start + block], log_weight, draws)
        parts.append([np.asarray(values, np.float64) for values in found])
        if progress is not None:
            progress(min(1.0, (start + block) / len(x)))
    return Importance(*(np.concatenate(values) for values in zip(*parts)))
