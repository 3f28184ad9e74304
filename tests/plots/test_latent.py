"""Planes with axes, traversals with values, paths with their ends, maps of codes, images there and back."""

import numpy as np
import pytest
from matplotlib import colormaps

from genjax.plots.latent import (
    code_map,
    interpolations,
    latent_interpolations,
    neighbourhoods,
    plane,
    project,
    reconstructions,
    traversals,
)
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


def some(*count):
    return np.random.default_rng(0).random((*count, 6)).astype(np.float32)


def test_a_path_between_two_images_has_them_at_its_ends():
    ends, linear, spherical = some(2, 2), some(2, 3), 1 - some(2, 3)
    (axes,) = interpolations(ends, {"linear": linear, "spherical": spherical}, SHAPE, "between").axes
    assert labels_of(axes.yaxis) == ["1 linear", "1 spherical", "2 linear", "2 spherical"]
    assert labels_of(axes.xaxis) == ["image", "0", "0.5", "1", "image"]
    found = tiles(axes.images[0].get_array(), SHAPE, 20, 5).reshape(2, 2, 5, 6)
    for pair in range(2):
        for way, path in enumerate((linear, spherical)):
            np.testing.assert_array_equal(found[pair, way, 1:-1], path[pair])
            np.testing.assert_array_equal(found[pair, way, [0, -1]], ends[pair])


def test_paths_and_neighbours_of_latents_have_a_row_each():
    images = some(3, 5)
    (axes,) = latent_interpolations(images, SHAPE, "from one latent to another").axes
    assert (labels_of(axes.yaxis), labels_of(axes.xaxis)) == (list("123"), ["0", "0.25", "0.5", "0.75", "1"])
    np.testing.assert_array_equal(tiles(axes.images[0].get_array(), SHAPE, 15, 5).reshape(3, 5, 6), images)
    (axes,) = neighbourhoods(images, (0.0, 0.5, 1.0), SHAPE, "near one latent").axes
    assert labels_of(axes.yaxis) == ["0", "0.5", "1"]
    assert axes.get_ylabel() == "share of noise"
    np.testing.assert_array_equal(tiles(axes.images[0].get_array(), SHAPE, 15, 5).reshape(3, 5, 6), images)


def test_codes_come_into_the_plane():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(40, 3)) * (0.1, 5.0, 1.0) + 3
    points, names = project(codes, "pca")
    assert names == ("first principal component", "second principal component")
    assert abs(np.corrcoef(points[:, 0], codes[:, 1])[0, 1]) > 0.99
    assert abs(np.corrcoef(points[:, 1], codes[:, 2])[0, 1]) > 0.99
    np.testing.assert_array_equal(project(codes[:, :2])[0], codes[:, :2])
    points, names = project(codes[:, :1])
    np.testing.assert_array_equal(points[:, 0], codes[:, 0])
    assert names == ("latent 0", "at random")
    for plain in (codes[:3], np.ones((9, 3))):
        np.testing.assert_array_equal(project(plain)[0], plain[:, :2])


@pytest.mark.slow  # the import alone takes seconds
def test_neighbours_stay_neighbours_by_t_sne():
    rng = np.random.default_rng(0)
    codes = np.concatenate([rng.normal(size=(20, 4)), rng.normal(size=(20, 4)) + 30])
    points, names = project(codes, seed=1)
    assert names == ("t-SNE 1", "t-SNE 2")
    middles = points[:20].mean(0), points[20:].mean(0)
    nearer = [np.argmin([np.linalg.norm(point - middle) for middle in middles]) for point in points]
    assert nearer == [0] * 20 + [1] * 20


@pytest.mark.parametrize("holes", [False, True])
def test_images_stand_beside_their_reconstructions(holes):
    original, again = some(4), 1 - some(4)
    damaged = np.where(np.arange(6) < 2, np.nan, original).astype(np.float32) if holes else None
    figure = reconstructions(original, again, SHAPE, "a run", damaged)
    names = ["original", "damaged", "reconstruction"] if holes else ["original", "reconstruction"]
    assert [axes.get_title() for axes in figure.axes] == [*names, "error (white: 1)"]
    shown = [tiles(axes.images[0].get_array(), SHAPE, 4, 4).reshape(4, 6) for axes in figure.axes]
    np.testing.assert_array_equal(shown[0], original)
    np.testing.assert_array_equal(shown[-2], again)
    np.testing.assert_allclose(shown[-1], np.abs(again - original), rtol=1e-6)
    if damaged is not None:
        np.testing.assert_array_equal(np.ma.filled(shown[1], np.nan), damaged)
