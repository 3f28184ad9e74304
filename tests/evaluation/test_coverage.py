"""Coverage by a classifier that reads the first pixels; neighbours against all distances; planted copies."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.evaluation import coverage as module
from genjax.evaluation.coverage import class_shares, coverage, entropy, memorisation, nearest


def first_pixels(x):
    return x[:, :3]


def of_classes(*classes):
    return np.eye(5, dtype=np.float32)[list(classes)]


def test_shares_and_entropy_by_hand():
    found = coverage(first_pixels, of_classes(0, 0, 0, 1), of_classes(0, 1, 1, 2, 2, 0))
    assert found.samples.classes.tolist() == [0, 0, 0, 1]
    np.testing.assert_allclose(found.samples.shares, [0.75, 0.25, 0])
    np.testing.assert_allclose(found.data.shares, [1 / 3] * 3)
    assert found.samples.entropy == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    assert found.ratio == pytest.approx(found.samples.entropy / math.log(3))


def test_a_class_is_covered_from_a_fifth_of_its_share():
    """And one that the data do not have is none that could be missing."""
    data = of_classes(*(10 * [0] + 10 * [1] + 20 * [3]))
    found = coverage(lambda x: x, of_classes(*(1 * [0] + 2 * [1] + 36 * [3] + [4])), data)
    assert found.occurring == [0, 1, 3]
    assert found.missing == [0]
    assert coverage(lambda x: x, data, data).missing == []
    assert coverage(lambda x: x, of_classes(0, 1), data).missing == [3]


def test_a_classifier_is_confident_above_nine_tenths():
    logits = np.log([[0.91, 0.05, 0.04], [0.89, 0.07, 0.04], [0.2, 0.3, 0.5], [0.0005, 0.999, 0.0005]])
    assert class_shares(lambda x: jnp.asarray(logits) + 3, of_classes(0, 1, 2, 0)).confident == 0.5


def test_a_collapsed_model_has_no_entropy():
    assert coverage(first_pixels, of_classes(1, 1, 1), of_classes(0, 1, 2)).ratio == 0
    assert math.isnan(coverage(first_pixels, of_classes(0, 1), of_classes(1, 1)).ratio)
    assert entropy(np.array([0.0, 1.0])) == 0


def test_neighbours_are_those_of_all_distances(monkeypatch):
    monkeypatch.setattr(module, "_ROWS", 4)
    monkeypatch.setattr(module, "_COLUMNS", 7)
    rng = np.random.default_rng(0)
    x, y = rng.random((11, 6)).astype(np.float32), rng.random((23, 6)).astype(np.float32)
    x[3] = y[20]
    distance = np.sqrt(((x[:, None].astype(float) - y) ** 2).sum(-1))
    found = nearest(x, jnp.asarray(y), 5)
    np.testing.assert_array_equal(found.row, np.argsort(distance, -1)[:, :5])
    np.testing.assert_allclose(found.distance, np.sort(distance, -1)[:, :5], atol=1e-6)
    assert found.distance[3, 0] == 0
    assert found.row[3, 0] == 20
    assert nearest(x, y[:2], 5).row.shape == (11, 2)


def test_planted_copies_are_found_and_held_out_digits_are_not():
    digits = data.load("digits").without_validation()
    held_out, fresh = digits.test[:240], digits.test[240:]
    samples = np.concatenate([digits.train[:60], fresh])
    found = memorisation(samples, digits.train, held_out)
    assert found.copied[:60].all()
    np.testing.assert_array_equal(found.row[:60], np.arange(60))
    np.testing.assert_array_equal(found.distance[:60], 0)
    assert found.copied[60:].mean() <= 0.05
    assert found.held_out_rate <= 0.05
    assert found.rate == pytest.approx((60 + found.copied[60:].sum()) / len(samples))
    assert found.threshold < 0.6


def test_copies_with_a_few_pixels_turned_over_are_found():
    rng = np.random.default_rng(0)
    means = rng.random((10, 784)) ** 2
    images = (rng.random((1600, 784)) < means[rng.integers(0, 10, 1600)]).astype(np.float32)
    train, held_out, fresh = images[:1000], images[1000:1300], images[1300:]
    copies = train[:300].copy()
    for row in copies:
        turned = rng.choice(784, 8, replace=False)
        row[turned] = 1 - row[turned]
    found = memorisation(np.concatenate([copies, fresh]), train, held_out)
    assert found.copied[:300].all()
    assert found.copied[300:].mean() <= 0.05
    np.testing.assert_array_equal(found.row[:300], np.arange(300))
    np.testing.assert_allclose(found.distance[:300], math.sqrt(8), rtol=1e-6)
