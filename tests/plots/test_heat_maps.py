"""Examples that are no images: wide enough to be read, and no name upon another."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from genjax.plots import coverage, grids, images, latent, samples, weights
from genjax.plots.heat_maps import RED, heat_map, limits, no_images
from tests.plots.drawn import labels_of, ticks

SHAPE = (1, 30, 1)
SOME = np.random.default_rng(0).random((10, 8, 30)).astype(np.float32)
NAMES = [f"name {number}" for number in range(10)]


def test_only_rows_of_values_are_no_images():
    assert no_images((1, 30, 1))
    assert no_images((30, 1, 1))
    assert not no_images((8, 8, 1))
    assert not no_images((1, 30, 3))


def test_rows_stand_below_each_other_between_lines():
    blocks = {"first": SOME[0, :3], "second": SOME[1, :2]}
    blocks["second"][1, 4] = np.nan
    figure = heat_map(blocks, "a run", "setting", "a caption")
    axes, bar = figure.axes
    (picture,) = axes.images
    array = picture.get_array()
    np.testing.assert_array_equal(array.filled(np.nan), np.concatenate([*blocks.values()]))
    assert tuple(picture.get_cmap().get_bad()) == (*RED, 1)
    assert ticks(axes.yaxis) == {1.0: "first", 3.5: "second"}
    assert [line.get_ydata()[0] for line in axes.lines] == [2.5]
    assert picture.get_clim() == (0, 1)
    assert (axes.get_title(), axes.get_ylabel(), axes.get_xlabel()) == ("a run", "setting", "number of the value")
    assert (figure.get_supxlabel(), bar.get_ylabel()) == ("a caption", "value")


def test_the_scale_is_that_of_the_values():
    assert limits({"": np.array([[0.2, np.nan]])}) == (0, 1)
    assert limits({"": np.array([[-2.0, 0.5]]), "b": np.array([[3.0]])}) == (-2, 3)
    assert limits({"": np.array([[np.nan]])}) == (0, 1)
    assert heat_map({"": np.array([[-1.0, 1.0]])}, "", signed=True).axes[0].images[0].get_clim() == (-1, 1)


SAMPLED = coverage.Sampled(
    "a run", "samples", SOME[:, 0], np.repeat(np.arange(5), 2), {"samples": np.full(5, 0.2)}, tuple(NAMES[:5])
)
FIGURES = {
    "chains": lambda: samples.chains(SOME, [1, 3, 10, 30, 100, 300, 1000, 3000], SHAPE, "a run"),
    "many chains": lambda: samples.chains(np.tile(SOME, (2, 1, 1)), list(range(8)), SHAPE, "a run"),
    "sheet": lambda: samples.sheet(SOME.reshape(80, 30), SHAPE, "a run"),
    "labels": lambda: samples.by_label(SOME[:, 0], np.arange(10), NAMES, SHAPE, "a run"),
    "film": lambda: samples.film(SOME, list(range(10)), SHAPE, "a run"),
    "filters": lambda: weights.filters(SOME.reshape(80, 30).T, SHAPE, "a run"),
    "label weights": lambda: weights.label_weights(SOME[:, 0].T, NAMES, SHAPE, "a run"),
    "maxima": lambda: weights.maxima(SOME[:, 0], SHAPE, "a run", "no brighter", NAMES),
    "reconstructions": lambda: latent.reconstructions(SOME[0], SOME[1], SHAPE, "a run", SOME[2]),
    "settings": lambda: grids.reconstructions(SOME[0], SOME[1], dict(zip(NAMES, SOME)), SHAPE, "a run"),
    "plane": lambda: latent.plane(SOME, (np.arange(8), np.arange(10)), ("latent 0", "latent 1"), SHAPE, "a run"),
    "traversals": lambda: latent.traversals(SOME, NAMES, np.arange(8), "deviations", SHAPE, "a run"),
    "interpolations": lambda: latent.interpolations(SOME[:4, :2], {"linear": SOME[:4]}, SHAPE, "a run"),
    "neighbourhoods": lambda: latent.neighbourhoods(SOME, np.arange(10), SHAPE, "a run"),
    "coverage": lambda: coverage.coverage(SAMPLED, (SOME[:, 1], SOME[:, 2]), SHAPE, "notes"),
    "long images": lambda: images.rows_of_images(dict(zip(NAMES, SOME)), (2, 15, 1), "a run"),
    "narrow images": lambda: images.side_by_side(dict(zip(NAMES[:3], SOME)), (15, 2, 1), "a run"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_pixels_are_seen_and_no_name_is_printed_upon_another(name):
    figure = FIGURES[name]()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for axes in (axes for axes in figure.axes if axes.images):
        array = axes.images[0].get_array()
        box = axes.get_window_extent()
        assert min(box.height / array.shape[0], box.width / array.shape[1]) > 0.02 * figure.dpi
        for axis, direction in ((axes.yaxis, "y"), (axes.xaxis, "x")):
            boxes = [label.get_window_extent() for label in axis.get_ticklabels() if label.get_text()]
            spans = sorted((getattr(box, f"{direction}0"), getattr(box, f"{direction}1")) for box in boxes)
            assert all(below[1] <= above[0] + 1 for below, above in pairwise(spans))


def test_names_that_have_no_room_are_left_out():
    axes, _ = heat_map({str(n): row[None] for n, row in enumerate(np.tile(SOME[0], (30, 1)))}, "").axes
    assert labels_of(axes.yaxis)[:3] == ["0", "3", "6"]
