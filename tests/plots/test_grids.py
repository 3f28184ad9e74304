"""Bands over seeds, and what settings make of damaged images."""

import numpy as np
import pytest

from genjax.plots.grids import Curves, bands, reconstructions
from tests.plots.drawn import labels_of, legend, tiles

NAN = np.nan


def corners(axes):
    return [{tuple(corner) for corner in band.get_paths()[0].vertices} for band in axes.collections]


def test_a_band_reaches_from_the_lowest_to_the_highest_seed():
    epochs = np.array([1.0, 2.0])
    curves = {
        "hidden 4": Curves(epochs, np.array([[-3.0, -2.0], [-5.0, -1.0]])),
        "none": Curves(epochs, np.full((2, 2), NAN)),
        "hidden 8": Curves(epochs[:1], np.array([[0.0]])),
    }
    (axes,) = bands(curves, "nats", "a grid").axes
    first, second = axes.lines
    np.testing.assert_allclose(first.get_xydata(), [(1, -4), (2, -1.5)])
    assert second.get_label() == "hidden 8"
    assert legend(axes) == ["hidden 4", "hidden 8"]
    assert corners(axes)[0] == {(1, -5), (1, -3), (2, -2), (2, -1)}
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("epoch", "nats", "a grid")


def test_a_seed_that_diverges_is_left_out_from_there_on_and_counted():
    values = np.array([[1.0, NAN, 2.0, 3.0], [3.0, NAN, NAN, NAN], [5.0, NAN, 4.0, 5.0]])
    (axes,) = bands({"rate 1": Curves(np.arange(4.0), values)}, "nats", "").axes
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [(0, 3), (2, 3), (3, 4)])
    assert corners(axes) == [{(0, 1), (0, 5), (2, 2), (2, 4), (3, 3), (3, 5)}]
    assert legend(axes) == ["rate 1 (1 of 3 seeds end before)"]


@pytest.mark.filterwarnings("error")
def test_of_a_grid_without_curves_only_axes_are_drawn():
    (axes,) = bands({"all": Curves(np.arange(2.0), np.full((1, 2), NAN))}, "nats", "").axes
    assert not axes.lines


def test_settings_stand_below_the_damaged_images():
    shape = (2, 2, 1)
    images = np.random.default_rng(0).random((4, 3, 4)).astype(np.float32)
    images[1, :, 2:] = NAN
    (axes,) = reconstructions(images[0], images[1], {"a": images[2], "b": images[3]}, shape, "a grid").axes
    assert labels_of(axes.yaxis) == ["original", "damaged", "a", "b"]
    found = tiles(axes.images[0].get_array(), shape, 12, 3).reshape(4, 3, 4)
    np.testing.assert_array_equal(np.ma.filled(found, NAN), images)
    assert axes.get_title() == "a grid"
