"""The bound of models that learn all orders at once, by random masks, with the interval that the masks leave.

answer = orders(key, model, masks=32)
scores = answer.score(batch)                # each example's bound; it carries its standard error along
answer.estimate(scores)                     # the mean with its interval
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from scipy.special import stdtrit

from genjax import random
from genjax.errors import UserError
from genjax.random import subkey
from genjax.typing import Answer, Batch, Estimate, Progress

BLOCK = 500  # examples at once
FEWEST = 30  # degrees of freedom from which a standard error is believed


class Bounds(np.ndarray):
    """Bounds of each example, float64 `(examples,)` nats, with their standard errors and the sets behind each.

    A slice keeps them; the result of arithmetic does not.
    """

    errors: np.ndarray | None
    sets: int

    def __array_finalize__(self, _: Any) -> None:
        self.errors, self.sets = None, 0

    def __getitem__(self, index: Any) -> Any:
        part = super().__getitem__(index)
        if isinstance(part, Bounds) and part.ndim == 1 and self.errors is not None:
            part.errors, part.sets = self.errors[index], self.sets
        return part


def orders(key: Key[Array, ""], model: Any, masks: int, progress: Progress | None = None) -> Answer:
    """The bound of `model.process.elbo` by `masks` masks an example.

    An example's masks are of some independent sets, of levels that are spread evenly over [0, 1) within a set; the
    scatter of its sets is the error of its bound.
    """
    spread = max(d for d in range(1, math.isqrt(masks) + 1) if masks % d == 0)
    sets = masks // spread

    def score(batch: Batch) -> Bounds:
        x, parts = np.asarray(batch.x, np.float32), []
        size = min(BLOCK, len(x))
        for start in range(0, len(x), size):
            block = x[start : start + size]
            whole = jnp.asarray(np.pad(block, ((0, size - len(block)), (0, 0))))
            here = jax.random.fold_in(key, start)
            parts.append(np.asarray(_set_means(here, model, whole, sets, spread), np.float64)[:, : len(block)])
            if progress is not None:
                progress((start + len(block)) / len(x))
        means = np.concatenate(parts, 1)
        bounds = means.mean(0).view(Bounds)
        bounds.errors, bounds.sets = means.std(0, ddof=1) / math.sqrt(sets), sets
        return bounds

    return Answer(score, lambda scores: estimate(scores, masks))


def _set_means(key: Key[Array, ""], model: Any, x: Array, sets: int, spread: int) -> Float[Array, "sets examples"]:
    return _compiled(key, model, x, jnp.arange(sets), spread)


@jax.jit(static_argnames="spread")
def _compiled(key: Key[Array, ""], model: Any, x: Array, sets: Array, spread: int) -> Float[Array, "sets examples"]:
    def of_set(number: Array) -> Array:
        of_this = jax.random.fold_in(key, number)
        shift = random.uniform(random.bits(subkey(of_this, "shift"), (len(x), 1)))[:, 0]

        def one(total: Array, place: Array) -> tuple[Array, None]:
            own = jax.random.fold_in(of_this, place)
            return total + model.process.elbo(own, model, x, (place + shift) / spread), None

        return jax.lax.scan(one, jnp.zeros(len(x)), jnp.arange(spread))[0] / spread

    return jax.lax.map(of_set, sets)


def estimate(scores: np.ndarray, masks: int) -> Estimate:
    """The mean bound with the interval that the masks leave, by Student's t.

    Raises `UserError` where `scores` are not what `score` returned, or a slice of it.
    """
    errors = getattr(scores, "errors", None)
    if errors is None:
        raise UserError("`scores` do not carry their standard errors; give what `score` returned, or a slice of it.")
    values, count = np.asarray(scores, np.float64), len(scores)
    mean, error = float(values.mean()), float(np.sqrt(np.sum(errors**2)) / count)
    freedom = count * (scores.sets - 1)  # type: ignore[attr-defined]
    half = float(stdtrit(freedom, 0.975)) * error
    trusted = freedom >= FEWEST
    reason = f"a mean over {masks} masks for each of {count} examples" + ("" if trusted else ": more are needed")
    return Estimate(
        mean,
        mean - half,
        mean + half,
        error,
        float(values.std(ddof=1) / math.sqrt(count)) if count > 1 else math.nan,
        "lower_bound",
        "random orders",
        trusted,
        reason,
    )
