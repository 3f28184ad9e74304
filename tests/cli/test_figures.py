"""Figures of runs, as `run.plot` gives them and the commands save them: read off their axes."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import genjax as library
from genjax.algorithms.gan import GANState
from genjax.algorithms.gan_game import Game, GANConfig, Network
from genjax.api.plot import Plots
from genjax.boltzmann.rbm import with_classes
from genjax.data.record import of_images
from genjax.evaluation.latent import LatentSpace
from genjax.evaluation.sentences import called
from genjax.models import gan
from genjax.plots.weights import own_scale
from genjax.training.settings import RunConfig
from tests.machines import random_machine
from tests.plots.drawn import labels_of, legend, tiles


def run_of(machine, folder, class_names=(), **options):
    """A run with this machine, of images of 2 x 3 pixels."""
    dataset = library.Dataset.from_arrays(np.eye(6, dtype=np.uint8).reshape(6, 2, 3)[[0, 1, 2, 3, 4, 5] * 3])
    record = replace(of_images(dataset), class_names=class_names)
    settings = RunConfig(dataset=None, binarisation="sampled")
    return library.Run(library.rbm(**options), settings, record, folder=folder, kept_parameters=machine)


NAMES = tuple(f"${letter}$_%{{}}" for letter in "cba")


@pytest.mark.parametrize("names", [(), NAMES, NAMES[:2]])
@pytest.mark.slow
def test_labels_are_shown_in_their_order_and_by_their_names(names, tmp_path):
    machine = with_classes(jax.random.key(0), random_machine((6, 4), 1.0), 3, scale=2.0)
    run = run_of(machine, tmp_path, names)
    figures = run.plot.filters(2)
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
    images = run.model.maxima(jax.random.key(0), machine, 2, np.arange(3), run.plot.brightness())
    np.testing.assert_array_equal([axes.images[0].get_array().ravel() for axes in maxima], images)
    drawn = (figures[name].get_suptitle() + figures[name].get_supxlabel() for name in ("filters-2", "maxima-2"))
    assert "units" not in "".join(drawn)


@pytest.mark.slow
def test_samples_are_named_by_their_class(tmp_path):
    machine = with_classes(jax.random.key(0), random_machine((6, 4), 1.0), 3, scale=2.0)
    run = run_of(machine, tmp_path, NAMES)
    plain = [name.replace("$", "\\$") for name in NAMES]
    assert labels_of(run.plot.classes(3, sweeps=2).axes[0].yaxis) == plain
    assert run.plot.samples(3, label=2, sweeps=2).axes[0].get_title().endswith(f"of label {plain[2]}")


def test_no_two_kinds_of_samples_share_random_numbers(tmp_path, monkeypatch):
    """Fresh and persistent chains of one seed would end in the same states, as coupled chains do."""
    run = run_of(random_machine((6, 4), 0.5), tmp_path, NAMES, negative="pcd")
    keys = [run.key(5, *how) for how in (("fresh",), ("persistent",), ("fresh", 0), ("fresh", 1))]
    assert len({tuple(np.asarray(jax.random.key_data(key))) for key in keys}) == 4
    np.testing.assert_array_equal(jax.random.key_data(keys[0]), jax.random.key_data(jax.random.key(5)))
    start = tuple(jnp.ones((200, size)) for size in (6, 4))
    monkeypatch.setattr(library.Run, "persistent_chains", lambda run: start)
    ends = [run.draw(200, (50,), start=start)["samples"] for start in ("fresh", "persistent")]
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
    numbers = {"step": 0, "log_likelihood": {"test": answer}, "binarisation": "sampled"}
    (tmp_path / "evaluation.json").write_text(json.dumps(numbers))
    run = run_of(random_machine((6, 4)), tmp_path)
    assert called(answer) == text
    line = f"test {text} -23.81 nats [-24.00, -23.50], AIS, binarisation sampled"
    assert run.summary == line


def test_curves_of_a_run_in_stages_are_apart(tmp_path):
    run = run_of(random_machine((6, 4)), tmp_path)
    run.entries = [{"stage": "layer-1", "epoch": n, "step": n, "reconstruction_error": 0.1 * n} for n in (1, 2)]
    run.entries += [{"epoch": n, "step": n, "reconstruction_error": 0.1 * n} for n in (3, 4)]
    assert legend(run.plot.curves().axes[0]) == ["layer 1, training", "all layers, training"]


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


def test_a_generator_is_pictured_along_its_strongest_directions(tmp_path, monkeypatch):
    run = run_of(random_machine((6, 4)), tmp_path)
    monkeypatch.setattr(Plots, "space", lambda _: (linear_space(64, 6), None))
    figures = run.plot.latent()
    assert list(figures) == ["interpolation", "traversals", "plane", "neighbourhoods"]
    (axes,) = figures["plane"].axes
    assert labels_of(axes.xaxis) == [f"{value:g}" for value in np.linspace(-3, 3, 13)]
    assert labels_of(axes.yaxis) == labels_of(axes.xaxis)[::-1]  # y of a picture grows downwards
    across, up = (np.array([float(label) for label in labels_of(axis)]) for axis in (axes.xaxis, axes.yaxis))
    found = tiles(axes.images[0].get_array(), (2, 3, 1), 169, 13).reshape(13, 13, 6)
    np.testing.assert_allclose(found[..., 0], np.tile(0.5 + 0.16 * across, (13, 1)), atol=1e-5)
    np.testing.assert_allclose(found[..., 1].T, np.tile(0.5 + 0.1 * up, (13, 1)), atol=1e-5)
    assert "quantile" not in axes.get_title()
    (axes,) = figures["traversals"].axes
    assert labels_of(axes.yaxis) == [str(number) for number in range(1, 11)]
    assert labels_of(axes.xaxis) == ["-3", "-1.5", "0", "1.5", "3"]


def test_the_directions_are_those_of_the_latents_alone():
    """The labels' rows of the first layer, however large, have no part in them."""
    kernel = np.vstack([np.diag([1.0, 3.0, 2.0]), np.full((2, 3), 50.0)])
    network = Network({"Dense_0": {"kernel": kernel}}, {})
    state = GANState._make([None] * len(GANState._fields))
    state = state._replace(average=network, game=Game(GANConfig(latent=3), (2, 3, 1), 2))
    found = gan.decoder(state).directions
    np.testing.assert_allclose(found, np.eye(3)[[1, 2, 0]], atol=1e-12)
