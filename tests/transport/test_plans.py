"""Plans: exact ones cost what linear programming says, regularised ones are those of POT; both refuse what is none."""

import numpy as np
import ot
import pytest
from scipy.optimize import linprog

from genjax import transport
from genjax.errors import UserError
from genjax.transport import solvers


def problem(sources: int, targets: int, seed: int, total: float = 1.0):
    """Costs of either sign, and uneven weights."""
    rng = np.random.default_rng(seed)
    a, b = rng.dirichlet(np.ones(sources)), rng.dirichlet(np.ones(targets))
    return rng.normal(size=(sources, targets)), total * a, total * b


def by_linear_programming(cost, a, b) -> float:
    """The least cost, by scipy's HiGHS."""
    rows = np.kron(np.eye(len(a)), np.ones(len(b)))
    columns = np.kron(np.ones(len(a)), np.eye(len(b)))
    found = linprog(cost.ravel(), A_eq=np.concatenate([rows, columns]), b_eq=np.concatenate([a, b]), method="highs")
    assert found.success
    return found.fun


@pytest.mark.parametrize(("sources", "targets", "total"), [(1, 4, 1.0), (5, 5, 1.0), (8, 5, 12.0), (12, 20, 1.0)])
def test_exact_plans_cost_what_linear_programming_says(sources, targets, total):
    for seed in range(5):
        cost, a, b = problem(sources, targets, seed, total)
        plan = transport.exact(cost, a, b)
        assert abs(plan.cost - by_linear_programming(cost, a, b)) < 1e-6
        np.testing.assert_allclose(plan.weights.sum(1), a, atol=1e-9)
        np.testing.assert_allclose(plan.weights.sum(0), b, atol=1e-9)
        assert plan.weights.min() >= 0


def test_equal_shares_are_an_assignment():
    """Points on a line are matched in their order."""
    x, y = np.array([[0.0], [5.0], [2.0]]), np.array([[5.5], [0.5], [2.5]])
    plan = transport.exact(transport.squared_distances(x, y))
    np.testing.assert_allclose(plan.weights, np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]]) / 3, atol=1e-12)
    assert plan.cost == pytest.approx(0.25)
    assert plan.entropy == pytest.approx(np.log(3))
    np.testing.assert_allclose(transport.barycentric(plan, y), x + 0.5)


@pytest.mark.parametrize("regularisation", [0.02, 0.2, 5.0])
def test_regularised_plans_are_those_of_another_library(regularisation):
    cost, a, b = problem(6, 7, 0, total=3.0)
    plan = transport.regularised(cost, regularisation, a, b, tolerance=1e-9)
    other = 3 * ot.sinkhorn(
        a / 3, b / 3, cost, regularisation, method="sinkhorn_log", stopThr=1e-12, numItermax=100_000
    )
    assert plan.converged
    np.testing.assert_allclose(plan.weights, other, atol=1e-7)
    np.testing.assert_allclose(plan.weights.sum(1), a, atol=1e-7)


def test_regularisation_spreads_a_plan():
    """The cost rises from the exact plan's, the entropy to that of independent sources and targets."""
    cost, a, b = problem(6, 7, 1)
    plans = [
        transport.exact(cost, a, b),
        *(transport.regularised(cost, scale, a, b) for scale in (0.01, 0.1, 1.0, 1e4)),
    ]
    assert np.all(np.diff([plan.cost for plan in plans]) > 0)
    assert np.all(np.diff([plan.entropy for plan in plans]) > 0)
    assert plans[1].cost == pytest.approx(plans[0].cost, abs=0.02)
    np.testing.assert_allclose(plans[-1].weights, np.outer(a, b), atol=1e-4)


def test_plans_that_have_not_converged_say_so():
    cost, a, b = problem(6, 7, 1)
    plan = transport.regularised(cost, 0.001, a, b, iterations=10)
    assert not plan.converged
    assert plan.error > 1e-4
    assert "NOT CONVERGED" in repr(plan)
    assert "NOT" not in repr(transport.exact(cost, a, b))


def test_what_is_no_problem_is_refused():
    cost = np.ones((2, 3))
    cases = [
        ((np.ones(3),), "`cost` of shape"),
        ((np.full((2, 2), np.nan),), "`cost` of shape"),
        ((cost, [1, 2, 3]), "`sources` has shape"),
        ((cost, [0.5, 0.5], [0.5, 0.7, -0.2]), "`targets` has shape"),
        ((cost, [1, 1], [1, 1, 1]), "`targets` take 3 in all and `sources` have 2"),
    ]
    for arguments, said in cases:
        with pytest.raises(UserError, match=said):
            transport.exact(*arguments)
    with pytest.raises(UserError, match=r"`regularisation` .* is not positive"):
        transport.regularised(cost, 0.0)


def test_without_the_solvers_the_extra_is_named(monkeypatch):
    solvers._iterations.cache_clear()
    monkeypatch.setattr(solvers, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'POT, which is not installed: pip install -e "\.\[ot\]"\.'):
        transport.exact(np.ones((2, 2)))
    with pytest.raises(UserError, match=r'OTT-JAX, which is not installed: pip install -e "\.\[ot\]"\.'):
        transport.regularised(np.ones((2, 2)), 1.0)
