"""Samples by class beside the shares of the classes."""

import numpy as np
import pytest

from genjax.plots.coverage import COLUMNS, Sampled, compared, coverage
from tests.plots.drawn import labels_of, legend, tiles

SHAPE = (2, 2, 1)


def sampled(names=(), name="a run"):
    pixels = np.random.default_rng(0).random((20, 4)).astype(np.float32)
    shares = {"samples": np.array([0.1, 0.9, 0.0]), "test images": np.array([0.3, 0.3, 0.4])}
    return Sampled(name, "p(v | h)", pixels, np.array([1] * 18 + [0] * 2), shares, names)


def check(pictures, bars, given, names):
    (picture,) = pictures.images
    found = tiles(picture.get_array(), SHAPE, 3 * COLUMNS, COLUMNS).reshape(3, COLUMNS, 4)
    np.testing.assert_array_equal(found[0, :2], given.pixels[18:])
    np.testing.assert_array_equal(found[1], given.pixels[:COLUMNS])
    assert np.all(found[0, 2:] == 0.5)
    assert np.all(found[2] == 0.5)
    assert pictures.get_title() == f"{given.name}: p(v | h), the first of each class"
    assert labels_of(pictures.yaxis) == labels_of(bars.yaxis) == names
    assert legend(bars) == ["samples", "test images"]
    for bar, wanted in zip(bars.containers, given.shares.values()):
        assert [patch.get_width() for patch in bar] == pytest.approx(100 * wanted)
    middles = [patch.get_y() + patch.get_height() for patch in bars.containers[0]]
    assert middles == pytest.approx([0, 1, 2])  # the two bars of a class meet at its number
    assert bars.get_ylim() == (2.5, -0.5)
    assert bars.get_xlabel() == "share (%)"


@pytest.mark.parametrize("names", [(), ("cat", "dog", "100 %")])
def test_samples_stand_in_the_row_of_their_class(names):
    given = sampled(names)
    near = np.random.default_rng(1).random((2, 5, 4)).astype(np.float32)
    figure = coverage(given, (near[0], near[1]), SHAPE, "a note")
    pictures, bars, pairs = figure.axes
    check(pictures, bars, given, list(names or "012"))
    found = tiles(pairs.images[0].get_array(), SHAPE, 10, 2).reshape(5, 2, 4)
    np.testing.assert_array_equal(found, near.transpose(1, 0, 2))
    assert pairs.get_title() == "closest: sample | training"
    assert figure.get_supxlabel() == "a note"


def test_models_stand_side_by_side():
    both = [sampled(name="one"), sampled(name="two")]
    figure = compared(both, SHAPE, "notes")
    for number, given in enumerate(both):
        check(*figure.axes[2 * number : 2 * number + 2], given, list("012"))
    assert figure.get_supxlabel() == "notes"
