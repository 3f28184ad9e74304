"""Estimates: means over examples and their errors by hand, and their way through JSON and back, also from old files."""

import json
import math

import numpy as np
import pytest

from genjax.likelihood.estimate import (
    agree,
    both_from_numbers,
    both_numbers,
    deviation,
    effective_samples,
    exact_log_z,
    from_log_weights,
    from_numbers,
    log_likelihood,
    mean_over_examples,
    numbers,
    plain,
    share,
)


def test_means_over_examples():
    mean = mean_over_examples(np.array([1.0, 2.0, 6.0]), "by hand")
    assert mean.mean == mean.low == mean.high == 3.0
    assert mean.examples_se == pytest.approx(np.std([1, 2, 6], ddof=1) / np.sqrt(3))
    assert math.isnan(mean_over_examples(np.array([1.0]), "by hand").examples_se)
    equal = mean_over_examples(np.array([4.0, 8.0, 24.0]), "by hand", np.full(3, 4))
    assert equal.mean == 3.0
    assert equal.examples_se == pytest.approx(mean.examples_se)
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 20, (2000, 100))
    sums = rng.normal(3.0 * counts, np.sqrt(counts))
    each = [mean_over_examples(s, "many", c) for s, c in zip(sums, counts)]
    scatter = np.std([one.mean for one in each])
    assert np.mean([one.examples_se for one in each]) == pytest.approx(scatter, rel=0.1)


def test_shares_have_a_binomial_error():
    hits = np.arange(10) < 3
    answer = share(hits, "accuracy")
    assert answer.mean == pytest.approx(0.3)
    assert answer.examples_se == pytest.approx(np.sqrt(0.3 * 0.7 / 10))
    assert (answer.kind, answer.standard_error) == ("exact", 0.0)


def test_what_weights_are_worth():
    weights = np.log(np.array([1.0, 1.0, 2.0]))
    assert effective_samples(weights + 1000) == pytest.approx(16 / 6)
    assert deviation(weights) == pytest.approx(np.std(weights, ddof=1))


def test_there_and_back():
    estimates = (
        exact_log_z(3.0, "enumeration"),
        from_log_weights(np.random.default_rng(0).normal(3.0, 0.5, 100), "AIS"),
        from_log_weights(np.array([0.0, np.nan]), "AIS"),
        log_likelihood(np.array([1.0, 2.0]), exact_log_z(3.0, "enumeration")),
    )
    for estimate in estimates:
        content = json.loads(json.dumps(numbers(estimate), allow_nan=False))
        np.testing.assert_equal(from_numbers(content)._asdict(), estimate._asdict())
    content = json.loads(json.dumps(both_numbers((estimates[1], estimates[0])), allow_nan=False))
    assert both_from_numbers(content)[1].mean == 3.0
    assert both_from_numbers(both_numbers((estimates[0], None)))[1] is None
    assert plain({"a": [estimates[0], None], "b": {0: 2.0}}) == {"a": [numbers(estimates[0]), None], "b": {"0": 2.0}}
    assert agree(estimates[0], estimates[0])
    assert not agree(estimates[0], exact_log_z(4.0, "enumeration"))


def test_old_files_are_read():
    log_z = {"mean": 2.0, "low": 1.9, "high": 2.2, "standard_error": 0.1, "kind": "estimate", "estimator": "AIS"}
    log_z |= {"trusted": True, "reason": "enough", "effective_samples": None, "log_weight_deviation": 0.7}
    estimate = from_numbers(log_z | {"reverse": None})
    assert (estimate.mean, estimate.low, estimate.high, estimate.standard_error) == (2.0, 1.9, 2.2, 0.1)
    assert math.isnan(estimate.examples_se)
    mean = {"mean": -83.0, "low": -83.98, "high": -82.02, "image_se": 0.2, "kind": "lower_bound", "estimator": "AIS"}
    estimate = from_numbers(mean | {"trusted": True, "reason": "enough", "bracket": [-83.1, -83.0]})
    assert estimate.examples_se == 0.2
    assert estimate.standard_error == pytest.approx(0.5)
    assert estimate.kind == "lower_bound"
