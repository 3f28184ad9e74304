"""Which images are set aside: for testing, and for validation."""

import numpy as np
from jaxtyping import Integer

Drawn = tuple[Integer[np.ndarray, " kept"], Integer[np.ndarray, " aside"]]


def held_out(labels: Integer[np.ndarray, " images"], count: int) -> Drawn:
    """The rows that stay and `count` rows to set aside, both shuffled: seed 0, by class where every class has enough.

    Where a class is too small for its share, any rows are drawn but the last image of a class.
    """
    from sklearn.model_selection import train_test_split  # slow to import, and some sources bring all their splits

    classes, sizes = np.unique(labels, return_counts=True)
    rows = np.arange(len(labels))
    by_class = len(classes) > 1
    if by_class and (sizes.min() < 2 or len(classes) > min(count, len(rows) - count)):
        return _few_of_each(labels, count)
    stay, aside = train_test_split(rows, test_size=count, random_state=0, stratify=labels if by_class else None)
    return np.asarray(stay), np.asarray(aside)


def _few_of_each(labels: Integer[np.ndarray, " images"], count: int) -> Drawn:
    order = np.random.default_rng(0).permutation(len(labels))
    _, firsts = np.unique(labels[order], return_index=True)
    kept = np.isin(np.arange(len(order)), firsts)
    free = order[np.argsort(kept, kind="stable")]  # one of each class comes last: taken where nothing else is left
    return np.random.default_rng(1).permutation(free[count:]), free[:count]


def for_validation(labels: Integer[np.ndarray, " images"], last: int | None) -> Drawn:
    """The rows to train on, and a tenth (at least one) for validation: drawn by class (`held_out`).

    Of a set whose custom it is, they are the `last` images at most, in the order of the set: such a set is published
    in random order. A copy in which classes are missing there has another order, and is drawn from like any other set.
    """
    count = max(1, len(labels) // 10)
    if last is not None:
        first = len(labels) - min(last, count)
        if set(labels[:first]) <= set(labels[first:]):
            return np.arange(first), np.arange(first, len(labels))
    return held_out(labels, count)
