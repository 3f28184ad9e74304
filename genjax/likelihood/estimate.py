"""Making an `Estimate` (`genjax.typing`): a number, its interval, how it was got, and whether it can be trusted."""

import math
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Num

from genjax.typing import Estimate

NORMAL = 1.96  # standard errors to either end of a 95 % interval
FEWEST_EFFECTIVE = 20.0  # draws that weights have to be worth
SPECIAL = {"mean": math.nan, "low": -math.inf, "high": math.inf, "standard_error": math.inf, "examples_se": math.nan}
"""What a number is that JSON holds as null, as it has neither NaN nor infinities."""


def exact_log_z(value: float, method: str) -> Estimate:
    """Log Z from an enumeration, nats."""
    return exact(value, math.nan, method, "every state was summed")


def exact(value: float, examples_se: float, method: str, reason: str) -> Estimate:
    """A number without an estimator's error."""
    return Estimate(value, value, value, 0.0, examples_se, "exact", method, True, reason)


def mean_over_examples(
    values: Num[np.ndarray, " examples"], method: str, counts: Num[np.ndarray, " examples"] | None = None
) -> Estimate:
    """The mean of these values, each measured exactly, with its standard error over the examples.

    With `counts`, values are sums over so many entries of an example (missing pixels, say), and the mean is one over
    all entries: sum(values) / sum(counts), its error by the delta method for a ratio.
    """
    values = np.asarray(values, np.float64)
    counts = np.ones(len(values)) if counts is None else np.asarray(counts, np.float64)
    mean = float(values.sum() / counts.sum())
    spread = np.sum((values - mean * counts) ** 2) * len(values) / max(len(values) - 1, 1)
    error = float(np.sqrt(spread) / counts.sum()) if len(values) > 1 else math.nan
    return exact(mean, error, method, f"measured on {len(values)} examples")


def share(hits: Bool[np.ndarray, " examples"], method: str) -> Estimate:
    """The share of examples of which this is true, `(examples,)` booleans, with its binomial standard error."""
    mean = float(np.mean(hits))
    return exact(mean, math.sqrt(mean * (1 - mean) / len(hits)), method, f"measured on {len(hits)} examples")


def from_log_weights(log_weights: np.ndarray, estimator: str, seed: int = 0, resamples: int = 1000) -> Estimate:
    """Log of the mean of importance weights, `(chains,)` nats in float64, and how far to believe it.

    The interval is a studentised bootstrap of the log-mean (Efron and Tibshirani 1993, section 12.5): weights are
    skewed, and the plain percentile bootstrap covers too seldom. Weights whose effective sample size (Kish: the
    squared sum over the sum of squares) is under a tenth of the chains, or under 20, are not trusted: a few chains
    then carry the mean, and those that would carry it may be missing. A tenth, because the chains that are missing
    would lower the number too: of normal log weights of variance 4, 500 are worth 20 or more in 7 of 10 repetitions,
    and a tenth or more in 1 of 7, while intervals cover 9 times in 10.
    """
    log_weights = np.asarray(log_weights, np.float64)
    chains = log_weights.size
    if chains < 2 or not np.all(np.isfinite(log_weights)):
        why = f"{chains} chains with {np.sum(~np.isfinite(log_weights))} weights that are not finite give no estimate"
        return Estimate(np.nan, -np.inf, np.inf, np.inf, np.nan, "estimate", estimator, False, why)
    peak = log_weights.max()
    weights = np.exp(log_weights - peak)
    mean = weights.mean()
    error = weights.std(ddof=1) / np.sqrt(chains) / mean
    resampled = weights[np.random.default_rng(seed).integers(0, chains, (resamples, chains))]
    means = resampled.mean(1)
    errors = np.maximum(resampled.std(1, ddof=1) / np.sqrt(chains) / means, 1e-12)
    t_low, t_high = np.quantile((np.log(means) - np.log(mean)) / errors, [0.025, 0.975])
    value = float(np.log(mean) + peak)
    effective = effective_samples(log_weights)
    trusted = effective >= max(0.1 * chains, FEWEST_EFFECTIVE)
    verdict = "enough" if trusted else "too few: more temperatures are needed"
    reason = f"effective sample size {effective:.0f} of {chains} chains, {verdict}"
    low, high = float(value - t_high * error), float(value - t_low * error)
    return Estimate(value, low, high, float(error), np.nan, "estimate", estimator, trusted, reason)


