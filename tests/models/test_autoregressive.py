"""The autoregressive model through the front door."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import genjax
from genjax.errors import UserError

QUIET = {"progress": False, "validation": False}
STATES = ((np.arange(512)[:, None] >> np.arange(9)) & 1).astype(np.float32)


@pytest.fixture(name="run", scope="module")
def run_fixture() -> genjax.Run:
    """Of nine pixels, trained a little on images of full rows and columns."""
    lines = (np.arange(8)[:, None] >> np.arange(3)) & 1
    rows = np.repeat(lines[:, :, None], 3, axis=2).astype(np.float32)
    x = np.tile(np.concatenate([rows, rows.transpose(0, 2, 1)]), (20, 1, 1))
    model = genjax.autoregressive(hidden=8, ordering="random", learning_rate=0.02)
    return genjax.fit(model, x, steps=150, batch_size=40, **QUIET)


def test_the_likelihood_is_exact_and_sums_to_one(run):
    scores = run.score_samples(STATES.reshape(-1, 3, 3))
    assert np.exp(scores).sum() == pytest.approx(1, abs=1e-5)
    found = run.log_likelihood(STATES)
    assert (found.kind, found.standard_error, found.trusted) == ("exact", 0, True)
    assert found.mean == pytest.approx(scores.mean())
    lines = {"log_likelihood", "batch_log_likelihood", "parameter_max"}
    assert lines <= set(run.history)
    assert run.history["log_likelihood"][-1] > -4  # log 14 images is 2.6, 9 log 2 is 6.2


def test_its_arrays_are_the_model_in_the_order_of_the_pixels(run):
    p = {name: np.asarray(value, np.float64) for name, value in run.model.arrays(run.parameters).items()}
    order, total = p["order"].astype(int), 0.0
    for place, pixel in enumerate(order):
        seen = order[:place]
        units = np.maximum(p["hidden_biases"] + STATES[:, seen] @ p["inputs"][seen], 0)
        logit = p["biases"][pixel] + STATES @ p["direct"][pixel] + units @ p["outputs"][pixel]
        total = total + STATES[:, pixel] * logit - np.logaddexp(0, logit)
    np.testing.assert_allclose(run.score_samples(STATES), total, atol=1e-4)
    assert run.model.filters(run.parameters)[0].shape == (9, 8)
    assert run.features(STATES).shape == (512, 8)


@pytest.mark.slow
def test_what_is_missing_is_filled_in_and_what_is_given_stays(run):
    x, missing = STATES[[3, 77]].reshape(2, 3, 3), np.zeros((3, 3), bool)
    missing[1:] = True
    filled = run.reconstruct(x, missing, sweeps=2000)
    np.testing.assert_array_equal(filled[:, 0], x[:, 0])
    p = np.exp(run.score_samples(STATES))
    here = p * (STATES[:, :3] == x[1, 0]).all(1)
    np.testing.assert_allclose(filled[1].ravel(), here / here.sum() @ STATES, atol=0.15)
    drawn = run.sample(5, given=x[1], missing=missing, sweeps=100)
    np.testing.assert_array_equal(drawn[:, 0], np.tile(x[1, 0], (5, 1)))
    assert set(np.unique(run.sample(20))) <= {0, 1}


@pytest.mark.slow
def test_it_is_kept_and_begun_from(run, tmp_path):
    again = genjax.load(run.save(tmp_path / "run").folder)
    np.testing.assert_array_equal(again.score_samples(STATES), run.score_samples(STATES))
    begun = genjax.fit(again.config, STATES, steps=1, start=run.parameters, seed=5, **QUIET)
    assert (begun.parameters.order == run.parameters.order).all()


@pytest.mark.parametrize(
    ("options", "x", "said"),
    [
        ({"hidden": 0}, STATES, "`hidden` 0 is not positive"),
        ({}, 3 * STATES, "from 0 to 3"),
    ],
)
def test_what_cannot_be_learned_is_refused_before_any_work(options, x, said):
    with pytest.raises(UserError, match=said):
        genjax.fit(genjax.autoregressive(**options), x, steps=1, **QUIET)
    with pytest.raises(UserError, match="takes binary values"):
        genjax.fit(genjax.autoregressive(), STATES / 2, steps=1, binarisation="none", **QUIET)


@pytest.mark.slow
def test_learning_approaches_the_truth():
    """One logit a value and direct connections can be fitted to independent values exactly."""
    rates = np.linspace(0.1, 0.9, 4)
    x = (np.random.default_rng(0).random((4000, 4)) < rates).astype(np.float32)
    run = genjax.fit(genjax.autoregressive(hidden=2), x, steps=400, batch_size=200, **QUIET)
    p = jnp.asarray(x.mean(0))
    best = float(jnp.sum(p * jnp.log(p) + (1 - p) * jnp.log(1 - p)))
    assert abs(run.log_likelihood(x).mean - best) < 0.02
    assert jax.tree.leaves(run.parameters)
