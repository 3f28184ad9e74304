"""Transport plans: how much goes from each source to each target, at the least cost (Peyre and Cuturi 2019).

cost = squared_distances(x, y)
plan = exact(cost)                    # or regularised(cost, 0.01)
plan.cost, plan.entropy, barycentric(plan, y)
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from genjax.errors import UserError
from genjax.transport import solvers

Costs = Float[np.ndarray, "sources targets"]
Points = Float[np.ndarray, "_ dimensions"]

BALANCED = 1e-6  # by how much of them two totals may differ
MOST_PIVOTS = 100_000_000  # of the simplex; plans of thousands of points take some ten thousand


class Plan(NamedTuple):
    """How much goes from each source to each target.

    - `weights`: `(sources, targets)`; rows add up to what sources have, columns to what targets take.
    - `cost`: the sum of weights times costs. `entropy`: that of the weights as shares, nats.
    - `iterations`, and `error`, by how much rows and columns miss their sums in all, as a share of the total; 0 of
      exact plans. `converged`: whether the error is below the tolerance that was asked for.
    """

    weights: Float[np.ndarray, "sources targets"]
    cost: float
    entropy: float
    iterations: int = 0
    error: float = 0.0
    converged: bool = True

    def __repr__(self) -> str:
        size = "{} sources, {} targets".format(*self.weights.shape)
        doubt = "" if self.converged else f"; NOT CONVERGED, its sums are off by {self.error:.2g}"
        return f"Plan: {size}, cost {self.cost:.6g}, entropy {self.entropy:.4g} nats{doubt}"


def squared_distances(x: Points, y: Points) -> Costs:
    """|x_i - y_j|^2, `(sources, targets)`, float64."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    centre = x.mean(0)  # far from 0 the difference of large squares would lose digits
    x, y = x - centre, y - centre
    return np.maximum((x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T, 0)


def exact(cost: Any, sources: Any = None, targets: Any = None) -> Plan:
    """A plan of the least cost, by POT's network simplex (Bonneel et al. 2011).

    `cost` `(sources, targets)`; `sources` and `targets` are what each has and takes, of one total (by default equal
    shares of 1). Raises `UserError` where they do not fit, or POT is not installed.
    """
    ot, (costs, a, b) = solvers.simplex(), _balanced(cost, sources, targets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of is in its log
        weights, log = ot.emd(a, b, costs, numItermax=MOST_PIVOTS, log=True)
    if log["warning"] is not None:
        raise UserError(f"`cost`: the simplex found no plan ({log['warning']}); give finite costs of similar size.")
    return _plan(costs, np.asarray(weights))


def regularised(
    cost: Any,
    regularisation: float,
    sources: Any = None,
    targets: Any = None,
    *,
    tolerance: float = 1e-6,
    iterations: int = 10_000,
) -> Plan:
    """The plan of the least cost - `regularisation` times its entropy, by OTT-JAX's Sinkhorn (Cuturi 2013).

    The larger the regularisation, in units of the cost, the more evenly everything goes everywhere; towards 0 it is the
    exact plan with the most entropy, and takes ever more iterations. Other arguments as of `exact`. Raises `UserError`
    where they do not fit, or OTT-JAX is not installed; a plan that has not converged says so.
    """
    costs, a, b = _balanced(cost, sources, targets)
    if not (np.isfinite(regularisation) and regularisation > 0):
        raise UserError(f"`regularisation` {regularisation} is not positive; give a finite number above 0.")
    total = a.sum()
    found = solvers.sinkhorn(costs, a / total, b / total, regularisation, tolerance, iterations)
    # A criterion that is checked on rows or columns alone may stop a little above it on both.
    done = bool(np.isfinite(found.error) and found.error <= 2 * tolerance)
    return _plan(costs, total * found.plan)._replace(iterations=found.iterations, error=found.error, converged=done)


def barycentric(plan: Plan, y: Points) -> Points:
    """Where each source goes on average: the mean of the targets `(targets, dimensions)` by the plan's weights.

    It is the conditional mean E[y | source] under the plan (Ferradans et al. 2014).
    """
    return plan.weights @ np.asarray(y, np.float64) / plan.weights.sum(1, keepdims=True)


def _plan(costs: Costs, weights: Costs) -> Plan:
    shares = weights[weights > 0] / weights.sum()
    return Plan(weights, float(np.sum(weights * costs)), float(-np.sum(shares * np.log(shares))))


def _balanced(cost: Any, sources: Any, targets: Any) -> tuple[Costs, np.ndarray, np.ndarray]:
    """Costs and weights as float64. Raises `UserError` where they do not fit each other."""
    costs = np.ascontiguousarray(cost, np.float64)
    if costs.ndim != 2 or not costs.size or not np.isfinite(costs).all():
        raise UserError(f"`cost` of shape {costs.shape}: give finite costs (sources, targets), at least one of each.")
    both = []
    for name, given, count in zip(("sources", "targets"), (sources, targets), costs.shape):
        weights = np.full(count, 1 / count) if given is None else np.asarray(given, np.float64)
        if weights.shape != (count,) or not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
            raise UserError(
                f"`{name}` has shape {weights.shape}; give {count} finite weights, none below 0, not all 0."
            )
        both.append(weights)
    a, b = both
    if abs(a.sum() - b.sum()) > BALANCED * a.sum():
        raise UserError(f"`targets` take {b.sum():.6g} in all and `sources` have {a.sum():.6g}; give one total.")
    return costs, a, b * (a.sum() / b.sum())
