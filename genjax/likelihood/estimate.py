"""What an estimator answers: a number with its interval, how it was got, and whether it can be trusted."""

from typing import Literal, NamedTuple

import numpy as np

Kind = Literal["exact", "estimate", "lower_bound"]


class LogZ(NamedTuple):
    """Log of the partition function in nats, with the 95 % interval of the estimator."""

    mean: float
    low: float
    high: float
    standard_error: float
    kind: Kind
    estimator: str
    trusted: bool
    reason: str
    effective_samples: float
    log_weight_deviation: float


class LogLikelihood(NamedTuple):
    """Mean log-probability of images in nats an image; `low` and `high` are the estimator's, `image_se` the images'."""

    mean: float
    low: float
    high: float
    image_se: float
    kind: Kind
    estimator: str
    trusted: bool
    reason: str


def exact_log_z(value: float, method: str) -> LogZ:
    """The answer of an enumeration."""
    return LogZ(value, value, value, 0.0, "exact", method, True, "every state was summed", float("inf"), 0.0)


def from_log_weights(log_weights: np.ndarray, estimator: str, seed: int = 0, resamples: int = 1000) -> LogZ:
    """Log of the mean of importance weights, `(chains,)` nats in float64, and how far to believe it.

    The interval is a studentised bootstrap of the log-mean (Efron and Tibshirani 1993, section 12.5): weights are
    skewed, and the plain percentile bootstrap covers too seldom. Weights whose effective sample size (Kish: the
    squared sum over the sum of squares) is under a tenth of the chains, or under 10, are not trusted: a few chains
    then carry the mean, and those that would carry it may be missing.
    """
    log_weights = np.asarray(log_weights, np.float64)
    chains = log_weights.size
    peak = log_weights.max() if chains else -np.inf
    if chains < 2 or not np.all(np.isfinite(log_weights)):
        why = f"{chains} chains with {np.sum(~np.isfinite(log_weights))} weights that are not finite give no estimate"
        return LogZ(np.nan, -np.inf, np.inf, np.inf, "estimate", estimator, False, why, 0.0, np.nan)
    weights = np.exp(log_weights - peak)
    mean = weights.mean()
    error = weights.std(ddof=1) / np.sqrt(chains) / mean
    resampled = weights[np.random.default_rng(seed).integers(0, chains, (resamples, chains))]
    means = resampled.mean(1)
    errors = np.maximum(resampled.std(1, ddof=1) / np.sqrt(chains) / means, 1e-12)
    t_low, t_high = np.quantile((np.log(means) - np.log(mean)) / errors, [0.025, 0.975])
    value = float(np.log(mean) + peak)
    effective = float(weights.sum() ** 2 / np.sum(weights**2))
    trusted = effective >= max(0.1 * chains, 10.0)
    verdict = "enough" if trusted else "too few: more temperatures are needed"
    reason = f"the weights of {chains} chains are worth {effective:.0f} independent ones, {verdict}"
    low, high, spread = value - t_high * error, value - t_low * error, float(log_weights.std(ddof=1))
    return LogZ(value, float(low), float(high), float(error), "estimate", estimator, trusted, reason, effective, spread)


def inverted(inverse: LogZ) -> LogZ:
    """Log Z from an estimate of log 1 / Z, its interval turned over."""
    return inverse._replace(mean=-inverse.mean, low=-inverse.high, high=-inverse.low)


def contradict(forward: LogZ, reverse: LogZ) -> LogZ:
    """The forward estimate, no longer trusted where the reverse one is further away than both intervals explain."""
    gap = reverse.mean - forward.mean
    if forward.low <= reverse.high and reverse.low <= forward.high:
        return forward
    why = "more temperatures are needed" if gap > 0 else "the samples that reverse AIS began with are not the machine's"
    why = f"reverse AIS gives {reverse.mean:.2f} nats, {abs(gap):.2f} away, more than the intervals explain: {why}"
    return forward._replace(trusted=False, reason=why)


def refute(log_z: LogZ, log_weights_of_states: np.ndarray) -> LogZ:
    """The same estimate, no longer trusted where distinct states already add up to more than it allows.

    Their unnormalised probabilities, `(states,)` nats, are a part of the sum Z, so their log-sum is a sure lower
    bound: an AIS that missed a whole mode looks fine by its weights and is found out here.
    """
    bound = float(np.logaddexp.reduce(np.asarray(log_weights_of_states, np.float64)))
    if log_z.kind == "exact" or bound <= log_z.high:
        return log_z
    why = f"the images alone sum to log Z >= {bound:.2f} nats, above the estimate: the chains missed a mode"
    return log_z._replace(trusted=False, reason=why)


def log_likelihood(log_density: np.ndarray, log_z: LogZ) -> LogLikelihood:
    """Mean of log p*(v) - log Z over images, `(images,)` nats, with the interval that log Z leaves."""
    values = np.asarray(log_density, np.float64)
    image_se = float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else float("nan")
    mean = float(values.mean())
    return LogLikelihood(
        mean - log_z.mean,
        mean - log_z.high,
        mean - log_z.low,
        image_se,
        log_z.kind,
        log_z.estimator,
        log_z.trusted,
        log_z.reason,
    )
