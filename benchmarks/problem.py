"""The machine that every row of a benchmark samples: the same numbers, whoever samples."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

Sizes = tuple[int, ...]


class Problem(NamedTuple):
    """Parameters of a layered machine of 0/1 units, float32: `weights[l]` is `(units of l, units of l + 1)`."""

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]

    @property
    def sizes(self) -> Sizes:
        """Units of each layer, lowest first."""
        return tuple(len(b) for b in self.biases)

    @property
    def units(self) -> int:
        """Units that a sweep updates in each chain: all of them."""
        return sum(self.sizes)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of a sweep in each chain: every weight is used in both directions."""
        return 2 * sum(w.size for w in self.weights)

    def start(self, chains: int, seed: int) -> list[np.ndarray]:
        """Fair coins for every unit, `(chains, units)` a layer."""
        rng = np.random.default_rng(seed)
        return [rng.integers(0, 2, (chains, size)).astype(np.float32) for size in self.sizes]


def spin_glass(sizes: Sizes, seed: int = 0) -> Problem:
    """Random couplings at half the strength where a bipartite spin glass freezes, and no field at the point 1/2.

    0/1 units with weights w are spins with couplings w / 4, which freeze at a standard deviation of (V H)^(-1/4): so
    the standard deviation of w is 2 (V H)^(-1/4), and machines of all sizes mix about alike.
    """
    rng = np.random.default_rng(seed)
    weights = [
        (2 * (lower * upper) ** -0.25 * rng.standard_normal((lower, upper))).astype(np.float32)
        for lower, upper in pairwise(sizes)
    ]
    biases = [np.zeros(size, np.float32) for size in sizes]
    for layer, w in enumerate(weights):
        biases[layer] -= w.sum(1) / 2
        biases[layer + 1] -= w.sum(0) / 2
    return Problem(tuple(weights), tuple(biases))


def name(sizes: Sizes) -> str:
    """784-500, as in the tables."""
    return "-".join(map(str, sizes))
