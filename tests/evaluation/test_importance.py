"""Importance sampling as an answer: its scores carry their errors, a belief network's as a normalised model's."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.boltzmann.dbn import DBN, log_down, stacked
from genjax.boltzmann.machine import marginal
from genjax.errors import UserError
from genjax.evaluation.importance import Scores, belief, elbo, importance
from genjax.evaluation.likelihood import report
from genjax.likelihood import exact, partition
from genjax.likelihood.estimate import exact_log_z
from genjax.typing import Batch, Estimate
from tests.machines import random_machine

X = Batch(jnp.asarray([[0.1], [1.0], [2.0], [0.5], [0.3]]))


def log_weight(key, model, batch):
    """Normal with the row's value for deviation; the log of the mean of the exponentials tends to x^2 / 2."""
    return batch.x[:, 0] * jax.random.normal(key, (len(batch.x),))


def test_scores_are_an_array_that_carries_its_errors():
    said = []
    answer = importance(jax.random.key(0), jnp.zeros(()), log_weight, 1000, progress=said.append)
    scores = answer.score(X)
    assert isinstance(scores, Scores)
    assert scores.dtype == np.float64
    assert said == [1.0]  # the share of the one batch
    errors = scores.importance.standard_errors
    assert (np.abs(scores - np.asarray(X.x)[:, 0] ** 2 / 2) < 5.5 * errors + 0.01).all()
    whole, part = answer.estimate(scores), answer.estimate(scores[:2])
    assert whole.mean == pytest.approx(scores.mean())
    assert whole.standard_error == pytest.approx(np.sqrt((errors**2).sum()) / 5)
    assert whole.high - whole.mean == pytest.approx(1.96 * whole.standard_error)
    assert part.standard_error == pytest.approx(np.sqrt((errors[:2] ** 2).sum()) / 2)
    assert (whole.kind, whole.estimator) == ("lower_bound", "importance sampling, 1000 draws")
    assert whole.examples_se == pytest.approx(np.asarray(scores).std(ddof=1) / np.sqrt(5))
    bound = elbo(scores)
    assert bound.mean == pytest.approx(0, abs=0.2)
    assert bound.mean < whole.mean
    found, kept = report(answer, X, X)
    assert found["elbo"]["test"] == found["elbo"]["train"] == bound
    assert found["log_likelihood"]["test"] == whole
    assert set(found) == {"log_likelihood", "elbo"}
    np.testing.assert_array_equal(kept["train"], scores)
    with pytest.raises(UserError, match="score"):
        answer.estimate(scores + 1)


def test_a_log_z_shifts_scores_and_widens_the_interval():
    log_z = Estimate(2.0, 1.6, 2.4, 0.2, float("nan"), "estimate", "AIS", True, "enough")
    plain = importance(jax.random.key(0), jnp.zeros(()), log_weight, 1000)
    both = importance(jax.random.key(0), jnp.zeros(()), log_weight, 1000, (log_z, None))
    scores = plain.score(X)
    np.testing.assert_allclose(both.score(X), scores - 2.0)
    one, two = plain.estimate(scores), both.estimate(both.score(X))
    assert two.standard_error == pytest.approx(np.hypot(one.standard_error, 0.2))
    assert two.high - two.mean == pytest.approx(np.hypot(one.high - one.mean, 0.4))
    assert two.mean == pytest.approx(one.mean - 2)
    assert elbo(both.score(X), both.log_z).low == pytest.approx(elbo(scores).mean - 2.4)
    doubtful = importance(jax.random.key(0), jnp.zeros(()), log_weight, 1000, (log_z, None), gap=1.0)
    assert two.trusted
    assert not doubtful.estimate(doubtful.score(X)).trusted


def network(astray: float = 0.0) -> DBN:
    """4-3-2; the recognition model is the generation's, or `astray` times it."""
    tied = stacked((random_machine((4, 3), 0.5), random_machine((3, 2), 0.5, seed=1)))
    (up,) = tied.recognition
    return tied if not astray else DBN(tied.generation, (jax.tree.map(lambda w: astray * w, up),), tied.top)


@pytest.mark.slow
@pytest.mark.parametrize("astray", [0.0, -6.0])
def test_a_belief_network_against_enumeration(astray, monkeypatch):
    monkeypatch.setattr(partition, "FRESH_SWEEPS", 100)
    net = network(astray)
    x, h = (np.array(list(itertools.product((0.0, 1.0), repeat=n)), np.float32) for n in (4, 3))
    pairs = jnp.repeat(x[:, None], 8, 1), jnp.repeat(h[None], 16, 0)
    joint = np.asarray(log_down(net, pairs) + marginal(net.top, (pairs[1], None), 1), np.float64)
    truth = np.logaddexp.reduce(joint, 1) - exact.log_z(net.top)
    answer = belief(jax.random.key(0), net, np.full(4, 0.5))
    scores = answer.score(Batch(jnp.asarray(x)))
    mean = answer.estimate(scores)
    assert answer.log_z == (exact_log_z(exact.log_z(net.top), "enumeration of 4 states"), None)
    assert mean.trusted == (astray == 0.0), mean.reason
    if mean.trusted:
        assert (np.abs(scores - truth) < 5.5 * scores.importance.standard_errors + 1e-3).all()
        assert mean.low - 0.02 < truth.mean() < mean.high + 0.02
        assert elbo(scores, answer.log_z).mean < mean.mean
