"""How far samples keep to the data and the data are met by samples: by balls around features that reach a neighbour."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from genjax.evaluation.distances import Features

NEIGHBOURS = 5
ROWS = 1000  # whose distances are in memory at once


class Support(NamedTuple):
    """Four numbers that are near 1 for samples like the data.

    `precision` and `recall` (Kynkaanniemi et al. 2019, equation 2): the share of samples in some ball of the data, and
    of data in some ball of the samples. `density` and `coverage` (Naeem et al. 2020, equations 4 and 6): in how many
    balls of the data a sample lies, over the number of neighbours, and the share of these balls that hold a sample.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def support(data: Features, samples: Features, neighbours: int = NEIGHBOURS) -> Support:
    """The four numbers; balls reach from each point to its `neighbours`-th nearest of its own kind."""
    from sklearn.metrics import pairwise_distances  # slow to import

    data, samples = np.asarray(data, np.float64), np.asarray(samples, np.float64)
    data_reach, samples_reach = reach(data, neighbours), reach(samples, neighbours)
    within, recalled, nearest = [], np.zeros(len(data), bool), np.full(len(data), np.inf)
    for start in range(0, len(samples), ROWS):
        distance = pairwise_distances(samples[start : start + ROWS], data)
        within.append((distance < data_reach).sum(1))
        recalled |= (distance < samples_reach[start : start + ROWS, None]).any(0)
        nearest = np.minimum(nearest, distance.min(0))
    balls = np.concatenate(within)
    covered: Bool[np.ndarray, " data"] = nearest < data_reach
    return Support(
        precision=float(np.mean(balls > 0)),
        recall=float(recalled.mean()),
        density=float(balls.mean() / neighbours),
        coverage=float(covered.mean()),
    )


def reach(x: Features, neighbours: int) -> Float[np.ndarray, " rows"]:
    """The distance of each row to its `neighbours`-th nearest other row."""
    from sklearn.metrics import pairwise_distances

    x = np.asarray(x)
    parts = [pairwise_distances(x[start : start + ROWS], x) for start in range(0, len(x), ROWS)]
    return np.concatenate([np.partition(part, neighbours, axis=1)[:, neighbours] for part in parts])
