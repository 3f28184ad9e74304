"""Dynamics of Hopfield nets: what never rises, what stays, where they end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms.hopfield import Dense, Hebbian, Modern, Projection, Saturated, Storkey
from genjax.boltzmann.hopfield import Hopfield, all_states
from genjax.errors import UserError
from genjax.sampling.gibbs import sample
from genjax.sampling.retrieval import DYNAMICS, Asynchronous, Saturating, Synchronous, retrieve, way
from genjax.typing import Kernel
from tests.machines import random_machine

RNG = np.random.default_rng(0)
PATTERNS = jnp.asarray(np.where(RNG.random((3, 10)) < 0.5, -1.0, 1.0), jnp.float32)
FAR = jnp.asarray(np.where(np.random.default_rng(1).random((40, 60)) < 0.5, -1.0, 1.0), jnp.float32)


RULES = [Hebbian(), *(pytest.param(r, marks=pytest.mark.slow) for r in (Projection(), Storkey(), Dense(3), Dense(4)))]


@pytest.mark.parametrize("rule", [*RULES, pytest.param(Modern(0.5), marks=pytest.mark.slow)], ids=repr)
def test_energy_never_rises_under_asynchronous_updates(rule):
    """From every state, sweep by sweep; at the end no spin can be turned over for less energy."""
    net = rule.store(PATTERNS)
    path = way(jax.random.key(0), net, all_states(10), Asynchronous(), 12)
    assert np.all(np.diff(np.asarray(path.energies, np.float64), axis=0) < 1e-4)
    found = retrieve(jax.random.key(0), net, all_states(10))
    assert np.all(found.settled)
    ends = np.asarray(found.states)
    for spin in range(10):
        turned = ends.copy()
        turned[:, spin] *= -1
        assert np.all(np.asarray(net.energy((jnp.asarray(turned),)) - net.energy((found.states,))) > -1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [Saturated(), Projection(), Modern(0.5)], ids=repr)
def test_energy_never_rises_under_saturating_dynamics(rule):
    start = jnp.asarray(RNG.uniform(-1, 1, (200, 10)), jnp.float32)
    path = way(jax.random.key(0), rule.store(PATTERNS), start, Saturating(), 40)
    assert np.all(np.diff(np.asarray(path.energies, np.float64), axis=0) < 1e-4)


def test_synchronous_updates_may_cycle_where_asynchronous_ones_rest():
    net = Hopfield(jnp.zeros(2), jnp.array([[0.0, -1.0], [-1.0, 0.0]]))
    x = jnp.array([[1.0, 1.0], [1.0, -1.0]])
    found = retrieve(jax.random.key(0), net, x, Synchronous())
    np.testing.assert_array_equal(found.settled, [False, True])
    found = retrieve(jax.random.key(0), net, x, Asynchronous())
    assert np.all(found.settled)
    np.testing.assert_array_equal(found.states[:, 0], -found.states[:, 1])
    np.testing.assert_array_equal(found.sweeps, [1, 0])


def test_the_modern_net_retrieves_in_one_step():
    """40 patterns in 60 spins, a fifth turned over: one update is attention, and gives each of them back; the
    published bound of the error is kept (Ramsauer et al. 2021, theorem 4, for its own separation)."""
    net = Modern(1.0).store(FAR)
    probe = FAR * jnp.where(jnp.arange(60) % 5 == 0, -1.0, 1.0)
    after = np.asarray(Saturating().sweep(jax.random.key(0), net, probe))
    logits = np.asarray(probe @ FAR.T, np.float64)
    weights = np.exp(logits - logits.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    np.testing.assert_allclose(after, weights @ np.asarray(FAR), atol=1e-4)
    separation = np.diag(logits) - np.sort(logits - 1e9 * np.eye(40), axis=1)[:, -1]
    error = np.linalg.norm(after - np.asarray(FAR), axis=1)
    assert np.all(error <= 2 * 39 * np.exp(-separation) * np.sqrt(60) + 1e-4)
    assert separation.min() >= 4
    np.testing.assert_array_equal(Synchronous().sweep(jax.random.key(0), net, probe), FAR)


@pytest.mark.slow
@pytest.mark.parametrize("dynamics", [kind() for kind in DYNAMICS], ids=repr)
def test_dynamics_are_kernels(dynamics):
    """Parts of a run are the run, clamped spins stay, and a state does not depend on those beside it."""
    assert isinstance(dynamics, Kernel)
    assert hash(dynamics) == hash(type(dynamics)())
    net, key = Hebbian().store(PATTERNS), jax.random.key(0)
    x = dynamics.start(jnp.asarray(RNG.normal(size=(6, 10)), jnp.float32))
    whole, info = dynamics.step(key, net, (x,), 5)
    part, _ = dynamics.step(key, net, dynamics.step(key, net, (x,), 2)[0], 3, first=2)
    np.testing.assert_array_equal(whole[0], part[0])
    np.testing.assert_array_equal(dynamics.step(key, net, (x[:2],), 5)[0][0], whole[0][:2])
    assert info == ()
    np.testing.assert_array_equal(sample(key, net, (x,), 5, kernel=dynamics).states[0], whole[0])
    held, _ = dynamics.step(key, net, (x,), 3, clamp=(jnp.arange(10) < 4,))
    np.testing.assert_array_equal(held[0][:, :4], x[:, :4])
    with pytest.raises(UserError, match="no temperature"):
        dynamics.step(key, net, (x,), 1, beta=0.5)
    with pytest.raises(UserError, match="moves Hopfield nets"):
        dynamics.step(key, random_machine((4, 3)), (x,), 1)


@pytest.mark.slow
def test_sweeps_to_convergence_are_those_that_changed_something():
    net, start = Hebbian().store(PATTERNS), all_states(10)[::7]
    found, path = retrieve(jax.random.key(3), net, start), way(jax.random.key(3), net, start, sweeps=15)
    states = np.asarray(path.states)
    np.testing.assert_array_equal(found.states, states[-1])
    moved = np.any(states[1:] != states[:-1], axis=-1)
    np.testing.assert_array_equal(found.sweeps, np.where(moved.any(0), 15 - moved[::-1].argmax(0), 0))
    few = retrieve(jax.random.key(3), net, start, sweeps=1)
    np.testing.assert_array_equal(few.states, states[1])
