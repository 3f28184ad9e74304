"""Accuracy and error of anything that gives log-probabilities."""

import numpy as np
import pytest

from genjax.evaluation import classes
from genjax.evaluation.classes import accuracy, error, has_classes


def test_accuracy_and_error_with_their_binomial_error(monkeypatch):
    monkeypatch.setattr(classes, "BLOCK", 3)
    outputs = np.log(np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]]))
    right, wrong = (measure(lambda x: x, outputs, np.array([0, 1, 1, 1])) for measure in (accuracy, error))
    assert (right.mean, wrong.mean) == (0.75, 0.25)
    assert right.examples_se == wrong.examples_se == pytest.approx(np.sqrt(0.75 * 0.25 / 4))
    assert (right.kind, right.estimator, wrong.estimator) == ("exact", "accuracy", "classification error")


def test_whether_there_are_classes():
    assert has_classes(np.array([0, 1, 0]))
    assert not has_classes(np.array([0, 0]))
    assert not has_classes(np.array([-1, 1]))
    assert not has_classes(np.array([], int))
