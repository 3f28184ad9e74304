"""How well predicted ratings order what each user has rated: NDCG@N and precision@N (numpy, on the host)."""

import math

import numpy as np
from jaxtyping import Float, Int

from genjax.likelihood.estimate import NORMAL
from genjax.typing import Estimate

TOP = 10

Column = Float[np.ndarray, " ratings"]
Users = Int[np.ndarray, " ratings"]


def ndcg(guess: Column, ratings: Column, users: Users, lowest: float, top: int = TOP) -> Estimate:
    """Mean over users of the discounted gain of the `top` held-out items put first, over that of the best order.

    The gain of a rating is how far it is above the lowest one, its discount at place n log2(n + 1) (Jarvelin and
    Kekalainen 2002). Users with one held-out rating, or only lowest ones, have no order and do not count.
    """
    answers = []
    for own in _of_users(users):
        gain = ratings[own] - lowest
        if len(own) > 1 and gain.any():
            answers.append(_discounted(gain[_best(guess[own], top)]) / _discounted(gain[_best(gain, top)]))
    return _over_users(answers, f"NDCG@{top}")


def precision(guess: Column, ratings: Column, users: Users, liked: float, top: int = TOP) -> Estimate:
    """Mean over users of the share that is rated at least `liked`, of the `top` held-out items put first (of all where
    there are fewer)."""
    answers = [float(np.mean(ratings[own][_best(guess[own], top)] >= liked)) for own in _of_users(users)]
    return _over_users(answers, f"precision@{top}")


def _of_users(users: Users) -> list[np.ndarray]:
    """The places of each user's ratings."""
    order = np.argsort(users, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(users[order])) + 1) if len(users) else []


def _best(scores: np.ndarray, top: int) -> np.ndarray:
    return np.argsort(-scores, kind="stable")[:top]


def _discounted(gain: np.ndarray) -> float:
    return float(np.sum(gain / np.log2(np.arange(len(gain)) + 2)))


def _over_users(answers: list[float], name: str) -> Estimate:
    count = len(answers)
    mean = float(np.mean(answers)) if count else math.nan
    error = float(np.std(answers, ddof=1) / math.sqrt(count)) if count > 1 else math.nan
    reason = f"{count} users, of each the held-out ratings alone; the interval is over users"
    half = NORMAL * error
    return Estimate(mean, mean - half, mean + half, error, math.nan, "estimate", name, count > 1, reason)
