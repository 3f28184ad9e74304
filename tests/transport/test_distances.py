"""Distances of sets of points: closed forms, and POT's."""

import numpy as np
import ot
import pytest

from genjax import transport
from genjax.errors import UserError

RNG = np.random.default_rng(0)
X, SHIFT = RNG.normal(size=(50, 3)), np.array([1.0, -2.0, 0.5])


def test_the_distance_of_a_shifted_set_is_its_shift():
    """Whatever the order; and of a set on a line the mean distance of sorted points (Villani 2003, section 2.2)."""
    for order in (1, 2):
        assert transport.wasserstein(X, X + SHIFT, order) == pytest.approx(np.linalg.norm(SHIFT))
    x, y = RNG.normal(size=(30, 1)), RNG.exponential(size=(30, 1))
    assert transport.wasserstein(x, y) == pytest.approx(np.abs(np.sort(x, 0) - np.sort(y, 0)).mean())
    assert transport.wasserstein(x, x) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("regularisation", [1.0, 30.0])
def test_the_divergence_of_a_shifted_set_is_its_squared_shift(regularisation):
    """|x - y - t|^2 differs from |x - y|^2 by terms of x and of y alone, which leave the plan as it is."""
    found = transport.sinkhorn_divergence(X, X + SHIFT, regularisation)
    assert found == pytest.approx(SHIFT @ SHIFT, rel=1e-3)
    assert transport.sinkhorn_divergence(X, X, regularisation) == pytest.approx(0, abs=1e-6)


def test_the_divergence_goes_from_the_means_to_the_transport():
    """Sets of different sizes, which are padded."""
    y = 2 * RNG.normal(size=(40, 3)) + SHIFT
    means = ((X.mean(0) - y.mean(0)) ** 2).sum()
    assert transport.sinkhorn_divergence(X, y, 1e5) == pytest.approx(means, rel=1e-3)
    exact = ot.emd2(np.full(50, 1 / 50), np.full(40, 1 / 40), ot.dist(X, y))
    assert transport.wasserstein(X, y, 2) ** 2 == pytest.approx(exact)
    assert transport.sinkhorn_divergence(X, y, 0.02) == pytest.approx(exact, rel=0.02)
    assert means < transport.sinkhorn_divergence(X, y, 1.0) < exact


def test_what_are_no_points_is_refused():
    for x, y in ((X, X[:, :2]), (X[0], X), (X[:0], X)):
        with pytest.raises(UserError, match="give points"):
            transport.wasserstein(x, y)
    with pytest.raises(UserError, match=r"`regularisation` .* is not positive"):
        transport.sinkhorn_divergence(X, X, -1.0)
