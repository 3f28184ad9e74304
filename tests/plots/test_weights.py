"""Every unit's weights on their scale, under its name, in its order."""

import numpy as np
import pytest

from genjax.plots.weights import filters, label_weights, layers, maxima, own_scale, strongest
from tests.plots.drawn import tiles

SHAPE = (3, 2, 1)
COLOURED = (3, 2, 3)


def some(*count, shape=SHAPE, seed=0):
    return np.random.default_rng(seed).random((*count, int(np.prod(shape)))).astype(np.float32)


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.images]


def test_the_strongest_units_have_the_largest_norm():
    weights = np.array([[1.0, -3.0, 0.0, 2.0], [0.0, 0.0, 0.5, 2.0]])
    assert strongest(weights, 3).tolist() == [1, 3, 0]
    np.testing.assert_allclose(own_scale(weights), [[1, 0], [-1, 0], [0, 1], [1, 1]])
    assert np.all(own_scale(np.zeros((2, 1))) == 0)


def test_units_at_values_that_never_vary_come_last():
    """As at the border of handwritten digits, where weights are large and no ink is."""
    weights = np.array([[9.0, 0.0, 0.0], [0.0, 1.0, 2.0]])
    assert strongest(weights, 3).tolist() == [0, 2, 1]
    assert strongest(weights, 3, np.array([0.0, 0.5])).tolist() == [2, 1, 0]
    picture = filters(weights, (1, 2, 1), "", 2, np.array([0.0, 0.5])).axes[0]
    assert [label.get_text() for label in picture.get_yticklabels()] == ["2", "1"]


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
    assert titles(figure) == names
    for axes, own in zip(shown, own_scale(weights)):
        (picture,) = axes.images
        array = picture.get_array().reshape(-1)
        np.testing.assert_allclose(array, own if shape[2] == 1 else (own + 1) / 2, rtol=1e-6)
        assert picture.get_clim() == (-1, 1)
    assert figure.get_suptitle() == "a run: label weights"
    bars = [axes.get_ylabel() for axes in figure.axes if not axes.images and axes.get_ylabel()]
    assert bars == (["weight / largest weight of the label"] if shape[2] == 1 else [])


def test_named_maxima_stand_below_their_names():
    images = some(3)
    figure = maxima(images, SHAPE, "each", "a caption", ["a", "b", "c"])
    assert titles(figure) == ["a", "b", "c"]
    for axes, image in zip(figure.axes, images):
        np.testing.assert_array_equal(axes.images[0].get_array(), image.reshape(3, 2))
        assert axes.images[0].get_clim() == (0, 1)
    assert (figure.get_suptitle(), figure.get_supxlabel()) == ("each", "a caption")
    (axes,) = maxima(images, SHAPE, "units", "a caption").axes
    np.testing.assert_array_equal(tiles(axes.images[0].get_array(), SHAPE, 3, 2).reshape(3, 6), images)


def test_every_layer_has_its_figures():
    weights, images = [some(4).T, some(3).T], {2: some(3)}
    figures = layers(weights, SHAPE, "a run", 2, activating={2: some(2)})
    assert list(figures) == ["filters-1", "filters-2", "maxima-2"]
    assert figures["filters-1"].axes[0].get_title() == "a run: weights of layer 1"
    assert figures["filters-1"].axes[0].get_xlabel() == "the 2 strongest of 4 hidden units"
    assert figures["filters-2"].axes[0].get_title() == "a run: weights of layer 2, through the layers below"
    (axes,) = figures["maxima-2"].axes
    assert axes.get_title() == "a run: images that activate units of layer 2 most"
    assert axes.get_xlabel() == "the same 2 units as in filters-2.png; brightness limited to that of samples"
    figures = layers(weights, SHAPE, "a run", 2, list("abc"), images)
    assert "strongest of 4" in figures["filters-1"].axes[0].get_xlabel()
    assert titles(figures["filters-2"]) == titles(figures["maxima-2"]) == list("abc")
    assert figures["filters-2"].get_suptitle() == "a run: label weights, through the layers below"
    assert figures["maxima-2"].get_suptitle() == "a run: images that activate each label most"
    assert figures["maxima-2"].get_supxlabel() == "brightness limited to that of samples"