def effective_samples(log_weights: Float[np.ndarray, " chains"]) -> float:
    """How many draws of equal weight these are worth (Kish)."""
    log_weights = np.asarray(log_weights, np.float64)
    weights = np.exp(log_weights - log_weights.max())
    return float(weights.sum() ** 2 / np.sum(weights**2))


def inverted(inverse: Estimate) -> Estimate:
    """Log Z from an estimate of log 1 / Z, its interval turned over."""
    return inverse._replace(mean=-inverse.mean, low=-inverse.high, high=-inverse.low)


def agree(one: Estimate, other: Estimate) -> bool:
    """Whether two intervals overlap."""
    return one.low <= other.high and other.low <= one.high


def contradict(forward: Estimate, reverse: Estimate) -> Estimate:
    """The forward estimate, marked as untrusted where the reverse one is further away than both intervals explain."""
    gap = reverse.mean - forward.mean
    if agree(forward, reverse):
        return forward
    why = "more temperatures are needed" if gap > 0 else "the samples that reverse AIS began with are not the machine's"
    why = f"reverse AIS gives {reverse.mean:.2f} nats, {abs(gap):.2f} away, more than the intervals explain: {why}"
    return forward._replace(trusted=False, reason=why)


def refute(log_z: Estimate, log_weights_of_states: Float[np.ndarray, " states"]) -> Estimate:
    """The same estimate, marked as untrusted where distinct states already add up to more than it allows.

    Their unnormalised probabilities, `(states,)` nats, are a part of the sum Z, so their log-sum is a sure lower
    bound. An AIS that missed a whole mode looks fine by its weights; this bound reveals it.
    """
    bound = float(np.logaddexp.reduce(np.asarray(log_weights_of_states, np.float64)))
    if log_z.kind == "exact" or bound <= log_z.high:
        return log_z
    why = f"the images alone sum to log Z >= {bound:.2f} nats, above the estimate: the chains missed a mode"
    return log_z._replace(trusted=False, reason=why)


def log_likelihood(log_density: Float[np.ndarray, " examples"], log_z: Estimate) -> Estimate:
    """Mean of log p*(v) - log Z over examples, `(examples,)` nats, with the interval that log Z leaves."""
    values = np.asarray(log_density, np.float64)
    examples_se = float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else math.nan
    mean = float(values.mean())
    return log_z._replace(mean=mean - log_z.mean, low=mean - log_z.high, high=mean - log_z.low, examples_se=examples_se)


def numbers(estimate: Estimate) -> dict[str, Any]:
    """An estimate's fields by name, as JSON takes them: None in place of NaN and infinities."""
    content = estimate._asdict()
    return content | {name: None for name in SPECIAL if not math.isfinite(content[name])}


def plain(answers: Any) -> Any:
    """Answers as JSON takes them: the estimates in (nested) dicts and lists become their numbers."""
    if isinstance(answers, Estimate):
        return numbers(answers)
    if isinstance(answers, dict):
        return {str(name): plain(value) for name, value in answers.items()}
    if isinstance(answers, list | tuple):
        return [plain(value) for value in answers]
    return answers


def finite(value: Any) -> Any:
    """The same with None for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_numbers(content: dict[str, Any]) -> Estimate:
    """Back from `numbers`, and from the forms before it: of log Z, without `examples_se`; of a log-likelihood, whose
    `examples_se` was called `image_se`, without `standard_error`, which is then half the interval over 1.96."""
    fields = {name: content.get(name) for name in Estimate._fields}
    if "image_se" in content:
        fields["examples_se"] = content["image_se"]
    if "standard_error" not in content:
        fields["standard_error"] = (content["high"] - content["low"]) / (2 * NORMAL)
    known: dict[str, Any] = {name: SPECIAL.get(name) if value is None else value for name, value in fields.items()}
    return Estimate(**known)


def both_numbers(log_z: tuple[Estimate, Estimate | None]) -> dict[str, Any]:
    """Both sides of log Z as JSON takes them: the numbers of the first, and under `reverse` those of the second."""
    forward, reverse = log_z
    return numbers(forward) | {"reverse": None if reverse is None else numbers(reverse)}


def both_from_numbers(content: dict[str, Any]) -> tuple[Estimate, Estimate | None]:
    """Back from `both_numbers`, whenever they were written."""
    reverse = content.get("reverse")
    return from_numbers(content), None if reverse is None else from_numbers(reverse)
