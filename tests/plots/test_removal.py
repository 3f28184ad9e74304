"""Errors against how much was removed."""

from genjax.plots.removal import error_curves


def test_a_line_for_each_place_in_the_order_of_its_shares():
    points = {"top": [(0.5, 0.2, 0.01, 0.3), (0.25, 0.1, 0.01, 0.3)], "middle": [(0.5, 0.3, 0.02, 0.4)]}
    axes = error_curves(points, "squared error per value", "a run").axes[0]
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [*dashed[0].get_xdata()] == [25, 50]
    assert [*dashed[0].get_ydata()] == [0.3, 0.3]
    lines = [bars.lines[0] for bars in axes.containers]
    assert [[*line.get_ydata()] for line in lines] == [[0.1, 0.2], [0.3]]
    assert {text.get_text() for text in axes.get_legend().get_texts()} == {"the training mean", "top", "middle"}
