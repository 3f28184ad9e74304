"""Runs of several seeds as bands and ratios."""

import numpy as np
import pytest

from genjax.plots.bands import band_panels, common, ratio_panels
from genjax.plots.surfaces import surfaces


def test_curves_meet_where_all_of_them_are_and_power_laws_stay_lines():
    x = np.array([1.0, 10.0, 100.0])
    where, values = common([(x, x**-2), (x * 5, 3 * x * 5)], 11)
    assert (where[0], where[-1]) == pytest.approx((5, 100))
    np.testing.assert_allclose(values, [where**-2, 3 * where], rtol=1e-6)


def test_a_band_goes_from_the_least_to_the_greatest_around_the_geometric_mean():
    x = np.array([1.0, 10.0])
    figure = band_panels({"one": {"a": [(x, x), (x, 4 * x)]}, "two": {"b": [(x, x)]}}, 2, "epochs", "error")
    first, second = figure.axes
    np.testing.assert_allclose(first.lines[0].get_ydata(), 2 * np.asarray(first.lines[0].get_xdata()), rtol=1e-6)
    assert first.lines[0].get_color() != second.lines[0].get_color()
    assert (first.get_xscale(), first.get_yscale()) == ("log", "log")


def test_ratios_and_maps_are_where_their_names_are():
    of_seeds = np.array([0.5, 2.0])
    figure = ratio_panels(
        {"noise": {"no L1": (1.0, 0.4, 2.5, of_seeds), "nothing": (3.0, 2.0, 4.0, of_seeds)}}, "ratio"
    )
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["no L1", "nothing"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first is at the top
    figure = surfaces({"truth": np.eye(3), "a": 2 * np.eye(3), "b": -5 * np.eye(3)}, 3, errors=("a", "b"))
    limits = [axes.images[0].get_clim() for axes in figure.axes if axes.images]
    assert limits == [(0, 1), (-5, 5), (-5, 5)]
