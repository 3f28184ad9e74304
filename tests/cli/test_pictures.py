"""What the commands draw: read off the axes of the figures that they save."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

from experiments import course_figure
from genjax.algorithms.contrastive import ContrastiveState
from genjax.algorithms.gan import GANState
from genjax.algorithms.gan_game import Game, GANConfig, Network
from genjax.boltzmann.rbm import with_classes
from genjax.cli import filters, latent, pictures, sample
from genjax.cli.adversarial import gan_space
from genjax.cli.boltzmann import RBMRun
from genjax.cli.evaluate import called
from genjax.cli.families import FAMILIES
from genjax.cli.run import Prepared, Run
from genjax.evaluation.latent import LatentSpace
from genjax.plots.images import own_scale
from tests.machines import random_machine
from tests.plots.drawn import labels_of, legend, tiles


@pytest.fixture(name="figures")
def figures_fixture(monkeypatch):
    """Figures by the names of their files, in place of the files."""
    kept = {}
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: kept.update({Path(path).stem: figure}))
    return kept


def run_of(machine, folder, class_names=(), **config):
    """A run that has just ended with this machine, of images of 2 x 3 pixels."""
    state = ContrastiveState(machine, None, (), None, None, jnp.zeros((), jnp.int32), {})
    dataset = SimpleNamespace(class_names=class_names, test=np.zeros((1, 6)))
    prepared = tuple.__new__(Prepared, (dataset, None, None, {}, None))
    return Run(folder, "rbm", FAMILIES["rbm"], RBMRun(**config), state, 0, prepared, known_shape=(2, 3, 1))


NAMES = tuple(f"${letter}$_%{{}}" for letter in "cba")


@pytest.mark.parametrize("names", [(), NAMES, NAMES[:2]])
def test_labels_are_shown_in_their_order_and_by_their_names(names, figures, tmp_path):
    machine = with_classes(jax.random.key(0), random_machine((6, 4), 1.0), 3, scale=2.0)
    run = run_of(machine, tmp_path, names)
    filters.draw(run, 2, 0)
    assert set(figures) == {"filters-1", "filters-2", "maxima-2"}
    assert "strongest of 4 hidden units" in figures["filters-1"].axes[0].get_xlabel()
    shown = [axes for axes in figures["filters-2"].axes if axes.images]
    expected = {3: list(NAMES), 2: [*NAMES[:2], "unused-2"], 0: ["0", "1", "2"]}[len(names)]
    weights = own_scale(np.asarray(machine.weights[0] @ machine.weights[1]))
    assert [axes.get_title().replace("\\$", "$") for axes in shown] == expected
    for axes, own in zip(shown, weights):
        np.testing.assert_allclose(axes.images[0].get_array(), own.reshape(2, 3), atol=1e-5)
    assert figures["filters-2"].get_suptitle() == f"{tmp_path.name}: label weights, through the layers below"
    maxima = [axes for axes in figures["maxima-2"].axes if axes.images]
    assert [axes.get_title().replace("\\$", "$") for axes in maxima] == expected
    key = jax.random.key(0)
    assert run.family.maxima is not None
    images = run.family.maxima(key, run.state, 2, np.arange(3), filters.brightness(run, key))
    np.testing.assert_array_equal([axes.images[0].get_array().ravel() for axes in maxima], images)
    drawn = (figures[name].get_suptitle() + figures[name].get_supxlabel() for name in ("filters-2", "maxima-2"))
    assert "units" not in "".join(drawn)


def test_samples_are_named_by_their_class(figures, tmp_path):
    machine = with_classes(jax.random.key(0), random_machine((6, 4), 1.0), 3, scale=2.0)
    run = run_of(machine, tmp_path, NAMES)
    sample.draw_classes(run, 2, 3, 0, tmp_path / "classes.png")
    plain = [name.replace("$", "\\$") for name in NAMES]
    assert labels_of(figures["classes"].axes[0].yaxis) == plain
    sample.draw(run, [1, 2], 3, 0, tmp_path / "one.png", label=2)
    assert figures["one"].axes[0].get_title().endswith(f"of label {plain[2]}")


def test_no_two_kinds_of_samples_share_random_numbers(tmp_path):
    """Fresh and persistent chains of one seed would end in the same states, as coupled chains do."""
    machine = random_machine((6, 4), 0.5)
    run = run_of(machine, tmp_path, NAMES, negative="pcd")
    keys = [sample.key_of(run, 5, *how) for how in (("fresh",), ("persistent",), ("fresh", 0), ("fresh", 1))]
    assert len({tuple(np.asarray(jax.random.key_data(key))) for key in keys}) == 4
    np.testing.assert_array_equal(jax.random.key_data(keys[0]), jax.random.key_data(jax.random.key(5)))
    start = tuple(jnp.ones((200, size)) for size in (6, 4))
    persistent = dataclasses.replace(run, family=run.family._replace(persistent=lambda *_: start))
    ends = [
        sample.draw(persistent, [50], 200, 0, tmp_path / "samples.png", start=start)[1]["samples"]
        for start in ("fresh", "persistent")
    ]
    alike = np.all(ends[0] == ends[1], axis=1).mean()
    chance = np.mean([np.all(ends[0] == np.roll(ends[0], n, 0), axis=1).mean() for n in range(1, 100)])
    assert alike < chance + 0.15


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("exact", "log-likelihood"),
        ("estimate", "log-likelihood"),
        ("lower_bound", "log-likelihood at least"),
        ("upper_bound", "log-likelihood at most"),
    ],
)
def test_a_bound_is_called_one(kind, text, tmp_path):
    answer = {"mean": -23.81, "low": -24.0, "high": -23.5, "trusted": True, "estimator": "AIS", "kind": kind}
    (tmp_path / "evaluation.json").write_text(json.dumps({"step": 0, "log_likelihood": {"test": answer}}))
    run = run_of(random_machine((6, 4)), tmp_path)
    assert called(answer) == text
    line = f"test {text} -23.81 nats [-24.00, -23.50], AIS, binarisation sampled"
    assert pictures.summary(run) == line


def test_curves_of_a_run_in_stages_are_apart(figures, tmp_path, monkeypatch):
    entries = [{"stage": "layer-1", "epoch": n, "step": n, "reconstruction_error": 0.1 * n} for n in (1, 2)]
    entries += [{"epoch": n, "step": n, "reconstruction_error": 0.1 * n} for n in (3, 4)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    for what in ("filters", "sample", "reconstruct", "persistent", "classes"):
        monkeypatch.setitem(FAMILIES, "rbm", FAMILIES["rbm"]._replace(**{what: None}))
    assert pictures.draw(run_of(random_machine((6, 4)), tmp_path)) == [tmp_path / "figures" / "curves.png"]
    axes = figures["curves"].axes[0]
    assert legend(axes) == ["layer 1, training", "all layers, training"]


def linear_space(latents, pixels):
    """Latents of which the second matters most and then the first, and images that are linear in them."""
    kernel = np.zeros((latents, pixels), np.float32)
    kernel[1, 0], kernel[0, 1] = 0.16, 0.1
    return LatentSpace(
        encode=None,
        decode=lambda z, given: 0.5 + jnp.asarray(z) @ kernel,
        reconstruct=None,
        condition=lambda label: jnp.zeros((len(label), 1)),
        centre=np.zeros(latents),
        spread=np.ones(latents),
        activity=np.ones(latents),
        directions=np.eye(latents)[[1, 0, *range(2, latents)]],
    )


def test_a_generator_is_pictured_along_its_strongest_directions(figures, tmp_path):
    run = run_of(random_machine((6, 4)), tmp_path)
    written = latent.draw_walks(run, linear_space(64, 6), np.zeros((1, 1)), 0)
    assert [path.stem for path in written] == [
        f"latent-{name}" for name in ("interpolation", "traversals", "plane", "neighbourhoods")
    ]
    (axes,) = figures["latent-plane"].axes
    assert labels_of(axes.xaxis) == [f"{value:g}" for value in np.linspace(-3, 3, 13)]
    assert labels_of(axes.yaxis) == labels_of(axes.xaxis)[::-1]  # y of a picture grows downwards
    across, up = (np.array([float(label) for label in labels_of(axis)]) for axis in (axes.xaxis, axes.yaxis))
    found = tiles(axes.images[0].get_array(), (2, 3, 1), 169, 13).reshape(13, 13, 6)
    np.testing.assert_allclose(found[..., 0], np.tile(0.5 + 0.16 * across, (13, 1)), atol=1e-5)
    np.testing.assert_allclose(found[..., 1].T, np.tile(0.5 + 0.1 * up, (13, 1)), atol=1e-5)
    assert "quantile" not in axes.get_title()
    (axes,) = figures["latent-traversals"].axes
    assert labels_of(axes.yaxis) == [str(number) for number in range(1, 11)]
    assert labels_of(axes.xaxis) == ["-3", "-1.5", "0", "1.5", "3"]
    assert [path.stem for path in latent.draw_walks(run, linear_space(2, 6), np.zeros((1, 1)), 0)][2] == "latent-plane"


def test_the_directions_are_those_of_the_latents_alone():
    """The labels' rows of the first layer, however large, have no part in them."""
    kernel = np.vstack([np.diag([1.0, 3.0, 2.0]), np.full((2, 3), 50.0)])
    network = Network({"Dense_0": {"kernel": kernel}}, {})
    state = GANState._make([None] * len(GANState._fields))
    state = state._replace(average=network, game=Game(GANConfig(latent=3), (2, 3, 1), 2))
    found = gan_space(state).directions
    np.testing.assert_allclose(found, np.eye(3)[[1, 2, 0]], atol=1e-12)


def test_the_course_figure_counts_the_units_that_it_shows(tmp_path):
    def run(name):
        family = FAMILIES["dbm"]._replace(
            maxima=lambda key, state, layer, units, norm: np.zeros((len(units), 6)),
            sample=lambda *_: (np.zeros((3, 1, 6)), None),
        )
        return dataclasses.replace(run_of(random_machine((6, 4)), tmp_path / name), family=family)

    sizes = {"rbm": {"layer 1": 32}, "dbm": {"layer 1": 36, "layer 2": 50}}
    found = {
        name: {layer: np.ones((6, units)) for layer, units in layers.items()} | {"seen": np.zeros((3, 6))}
        for name, layers in sizes.items()
    }
    figure = course_figure.draw(run("rbm"), run("dbm"), found, 10)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0].endswith("weights of 32 of 32 units")
    assert titles[1].endswith("36 of 36 units")
    assert titles[2].endswith("36 of 50 units")
