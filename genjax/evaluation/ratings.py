"""Errors of predicted ratings, and the two baselines that a recommender has to beat (numpy, on the host)."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from genjax.evaluation import ranking
from genjax.likelihood.estimate import NORMAL
from genjax.typing import Estimate

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


def queries(x: Float[np.ndarray, "users items"], values: Float[np.ndarray, " levels"]) -> Rated:
    """The ratings that a matrix of levels asks to be predicted."""
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
        return root_mean_square(fit_biases(kept, shape, penalty).predict(left.users, left.items) - left.ratings)

    best = min(PENALTIES, key=error)
    return fit_biases(train, shape, best), best


def root_mean_square(errors: Float[np.ndarray, " ratings"]) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(errors**2)))


def rmse(errors: Float[np.ndarray, " ratings"], users: Int[np.ndarray, " ratings"]) -> Estimate:
    """Root mean square error, in units of the ratings, with a 95 % interval over users.

    The errors of one user are not independent. The interval of the mean square is exact to first order; its ends are
    the roots of those.
    """
    square = errors**2
    half = half_over_users(square, users)
    low, high = (float(np.sqrt(max(square.mean() + side * half, 0.0))) for side in (-1, 1))
    mean = root_mean_square(errors)
    return _over_users(mean, low, high, half / NORMAL / (2 * mean) if mean else 0.0, users)


def mae(errors: Float[np.ndarray, " ratings"], users: Int[np.ndarray, " ratings"]) -> Estimate:
    """Mean absolute error, in units of the ratings, with a 95 % interval over users."""
    size = np.abs(errors)
    mean, half = float(np.mean(size)), half_over_users(size, users)
    return _over_users(mean, mean - half, mean + half, half / NORMAL, users)


def difference(
    errors: Float[np.ndarray, " ratings"], others: Float[np.ndarray, " ratings"], users: Int[np.ndarray, " ratings"]
) -> Estimate:
    """RMSE less that of the other errors, of the same ratings: negative is better. Paired, 95 %, over users.

    Exact to first order: the difference of the mean squares over the sum of the roots.
    """
    square = errors**2 - others**2
    total = root_mean_square(errors) + root_mean_square(others) or 1.0
    mean, half = float(np.mean(square)) / total, half_over_users(square, users) / total
    return _over_users(mean, mean - half, mean + half, half / NORMAL, users)


def half_over_users(values: Float[np.ndarray, " ratings"], users: Int[np.ndarray, " ratings"]) -> float:
    """Half the 95 % interval of the mean, where values of one user depend on each other and users do not."""
    spread = np.bincount(users, values - values.mean())
    return NORMAL * float(np.sqrt(np.sum(spread**2))) / len(values)


def _over_users(mean: float, low: float, high: float, error: float, users: np.ndarray) -> Estimate:
    reason = f"{len(users)} ratings of {len(np.unique(users))} users; the interval is over users"
    return Estimate(mean, low, high, error, math.nan, "estimate", "held-out ratings", True, reason)


def evaluate(
    predict: Callable[[np.ndarray, np.ndarray], Float[np.ndarray, " ratings"]],
    values: Float[np.ndarray, " levels"],
    train: Float[np.ndarray, "users items"],
    test: Float[np.ndarray, "users items"],
) -> dict[str, Any]:
    """How a recommender does on the ratings that `test` asks for, beside both baselines on the same ratings.

    `predict(users, items)` gives expected ratings. `rmse`, `mae`, `ndcg` and `precision` (both at 10) have Estimates by
    name: `test`, `biases`, `item_means`. `rmse_difference` has the RMSE of the machine less that of each baseline.
    """
    learned, wanted = known(train, values), queries(test, values)
    biases, penalty = best_biases(learned, train.shape)
    predictions = {
        "test": predict(wanted.users, wanted.items),
        "biases": np.clip(biases.predict(wanted.users, wanted.items), values[0], values[-1]),
        "item_means": item_means(learned, train.shape[1])[wanted.items],
    }
    errors = {name: guess - wanted.ratings for name, guess in predictions.items()}
    liked = float(learned.ratings.mean())
    return {
        "rmse": {name: rmse(error, wanted.users) for name, error in errors.items()},
        "mae": {name: mae(error, wanted.users) for name, error in errors.items()},
        "rmse_difference": {
            name: difference(errors["test"], errors[name], wanted.users) for name in ("biases", "item_means")
        },
        "ndcg": {
            name: ranking.ndcg(guess, wanted.ratings, wanted.users, float(values[0]))
            for name, guess in predictions.items()
        },
        "precision": {
            name: ranking.precision(guess, wanted.ratings, wanted.users, liked) for name, guess in predictions.items()
        },
        "liked": liked,
        "bias_penalty": penalty,
        "items": train.shape[1],
        "ratings": {"train": len(learned.ratings), "test": len(wanted.ratings)},
    }
