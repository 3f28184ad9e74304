"""The judge: what it knows of digits and of MNIST, its disk cache, its blocks, its refusals."""

import dataclasses
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.data import binarise_fixed
from genjax.errors import UserError
from genjax.evaluation import classifier
from genjax.evaluation.classifier import BLOCK, FEATURES, Judge, Network, fingerprint, judge, shifted


@pytest.fixture(scope="module", name="digits")
def digits_fixture():
    return data.load("digits")


@pytest.fixture(name="short")
def short_fixture(monkeypatch, tmp_path):
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path))
    monkeypatch.setattr(classifier, "EPOCHS", 1)
    monkeypatch.setattr(classifier, "LEAST_STEPS", 1)
    return tmp_path


def same(a: Judge, b: Judge) -> bool:
    return a.network == b.network and all(
        np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


@pytest.mark.slow
def test_digits_are_known_grey_and_binary(digits):
    reports = []
    eye = judge(digits, cache=False, progress=reports.append)
    label = digits.labels.test
    assert eye.accuracy(digits.test, label) >= 0.97
    assert eye.accuracy(binarise_fixed(digits.test, "threshold", 0), label) >= 0.93
    assert eye.accuracy(binarise_fixed(digits.test, "sampled", 0), label) >= 0.88  # 64 noisy pixels are not many
    assert eye.accuracy(digits.test, np.roll(label, 1)) < 0.2
    assert reports[-1].metrics["train_accuracy"] >= 0.99
    assert reports[-1].step >= classifier.LEAST_STEPS


def test_a_seed_is_a_judge_and_the_disk_gives_it_back(digits, short):
    called = []
    first = judge(digits, progress=called.append)
    assert len(called) == 1
    (kept,) = short.glob("judge-*.npz")
    with np.load(kept, allow_pickle=False) as stored:
        assert sum(stored[name].size for name in stored.files) == sum(x.size for x in jax.tree.leaves(first))
    assert same(first, judge(digits, progress=called.append))
    assert len(called) == 1
    assert same(first, judge(digits, cache=False))
    assert not same(first, judge(digits, seed=1))
    assert len(list(short.iterdir())) == 2


def test_what_the_name_on_disk_depends_on(digits):
    def names(dataset):
        return fingerprint(dataset.without_validation())

    assert names(digits) == names(digits.without_validation())
    assert names(dataclasses.replace(digits, train=digits.train[::-1])) != names(digits)
    labels = digits.labels._replace(train=digits.labels.train[::-1])
    assert names(dataclasses.replace(digits, labels=labels)) != names(digits)
    assert names(dataclasses.replace(digits, shape=(4, 16, 1))) != names(digits)


@pytest.mark.parametrize("shape", [(5, 9, 1), (12, 8, 3)])
def test_blocks_are_each_image_alone_for_any_shape(shape):
    network = Network(shape, 4)
    x = jax.random.uniform(jax.random.key(0), (BLOCK + 3, shape[0] * shape[1] * shape[2]))
    shapes = jax.eval_shape(network.init, jax.random.key(1), x[:1])
    rng = np.random.default_rng(0)
    eye = Judge(jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.1, leaf.shape), jnp.float32), shapes), network)
    logits, features = eye.logits(x), eye.features(np.asarray(x))
    assert logits.shape == (BLOCK + 3, 4)
    assert features.shape == (BLOCK + 3, FEATURES)
    np.testing.assert_allclose(logits[-2:], jax.jit(network.apply)(eye.parameters, x[-2:]), atol=1e-5)
    last = eye.parameters["params"]["last"]
    np.testing.assert_allclose(features @ last["kernel"] + last["bias"], logits, atol=1e-4)
    assert eye.logits(x[:0]).shape == (0, 4)


def test_images_move_by_whole_pixels():
    shape = (28, 14, 2)
    x = jax.random.uniform(jax.random.key(0), (40, 28 * 14 * 2), minval=0.1)
    images, after = (np.asarray(a).reshape(-1, *shape) for a in (x, shifted(jax.random.key(1), x, shape)))
    seen = set()
    for image, there in zip(images, after):
        padded = np.pad(image, ((2, 2), (1, 1), (0, 0)))
        places = [(i, j) for i in range(5) for j in range(3) if np.array_equal(padded[i : i + 28, j : j + 14], there)]
        assert len(places) == 1
        seen |= set(places)
    assert {i for i, _ in seen} == set(range(5))
    assert {j for _, j in seen} == set(range(3))


def test_images_without_labels_have_no_judge(digits):
    nameless = dataclasses.replace(
        digits, labels=digits.labels._replace(train=np.full(len(digits.train), -1, np.int32))
    )
    with pytest.raises(UserError, match="labels"):
        judge(nameless, cache=False)


@pytest.mark.slow
def test_mnist_is_known_to_99_percent():
    folder = os.environ.get("GENJAX_DATA")
    if not folder:
        pytest.skip("GENJAX_DATA does not name a folder with mnist/")
    mnist = data.load("mnist", folder)
    eye = judge(mnist)
    assert eye.accuracy(mnist.test, mnist.labels.test) >= 0.99
    assert eye.accuracy(binarise_fixed(mnist.test, "sampled", 0), mnist.labels.test) >= 0.988
    assert jnp.all(eye.features(mnist.test[:10]) >= 0)
