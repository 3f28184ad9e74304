"""Distances and densities against formulas in closed form, and against libraries on the same features."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.metrics.pairwise import polynomial_kernel

from genjax.evaluation import density, distances
from genjax.evaluation.density import reach, support
from genjax.evaluation.distances import frechet_distance, kernel_distance, sinkhorn_divergence, wasserstein_distance


def features(rows: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Like a classifier's: correlated, and cut off at 0, some of them for good."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 24)) @ np.random.default_rng(99).normal(size=(24, 24)) + shift
    x[:, 3] = 0.0
    return np.maximum(x, 0).astype(np.float32)


def test_frechet_of_two_gaussians_in_closed_form():
    """Points that have mean and covariance exactly: whitened, then given the wanted ones."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    x = (x - x.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    y = 2 * x @ np.diag([1.0, 2.0, 3.0]) + [1.0, 0.0, -2.0]
    assert frechet_distance(x, y) == pytest.approx(1 + 4 + sum((2 * s - 1) ** 2 for s in (1, 2, 3)), rel=1e-9)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_frechet_is_the_textbook_formula_and_that_of_pot():
    x, y = features(500, 0).astype(float), features(400, 1, 0.5).astype(float)
    c, d = np.cov(x.T), np.cov(y.T)
    plain = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(c + d - 2 * np.real(sqrtm(c @ d + 1e-12 * np.eye(24))))
    assert frechet_distance(x, y) == pytest.approx(plain, rel=1e-4)
    ot = pytest.importorskip("ot")
    x, y = (np.delete(z, 3, 1) for z in (x, y))  # POT takes no singular covariances
    theirs = ot.gaussian.bures_wasserstein_distance(x.mean(0), y.mean(0), np.cov(x.T), np.cov(y.T)) ** 2
    assert frechet_distance(x, y) == pytest.approx(float(theirs), rel=1e-6)


def test_kernel_distance_is_scikit_learns_kernel_without_its_diagonal(monkeypatch):
    x, y = features(50, 0).astype(float), features(50, 1, 0.3).astype(float)
    a, b, c = (polynomial_kernel(u, v, degree=3, coef0=1) for u, v in ((x, x), (y, y), (x, y)))
    off = ~np.eye(50, dtype=bool)
    wanted = a[off].mean() + b[off].mean() - 2 * c.mean()
    found = kernel_distance(x, y)
    assert found.mean == pytest.approx(wanted, rel=1e-9)
    assert np.isnan(found.standard_error)
    assert not found.trusted
    monkeypatch.setattr(distances, "BLOCK", 25)
    halves = kernel_distance(x, y)
    assert halves.mean == pytest.approx(wanted, abs=4 * halves.standard_error)
    ordered = [z[np.argsort(z[:, 0])] for z in (features(500, 0), features(500, 1))]
    for z in (ordered, (ordered[0], ordered[1][::-1])):  # in whatever order the images are
        found = kernel_distance(*z)
        assert abs(found.mean) < 5 * found.standard_error
    monkeypatch.setattr(distances, "BLOCK", 1000)
    same = [kernel_distance(features(200, 2 * s), features(200, 2 * s + 1)).mean for s in range(60)]
    assert abs(np.mean(same)) < 6 * np.std(same) / np.sqrt(60)
    assert np.mean(same) < 0.1 * wanted


def test_support_is_counted_by_hand_and_by_prdc(monkeypatch):
    """Four points on a line and two samples, each ball reaching one neighbour."""
    data, samples = np.array([[0.0], [1.0], [3.0], [7.0]]), np.array([[0.5], [9.0]])
    np.testing.assert_allclose(reach(data, 1), [1, 1, 2, 4])
    found = support(data, samples, 1)
    assert found.precision == 1.0  # 0.5 is in two balls of the data, 9 in one
    assert found.density == (2 + 1) / 2
    assert found.coverage == 3 / 4  # the sample nearest to 3 is 2.5 away
    assert found.recall == 1.0
    x, y = features(300, 0), features(250, 1, 0.4)
    whole = support(x, y)
    monkeypatch.setattr(density, "ROWS", 70)
    assert support(x, y) == pytest.approx(whole)
    prdc = pytest.importorskip("prdc")
    theirs = prdc.compute_prdc(real_features=x.astype(float), fake_features=y.astype(float), nearest_k=5)
    for name, value in whole._asdict().items():
        assert value == pytest.approx(theirs[name], abs=1e-9), name


def test_distances_by_transport_of_a_shifted_set_are_its_shift(monkeypatch):
    """Over blocks of rows that belong together only where there is one block."""
    x = features(60, 0)
    shift = np.linspace(0, 3, 24)
    rows = np.random.default_rng(0).permutation(60), np.random.default_rng(1).permutation(60)
    one = wasserstein_distance(x, (x + shift)[rows[0]])
    assert one.mean == pytest.approx(np.linalg.norm(shift), rel=1e-6)
    assert not one.trusted
    found = sinkhorn_divergence(x, (x + shift)[rows[1]])
    assert found.mean == pytest.approx(shift @ shift, rel=1e-3)
    monkeypatch.setattr(distances, "BLOCK", 7)
    several = wasserstein_distance(x, x + shift)
    assert "5 blocks of 7 rows" in several.reason
    assert several.trusted
    assert several.low < several.mean < several.high
