"""Capsules: squashing, routing against the published procedure written out, and what the loss says by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import genjax
from genjax.algorithms.margin import MarginLoss
from genjax.networks.capsules import CapsuleNetwork, Found, masked, route, squash
from genjax.networks.mlp import parameter_count

TINY = CapsuleNetwork((8, 8, 1), (4,), (3, 3), types=3, size=4, units=5, decoder=(12,))


def test_squashing_keeps_the_direction_and_is_smooth_at_zero():
    x = jnp.array([[3.0, 4.0], [0.03, 0.04], [0.0, 0.0]])
    found = squash(x)
    np.testing.assert_allclose(found[0], np.array([0.6, 0.8]) * 25 / 26, rtol=1e-5)
    np.testing.assert_allclose(found[1], np.array([0.6, 0.8]) * 0.0025 / 1.0025, rtol=1e-3)
    assert np.isfinite(jax.grad(lambda x: squash(x).sum())(x)).all()


@pytest.fixture(name="votes", scope="module")
def votes_fixture():
    return jax.random.normal(jax.random.key(0), (2, 6, 3, 4))


def by_loops(votes, iterations):
    """Procedure 1 of the paper, for one example."""
    lower, higher, _ = votes.shape
    b = np.zeros((lower, higher))
    for r in range(iterations):
        c = np.exp(b) / np.exp(b).sum(1, keepdims=True)
        v = []
        for j in range(higher):
            s = sum(c[i, j] * votes[i, j] for i in range(lower))
            v.append(s * np.linalg.norm(s) / (1 + s @ s))
        if r < iterations - 1:
            b += np.array([[votes[i, j] @ v[j] for j in range(higher)] for i in range(lower)])
    return np.array(v), c


@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_routing_is_the_published_procedure(votes, iterations):
    found, couplings = route(votes, iterations)
    for n in range(2):
        expected, c = by_loops(np.asarray(votes[n], np.float64), iterations)
        np.testing.assert_allclose(found[n], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(couplings[n], c, rtol=1e-4)
    swapped, _ = route(votes[:, :, ::-1], iterations)
    np.testing.assert_allclose(swapped, found[:, ::-1], rtol=1e-5)


def test_votes_that_agree_are_routed_together():
    """All lower capsules agree on the first higher one, and contradict each other on the second."""
    agree = jnp.tile(jnp.array([1.0, 0.0]), (4, 1))
    apart = jnp.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    _, couplings = route(jnp.stack([agree, apart], 1)[None], 3)
    assert (couplings[0, :, 0] > 0.7).all()


def test_the_gradient_goes_through_the_last_sum_alone(votes):
    _, couplings = route(votes, 3)
    one = jax.grad(lambda v: route(v, 3)[0].sum())(votes)
    other = jax.grad(lambda v: squash(jnp.einsum("blh,blhu->bhu", couplings, v)).sum())(votes)
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_the_loss_by_hand():
    """Lengths 0.7 of the true class and 0.3 of another: (0.9 - 0.7)^2 + 0.5 (0.3 - 0.1)^2."""
    lengths = jnp.array([[0.7, 0.3, 0.05], [0.95, 0.1, 0.0], [0.2, 0.8, 0.0]])
    found = Found(lengths, jnp.zeros((3, 3, 2)), jnp.zeros((3, 4)), jnp.array([10.0, 0.0, 10.0]))
    expected = [0.04 + 0.5 * 0.04 + 0.01, 0.0, 0.49 + 0.5 * 0.49]  # the last is wrong: no reconstruction
    loss, target = MarginLoss(reconstruction=0.001), jnp.zeros(3, int)
    np.testing.assert_allclose(loss.losses(found, target), expected, rtol=1e-5)
    metrics = loss.metrics(found, target)
    assert float(metrics["error"]) == pytest.approx(1 / 3)
    assert float(metrics["reconstruction_error"]) == pytest.approx(20 / 3 / 4)


@pytest.mark.slow
def test_a_network_is_as_large_as_its_sizes_say_and_decodes_the_longest_capsule():
    x = jax.random.uniform(jax.random.key(1), (3, 64))
    variables = TINY.init(jax.random.key(0), x)
    sizes = [9 * 4 + 4, 9 * 4 * 12 + 12, (2 * 2 * 3) * 10 * 4 * 5, (50 * 12 + 12) + (12 * 64 + 64)]
    assert parameter_count(variables) == sum(sizes)
    found = TINY.apply(variables, x)
    assert ((found.lengths > 0) & (found.lengths < 1)).all()
    np.testing.assert_allclose(found.lengths, jnp.linalg.norm(found.capsules, axis=-1), atol=1e-3)
    code = masked(found.capsules, jnp.argmax(found.lengths, -1))
    assert (np.count_nonzero(code, axis=1) == 5).all()
    np.testing.assert_allclose(TINY.apply(variables, code, method="decode"), found.image, rtol=1e-5)


@pytest.mark.slow
def test_digits_are_learned_and_outputs_come_by_name():
    model = genjax.supervised(network=TINY, loss=MarginLoss(), learning_rate=0.01)
    run = genjax.fit(model, "digits", steps=120, batch_size=50, progress=False)
    assert run.evaluation()["test"]["error"]["mean"] < 0.3
    found = run.predict(run.prepared.dataset.test)
    assert found.lengths.shape == (360, 10)
    assert found.image.shape == (360, 64)
