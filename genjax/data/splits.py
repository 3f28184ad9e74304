"""Which images are set aside: for testing, and for validation."""

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Integer

from genjax.errors import UserError

Drawn = tuple[Integer[np.ndarray, " kept"], Integer[np.ndarray, " aside"]]

_EXACT = 1e-9  # 0.1 times 30 is 3, whatever rounding says


class Shares(NamedTuple):
    """How much is set aside where the source has no such split: `test` of all images, `validation` of those left.

    `validation` None is what is usual: a tenth, or what is the custom of a known set. `seed` decides which images.
    """

    test: float = 0.2
    validation: float | None = None
    seed: int = 0


def share(value: Any, argument: str, default: float) -> float:
    """A share that a caller asks for: a number from 0 to below 1; True is the default, False none.

    Raises `UserError` for another number.
    """
    if isinstance(value, bool | np.bool_):
        return default if value else 0.0
    if isinstance(value, int | float | np.number) and 0 <= float(value) < 1:
        return float(value)
    raise UserError(
        f"`{argument}` {value}: a share is at least 0 and below 1; give 0.1 for a tenth, 0 for none, or the split "
        "itself as an array or a pair (x, y)."
    )


def held_out(labels: Integer[np.ndarray, " images"], count: int, seed: int = 0) -> Drawn:
    """The rows that stay and `count` rows to set aside, both shuffled, by class where every class has enough.

    Where a class is too small for its share, any rows are drawn but the last image of a class.
    """
    from sklearn.model_selection import train_test_split  # slow to import, and some sources bring all their splits

    classes, sizes = np.unique(labels, return_counts=True)
    rows = np.arange(len(labels))
    by_class = len(classes) > 1
    if by_class and (sizes.min() < 2 or len(classes) > min(count, len(rows) - count)):
        return _few_of_each(labels, count, seed)
    stay, aside = train_test_split(rows, test_size=count, random_state=seed, stratify=labels if by_class else None)
    return np.asarray(stay), np.asarray(aside)


def _few_of_each(labels: Integer[np.ndarray, " images"], count: int, seed: int) -> Drawn:
    order = np.random.default_rng(seed).permutation(len(labels))
    _, firsts = np.unique(labels[order], return_index=True)
    kept = np.isin(np.arange(len(order)), firsts)
    free = order[np.argsort(kept, kind="stable")]  # one of each class comes last: taken where nothing else is left
    return np.random.default_rng(seed + 1).permutation(free[count:]), free[:count]


def for_testing(labels: Integer[np.ndarray, " images"], share: float, seed: int = 0, left: int = 1) -> Drawn:
    """The rows that stay and this share of all rows, rounded up, for testing; at least `left` rows stay."""
    return held_out(labels, min(math.ceil(len(labels) * share - _EXACT), len(labels) - left), seed)


def for_validation(
    labels: Integer[np.ndarray, " images"], last: int | None, share: float | None = None, seed: int = 0
) -> Drawn:
    """The rows to train on, and a share (a tenth, at least one row) for validation: drawn by class (`held_out`).

    Of a set whose custom it is, they are the `last` images at most, in the order of the set, where no share is asked
    for: such a set is published in random order. A copy in which classes are missing there has another order, and is
    drawn from like any other set.
    """
    wanted = math.floor(len(labels) * (0.1 if share is None else share) + _EXACT)
    count = min(max(1, wanted), len(labels) - 1)
    if last is not None and share is None:
        first = len(labels) - min(last, count)
        if set(labels[:first]) <= set(labels[first:]):
            return np.arange(first), np.arange(first, len(labels))
    return held_out(labels, count, seed)
