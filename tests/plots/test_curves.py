"""Learning curves: what was measured, a line for each quantity, and no line from one quantity to another."""

import numpy as np
import pytest

from genjax.plots import panels
from genjax.plots.curves import learning_curves
from genjax.plots.panels import Panel
from tests.plots.drawn import legend

PANELS = (
    Panel("likelihood", "nats", {"likelihood": "training", "held_out": "validation"}),
    Panel("rate", "per step", {"rate": "rate"}),
    Panel("never measured", "", {"nothing": "nothing", "empty": "empty"}),
)
NAN = np.nan


def history(**arrays):
    arrays = {name: np.asarray(values) for name, values in arrays.items()}
    (count,) = {len(values) for values in arrays.values()}
    return {"step": 10 * np.arange(1, count + 1), "epoch": np.arange(1.0, count + 1)} | arrays


def points(axes):
    """Lines by their labels, without the dividing ones."""
    return {line.get_label(): line.get_xydata().tolist() for line in axes.lines if line.get_label()[0] != "_"}


def test_one_stage_has_a_line_for_each_metric():
    given = history(likelihood=[-5, -4, NAN], held_out=[-6, NAN, NAN], rate=[0.1, 0.0, 0.0], empty=[NAN] * 3)
    figure = learning_curves(given, PANELS, "a run: learning curves", "not evaluated")
    first, second, last = figure.axes
    assert [axes.get_title() for axes in (first, second)] == ["likelihood", "rate"]
    assert [axes.get_ylabel() for axes in (first, second)] == ["nats", "per step"]
    assert points(first) == {"training": [[1, -5], [2, -4]], "validation": [[1, -6]]}
    assert points(second) == {"rate": [[1, 0.1], [2, 0], [3, 0]]}
    assert legend(first) == ["training", "validation"]
    assert second.get_legend() is None
    assert first.lines[1].get_marker() == "."  # a lone point
    assert all(axes.get_xlabel() == "epoch" for axes in (first, second))
    assert not last.axison
    assert (figure.get_suptitle(), figure.get_supxlabel()) == ("a run: learning curves", "not evaluated")


def test_what_is_measured_now_and_then_is_joined():
    (axes, *_) = learning_curves(history(rate=[1.0, NAN, 3.0, NAN, np.inf, 6.0]), PANELS, "").axes
    assert points(axes) == {"rate": [[1, 1], [3, 3], [6, 6]]}


@pytest.mark.parametrize("last", ["train", ""])
def test_stages_are_not_joined(last):
    stage = np.array(["layer-1"] * 3 + ["layer-2"] * 3 + [last] * 3)
    given = history(
        stage=stage,
        likelihood=[-1, -2, -3, -40, -50, -60, -700, -800, -900],
        held_out=[-2, -4, -6, *[NAN] * 6],
        rate=[0.1] * 3 + [NAN] * 3 + [0.5] * 3,
    )
    likelihood, rate, _ = learning_curves(given, PANELS, "").axes
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


def test_without_panels_every_metric_has_its_own():
    given = history(my_loss=[3, 2], held_out_my_loss=[4, 3], held_out_alone=[1, 2], seconds=[1, 2])
    del given["epoch"]
    first, second, _ = learning_curves(given, (), "").axes
    assert (first.get_title(), second.get_title()) == ("my loss", "held out alone")
    assert points(first) == {"training": [[10, 3], [20, 2]], "validation": [[10, 4], [20, 3]]}
    assert points(second) == {"training": [[10, 1], [20, 2]]}
    assert first.get_xlabel() == "step"


def test_without_metrics_nothing_is_drawn():
    figure = learning_curves(history(rate=[]), panels.BOLTZMANN, "empty")
    assert not any(axes.lines for axes in figure.axes)


@pytest.mark.parametrize("family", ["BOLTZMANN", "VAE", "AUTOENCODER", "GAN", "RECOMMENDER"])
def test_panels_name_their_unit_and_no_metric_twice(family):
    group = getattr(panels, family)
    names = [name for panel in group for name in panel.metrics]
    assert len(set(names)) == len(names)
    assert all(panel.unit and panel.label for panel in group)


def test_what_never_moves_is_no_trend():
    """The axis of an activity is a tenth wide at least, one that moves more is left as it is."""
    panel = Panel("activity", "probability", {"activity": "training"}, least=0.1)
    (still, *_), (moving, *_) = (
        learning_curves(history(activity=values), [panel], "run").axes for values in ([0.5, 0.5001], [0.1, 0.9])
    )
    np.testing.assert_allclose(still.get_ylim(), (0.45, 0.55), atol=1e-4)
    assert moving.get_ylim()[1] - moving.get_ylim()[0] > 0.8


def test_a_setting_that_stays_has_no_panel():
    panel = Panel("weight of the divergence", "factor", {"beta": "beta"}, setting=True)
    titles = [
        [axes.get_title() for axes in learning_curves(history(beta=values), [panel], "run").axes]
        for values in ([1.0, 1.0, NAN], [0.0, 1.0, NAN])
    ]
    assert titles == [["", "", ""], ["weight of the divergence", "", ""]]


def test_switches_have_a_strip_each():
    """Three alarms at 1 would cover each other as lines; filled where they are raised, in a row of their own."""
    panel = Panel("alarms", "", {"one": "first", "two": "the second", "three": "third"}, switches=True)
    axes = learning_curves(history(one=[1, 1], two=[1, 1], three=[0, 0]), [panel], "run").axes[0]
    filled = [collection.get_paths()[0].get_extents() for collection in axes.collections]
    assert [(box.y0, box.y1) for box in filled[:2]] == [(-0.4, 0.4), (0.6, 1.4)]
    assert filled[2].height == 0
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "the\nsecond", "third"]
