"""What people look at, and features: labels clamped against enumeration, mean field at rest, and the commands."""

import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.algorithms.contrastive import ContrastiveState
from genjax.algorithms.labels import class_log_probabilities
from genjax.algorithms.updown import BeliefState
from genjax.boltzmann.dbn import as_machine, stacked
from genjax.boltzmann.rbm import with_classes
from genjax.cli import pictures
from genjax.cli.belief import dbn_features
from genjax.cli.boltzmann import error, rbm_features, rbm_sample
from genjax.cli.main import main
from genjax.cli.run import load
from genjax.typing import Batch
from tests.cli.test_commands import TOO_SMALL_FOR_A_PICTURE, one_sentence
from tests.machines import all_states, energies, random_machine


def ended(machine) -> ContrastiveState:
    """As training would leave it."""
    return ContrastiveState(machine, (), (), None, None, jnp.zeros((), jnp.int32), {})


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture(scope="module", name="deep")
def deep_fixture(tmp_path_factory):
    """A small deep machine of images and labels."""
    folder = tmp_path_factory.mktemp("runs") / "deep"
    options = ["--layers", "6", "5", "--classes", "10", "--epochs", "2", "--pretraining", "0", "--no-evaluate"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "draw", lambda run: [])
        assert main(["train", "dbm", "--out", str(folder), *options]) == 0
    return folder


@pytest.mark.parametrize("sizes", [(4, 3), (4, 3, 2)])
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
        means, drawn = rbm_sample(jax.random.key(label), ended(machine), 20_000, [50], label=label)
        np.testing.assert_allclose(means[:, 0].mean(0), truth, atol=0.02)
        np.testing.assert_allclose(drawn.mean(0), truth, atol=0.02)


def test_labels_told_wrong_are_counted():
    machine = with_classes(jax.random.key(0), random_machine((6, 4), 1.0), 3, scale=2.0)
    x = jnp.asarray(np.arange(64)[:, None] >> np.arange(6) & 1, jnp.float32)
    told = jnp.argmax(class_log_probabilities(machine, x), axis=-1)
    assert error(machine, Batch(x, told)) == 0
    assert error(machine, Batch(x, jnp.where(jnp.arange(64) < 16, (told + 1) % 3, told))) == 0.25


def test_features_of_a_deep_machine_are_mean_field_at_rest():
    machine = random_machine((6, 5, 4), 0.7)
    x = np.random.default_rng(0).random((1001, 6)).astype(np.float32)
    first, second = np.split(rbm_features(ended(machine), x), [5], axis=1)
    (below, above), (_, b1, b2) = machine.weights, machine.biases
    np.testing.assert_allclose(first, sigmoid(b1 + x @ below + second @ above.T), atol=1e-3)
    np.testing.assert_allclose(second, sigmoid(b2 + first @ above), atol=1e-3)
    labelled = with_classes(jax.random.key(0), machine, 3)
    assert rbm_features(ended(labelled), x).shape == (1001, 9)


def test_features_of_a_belief_network_are_one_pass_upwards():
    network = stacked((random_machine((6, 5)), random_machine((5, 4), seed=1)))
    state = BeliefState(network, (), None, None, jnp.zeros((), jnp.int32), {})
    x = np.random.default_rng(0).random((7, 6)).astype(np.float32)
    first = sigmoid(x @ network.recognition[0].weights[0] + network.recognition[0].biases[1])
    second = sigmoid(first @ network.top.weights[0] + network.top.biases[1])
    np.testing.assert_allclose(dbn_features(state, x), np.concatenate([first, second], 1), atol=1e-5)
    machine = as_machine(network).check()
    np.testing.assert_array_equal(machine.weights[1], network.top.weights[0])
    np.testing.assert_array_equal(machine.biases[1], network.recognition[0].biases[1])


@pytest.mark.slow
def test_a_deep_run_is_drawn_layer_by_layer_and_label_by_label(deep):
    drawn = pictures.draw(load(deep))
    names = {"curves", "filters-1", "filters-2", "filters-3", "maxima-2", "maxima-3"}
    names |= {"samples", "samples-persistent", "classes", "reconstructions"}
    assert {path.stem for path in drawn} == names
    assert all(path.stat().st_size > TOO_SMALL_FOR_A_PICTURE for path in drawn)


@pytest.mark.slow
def test_filters_are_of_every_layer_and_of_labels(genjax, deep):
    status, answer, _ = genjax("filters", deep, "--units", 4, "--json")
    assert status == 0
    drawn = [Path(path) for path in answer["figures"]]
    assert {path.stem for path in drawn} == {"filters-1", "filters-2", "filters-3", "maxima-2", "maxima-3"}
    assert all(path.stat().st_size > TOO_SMALL_FOR_A_PICTURE for path in drawn)


def test_samples_of_labels_and_of_persistent_chains(genjax, deep, trained, tmp_path):
    short = ("--sweeps", 5, "--chains", 3, "--json")
    status, answer, _ = genjax("sample", deep, "--label", "all", *short, "--out", tmp_path / "all.npz")
    assert (status, answer["chains"]) == (0, 30)
    arrays = np.load(tmp_path / "all.npz")
    assert arrays["labels"].tolist() == [label for label in range(10) for _ in range(3)]
    assert arrays["samples"].shape == arrays["means"].shape == (30, 64)
    assert genjax("sample", deep, "--label", 3, *short)[1]["figure"].endswith("samples-label-3-5.png")
    assert genjax("sample", deep, "--start", "persistent", *short)[0] == 0
    for label, said in ((10, "from 0 to 9, or all"), ("x", "--label x")):
        assert said in one_sentence(*genjax("sample", deep, "--label", label)[::2])
    assert "out" in one_sentence(*genjax("sample", deep, "--label", 3, "--start", "persistent")[::2])
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
