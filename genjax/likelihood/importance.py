"""Importance-sampled log-likelihoods of models with a recognition model: the bound, and the estimate above it."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from genjax.likelihood.estimate import NORMAL
from genjax.typing import Estimate

LEAST_BIAS = 0.25
"""Nats by which an estimate may be too low, by its own account, and be trusted."""
FEWEST = 100
"""Draws from which that account, which knows only the weights that were drawn, says anything."""
FEWEST_EFFECTIVE = 10
"""Draws of equal weight that an example's own must be worth: fewer, and those that would carry it may be missing."""

LogWeight = Callable[[Key[Array, ""], Any, Any], Array]
"""`(key, model, x) -> (batch,)`: log p(x, h) / q(h | x) in nats at one draw of h; x may be any pytree of arrays."""


class Importance(NamedTuple):
    """Of some examples, `(examples,)` nats each, float64.

    - `bounds`: mean log weight, a lower bound of the log-likelihood in expectation (ELBO).
    - `estimates`: log of the mean weight (IWAE; Burda, Grosse and Salakhutdinov 2016): below the log-likelihood in
      expectation, and it tends to it.
    - `standard_errors`: of `estimates`, by the delta method; NaN of a single draw.
    - `draws`: of each example.
    """

    bounds: np.ndarray
    estimates: np.ndarray
    standard_errors: np.ndarray
    draws: int


@partial(jax.jit, static_argnames=("log_weight", "draws", "at_once"))
def _block(
    key: Key[Array, ""], model: Any, x: Any, log_weight: LogWeight, draws: int, at_once: int
) -> tuple[Float[Array, " batch"], Float[Array, " batch"], Float[Array, " batch"]]:
    """Mean, log-mean-exp and its standard error of `draws` log weights, without keeping them.

    Products in full precision: TF32 would be seen in the third digit after the point. What does not depend on the
    draw, such as an encoder, is computed once for `at_once` of them.
    """
    images = jax.tree.leaves(x)[0].shape[0]

    def some(carry: tuple[Array, Array, Array, Array], first: Array) -> tuple[tuple[Array, Array, Array, Array], None]:
        total, peak, sums, squares = carry
        numbers = first + jnp.arange(at_once)
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)
        values = jax.vmap(log_weight, (0, None, None))(keys, model, x)
        there = (numbers < draws)[:, None]
        values = jnp.where(there, values, -jnp.inf)
        top = jnp.maximum(peak, values.max(0))
        shrink, shares = jnp.exp(peak - top), jnp.exp(values - top)
        total += jnp.sum(jnp.where(there, values, 0.0), 0)
        return (total, top, sums * shrink + shares.sum(0), squares * shrink**2 + (shares**2).sum(0)), None

    zeros = jnp.zeros(images, jnp.float32)
    start = (zeros, jnp.full(images, -jnp.inf, jnp.float32), zeros, zeros)
    with jax.default_matmul_precision("highest"):
        (total, peak, sums, squares), _ = jax.lax.scan(some, start, jnp.arange(0, draws, at_once))
    mean = sums / draws
    variance = jnp.maximum(squares / draws - mean**2, 0.0) / (draws - 1)  # of the mean; of a single draw not known
    spread = jnp.sqrt(variance) / mean
    return total / draws, peak + jnp.log(mean), spread


def importance(
    key: Key[Array, ""],
    model: Any,
    x: Any,
    log_weight: LogWeight,
    draws: int,
    block: int = 1000,
    at_once: int = 1,
    progress: Callable[[float], None] | None = None,
) -> Importance:
    """Bound and estimate for each image by `draws` draws from q, block by block, so that memory is flat.

    The leaves of x, `(images, ...)`, are cut into blocks; of these `at_once` draws are made side by side.
    """
    parts, images = [], len(jax.tree.leaves(x)[0])
    for number, start in enumerate(range(0, images, block)):
        here = jax.tree.map(lambda leaf, start=start: leaf[start : start + block], x)
        found = _block(jax.random.fold_in(key, number), model, here, log_weight, draws, at_once)
        parts.append([np.asarray(values, np.float64) for values in found])
        if progress is not None:
            progress(min(1.0, (start + block) / images))
    bounds, estimates, errors = (np.concatenate(values) for values in zip(*parts))
    return Importance(bounds, estimates, errors, draws)


