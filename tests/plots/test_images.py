"""Every image where it belongs, on its scale, under its name."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from genjax.plots.images import (
    chain,
    filters,
    label_weights,
    named,
    own_scale,
    save,
    sheet,
    side_by_side,
    strongest,
    tile,
)
from tests.plots.drawn import labels_of, ticks, tiles

SHAPE = (3, 2, 1)
COLOURED = (3, 2, 3)


def some(*count, shape=SHAPE, seed=0):
    return np.random.default_rng(seed).random((*count, int(np.prod(shape)))).astype(np.float32)


@pytest.mark.parametrize("shape", [SHAPE, COLOURED])
def test_tiles_stand_row_by_row_with_a_border_between(shape):
    images = some(5, shape=shape)
    found = tile(images, shape, 3, border=0.25)
    assert found.shape == ((9, 10) if shape[2] == 1 else (9, 10, 3))
    np.testing.assert_array_equal(tiles(found, shape, 5, 3), images.reshape(5, *shape))
    assert np.all(found[[0, 4, 8]] == 0.25)
    assert np.all(found[:, [0, 3, 6, 9]] == 0.25)
    assert np.all(found[5:, 7:] == 0.25)  # where a sixth would be


def test_a_figure_is_written_once_its_folder_is_made(tmp_path, recwarn):
    figure = Figure()
    figure.subplots()
    figure.suptitle("\N{PILE OF POO}\u4e2d")
    path = save(figure, tmp_path / "new" / "figure.png")
    with Image.open(path) as picture:
        assert picture.size[0] > 100
    assert not recwarn


def test_a_chain_is_a_row():
    samples = some(4, 3)
    (axes,) = chain(samples, [1, 10, 1000], SHAPE, "a run").axes
    (picture,) = axes.images
    np.testing.assert_array_equal(tiles(picture.get_array(), SHAPE, 12, 3)[..., 0].reshape(4, 3, 6), samples)
    assert picture.get_clim() == (0, 1)
    assert ticks(axes.xaxis) == {1.5: "1", 4.5: "10", 7.5: "1000"}
    assert ticks(axes.yaxis) == {2.0: "1", 6.0: "2", 10.0: "3", 14.0: "4"}
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("sweeps", "chain", "a run")


def test_the_strongest_units_have_the_largest_norm():
    weights = np.array([[1.0, -3.0, 0.0, 2.0], [0.0, 0.0, 0.5, 2.0]])
    assert strongest(weights, 3).tolist() == [1, 3, 0]
    np.testing.assert_allclose(own_scale(weights), [[1, 0], [-1, 0], [0, 1], [1, 1]])
    assert np.all(own_scale(np.zeros((2, 1))) == 0)


def test_filters_are_the_strongest_each_on_its_own_scale():
    weights = some(7).T - 0.5
    weights *= np.arange(1, 8)
    axes, bar = filters(weights, SHAPE, "a layer", 5).axes
    (picture,) = axes.images
    chosen = weights[:, np.argsort(-((weights**2).sum(0)))[:5]]
    found = tiles(picture.get_array(), SHAPE, 5, 3)[..., 0].reshape(5, 6)
    np.testing.assert_allclose(found, (chosen / np.abs(chosen).max(0)).T, rtol=1e-6)
    assert picture.get_clim() == (-1, 1)
    assert picture.get_cmap()(0.5)[:3] == pytest.approx((0.97, 0.97, 0.97), abs=0.01)  # zero is white
    assert axes.get_title() == "a layer"
    assert axes.get_xlabel() == "the 5 strongest of 7 hidden units"
    assert bar.get_ylabel() == "weight / largest weight of the unit"
    assert filters(weights, SHAPE, "", 64).axes[0].get_xlabel() == "all 7 units"


def test_filters_of_colours_are_grey_at_zero():
    weights = some(2, shape=COLOURED).T - 0.5
    (axes,) = filters(weights, COLOURED, "").axes
    (picture,) = axes.images
    order = strongest(weights, 2)
    found = tiles(picture.get_array(), COLOURED, 2, 2).reshape(2, 18)
    np.testing.assert_allclose(found, (own_scale(weights)[order] + 1) / 2, rtol=1e-6)


@pytest.mark.parametrize("shape", [SHAPE, COLOURED])
def test_labels_stand_in_their_order_below_their_names(shape):
    weights = (some(7, shape=shape).T - 0.5) * np.arange(7, 0, -1)[::-1]  # the strongest last
    names = [f"class {letter}" for letter in "gfedcba"]
    figure = label_weights(weights, names, shape, "a run: label weights")
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in shown] == names
    for axes, own in zip(shown, own_scale(weights)):
        (picture,) = axes.images
        array = picture.get_array().reshape(-1)
        np.testing.assert_allclose(array, own if shape[2] == 1 else (own + 1) / 2, rtol=1e-6)
        assert picture.get_clim() == (-1, 1)
    assert figure.get_suptitle() == "a run: label weights"
    bars = [axes.get_ylabel() for axes in figure.axes if not axes.images and axes.get_ylabel()]
    assert bars == (["weight / largest weight of the label"] if shape[2] == 1 else [])


def test_named_images_stand_below_their_names():
    images = some(3)
    figure = named(images, ["a", "b", "c"], SHAPE, "each", "a caption")
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c"]
    for axes, image in zip(figure.axes, images):
        np.testing.assert_array_equal(axes.images[0].get_array(), image.reshape(3, 2))
        assert axes.images[0].get_clim() == (0, 1)
    assert (figure.get_suptitle(), figure.get_supxlabel()) == ("each", "a caption")


def test_a_sheet_is_about_as_wide_as_high():
    images = some(10)
    (axes,) = sheet(images, SHAPE, "samples", "as drawn").axes
    (picture,) = axes.images
    np.testing.assert_array_equal(tiles(picture.get_array(), SHAPE, 10, 4)[..., 0].reshape(10, 6), images)
    assert picture.get_clim() == (0, 1)
    assert (axes.get_title(), axes.get_xlabel()) == ("samples", "as drawn")
    assert labels_of(axes.xaxis) == labels_of(axes.yaxis) == []


@pytest.mark.parametrize("shape", [SHAPE, COLOURED])
def test_removed_pixels_are_red_and_others_as_they_are(shape):
    truth = some(6, shape=shape)
    damaged = truth.copy()
    damaged[2, 0] = damaged[5, -1] = np.nan
    figure = side_by_side({"original": truth, "damaged": damaged}, shape, "two")
    assert [axes.get_title() for axes in figure.axes] == ["original", "damaged"]
    assert figure.get_suptitle() == "two"
    left, right = (tiles(axes.images[0].get_array(), (3, 2, 3), 6, 4) for axes in figure.axes)
    expected = np.repeat(truth.reshape(6, *shape), 3 // shape[2], axis=3)
    np.testing.assert_allclose(left, expected)
    expected[2, 0, 0] = expected[5, 2, 1] = (0.8, 0.2, 0.2)
    np.testing.assert_allclose(right, expected, rtol=1e-6)
