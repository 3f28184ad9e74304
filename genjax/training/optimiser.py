"""Optimisers by name, built from traced rates: a new learning rate, momentum or decay never compiles again."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from genjax.typing import Hyper

Optimiser = Literal["sgd", "nesterov", "adam", "adamw", "rmsprop", "lion"]
Schedule = Literal["constant", "linear", "cosine"]


def learning_rate_at(schedule: Schedule, hyper: Hyper, step: Int[Array, ""]) -> Float[Array, ""]:
    """The learning rate of this step: `learning_rate` times a function of step / total_steps (linear, cosine: to 0)."""
    progress = jnp.clip(step / hyper["total_steps"], 0.0, 1.0)
    shape = {
        "constant": jnp.ones_like(progress),
        "linear": 1 - progress,
        "cosine": 0.5 * (1 + jnp.cos(jnp.pi * progress)),
    }
    return hyper["learning_rate"] * shape[schedule]


def transformation(
    optimiser: Optimiser, hyper: Hyper, learning_rate: Float[Array, ""], decayed: PyTree
) -> optax.GradientTransformation:
    """The optax chain of this step. Its state does not depend on the rates, so it may be built anew at every step.

    `decayed` is a pytree of booleans, shaped like the parameters: which of them weight decay acts on. The decay is
    decoupled from the gradient's scaling (AdamW; Loshchilov and Hutter 2019) for every optimiser. `momentum` is the
    decay of the velocity for sgd and nesterov, the first beta for the others; `second_moment`, which may be left
    out, is the second beta of adam and adamw.
    """
    momentum, second = hyper["momentum"], hyper.get("second_moment", 0.999)
    directions = {
        "sgd": lambda: optax.trace(momentum),  # type: ignore[arg-type]
        "nesterov": lambda: optax.trace(momentum, nesterov=True),  # type: ignore[arg-type]
        "adam": lambda: optax.scale_by_adam(b1=momentum, b2=second),  # type: ignore[arg-type]
        "adamw": lambda: optax.scale_by_adam(b1=momentum, b2=second),  # type: ignore[arg-type]
        "rmsprop": lambda: optax.chain(optax.scale_by_rms(), optax.trace(momentum)),  # type: ignore[arg-type]
        "lion": lambda: optax.scale_by_lion(b1=momentum),  # type: ignore[arg-type]
    }
    return optax.chain(
        directions[optimiser](),
        optax.add_decayed_weights(hyper["weight_decay"], mask=decayed),
        optax.scale(-learning_rate),  # type: ignore[arg-type]
    )


def tail_average(share: float, average: Any, parameters: Any, step: Int[Array, ""], hyper: Hyper) -> Any:
    """The running mean of the parameters over the last `share` of the run; the newest ones before that begins.

    `average` is that of the step before, or None where nothing is averaged (Polyak and Juditsky 1992). A run whose
    length was changed at the step `averaged_from` averages nothing from before it.
    """
    if average is None:
        return None
    begins = jnp.floor((1 - share) * hyper["total_steps"])
    if "averaged_from" in hyper:
        begins = jnp.maximum(begins, hyper["averaged_from"])
    since = step - begins
    weight = 1 / jnp.maximum(since + 1, 1)
    return jax.tree.map(lambda old, new: old + weight * (new - old), average, parameters)
