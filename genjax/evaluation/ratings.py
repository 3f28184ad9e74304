"""Errors of predicted ratings, and the two baselines that a recommender has to beat (numpy, on the host)."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class Rated(NamedTuple):
    """Ratings as columns: user, item, and the rating in its own units."""

    users: Int[np.ndarray, " ratings"]
    items: Int[np.ndarray, " ratings"]
    ratings: Float[np.ndarray, " ratings"]


def known(x: Float[np.ndarray, "users items"], values: Float[np.ndarray, " levels"]) -> Rated:
    """The ratings that a matrix of levels gives (`genjax.data.ratings`)."""
    users, items = np.nonzero(x >= 1)
    return Rated(users, items, values[x[users, items].astype(int) - 1].astype(float))


def asked(x: Float[np.ndarray, "users items"], values: Float[np.ndarray, " levels"]) -> Rated:
    """The ratings that a matrix of levels wants predicted."""
    users, items = np.nonzero(x <= -1)
    return Rated(users, items, values[-x[users, items].astype(int) - 1].astype(float))


def item_means(train: Rated, items: int) -> Float[np.ndarray, " items"]:
    """The mean rating of each item; that of all ratings for an item without one."""
    counts, sums = np.bincount(train.items, minlength=items), np.bincount(train.items, train.ratings, items)
    return np.where(counts > 0, sums / np.maximum(counts, 1), train.ratings.mean())


class Biases(NamedTuple):
    """rating = mean + user's bias + item's bias."""

    mean: float
    user: Float[np.ndarray, " users"]
    item: Float[np.ndarray, " items"]

    def predict(self, users: Int[np.ndarray, " ratings"], items: Int[np.ndarray, " ratings"]) -> np.ndarray:
        """The rating of each of these items by each of these users."""
        return self.mean + self.user[users] + self.item[items]


def fit_biases(train: Rated, shape: tuple[int, int], penalty: float, rounds: int = 50) -> Biases:
    """Least squares with `penalty` times the squared biases, by turns for items and users until they settle."""
    mean = float(train.ratings.mean())
    user, item = np.zeros(shape[0]), np.zeros(shape[1])
    user_counts = np.bincount(train.users, minlength=shape[0])
    item_counts = np.bincount(train.items, minlength=shape[1])
    rest = train.ratings - mean
    for _ in range(rounds):
        before = item
        item = np.bincount(train.items, rest - user[train.users], shape[1]) / (item_counts + penalty)
        user = np.bincount(train.users, rest - item[train.items], shape[0]) / (user_counts + penalty)
        if np.abs(item - before).max() < 1e-9:
            break
    return Biases(mean, user, item)


def best_biases(train: Rated, shape: tuple[int, int], seed: int = 0) -> tuple[Biases, float]:
    """Biases with the penalty that does best on a tenth of the training ratings, fitted to all of them then."""
    if len(train.ratings) < 10:
        return fit_biases(train, shape, 1.0), 1.0
    order = np.random.default_rng(seed).permutation(len(train.ratings))
    kept, left = (Rated(*(column[rows] for column in train)) for rows in np.split(order, [len(order) * 9 // 10]))

    def error(penalty: float) -> float:
        return rmse(fit_biases(kept, shape, penalty).predict(left.users, left.items) - left.ratings)

    best = min(PENALTIES, key=error)
    return fit_biases(train, shape, best), best


def rmse(errors: Float[np.ndarray, " ratings"]) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(errors**2)))


def mae(errors: Float[np.ndarray, " ratings"]) -> float:
    """Mean magnitude."""
    return float(np.mean(np.abs(errors)))


def judged(errors: Float[np.ndarray, " ratings"], users: Int[np.ndarray, " ratings"]) -> dict[str, Any]:
    """RMSE with a 95 % interval over users (the errors of one user are not independent), and MAE."""
    square = errors**2
    spread = np.bincount(users, square - square.mean())
    half = 1.96 * float(np.sqrt(np.sum(spread**2))) / len(errors)
    low, high = (float(np.sqrt(max(square.mean() + side * half, 0.0))) for side in (-1, 1))
    return {"rmse": rmse(errors), "rmse_low": low, "rmse_high": high, "mae": mae(errors)}
