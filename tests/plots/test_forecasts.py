"""What is drawn is what was predicted, the run in the middle of the errors strongly."""

import numpy as np

from genjax.plots.forecasts import forecasts


def test_the_median_run_is_named_with_its_error():
    before, after = np.arange(5.0), np.array([5.0, 6.0, 7.0])
    runs = np.stack([after + 3, after + 1, after + 2])
    figure = forecasts(before, after, {"one": runs, "two": runs[:1]}, "intensity")
    first, second = figure.axes
    assert (first.get_title(), second.get_title()) == ("one: mean MSE 5", "two: mean MSE 9")
    strong = {line.get_label(): line for line in first.lines if not line.get_label().startswith("_")}
    label = next(name for name in strong if name.startswith("predicted"))
    assert "MSE 4)" in label
    np.testing.assert_array_equal(strong[label].get_ydata(), after + 2)
    np.testing.assert_array_equal(strong[label].get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(strong["end of the series"].get_xdata(), [-4, -3, -2, -1, 0])
    assert len(first.lines) == 5
