"""Attractors, basins and saddles of small Hopfield nets: the course's two nets, and brute force."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms.hopfield import Hebbian, Modern, Saturated
from genjax.boltzmann.hopfield import Hopfield
from genjax.errors import UserError
from genjax.evaluation.attractors import equilibria, kinds, landscape
from genjax.sampling.retrieval import Saturating, Synchronous, retrieve

TWO = np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
THREE = np.array([[1.0, 1.0, 1.0], [-1.0, -1.0, 1.0], [1.0, -1.0, -1.0]])


def of_kind(found, kind: str) -> set[tuple[float, ...]]:
    return {tuple(np.round(one.x, 4) + 0.0) for one in found if one.kind == kind}


def test_the_net_of_two_neurons():
    """The fourth corner is an attractor, too; axis points and the origin are not stable."""
    found = equilibria(Saturated().store(jnp.asarray(TWO, jnp.float32)))
    assert len(found) == 9
    assert of_kind(found, "attractor") == set(itertools.product((-1.0, 1.0), repeat=2))
    assert of_kind(found, "saddle") == {(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)}
    assert of_kind(found, "repeller") == {(0.0, 0.0)}
    attractors = np.array([one.x for one in found if one.kind == "attractor"])
    assert sorted(kinds(attractors, TWO)) == ["reversed", "stored", "stored", "stored"]  # -[1, -1] is the fourth


def test_the_net_of_three_neurons():
    """The targets alone are attractors: all else falls onto the triangle between them, which has one saddle near the
    middle of each side, and in its own middle what is unstable in both directions along it."""
    net = Saturated().store(jnp.asarray(THREE, jnp.float32))
    found = equilibria(net)
    assert of_kind(found, "attractor") == {tuple(x) for x in THREE}
    assert [(one.kind, one.unstable) for one in found[3:]] == [("saddle", 1)] * 3 + [("saddle", 2)]
    middles = np.array([0.5 * (a + b) for a, b in itertools.combinations(THREE, 2)])
    assert np.all(np.abs(np.array([one.x for one in found[3:6]])[:, None] - middles).max(-1).min(0) < 0.07)
    np.testing.assert_allclose(found[6].x, 1.1 * THREE.mean(0), atol=1e-5)  # (1 + decay) / decay off the origin
    start = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (300, 3)), jnp.float32)
    ends = retrieve(jax.random.key(0), net, start, Saturating(), 500)
    assert np.all(ends.settled)
    assert np.all(np.abs(np.asarray(ends.states)[:, None] - THREE).max(-1).min(-1) < 1e-4)


@pytest.mark.slow
def test_equilibria_are_all_that_there_are():
    """Of random weights: each is at rest, and where many starts end they are among them."""
    rng = np.random.default_rng(0)
    half = rng.normal(size=(4, 4))
    weights, biases = 0.6 * (half + half.T), 0.2 * rng.normal(size=4)
    net = Hopfield(jnp.asarray(biases, jnp.float32), jnp.asarray(weights, jnp.float32), self_coupling=True)
    found = equilibria(net)
    x = jnp.asarray(np.array([one.x for one in found]), jnp.float32)
    np.testing.assert_allclose(Saturating().sweep(jax.random.key(0), net, x), x, atol=1e-5)
    ends = retrieve(jax.random.key(0), net, jnp.asarray(rng.uniform(-1, 1, (300, 4)), jnp.float32), Saturating(), 1000)
    distances = np.abs(np.asarray(ends.states)[:, None] - np.asarray(x)).max(-1)
    attractors = np.array([one.kind == "attractor" for one in found])
    assert np.all(distances[np.asarray(ends.settled)][:, attractors].min(-1) < 1e-3)


@pytest.mark.slow
def test_attractors_of_spins_are_the_local_minima():
    """By brute force; a mixture of three patterns is a spurious one (Amit, Gutfreund and Sompolinsky 1985)."""
    patterns = np.array(list(itertools.product((-1.0, 1.0), repeat=3))).T  # 8 spins, three orthogonal patterns
    net = Hebbian().store(jnp.asarray(patterns, jnp.float32))
    found = landscape(jax.random.key(0), net)
    minima = []
    for row, x in enumerate(found.states):
        turned = x * (1 - 2 * np.eye(8))
        rows = (turned > 0) @ 2 ** np.arange(8)
        if np.all(found.energies[rows] > found.energies[row] - 1e-5):
            minima.append(row)
    np.testing.assert_array_equal(found.attractors, minima)
    assert np.all(found.basins >= 0)
    assert found.sizes().sum() == 256
    ends = found.states[found.attractors]
    assert {tuple(x) for x in patterns} <= {tuple(x) for x in ends}
    mixture = np.sign(patterns.sum(0))
    which = int(np.flatnonzero((ends == mixture).all(1))[0])
    assert kinds(ends, patterns)[which] == "spurious"
    assert {"stored", "reversed", "spurious"} == set(kinds(ends, patterns))


@pytest.mark.slow
def test_synchronous_basins_know_cycles():
    net = Hopfield(jnp.zeros(2), jnp.array([[0.0, 1.0], [1.0, 0.0]]))
    found = landscape(jax.random.key(0), net, Synchronous())
    assert found.attractors.tolist() == [0, 3]
    assert found.basins.tolist() == [0, -1, -1, 3]


def test_what_is_too_large_is_refused():
    net = Hebbian().store(jnp.ones((1, 17)))
    with pytest.raises(UserError, match="17 spins"):
        landscape(jax.random.key(0), net)
    with pytest.raises(UserError, match="17 spins"):
        equilibria(net)
    with pytest.raises(UserError, match="no pairwise couplings"):
        equilibria(Modern().store(jnp.ones((1, 3))))
