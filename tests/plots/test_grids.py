"""Bands over seeds, and rows of images."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from genjax.plots.grids import bands, rows_of_images
from tests.plots.drawn import labels_of, legend, ticks, tiles


def test_a_band_reaches_from_the_lowest_to_the_highest_seed():
    curves = {
        "hidden 4": [[(1.0, -3.0), (2.0, -2.0)], [(1.0, -5.0), (2.0, -1.0)]],
        "none": [[]],
        "hidden 8": [[(1, 0)]],
    }
    (axes,) = bands(curves, "nats", "a grid").axes
    first, second = axes.lines
    np.testing.assert_allclose(first.get_xydata(), [(1, -4), (2, -1.5)])
    assert second.get_label() == "hidden 8"
    assert legend(axes) == ["hidden 4", "hidden 8"]
    corners = axes.collections[0].get_paths()[0].vertices
    assert {tuple(corner) for corner in corners} == {(1, -5), (1, -3), (2, -2), (2, -1)}
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("epoch", "nats", "a grid")


@pytest.mark.parametrize("shape", [(3, 2, 1), (3, 2, 3)])
def test_a_row_for_each_name_with_removed_pixels_in_red(shape):
    images = np.random.default_rng(0).random((2, 4, int(np.prod(shape)))).astype(np.float32)
    images[1, 2, -1] = np.nan
    (axes,) = rows_of_images({"one": images[0], "two": images[1]}, shape, "rows").axes
    assert ticks(axes.yaxis) == {2.0: "one", 6.0: "two"}
    assert labels_of(axes.xaxis) == []
    assert axes.get_title() == "rows"
    (picture,) = axes.images
    found, wanted = tiles(picture.get_array(), shape, 8, 4), images.reshape(8, *shape)
    if shape[2] == 1:
        np.testing.assert_array_equal(np.ma.getmaskarray(found), np.isnan(wanted))
        np.testing.assert_array_equal(found.compressed(), wanted[~np.isnan(wanted)])
        assert tuple(picture.get_cmap().get_bad()) == to_rgba("firebrick")
        assert picture.get_clim() == (0, 1)
    else:
        wanted[6, 2, 1] = (0.8, 0.2, 0.2)
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
