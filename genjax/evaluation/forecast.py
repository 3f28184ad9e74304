"""Recursive prediction of a series: what a network predicts becomes what it predicts from."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from genjax.data.series import pasts

Predict = Callable[[Float[Array, "batch lag"]], Float[Array, "batch 1"]]


@partial(jax.jit, static_argnames="steps")
def forecast(predict: Predict, past: Float[Array, "starts lag"], steps: int) -> Float[Array, "starts steps"]:
    """Each predicted value becomes the newest input of the next prediction; one scan, for all starts at once.

    `predict` is a pytree that is called, such as a run's parameters.
    """

    def one(window: Float[Array, " lag"], _: None) -> tuple[Array, Array]:
        value = predict(window[None])[0, 0]
        return jnp.append(window[1:], value), value

    return jax.vmap(lambda window: jax.lax.scan(one, window, length=steps)[1])(past)


def forecast_error(
    predict: Predict, series: Float[np.ndarray, " time"], lag: int, starts: Sequence[int], steps: int
) -> float:
    """The mean squared error of forecasts of `steps` values from each start."""
    before, truth = pasts(series, lag, starts, steps)
    return float(np.mean((np.asarray(forecast(predict, jnp.asarray(before), steps)) - truth) ** 2))


def ensemble(members: Sequence[Any]) -> Predict:
    """The mean of what networks of one shape predict (their parameters are stacked); a forecast feeds on that mean."""
    return jax.tree_util.Partial(_mean, jax.tree.map(lambda *leaves: jnp.stack(leaves), *members))


def _mean(members: Any, x: Float[Array, "batch lag"]) -> Float[Array, "batch 1"]:
    return jnp.mean(jax.vmap(lambda member: member(x))(members), axis=0)
