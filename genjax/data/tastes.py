"""Ratings with a known cause: binary tastes of users, and how far any prediction of them can go.

User u has tastes t_u in {0, 1}^F, item i an appeal a_i and loadings w_i. The score s = a_i + w_i (t_u - 1/2) decides
the rating v = 1 ... K with p(v) proportional to exp(-(v - s)^2 / (2 noise^2)). Who knows all of this but the noise
predicts E[v | s], and errs by the standard deviation of v: the noise floor, which no predictor goes below.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from genjax.data.ratings import Ratings


class Tastes(NamedTuple):
    """The truth: tastes of users (0 or 1), appeal and loadings of items, and the noise of a rating."""

    tastes: Float[np.ndarray, "users factors"]
    appeal: Float[np.ndarray, " items"]
    loadings: Float[np.ndarray, "items factors"]
    noise: float
    levels: int

    def probabilities(
        self, users: Int[np.ndarray, " ratings"], items: Int[np.ndarray, " ratings"]
    ) -> Float[np.ndarray, "ratings levels"]:
        """p(v) of these items for these users."""
        score = self.appeal[items] + np.sum(self.loadings[items] * (self.tastes[users] - 0.5), axis=1)
        log_p = -((np.arange(1, self.levels + 1) - score[:, None]) ** 2) / (2 * self.noise**2)
        p = np.exp(log_p - log_p.max(1, keepdims=True))
        return p / p.sum(1, keepdims=True)

    def oracle(
        self, users: Int[np.ndarray, " ratings"], items: Int[np.ndarray, " ratings"]
    ) -> tuple[Float[np.ndarray, " ratings"], float]:
        """The best prediction of each rating, and the RMSE that it is expected to have on these: the noise floor."""
        p, values = self.probabilities(users, items), np.arange(1, self.levels + 1)
        mean = p @ values
        return mean, float(np.sqrt(np.mean(p @ values**2 - mean**2)))


def generate(
    seed: int,
    users: int = 4000,
    items: int = 200,
    factors: int = 4,
    density: float = 0.25,
    informative: float = 0.0,
    levels: int = 5,
) -> tuple[Ratings, Tastes]:
    """Ratings on 1 ... `levels` and the truth behind them.

    About `density` of all pairs are rated, popular items and busy users more than others. With `informative` above 0
    people also rate rather what they like: the odds of a rating rise by exp(informative) a point of the score.
    """
    rng = np.random.default_rng(seed)
    truth = Tastes(
        tastes=rng.integers(0, 2, (users, factors)).astype(float),
        appeal=rng.normal(3.3, 0.4, items),
        loadings=rng.normal(0.25, 0.7, (items, factors)),
        noise=0.8,
        levels=levels,
    )
    busy = rng.normal(0, 0.5, (users, 1)) + rng.normal(0, 0.7, items)
    busy += informative * (truth.tastes - 0.5) @ truth.loadings.T
    low, high = -20.0, 20.0
    for _ in range(50):  # the constant that gives the density
        middle = (low + high) / 2
        low, high = (middle, high) if np.mean(1 / (1 + np.exp(-busy - middle))) < density else (low, middle)
    rated = rng.random((users, items)) < 1 / (1 + np.exp(-busy - low))
    who, what = (index.astype(np.int32) for index in np.nonzero(rated))
    below = truth.probabilities(who, what).cumsum(1)[:, :-1]
    drawn = 1 + np.sum(rng.random((len(who), 1)) >= below, axis=1)
    names = tuple(str(user) for user in range(1, users + 1)), tuple(str(item) for item in range(1, items + 1))
    return Ratings(who, what, drawn.astype(np.int32), *names, tuple(float(v) for v in range(1, levels + 1))), truth
