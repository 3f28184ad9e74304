"""Forecasts feed on themselves, from every start alike; an ensemble's on the members' mean."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from genjax.data.series import pasts
from genjax.evaluation.forecast import ensemble, forecast, forecast_error

WAVE = np.sin(0.3 * np.arange(80)).astype(np.float32)


def rule(slope, x):
    """x(t + 1) = slope x(t) - x(t - 1)."""
    return (slope * x[:, -1] - x[:, -2])[:, None]


RIGHT = Partial(rule, jnp.float32(2 * np.cos(0.3)))


def test_forecasts_continue_a_sine():
    before, truth = pasts(WAVE, 5, [5, 17, 40], 30)
    np.testing.assert_allclose(forecast(RIGHT, jnp.asarray(before), 30), truth, atol=2e-3)


def test_each_start_is_what_a_loop_makes_of_it():
    wrong = Partial(rule, jnp.float32(1.7))
    before, truth = pasts(WAVE, 5, [9, 30], 12)
    expected = []
    for window in before:
        values = window.tolist()
        for _ in range(12):
            values.append(1.7 * values[-1] - values[-2])
        expected.append(values[5:])
    np.testing.assert_allclose(forecast(wrong, jnp.asarray(before), 12), expected, rtol=1e-4, atol=1e-5)
    error = np.mean((np.array(expected) - truth) ** 2)
    assert forecast_error(wrong, WAVE, 5, [9, 30], 12) == pytest.approx(error, rel=1e-4)


def test_an_ensemble_feeds_on_the_mean():
    """The rule is linear in its slope, so the mean of two rules is the rule of the mean slope."""
    slopes = (1.7, 2.0)
    both = ensemble([Partial(rule, jnp.float32(slope)) for slope in slopes])
    before = jnp.asarray(pasts(WAVE, 5, [9], 12)[0])
    one = forecast(Partial(rule, jnp.float32(np.mean(slopes))), before, 12)
    np.testing.assert_allclose(forecast(both, before, 12), one, rtol=1e-4)
