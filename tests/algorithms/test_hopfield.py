"""Rules of Hopfield nets against their papers' equations, written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import genjax
from genjax.algorithms.hopfield import RULES, Dense, Hebbian, Modern, Projection, Saturated, Storkey, typical
from genjax.errors import UserError

SPINS = 12
RNG = np.random.default_rng(0)
PATTERNS = np.where(RNG.random((5, SPINS)) < 0.5, -1.0, 1.0)
X = jnp.asarray(PATTERNS, jnp.float32)


def test_hebbian_weights_are_outer_products_and_add_up():
    truth = sum(np.outer(x, x) for x in PATTERNS) / SPINS
    np.testing.assert_allclose(Hebbian().store(X).weights, truth, atol=1e-6)
    later = Hebbian().store(X[2:], Hebbian().store(X[:2]).weights)
    np.testing.assert_allclose(later.weights, truth, atol=1e-6)


def test_projection_stores_independent_patterns_exactly():
    """W x = x for all of them; W is the projector onto their span, also where they come in two parts, or twice."""
    assert np.linalg.matrix_rank(PATTERNS) == 5
    net = Projection().store(X)
    np.testing.assert_allclose(X @ net.weights, PATTERNS, atol=1e-5)
    np.testing.assert_allclose(net.weights, PATTERNS.T @ np.linalg.pinv(PATTERNS).T, atol=1e-5)
    assert np.all(np.asarray(net.drive(X)) * PATTERNS > 0)  # at rest, also without couplings to themselves
    later = Projection().store(jnp.concatenate([X[1:], X[2:3]]), Projection().store(X[:2]).weights)
    np.testing.assert_allclose(later.weights, net.weights, atol=1e-5)


def test_storkeys_own_equation():
    weights = np.zeros((SPINS, SPINS))
    for x in PATTERNS:
        new = weights.copy()
        for i in range(SPINS):
            for j in range(SPINS):
                if i != j:
                    h_ij = sum(weights[i, k] * x[k] for k in range(SPINS) if k not in (i, j))
                    h_ji = sum(weights[j, k] * x[k] for k in range(SPINS) if k not in (i, j))
                    new[i, j] += (x[i] * x[j] - x[i] * h_ji - h_ij * x[j]) / SPINS
        weights = new
    np.testing.assert_allclose(Storkey().store(X).weights, weights, atol=1e-5)
    later = Storkey().store(X[3:], Storkey().store(X[:3]).weights)
    np.testing.assert_allclose(later.weights, weights, atol=1e-5)


@pytest.mark.slow
def test_a_saturated_net_is_its_differential_equation():
    """One sweep is `interval` of dx/dt = A x + c within the cube; two patterns give the published weights."""
    rule, last = Saturated(decay=3.0, interval=0.2), PATTERNS[-1]
    net = rule.store(X)
    difference = PATTERNS[:-1] - last
    plane = difference.T @ np.linalg.pinv(difference).T
    a = plane - 3.0 * (np.eye(SPINS) - plane)
    c = last - a @ last
    start = 0.1 * RNG.normal(size=SPINS)
    truth = solve_ivp(lambda t, x: a @ x + c, (0, 0.2), start, rtol=1e-9, atol=1e-9).y[:, -1]
    np.testing.assert_allclose(net.drive(jnp.asarray(start, jnp.float32)), truth, atol=1e-4)
    assert np.all(np.asarray(net.drive(X)) * PATTERNS >= 1 - 1e-5)
    two = Saturated().store(jnp.array([[1.0, -1.0], [-1.0, 1.0]]))
    np.testing.assert_allclose(two.weights, [[0.6925, -0.4694], [-0.4694, 0.6925]], atol=1e-4)
    np.testing.assert_allclose(two.biases, 0.0, atol=1e-6)


def test_dense_rules_keep_the_patterns():
    np.testing.assert_array_equal(Dense(4).store(X).patterns, PATTERNS)
    net = Modern(0.5).store(X)
    attention = np.exp(0.5 * PATTERNS @ PATTERNS.T)
    attention /= attention.sum(1, keepdims=True)
    np.testing.assert_allclose(net.drive(X), attention @ PATTERNS, atol=1e-5)


@pytest.mark.slow
def test_typical_examples_are_the_nearest_to_their_classes_means():
    labels = RNG.integers(0, 2, 30)
    x = np.where(RNG.random((30, 8)) < 0.3 + 0.4 * labels[:, None], -1.0, 1.0)
    found, of = typical(jnp.asarray(x, jnp.float32), jnp.asarray(labels), 2, 3)
    assert np.asarray(of).tolist() == [0, 0, 0, 1, 1, 1]
    for label in (0, 1):
        mean, mine = x[labels == label].mean(0), np.asarray(found)[np.asarray(of) == label]
        distances = np.sort(((x[labels == label] - mean) ** 2).sum(1))
        np.testing.assert_allclose(np.sort(((mine - mean) ** 2).sum(1)), distances[:3], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_goes_through_the_triple_of_functions(rule):
    config = genjax.hopfield(rule=rule.kind)
    example = genjax.example(0.5 * (PATTERNS + 1))
    algorithm, hyper = config.algorithm(10, example)
    state = jax.jit(algorithm.init)(jax.random.key(0), example, hyper)
    after, metrics = jax.jit(algorithm.step)(jax.random.key(1), state, example.batch)
    assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, state)
    np.testing.assert_array_equal(after.memory.patterns, PATTERNS)
    assert 0 < float(metrics["parameter_max"]) <= 6
    again, _ = algorithm.step(jax.random.key(2), after, example.batch)  # the same, not more
    for one, other in zip(jax.tree.leaves(after.memory), jax.tree.leaves(again.memory)):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_what_is_refused():
    with pytest.raises(UserError, match="`degree` 1"):
        genjax.hopfield(rule="dense", degree=1).algorithm(1, genjax.example(0.5 * (PATTERNS + 1)))
    with pytest.raises(UserError, match=r"`sharpness` 2.0 has no effect with `rule` hebbian"):
        genjax.hopfield(rule="hebbian", sharpness=2.0)
    with pytest.raises(UserError, match=r"`beta` 0.0 is not positive"):
        genjax.hopfield(beta=0.0).check()
