"""The solvers, imported where they are first asked for: POT's network simplex and OTT-JAX's Sinkhorn iterations."""

import warnings
from collections.abc import Callable
from functools import lru_cache, partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from genjax.errors import UserError

INSTALL = 'pip install -e ".[ot]"'


class Solved(NamedTuple):
    """A regularised plan `(sources, targets)`, its value, how often the potentials were updated, and the last error."""

    plan: Float[np.ndarray, "sources targets"]
    value: float
    iterations: int
    error: float


def has_sinkhorn() -> bool:
    """Whether OTT-JAX is installed."""
    return find_spec("ott") is not None


def has_simplex() -> bool:
    """Whether POT is installed."""
    return find_spec("ot") is not None


def simplex() -> Any:
    """POT's module, `ot`. Raises `UserError` where it is not installed."""
    if not has_simplex():
        raise UserError(f"Exact transport plans take POT, which is not installed: {INSTALL}.")
    return import_module("ot")


@lru_cache
def _iterations() -> Callable[..., tuple[Array, Array, Array, Array]]:
    """The compiled Sinkhorn iterations. Raises `UserError` where OTT-JAX is not installed."""
    if not has_sinkhorn():
        raise UserError(f"Regularised transport plans take OTT-JAX, which is not installed: {INSTALL}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a package that it imports
        geometry = import_module("ott.geometry.geometry")
        problems = import_module("ott.problems.linear.linear_problem")
        solvers = import_module("ott.solvers.linear.sinkhorn")

    @partial(jax.jit, static_argnames=("most",))
    def solve(cost: Array, a: Array, b: Array, scale: Array, tolerance: Array, most: int) -> tuple[Array, ...]:
        # On a matrix of costs: one computed from points inside the loop took 40 times as long on CPUs.
        problem = problems.LinearProblem(geometry.Geometry(cost_matrix=cost, epsilon=scale), a, b)
        found = solvers.Sinkhorn(threshold=tolerance, max_iterations=most, implicit_diff=None)(problem)
        plan = found.matrix
        error = abs(plan.sum(1) - a).sum() + abs(plan.sum(0) - b).sum()
        return plan, found.kl_reg_cost, found.n_iters, error

    return solve


def sinkhorn(
    cost: Float[np.ndarray, "sources targets"],
    a: Float[np.ndarray, " sources"],
    b: Float[np.ndarray, " targets"],
    regularisation: float,
    tolerance: float,
    most: int,
) -> Solved:
    """The plan P with sums a and b (each of total 1) of the least <C, P> + regularisation KL(P | a b^T), float64.

    It ends where the sums miss theirs by `tolerance` in all, or after `most` iterations. Weights may be 0, and so sizes
    can be padded.
    """
    solve = _iterations()
    with jax.enable_x64(True):  # float32 cannot meet the sums of many small weights
        plan, value, iterations, error = solve(cost, a, b, np.float64(regularisation), np.float64(tolerance), most)
        return Solved(np.asarray(plan), float(value), int(iterations), float(error))
