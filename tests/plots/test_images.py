"""Every image where it belongs, on its scale, under its name; removed pixels marked."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from genjax.plots.figure import Figure as OwnFigure
from genjax.plots.images import cell, rows_of_images, save, sheet, side_by_side, stretched, tile
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


def test_a_sheet_is_about_as_wide_as_high():
    images = some(10)
    (axes,) = sheet(images, SHAPE, "samples", "as drawn").axes
    (picture,) = axes.images
    np.testing.assert_array_equal(tiles(picture.get_array(), SHAPE, 10, 4)[..., 0].reshape(10, 6), images)
    assert picture.get_clim() == (0, 1)
    assert (axes.get_title(), axes.get_xlabel()) == ("samples", "as drawn")
    assert labels_of(axes.xaxis) == labels_of(axes.yaxis) == []


RED = (0.8, 0.2, 0.2)


def check_removed(picture, wanted, shape, columns):
    """Pixels as they are, in their places; the removed ones red in grey images, in those of colours below red strokes,
    as red is a colour of images, too."""
    strokes = [line for lines in picture.axes.collections for line in lines.get_segments()]
    whole = np.zeros((*picture.get_array().shape[:2], 1))
    for line in strokes:
        whole[tuple(line.mean(0)[::-1].round().astype(int))] += 1
        np.testing.assert_allclose(np.abs(line[1] - line[0]), 1)  # from corner to corner
    found, wanted = tiles(picture.get_array(), shape, len(wanted), columns), wanted.reshape(-1, *shape)
    removed = np.isnan(wanted).any(3)
    if shape[2] == 1:
        np.testing.assert_array_equal(np.ma.getmaskarray(found)[..., 0], removed)
        assert tuple(picture.get_cmap().get_bad())[:3] == RED
        assert not strokes
        assert picture.get_clim() == (0, 1)
        np.testing.assert_array_equal(found.compressed(), wanted[~removed].ravel())
    else:
        assert np.all(found[removed] == 1)
        np.testing.assert_array_equal(tiles(whole, shape, len(wanted), columns)[..., 0], removed)
        np.testing.assert_array_equal(found[~removed], wanted[~removed])


@pytest.mark.parametrize("shape", [SHAPE, COLOURED])
def test_the_same_images_stand_under_each_heading(shape):
    truth = some(6, shape=shape)
    damaged = truth.copy()
    damaged[2, 0] = damaged[5, -1] = np.nan
    figure = side_by_side({"original": truth, "damaged": damaged}, shape, "two")
    assert [axes.get_title() for axes in figure.axes] == ["original", "damaged"]
    assert figure.get_suptitle() == "two"
    for axes, wanted in zip(figure.axes, (truth, damaged)):
        check_removed(axes.images[0], wanted, shape, 4)


@pytest.mark.parametrize("shape", [SHAPE, COLOURED])
def test_a_row_for_each_name(shape):
    images = some(2, 4, shape=shape)
    images[1, 2, -1] = np.nan
    rows = {"one": images[0], "two": images[1]}
    (axes,) = rows_of_images(rows, shape, "rows", list("abcd"), ("letter", "number"), "a note").axes
    assert ticks(axes.yaxis) == {2.0: "one", 6.0: "two"}
    assert ticks(axes.xaxis) == {1.5: "a", 4.5: "b", 7.5: "c", 10.5: "d"}
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("rows", "letter\na note", "number")
    check_removed(axes.images[0], images.reshape(8, -1), shape, 4)
    (axes,) = rows_of_images({"one": images[0], "two": images[1, :2]}, shape, "rows").axes
    assert labels_of(axes.xaxis) == []
    assert np.all(tiles(axes.images[0].get_array(), shape, 8, 4)[6:] == 0.5)


def test_long_images_are_stretched_until_they_are_seen():
    assert cell((28, 28, 1)) == (0.7, 0.7)
    assert cell((14, 28, 1)) == (0.7, 0.35)
    assert cell((2, 28, 1)) == (0.7, 0.2)
    assert stretched((2, 28, 1))
    assert not stretched((14, 28, 1))


def test_a_notebook_shows_a_figure_by_itself(recwarn):
    figure = OwnFigure(figsize=(2, 2))
    figure.suptitle("\N{PILE OF POO}")
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert not recwarn
