"""Baselines and errors against the same by hand."""

import numpy as np
import pytest

from genjax.evaluation.ranking import ndcg, precision
from genjax.evaluation.ratings import (
    Rated,
    best_biases,
    difference,
    evaluate,
    fit_biases,
    item_means,
    known,
    mae,
    queries,
    rmse,
    root_mean_square,
)
from genjax.evaluation.sentences import against_biases

VALUES = np.array([0.5, 1.0, 1.5])


def rated(seed=0, users=12, items=7, count=50):
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(users * items)[:count]
    return Rated(pairs // items, pairs % items, rng.integers(1, 6, count).astype(float))


def test_known_ratings_and_queries():
    x = np.array([[0, 3, -2], [-0.5, 1, 0]], np.float32)
    assert [list(column) for column in known(x, VALUES)] == [[0, 1], [1, 1], [1.5, 0.5]]
    assert [list(column) for column in queries(x, VALUES)] == [[0], [2], [1.0]]


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
    errors, users = np.array([1.0, -1.0, 2.0, 0.0]), np.array([0, 0, 1, 1])
    answer = rmse(errors, users)
    assert answer.mean == pytest.approx(np.sqrt(1.5))
    half = 1.96 * np.sqrt(1.0**2 + 1.0**2) / 4  # users' sums of (square - 1.5): -1 and 1
    assert answer.low == pytest.approx(np.sqrt(1.5 - half))
    assert answer.high == pytest.approx(np.sqrt(1.5 + half))
    assert answer.standard_error == pytest.approx(half / 1.96 / (2 * np.sqrt(1.5)))
    absolute = mae(errors, users)
    assert absolute.mean == 1.0
    assert (absolute.low, absolute.high, absolute.standard_error) == (1.0, 1.0, 0.0)  # both users' sums are 2
    uneven = mae(np.array([1.0, -1.0, 2.0, 2.0]), users)
    assert uneven.standard_error == pytest.approx(np.sqrt(2) / 4)
    assert "2 users" in answer.reason
    assert rmse(np.zeros(3), np.arange(3)).standard_error == 0


def test_a_recommender_is_measured_beside_the_baselines():
    train = np.array([[1, 3, 0], [2, 0, 1]], np.float32)
    test = np.array([[1, 3, -2], [2, -3, 1]], np.float32)
    found = evaluate(lambda users, items: VALUES[[1, 1]], VALUES, train, test)
    assert found["rmse"]["test"].mean == pytest.approx(np.sqrt(0.5**2 / 2))  # expected 1 and 1, given 1 and 1.5
    assert found["mae"]["test"].mean == pytest.approx(0.25)
    means = item_means(known(train, VALUES), 3)[[2, 1]]
    assert found["rmse"]["item_means"].mean == pytest.approx(np.sqrt(np.mean((means - [1.0, 1.5]) ** 2)))
    assert set(found["rmse"]) == set(found["mae"]) == {"test", "biases", "item_means"}
    assert found["ratings"] == {"train": 4, "test": 2}


def test_the_difference_is_paired():
    """Errors that go together: the difference is far surer than either."""
    rng, users = np.random.default_rng(0), np.repeat(np.arange(100), 20)
    common = rng.normal(size=2000)
    paired = difference(0.95 * common, common, users)
    assert paired.mean == pytest.approx(root_mean_square(0.95 * common) - root_mean_square(common))
    assert paired.high < 0
    assert paired.standard_error < rmse(common, users).standard_error / 5
    assert difference(common, common, users).mean == 0
    assert difference(np.zeros(3), np.zeros(3), np.arange(3)).mean == 0


@pytest.mark.parametrize(
    ("low", "high", "said"), [(-0.2, -0.1, "better than"), (-0.1, 0.1, "not shown to be better"), (0.1, 0.2, "WORSE")]
)
def test_a_machine_that_loses_to_its_baseline_says_so(low, high, said):
    assert said in against_biases({"mean": (low + high) / 2, "low": low, "high": high})


def test_order_by_hand():
    """Two users: one put in the worst order, one with a single rating."""
    guess, given, users = np.array([1.0, 2.0, 3.0, 5.0]), np.array([5.0, 3.0, 1.0, 2.0]), np.array([0, 0, 0, 1])
    log = np.log2
    assert ndcg(guess, given, users, 1.0).mean == pytest.approx((2 / log(3) + 4 / log(4)) / (4 + 2 / log(3)))
    assert ndcg(given, given, users, 1.0).mean == 1
    assert precision(guess, given, users, 3.0).mean == pytest.approx((2 / 3 + 0) / 2)
    many = np.arange(20.0)
    assert precision(many, many, np.zeros(20, int), 15.0).mean == 0.5


def test_the_first_alone_count_in_a_shorter_list():
    """Three items, of which the guess puts the worst first: gains 2, 1, 0 at places two, three, one."""
    guess, ratings, users = np.array([2.0, 1.0, 3.0]), np.array([5.0, 4.0, 3.0]), np.zeros(3, np.int32)
    assert ndcg(guess, ratings, users, 3.0, top=1).mean == 0
    np.testing.assert_allclose(ndcg(guess, ratings, users, 3.0, top=2).mean, (2 / np.log2(3)) / (2 + 1 / np.log2(3)))
    assert precision(guess, ratings, users, 4.0, top=2).mean == 0.5
    assert precision(guess, ratings, users, 4.0, top=2).estimator == "precision@2"