def effective(found: Importance) -> np.ndarray:
    """What each example's draws are worth in draws of equal weight, `(examples,)` (Kish's effective sample size)."""
    return found.draws / (1 + (found.draws - 1) * found.standard_errors**2)


def total(found: Importance) -> Estimate:
    """The mean estimate over examples with the interval of its estimator, to be trusted where little bias is left.

    The log of a mean is too low by about half the squared standard error of its argument's share (delta method), which
    is the bias that `reason` names. Weights that were never drawn are not in it: it is itself too small where few
    draws carry all the weight, and so every example's draws must be worth at least 10 of equal weight.
    """
    count = len(found.estimates)
    error = float(np.sqrt(np.sum(found.standard_errors**2))) / count
    bias = float(np.mean(0.5 * found.standard_errors**2))
    poor = int(np.sum(~(effective(found) >= FEWEST_EFFECTIVE)))
    mean, enough = float(found.estimates.mean()), bias < LEAST_BIAS and found.draws >= FEWEST
    reason = f"too low by {bias:.3f} nats or more" + ("" if enough and not poor else ": more draws are needed")
    if poor and enough:
        reason += f", since those of {poor} of {count} examples are worth fewer than {FEWEST_EFFECTIVE}"
    return Estimate(
        mean=mean,
        low=mean - NORMAL * error,
        high=mean + NORMAL * error,
        standard_error=error,
        examples_se=float(found.estimates.std(ddof=1) / np.sqrt(count)) if count > 1 else float("nan"),
        kind="lower_bound",
        estimator=f"importance sampling, {found.draws} draws",
        trusted=enough and not poor,
        reason=reason,
    )


def normalised(answer: Estimate, log_z: Estimate) -> Estimate:
    """The estimate of an unnormalised model less its log Z: errors of both in one interval, trusted where both are.

    The two estimators are independent, so the distances to the ends of their intervals add up as squares.
    """
    mean = answer.mean - log_z.mean
    return answer._replace(
        mean=mean,
        low=mean - float(np.hypot(answer.mean - answer.low, log_z.high - log_z.mean)),
        high=mean + float(np.hypot(answer.high - answer.mean, log_z.mean - log_z.low)),
        standard_error=float(np.hypot(answer.standard_error, log_z.standard_error)),
        estimator=f"{answer.estimator}, and {log_z.estimator}",
        trusted=answer.trusted and log_z.trusted,
        reason=f"{answer.reason}; of log Z, {log_z.reason}",
    )


def missed(found: Importance, log_weights: np.ndarray) -> float:
    """How much too low the estimates are, on average, for what the recognition model misses; nats.

    `found` is of x drawn from the model together with h, and `log_weights` are those of these h, exact draws from the
    posterior. With one of them among the draws the log-mean is too high in expectation, without them too low (Grosse,
    Ghahramani and Adams 2015), and weights that are all alike say nothing of states that q never draws.
    """
    high = np.logaddexp(np.log(found.draws) + found.estimates, log_weights) - np.log(found.draws + 1)
    return float(np.mean(high - found.estimates))


def refuted(answer: Estimate, gap: float) -> Estimate:
    """The same estimate, marked as untrusted where the model's own samples show that q misses states (`missed`)."""
    if gap < LEAST_BIAS:
        return answer
    why = f"of samples of the model itself it is too low by up to {gap:.2f} nats: the recognition model misses states"
    return answer._replace(trusted=False, reason=f"{answer.reason}; {why}")
