"""Learning curves: what was measured, a line for each quantity, and no line from one quantity to another."""

import numpy as np

from genjax.plots.curves import BOLTZMANN, Panel, learning_curves
from tests.plots.drawn import legend

PANELS = (
    Panel("likelihood (nats)", {"likelihood": "training", "held_out": "validation"}),
    Panel("rate", {"rate": "rate"}),
    Panel("never measured", {"nothing": "nothing"}),
)


def entry(epoch, stage=None, **metrics):
    return {"step": 10 * epoch, "epoch": epoch} | ({} if stage is None else {"stage": stage}) | metrics


def points(axes):
    """Lines by their labels, without the dividing ones."""
    return {line.get_label(): line.get_xydata().tolist() for line in axes.lines if line.get_label()[0] != "_"}


def test_one_stage_has_a_line_for_each_metric():
    entries = [
        entry(1, likelihood=-5.0, held_out=-6.0, rate=0.1),
        entry(2, likelihood=-4.0, rate=0.0),
        entry(3, rate=0),
    ]
    figure = learning_curves(entries, PANELS, "a run: learning curves", "not evaluated")
    first, second, last = figure.axes
    assert [axes.get_title() for axes in (first, second)] == ["likelihood (nats)", "rate"]
    assert points(first) == {"training": [[1, -5], [2, -4]], "validation": [[1, -6]]}
    assert points(second) == {"rate": [[1, 0.1], [2, 0], [3, 0]]}
    assert legend(first) == ["training", "validation"]
    assert second.get_legend() is None
    assert first.lines[1].get_marker() == "."  # a lone point
    assert all(axes.get_xlabel() == "epoch" for axes in (first, second))
    assert not last.axison
    assert (figure.get_suptitle(), figure.get_supxlabel()) == ("a run: learning curves", "not evaluated")


def test_stages_are_not_joined():
    entries = [entry(n, "layer-1", likelihood=-n, held_out=-2 * n, rate=0.1) for n in (1, 2, 3)]
    entries += [entry(n, "layer-2", likelihood=-10 * n) for n in (4, 5, 6)]
    entries += [entry(n, likelihood=-100 * n, rate=0.5) for n in (7, 8, 9)]
    likelihood, rate, _ = learning_curves(entries, PANELS, "", "").axes
    assert points(likelihood) == {
        "layer 1, training": [[1, -1], [2, -2], [3, -3]],
        "layer 1, validation": [[1, -2], [2, -4], [3, -6]],
        "layer 2, training": [[4, -40], [5, -50], [6, -60]],
        "all layers, training": [[7, -700], [8, -800], [9, -900]],
    }
    assert points(rate) == {"layer 1": [[n, 0.1] for n in (1, 2, 3)], "all layers": [[n, 0.5] for n in (7, 8, 9)]}
    assert legend(likelihood) == list(points(likelihood))
    assert legend(rate) == ["layer 1", "all layers"]
    for axes in (likelihood, rate):
        dividing = [line.get_xdata()[0] for line in axes.lines if line.get_label()[0] == "_"]
        assert dividing == [3, 6]
        assert all(np.ptp(line.get_xdata()) == 0 for line in axes.lines if line.get_label()[0] == "_")
    styles = {line.get_label(): (line.get_color(), line.get_linestyle()) for line in likelihood.lines}
    assert styles["layer 1, training"] == ("C0", "-")
    assert styles["layer 1, validation"] == ("C0", "--")
    assert styles["all layers, training"] == ("C2", "-")


def test_without_metrics_nothing_is_drawn():
    figure = learning_curves([], BOLTZMANN, "empty", "")
    assert not any(axes.lines for axes in figure.axes)
