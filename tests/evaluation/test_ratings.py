"""Baselines and errors against the same by hand."""

import numpy as np
import pytest

from genjax.evaluation.ratings import Rated, asked, best_biases, fit_biases, item_means, judged, known

VALUES = np.array([0.5, 1.0, 1.5])


def rated(seed=0, users=12, items=7, count=50):
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(users * items)[:count]
    return Rated(pairs // items, pairs % items, rng.integers(1, 6, count).astype(float))


def test_known_and_asked_are_told_apart():
    x = np.array([[0, 3, -2], [-0.5, 1, 0]], np.float32)
    assert [list(column) for column in known(x, VALUES)] == [[0, 1], [1, 1], [1.5, 0.5]]
    assert [list(column) for column in asked(x, VALUES)] == [[0], [2], [1.0]]


def test_item_means():
    means = item_means(Rated(np.array([0, 1, 1]), np.array([0, 0, 2]), np.array([1.0, 4.0, 2.0])), 4)
    np.testing.assert_allclose(means, [2.5, 7 / 3, 2.0, 7 / 3])


def test_biases_solve_the_normal_equations():
    train, penalty = rated(), 0.7
    biases = fit_biases(train, (12, 7), penalty, rounds=2000)
    design = np.concatenate([np.eye(12)[train.users], np.eye(7)[train.items]], axis=1)
    exact = np.linalg.solve(design.T @ design + penalty * np.eye(19), design.T @ (train.ratings - train.ratings.mean()))
    np.testing.assert_allclose(np.concatenate([biases.user, biases.item]), exact, atol=1e-6)
    everywhere = biases.predict(train.users, train.items)
    np.testing.assert_allclose(everywhere, train.ratings.mean() + design @ exact, atol=1e-6)


def test_the_penalty_suits_the_data():
    """Pure noise wants a strong one; strong biases with little noise a weak one."""
    rng = np.random.default_rng(0)
    users, items = np.repeat(np.arange(60), 40), np.tile(np.arange(40), 60)
    noise = rng.normal(size=2400)
    assert best_biases(Rated(users, items, noise), (60, 40))[1] >= 10
    strong = 3 * rng.normal(size=60)[users] + 3 * rng.normal(size=40)[items] + 0.1 * noise
    assert best_biases(Rated(users, items, strong), (60, 40))[1] <= 0.3
    assert best_biases(rated(count=5), (12, 7))[1] == 1.0


def test_errors_and_their_interval():
    answer = judged(np.array([1.0, -1.0, 2.0, 0.0]), np.array([0, 0, 1, 1]))
    assert answer["rmse"] == pytest.approx(np.sqrt(1.5))
    assert answer["mae"] == 1.0
    half = 1.96 * np.sqrt(1.0**2 + 1.0**2) / 4  # users' sums of (square - 1.5): -1 and 1
    assert answer["rmse_low"] == pytest.approx(np.sqrt(1.5 - half))
    assert answer["rmse_high"] == pytest.approx(np.sqrt(1.5 + half))
