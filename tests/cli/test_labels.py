"""Labels and layers of deep runs: clamped labels against enumeration, mean-field features, and the commands."""

import itertools
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest

import genjax as library
from genjax import data
from genjax.boltzmann.dbn import as_machine, stacked
from genjax.boltzmann.rbm import with_classes
from genjax.evaluation.classes import error
from genjax.models import dbn, rbm
from tests.cli.test_commands import TOO_SMALL_FOR_A_PICTURE, one_sentence
from tests.machines import all_states, energies, random_machine


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture(scope="module", name="deep")
def deep_fixture(tmp_path_factory):
    """A small deep machine of images and labels."""
    folder = tmp_path_factory.mktemp("runs") / "deep"
    model = library.dbm(layers=(6, 5), classes=10, pretraining=0)
    library.fit(model, "digits", steps=5, out=folder, progress=False)
    return folder


@pytest.mark.parametrize("sizes", [(4, 3), (4, 3, 2)])
@pytest.mark.slow
def test_a_clamped_label_gives_its_own_images(sizes):
    plain = random_machine(sizes, 1.5)
    machine = with_classes(jax.random.key(0), plain, 3, scale=3.0)
    states = all_states(sizes)
    exact = []
    for label in range(3):
        log_p = states[-1] @ np.asarray(machine.weights[-1])[:, label] - energies(plain, states)
        p = np.exp(log_p - np.logaddexp.reduce(log_p))
        exact.append(p @ states[0])
    assert max(np.abs(a - b).max() for a, b in itertools.combinations(exact, 2)) > 0.1
    for label, truth in enumerate(exact):
        drawn = rbm.sample(jax.random.key(label), machine, 20_000, (50,), label=label)
        np.testing.assert_allclose(drawn["means"].mean(0), truth, atol=0.02)
        np.testing.assert_allclose(drawn["samples"].mean(0), truth, atol=0.02)


def test_the_error_of_a_machine_with_labels_counts_examples():
    machine = with_classes(jax.random.key(0), random_machine((6, 4), 1.0), 3, scale=2.0)
    x = (np.arange(64)[:, None] >> np.arange(6) & 1).astype(np.float32)
    classes = rbm.classify(machine, x).argmax(-1)
    assert error(partial(rbm.classify, machine), x, classes).mean == 0
    assert (
        error(partial(rbm.classify, machine), x, np.where(np.arange(64) < 16, (classes + 1) % 3, classes)).mean == 0.25
    )


def test_features_of_a_deep_machine_are_mean_field_that_has_settled():
    machine = random_machine((6, 5, 4), 0.7)
    x = np.random.default_rng(0).random((1001, 6)).astype(np.float32)
    first, second = np.split(rbm.features(machine, x), [5], axis=1)
    (below, above), (_, b1, b2) = machine.weights, machine.biases
    np.testing.assert_allclose(first, sigmoid(b1 + x @ below + second @ above.T), atol=1e-3)
    np.testing.assert_allclose(second, sigmoid(b2 + first @ above), atol=1e-3)
    labelled = with_classes(jax.random.key(0), machine, 3)
    assert rbm.features(labelled, x).shape == (1001, 9)


def test_features_of_a_belief_network_are_one_pass_upwards():
    network = stacked((random_machine((6, 5)), random_machine((5, 4), seed=1)))
    x = np.random.default_rng(0).random((7, 6)).astype(np.float32)
    first = sigmoid(x @ network.recognition[0].weights[0] + network.recognition[0].biases[1])
    second = sigmoid(first @ network.top.weights[0] + network.top.biases[1])
    np.testing.assert_allclose(dbn.features(network, x), np.concatenate([first, second], 1), atol=1e-5)
    machine = as_machine(network).check()
    np.testing.assert_array_equal(machine.weights[1], network.top.weights[0])
    np.testing.assert_array_equal(machine.biases[1], network.recognition[0].biases[1])


@pytest.mark.slow
def test_a_deep_run_is_drawn_layer_by_layer_and_label_by_label(deep):
    drawn = library.load(deep).plot.all()
    names = {"curves", "filters-1", "filters-2", "filters-3", "maxima-2", "maxima-3"}
    names |= {"samples", "samples-persistent", "classes", "reconstructions"}
    assert set(drawn) == names


@pytest.mark.slow
def test_filters_are_of_every_layer_and_of_labels(genjax, deep):
    status, answer, _ = genjax("filters", deep, "--units", 4, "--json")
    assert status == 0
    drawn = [Path(path) for path in answer["figures"]]
    assert {path.stem for path in drawn} == {"filters-1", "filters-2", "filters-3", "maxima-2", "maxima-3"}
    assert all(path.stat().st_size > TOO_SMALL_FOR_A_PICTURE for path in drawn)


@pytest.mark.slow
def test_samples_of_labels_and_of_persistent_chains(genjax, deep, trained, tmp_path):
    short = ("--sweeps", 5, "--chains", 3, "--json")
    status, answer, _ = genjax("sample", deep, "--label", "all", *short, "--out", tmp_path / "all.npz")
    assert (status, answer["chains"]) == (0, 30)
    arrays = np.load(tmp_path / "all.npz")
    assert arrays["labels"].tolist() == [label for label in range(10) for _ in range(3)]
    assert arrays["samples"].shape == arrays["means"].shape == (30, 64)
    assert genjax("sample", deep, "--label", 3, *short)[1]["figure"].endswith("samples-label-3-5.png")
    assert genjax("sample", deep, "--start", "persistent", *short)[0] == 0
    for label, said in ((10, "from 0 to 9"), ("x", "--label x")):
        assert said in one_sentence(*genjax("sample", deep, "--label", label)[::2])
    assert "not of one label" in one_sentence(*genjax("sample", deep, "--label", 3, "--start", "persistent")[::2])
    assert "has not learned labels" in one_sentence(*genjax("sample", trained, "--label", 3)[::2])


def test_features_are_a_dataset_in_the_order_of_the_images(genjax, trained, tmp_path):
    file = tmp_path / "features.npz"
    status, answer, _ = genjax("features", trained, "--out", file, "--json")
    assert status == 0
    digits, found = data.load("digits"), data.load(str(file))
    assert answer["arrays"]["x_train"] == [1437, 12]
    np.testing.assert_array_equal(found.labels.test, digits.labels.test)
    w = np.load(file)
    np.testing.assert_array_equal(w["y_train"], digits.without_validation().labels.train)
    assert genjax("export", trained, tmp_path / "w.npz")[0] == 0
    machine = np.load(tmp_path / "w.npz")
    truth = sigmoid(digits.test @ machine["weights_0"] + machine["bias_1"])
    np.testing.assert_allclose(w["x_test"], truth, atol=1e-5)
    assert "exists" in one_sentence(*genjax("features", trained, "--out", file)[::2])
