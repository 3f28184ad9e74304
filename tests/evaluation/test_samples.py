"""The table of sample quality: with a classifier and without, of expected values, of very few images; copies."""

import json
from typing import NamedTuple

import numpy as np
import pytest

from genjax import data
from genjax.evaluation.coverage import coverage
from genjax.evaluation.distances import frechet_distance, kernel_distance, subset
from genjax.evaluation.samples import class_name, labels_like, measure, per_sample, principal_components, quality
from genjax.likelihood.estimate import plain

ROW = {"images", "frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage", "copies"}
ROW |= {"sinkhorn_divergence", "wasserstein_distance"}
CLASSES = {"classifier_score", "class_entropy", "class_entropy_ratio", "classes", "occurring", "missing", "shares"}


class Reader(NamedTuple):
    """A classifier of images whose first three pixels say their class."""

    def logits(self, x):
        return 20 * np.asarray(x)[:, :3]

    def features(self, x):
        return np.asarray(x)


def images(count: int, classes=(0, 1, 2), seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([np.eye(3)[rng.choice(classes, count)], rng.random((count, 5))], 1).astype(np.float32)


def test_the_table_is_made_of_its_parts():
    train, test, samples = images(400), images(300, seed=1), images(200, (0, 1), seed=2)
    labels = test[:, :3].argmax(1)
    table = quality(Reader(), samples, train, test, labels=labels, names=("zero", "one", "two"))
    made, real = table["samples"], table["real"]
    assert set(made) == set(real) == ROW | CLASSES | {"confident"}
    assert made["missing"] == {"two": 0.0}
    assert (made["classes"], made["occurring"], real["classes"]) == (2, 3, 3)
    assert real["missing"] == {}
    classes = coverage(Reader().logits, samples, test)
    assert made["class_entropy_ratio"] == classes.ratio
    assert made["shares"] == classes.samples.shares.tolist()
    assert made["frechet_distance"] == frechet_distance(samples, test)
    assert made["kernel_distance"].mean == kernel_distance(samples, test).mean
    assert real["frechet_distance"] == frechet_distance(subset(train, 200), test)
    assert real["images"] == 200
    assert real["kernel_distance"].mean < made["kernel_distance"].mean
    assert made["classifier_score"] == pytest.approx(2, abs=0.01)
    assert real["classifier_score"] == pytest.approx(3, abs=0.01)
    assert table["features"] == "classifier"
    assert table["accuracy"]["samples"].mean == 1
    assert "means" not in table
    json.dumps(plain(table), allow_nan=False)


def test_expected_values_have_classes_of_their_own():
    """States of all classes, expected values of one: noise is not variety."""
    train, test = images(300), images(300, seed=1)
    table = quality(Reader(), images(100), train, test, means=images(100, (1,)), intensities=test)
    assert table["samples"]["classes"] == 3
    assert table["means"]["classes"] == 1
    assert table["means"]["class_entropy"] == 0
    assert table["means"]["real"]["class_entropy"] == pytest.approx(np.log(3), abs=0.05)


@pytest.mark.slow
def test_images_without_labels_are_measured_on_principal_components():
    digits = data.load("digits")
    train, test, rng = digits.train, digits.test, np.random.default_rng(0)
    noisy = np.clip(train[:200] + rng.normal(0, 0.35, (200, 64)), 0, 1).astype(np.float32)
    table = quality(None, noisy, train, test)
    made, real = table["samples"], table["real"]
    assert set(made) == set(real) == ROW
    assert table["features"] == "principal components"
    assert real["frechet_distance"] < 0.5 * made["frechet_distance"]
    assert real["kernel_distance"].mean < 0.5 * made["kernel_distance"].mean
    assert real["coverage"] > made["coverage"]
    measured = measure(None, train[:100], train, test)
    assert measured.table["samples"]["copies"] == 1
    assert measured.classes is None
    each = per_sample(measured)
    assert each["nearest_row"] == list(range(100))
    assert each["nearest_distance"] == [0.0] * 100
    assert all(each["copied"])
    assert "class" not in each


def test_very_few_images_have_the_numbers_that_they_can():
    x = images(3)
    table = quality(None, x, x, x[:1])
    assert table["samples"]["frechet_distance"] is None
    assert table["samples"]["precision"] is None
    assert table["samples"]["copies"] is None
    table = quality(Reader(), x, x, x)
    assert table["samples"]["kernel_distance"].mean is not None
    assert table["samples"]["recall"] is None
    same = np.ones((5, 4), np.float32)
    assert quality(None, same, same, same)["samples"]["frechet_distance"] == pytest.approx(0, abs=1e-9)


def test_principal_components_keep_distances_up_to_one_scale():
    x = np.random.default_rng(0).normal(size=(50, 6)) @ np.diag([5.0, 4, 3, 2, 1, 0]) + 7
    features = principal_components(x)
    z = features(x)
    assert z.shape == (50, 5)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-9)
    assert np.mean(z**2) == pytest.approx(1)
    assert (np.diff(z.var(0)) < 0).all()
    ratio = np.linalg.norm(x[1:] - x[0], axis=1) / np.linalg.norm(z[1:] - z[0], axis=1)
    np.testing.assert_allclose(ratio, ratio[0])
    assert principal_components(x, 2)(x[:4]).shape == (4, 2)


def test_labels_are_drawn_as_often_as_they_occur():
    labels = np.repeat([0, 3], [900, 100]).astype(np.int32)
    drawn = labels_like(labels, 2000)
    assert set(drawn) == {0, 3}
    assert np.mean(drawn == 3) == pytest.approx(0.1, abs=0.04)
    np.testing.assert_array_equal(drawn, labels_like(labels, 2000))
    np.testing.assert_array_equal(labels_like(np.full(5, -1), 3), 0)
    assert (class_name(("a",), 0), class_name(("a",), 1)) == ("a", "1")
