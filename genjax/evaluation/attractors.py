"""What small Hopfield nets do from every state: attractors and basins of spins, equilibria of saturating dynamics.

A state of spins is an attractor where no spin wants to turn over. Of a saturating net x <- min(max(W x + b, -1), 1) the
equilibria are found one by one: each value is at 1, at -1, or between, where the rest is a linear system.
"""

import itertools
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from genjax.boltzmann.hopfield import Hopfield, Spins, all_states
from genjax.errors import UserError
from genjax.sampling.retrieval import Asynchronous, retrieve

MOST_SPINS = 16
MOST_VALUES = 9  # 3^9 linear systems
SWEEPS = 1000


class Landscape(NamedTuple):
    """Of all 2^N states of spins, row r with spin i at 1 where bit i of r is set.

    - `states` `(2^N, spins)`, and `energies` `(2^N,)` nats.
    - `attractors`: rows at rest. `basins`: of each state the row where it ends, -1 where that is a cycle.
    """

    states: np.ndarray
    energies: np.ndarray
    attractors: Int[np.ndarray, " attractors"]
    basins: Int[np.ndarray, " states"]

    def sizes(self) -> Int[np.ndarray, " attractors"]:
        """How many states end in each attractor."""
        return np.array([np.sum(self.basins == row) for row in self.attractors])


def landscape(key: Key[Array, ""], net: Spins, dynamics: Any = Asynchronous()) -> Landscape:  # noqa: B008
    """Every state, by enumeration, and where spin dynamics lead it (asynchronous ones in the key's orders).

    Raises `UserError` for more than 16 spins.
    """
    spins = net.biases.shape[0]
    if spins > MOST_SPINS:
        raise UserError(f"`net` has {spins} spins, and their states are too many to visit; give at most {MOST_SPINS}.")
    states = all_states(spins)
    rows = 2 ** np.arange(spins)
    after = np.asarray(dynamics.sweep(jax.random.fold_in(key, 0), net, states))
    at_rest = np.flatnonzero(np.all(after == np.asarray(states), axis=1))
    found = retrieve(jax.random.fold_in(key, 1), net, states, dynamics, SWEEPS)
    ends = (np.asarray(found.states) > 0) @ rows
    basins = np.where(np.isin(ends, at_rest), ends, -1)
    return Landscape(np.asarray(states), np.asarray(net.energy((states,))), at_rest, basins)


Kind = Literal["stored", "reversed", "spurious"]


def kinds(
    attractors: Float[np.ndarray, "attractors spins"], patterns: Float[np.ndarray, "patterns spins"]
) -> list[Kind]:
    """What each attractor is: a stored pattern, one turned over, or spurious."""
    signs, stored = np.asarray(attractors) > 0, np.asarray(patterns) > 0
    same = (signs[:, None] == stored).all(-1).any(-1)
    turned = (signs[:, None] != stored).all(-1).any(-1)
    return ["stored" if s else "reversed" if t else "spurious" for s, t in zip(same, turned)]


class Equilibrium(NamedTuple):
    """A state at rest of saturating dynamics.

    - `x` `(spins,)`; `energy`, E + x x / 2 in nats.
    - `unstable`: in how many directions a small change grows; `free`: how many values are between -1 and 1.
    """

    x: np.ndarray
    energy: float
    unstable: int
    free: int

    @property
    def kind(self) -> Literal["attractor", "saddle", "repeller"]:
        """None, some or all directions are unstable."""
        if not self.unstable:
            return "attractor"
        return "repeller" if self.unstable == len(self.x) else "saddle"


def equilibria(net: Spins) -> list[Equilibrium]:
    """All of them, of lowest energy first. Raises `UserError` for more than 9 spins, or other couplings than pairwise.

    Where a linear system is singular there are lines of equilibria, of which none is given.
    """
    if not isinstance(net, Hopfield) or net.weights is None:
        raise UserError("`net` has no pairwise couplings; equilibria are of a Hopfield net with weights.")
    weights, biases = (np.asarray(part, np.float64) for part in (net.couplings(), net.biases))
    spins = len(biases)
    if spins > MOST_VALUES:
        raise UserError(f"`net` has {spins} spins, and 3^{spins} equilibria are too many; give at most {MOST_VALUES}.")
    found = []
    for where in itertools.product((-1.0, 0.0, 1.0), repeat=spins):
        x = np.array(where)
        free = x == 0
        inner = np.eye(free.sum()) - weights[np.ix_(free, free)]
        if free.any():
            if np.linalg.cond(inner) > 1e6:
                continue
            x[free] = np.linalg.solve(inner, biases[free] + weights[np.ix_(free, ~free)] @ x[~free])
        drive = weights @ x + biases
        if (np.abs(x[free]) >= 1).any() or (drive[~free] * x[~free] < 1).any():
            continue
        growth = np.linalg.eigvals(weights[np.ix_(free, free)]) if free.any() else np.zeros(0)
        energy = float(-0.5 * x @ weights @ x - biases @ x + 0.5 * x @ x)
        found.append(Equilibrium(x, energy, int(np.sum(np.abs(growth) > 1)), int(free.sum())))
    return sorted(found, key=lambda one: (round(one.energy, 6), *(-one.x)))
