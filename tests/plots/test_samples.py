"""Samples where they belong: by chain and time, by label, by step; and how far a ladder's replicas get."""

import numpy as np
import pytest

from genjax.plots.samples import by_label, chains, expected_round_trips, film, ladder, sheet
from tests.plots.drawn import labels_of, ticks, tiles

SHAPE = (3, 2, 1)


def some(*count):
    return np.random.default_rng(0).random((*count, 6)).astype(np.float32)


def drawn(axes, count, columns):
    return tiles(axes.images[0].get_array(), SHAPE, count, columns).reshape(-1, columns, 6)


def test_a_chain_is_a_row():
    samples = some(4, 3)
    (axes,) = chains(samples, [1, 10, 1000], SHAPE, "a run").axes
    np.testing.assert_array_equal(drawn(axes, 12, 3), samples)
    assert axes.images[0].get_clim() == (0, 1)
    assert ticks(axes.xaxis) == {1.5: "1", 4.5: "10", 7.5: "1000"}
    assert ticks(axes.yaxis) == {2.0: "1", 6.0: "2", 10.0: "3", 14.0: "4"}
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("sweeps", "chain", "a run")
    assert len(labels_of(chains(some(30, 1), [1], SHAPE, "").axes[0].yaxis)) == 20


def test_a_label_is_a_row_in_the_order_of_the_labels():
    samples = some(7)
    labels = np.array([2, 0, 2, 0, 2, 0, 0])
    (axes,) = by_label(samples, labels, ["cat", "cow", "dog"], SHAPE, "a run").axes
    assert labels_of(axes.yaxis) == ["cat", "dog"]
    assert axes.get_ylabel() == "label"
    cat, dog = drawn(axes, 8, 4)
    np.testing.assert_array_equal(cat, samples[[1, 3, 5, 6]])
    np.testing.assert_array_equal(dog[:3], samples[[0, 2, 4]])
    assert np.all(dog[3] == 0.5)


def test_a_film_has_a_row_for_each_step():
    frames = some(3, 4)
    (axes,) = film(frames, [1, 2, 300], SHAPE, "a run").axes
    assert labels_of(axes.yaxis) == ["1", "2", "300"]
    assert axes.get_ylabel() == "training steps"
    np.testing.assert_array_equal(drawn(axes, 12, 4), frames)


def test_a_sheet_shows_no_more_than_can_be_seen():
    (axes,) = sheet(some(500), SHAPE, "samples", "as drawn").axes
    np.testing.assert_array_equal(drawn(axes, 400, 20).reshape(400, 6), some(500)[:400])
    assert (axes.get_title(), axes.get_xlabel()) == ("samples", "as drawn")


def test_a_ladder_shows_its_swap_rates_and_round_trips():
    rates = np.array([0.5, np.nan, 0.8])
    figure = ladder(rates, 0.1, "a run", np.array([0.0, 0.2, 0.7, 1.0]))
    left, right = figure.axes
    values, edges, _ = left.patches[-1].get_data()
    np.testing.assert_array_equal(values, rates)
    np.testing.assert_array_equal(edges, [0, 0.2, 0.7, 1])
    assert (left.get_xlabel(), left.get_ylim()) == ("inverse temperature", (0, 1))
    assert [bar.get_height() for bar in right.patches] == pytest.approx([0.1, 1 / (2 + 2 * (1 + 0.25))])
    assert labels_of(right.xaxis) == ["measured", "expected where\nsweeps forget"]
    assert figure.get_supxlabel() == "4 machines; communication barrier 0.70, for which about 2 are best"
    assert figure.get_suptitle() == "a run"
    left, _ = ladder(rates, 0.1, "").axes
    np.testing.assert_array_equal(left.patches[-1].get_data()[1], [0, 1, 2, 3])
    assert left.get_xlabel() == "number of the machine"


def test_replicas_that_always_swap_make_a_trip_every_other_round():
    assert expected_round_trips(np.ones(3)) == 0.5
    assert expected_round_trips(np.array([1.0, 0.0])) == 0
