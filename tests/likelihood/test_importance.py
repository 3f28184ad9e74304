"""Importance sampling: what its draws are worth, and when it is not to be trusted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.likelihood.importance import Importance, effective, importance, missed, refuted, total


@pytest.mark.parametrize("at_once", [1, 8])
def test_draws_are_worth_what_kish_says(at_once):
    """Of log weights 0.5, 2 and 5 times a normal draw, by hand from the same draws; the last few of them too few."""
    scales, key = jnp.asarray([0.0, 0.5, 2.0, 5.0]), jax.random.key(0)
    found = importance(
        key, scales, jnp.zeros((4, 1)), lambda key, s, x: s * jax.random.normal(key, (4,)), 30, 1000, at_once
    )
    keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(key, 0), jnp.arange(30))
    logs = np.asarray(scales * jax.vmap(lambda key: jax.random.normal(key, (4,)))(keys), np.float64)
    w = np.exp(logs)
    np.testing.assert_allclose(effective(found), w.sum(0) ** 2 / (w**2).sum(0), rtol=1e-4)
    np.testing.assert_allclose(found.bounds, logs.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.estimates, np.log(w.mean(0)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("variance", "draws", "trusted", "reason"),
    [
        (0.01, 100, True, "too low by 0.005 nats or more"),
        (0.3, 100, False, "those of 1 of 1 examples are worth fewer than 10"),  # they are worth 3
        (0.6, 10_000, False, "more draws are needed"),
        (0.01, 99, False, "more draws are needed"),
        (np.nan, 1, False, "more draws are needed"),
    ],
)
def test_few_draws_are_not_trusted(variance, draws, trusted, reason):
    answer = total(Importance(np.full(1, -3.0), np.full(1, -2.0), np.sqrt([variance]), draws))
    assert answer.trusted == trusted
    assert reason in answer.reason
    assert answer.estimator == f"importance sampling, {draws} draws"


def test_states_that_are_never_drawn_are_found_in_samples_of_the_model():
    """Weights that are all alike say nothing of them; exact draws do, by log((100 e^-10 + e^-2) / 101) + 10 nats."""
    found = Importance(np.full(2, -10.0), np.full(2, -10.0), np.zeros(2), 100)
    answer = total(found)
    assert answer.trusted
    assert refuted(answer, missed(found, np.full(2, -10.0))) == answer
    doubted = refuted(answer, missed(found, np.array([-10.0, -2.0])))
    assert not doubted.trusted
    assert "too low by up to 1.71 nats" in doubted.reason
    assert (doubted.mean, doubted.low, doubted.high) == (answer.mean, answer.low, answer.high)
