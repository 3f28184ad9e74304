"""Planes with axes, traversals with values, and maps of codes."""

import numpy as np
from matplotlib import colormaps

from genjax.plots.latent import code_map, plane, traversals
from tests.plots.drawn import labels_of, legend, ticks, tiles

SHAPE = (3, 2, 1)


def test_a_plane_is_read_upwards_and_to_the_right():
    images = np.random.default_rng(0).random((3, 4, 6)).astype(np.float32)
    figure = plane(images, ((-3, -1, 1, 3), (-2.5, 0, 2.5)), ("first", "second"), SHAPE, "a plane")
    (axes,) = figure.axes
    (picture,) = axes.images
    found = tiles(picture.get_array(), SHAPE, 12, 4).reshape(3, 4, 6)
    np.testing.assert_array_equal(found, images[::-1])
    assert ticks(axes.xaxis) == {1.5: "-3", 4.5: "-1", 7.5: "1", 10.5: "3"}
    assert ticks(axes.yaxis) == {2.0: "2.5", 6.0: "0", 10.0: "-2.5"}  # y of a picture grows downwards
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("first", "second", "a plane")


def test_traversals_stand_below_each_other_with_their_values():
    images = np.random.default_rng(0).random((5, 3, 6)).astype(np.float32)
    figure = traversals(images, list("abcde"), (-3, 0, 3), "standard deviations", SHAPE, "strips", rows=3)
    left, right = figure.axes
    first, second = (tiles(axes.images[0].get_array(), SHAPE, 9, 3).reshape(3, 3, 6) for axes in (left, right))
    np.testing.assert_array_equal(np.concatenate([first, second])[:5], images)
    assert np.all(second[2] == 0.5)
    assert (labels_of(left.yaxis), labels_of(right.yaxis)) == (list("abc"), list("de"))
    for axes in (left, right):
        assert ticks(axes.xaxis) == {1.5: "-3", 4.5: "0", 7.5: "3"}
    assert (figure.get_supxlabel(), figure.get_suptitle()) == ("standard deviations", "strips")


def test_codes_have_the_colour_and_the_name_of_their_class():
    points, labels = np.arange(12.0).reshape(6, 2), np.array([2, 0, 2, 0, 2, 0])
    (axes,) = code_map(points, labels, ("t-SNE 1", "t-SNE 2"), "codes", ["cat", "cow", "dog"]).axes
    none, dog = axes.collections
    np.testing.assert_array_equal(none.get_offsets(), points[1::2])
    np.testing.assert_array_equal(dog.get_offsets(), points[::2])
    assert legend(axes) == ["cat", "dog"]
    np.testing.assert_array_equal(dog.get_facecolor()[0], colormaps["tab10"](1))
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("t-SNE 1", "t-SNE 2", "codes")
    assert legend(code_map(points, labels, ("", ""), "").axes[0]) == ["0", "2"]
    (unlabelled,) = code_map(points, np.full(6, -1), ("", ""), "").axes
    assert unlabelled.get_legend() is None
    np.testing.assert_array_equal(unlabelled.collections[0].get_facecolor()[0][:3], [128 / 255] * 3)
