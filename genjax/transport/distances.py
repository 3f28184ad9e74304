"""Distances between two sets of points by optimal transport, each point with the same weight."""

from typing import Any

import numpy as np

from genjax.errors import UserError
from genjax.transport import solvers
from genjax.transport.plans import exact, squared_distances

SMALLEST = 32  # points; smaller sets are padded to it, larger ones to a power of two, so that few programs are compiled
TOLERANCE, ITERATIONS = 1e-4, 10_000


def wasserstein(x: Any, y: Any, order: int = 1) -> float:
    """The Wasserstein distance of this order between points `(_, dimensions)`, exactly.

    (min over plans of the mean of |x - y|^order)^(1 / order). Of samples it is larger than that of what they were drawn
    from, in many dimensions by far (Weed and Bach 2019). Raises `UserError` where POT is not installed.
    """
    cost = squared_distances(*_points(x, y)) ** (order / 2)
    return max(exact(cost).cost, 0.0) ** (1 / order)


def sinkhorn_divergence(x: Any, y: Any, regularisation: float) -> float:
    """OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2 of squared distances (Feydy et al. 2019, equation 3).

    OT is the least <C, P> + regularisation KL(P | product of the weights). It is 0 for equal sets and above 0 for
    others: from the squared distance of the means, at large regularisations, to the squared Wasserstein distance.
    Raises `UserError` where OTT-JAX is not installed.
    """
    if not (np.isfinite(regularisation) and regularisation > 0):
        raise UserError(f"`regularisation` {regularisation} is not positive; give a finite number above 0.")
    x, y = _points(x, y)
    between, of_x, of_y = (_value(p, q, regularisation) for p, q in ((x, y), (x, x), (y, y)))
    return between - (of_x + of_y) / 2


def _points(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not len(x) or not len(y):
        raise UserError(f"`x` has shape {x.shape} and `y` {y.shape}; give points (_, dimensions) of one dimension.")
    return x, y


def _value(x: np.ndarray, y: np.ndarray, regularisation: float) -> float:
    """The regularised cost; points that pad have weight 0."""
    cost = squared_distances(x, y)
    sizes = [max(SMALLEST, 1 << (count - 1).bit_length()) for count in cost.shape]
    padded = np.pad(cost, [(0, size - count) for size, count in zip(sizes, cost.shape)])
    a, b = (np.arange(size) < count for size, count in zip(sizes, cost.shape))
    return solvers.sinkhorn(padded, a / a.sum(), b / b.sum(), regularisation, TOLERANCE, ITERATIONS).value
