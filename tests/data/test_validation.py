"""Validation: the source's own, none, a share, or a split that is given; and splits that earlier versions made."""

import numpy as np
import pytest

from genjax.data import Dataset, load, record
from genjax.errors import UserError

RNG = np.random.default_rng(3)
X = RNG.integers(0, 256, (60, 4, 4)).astype(np.uint8)
Y = np.arange(60) % 4 + 1
SPLITS = {"x_train": X[:40], "y_train": Y[:40], "x_validation": X[40:50], "y_validation": Y[40:50]}
SPLITS |= {"x_test": X[50:], "y_test": Y[50:]}


def save(tmp_path, name="mine.npz", **arrays):
    np.savez(tmp_path / name, **arrays)
    return str(tmp_path / name)


def lengths(data):
    return len(data.train), len(data.validation), len(data.test)


def test_the_sources_own_none_or_a_share(tmp_path):
    path = save(tmp_path, **SPLITS)
    np.testing.assert_array_equal(load(path).validation * 255, X[40:50].reshape(10, 16))
    none = load(path, validation=False)
    np.testing.assert_array_equal(none.train * 255, X[:50].reshape(50, 16))
    np.testing.assert_array_equal(none.labels.train, Y[:50] - 1)
    assert lengths(none) == lengths(load(path, validation=0)) == (50, 0, 10)
    shares = [load(path, validation=0.2, seed=seed) for seed in (0, 0, 1)]
    assert {lengths(data) for data in shares} == {(40, 10, 10)}
    np.testing.assert_array_equal(shares[0].validation, shares[1].validation)
    assert not np.array_equal(shares[0].validation, shares[2].validation)
    np.testing.assert_array_equal(shares[2].test, shares[0].test)


@pytest.mark.parametrize("form", ["array", "pair", "Dataset", "npy", "npz", "relative"])
def test_the_split_itself(tmp_path, form):
    path = save(tmp_path, **SPLITS)
    x, y = X[55:], Y[55:]
    np.save(tmp_path / "v.npy", x)
    save(tmp_path, "v.npz", x_validation=x, y_validation=y)
    save(tmp_path, "w.npz", x=x, y=y)
    value = {
        "array": x,
        "pair": (x / 255, y),
        "Dataset": Dataset.from_arrays(x, y, test=0, validation=0),
        "npy": tmp_path / "v.npy",
        "npz": str(tmp_path / "v.npz"),
        "relative": "w.npz",
    }[form]
    data = load(path, tmp_path, validation=value)
    assert lengths(data) == (50, 5, 10)
    np.testing.assert_allclose(data.validation * 255, x.reshape(5, 16), atol=1e-4)
    np.testing.assert_array_equal(data.labels.validation, -1 if form in ("array", "npy") else y - 1)
    np.testing.assert_array_equal(data.train * 255, X[:50].reshape(50, 16))
    assert data.class_names == ("1", "2", "3", "4")


@pytest.mark.parametrize("form", ["array", "pair", "npy", "npz"])
def test_a_test_split_of_ones_own(tmp_path, form):
    """In place of the source's; of a source without one nothing else is set aside."""
    path = save(tmp_path, **SPLITS)
    x, y = X[57:], Y[57:]
    np.save(tmp_path / "t.npy", x)
    save(tmp_path, "t.npz", x_test=x, y_test=y, x_validation=X[:9], y_validation=Y[:9])
    value = {"array": x, "pair": (x / 255, y), "npy": tmp_path / "t.npy", "npz": "t.npz"}[form]
    data = load(path, tmp_path, test=value)
    assert lengths(data) == (40, 10, 3)
    np.testing.assert_allclose(data.test * 255, x.reshape(3, 16), atol=1e-4)
    np.testing.assert_array_equal(data.labels.test, -1 if form in ("array", "npy") else y - 1)
    np.testing.assert_array_equal(data.train * 255, X[:40].reshape(40, 16))
    alone = load(save(tmp_path, "alone.npz", x_train=X[:40], y_train=Y[:40]), tmp_path, test=value, validation="t.npz")
    assert lengths(alone) == (40, 9, 3)
    assert lengths(load(save(tmp_path, "alone.npz", x_train=X[:40], y_train=Y[:40]), test=0.5)) == (18, 2, 20)


def test_a_share_is_no_test_split_where_there_is_one(tmp_path):
    with pytest.raises(UserError, match=r"`test` 0.3: `dataset` .* has test images of its own"):
        load(save(tmp_path, **SPLITS), test=0.3)
    with pytest.raises(UserError, match=r"`test` nowhere.npz: there is no such file; give an .npz \(x_test, y_test"):
        load(save(tmp_path, **SPLITS), test="nowhere.npz")


def test_digits_keep_their_test_images_whatever_validates():
    usual, half = load(), load(validation=0.5, seed=3)
    given = load(validation=(usual.validation, usual.labels.validation))
    np.testing.assert_array_equal(half.test, usual.test)
    np.testing.assert_array_equal(given.test, usual.test)
    assert (lengths(half), lengths(given)) == ((719, 718, 360), (1437, 143, 360))
    np.testing.assert_array_equal(given.validation, usual.validation)
    np.testing.assert_array_equal(given.labels.validation, usual.labels.validation)
    assert (usual.notes, half.notes, given.notes) == ((), (), ())
    assert (usual.example_shape, usual.shape) == ((8, 8), (8, 8, 1))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.5, "`validation` 1.5: a share is at least 0 and below 1"),
        (X[:, 1:], r"`validation` has shape \(60, 3, 4\), and one example of these data has shape \(4, 4\)"),
        (X.astype(np.float32), "not within"),
        ((X, Y + 0.5), "give class numbers"),
        ((X, Y[1:]), r"`validation`: its y has shape \(59,\)"),
        ("nowhere.npz", "`validation` nowhere.npz: there is no such file"),
        ("notes.txt", "`validation` notes.txt: it is neither; give an .npz"),
        ("odd.npz", "holds a but no x_validation"),
    ],
)
def test_what_cannot_be_a_split_is_one_sentence(tmp_path, value, words):
    save(tmp_path, **SPLITS)
    save(tmp_path, "odd.npz", a=X)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match=words) as refused:
        load("mine.npz", tmp_path, validation=value)
    assert "\n" not in str(refused.value)


def checksums(data):
    kept = record.of_images(data)
    return kept.unordered, kept.ordered, kept.labels


def test_runs_trained_before_find_their_splits(tmp_path):
    """The checksums that earlier versions recorded of the same sources."""
    digits = load()
    assert checksums(digits) == ("5f0e1f776546a20b", "3f044bef6b6db6eb", "e0ee9d0719f5e034")
    assert checksums(load(validation=False)) == ("17ec31e2524ed0ad", "cfebc8112e3d4995", "aa966c4c024217a5")
    drawn = load(save(tmp_path, x_train=X, y_train=Y - 1))
    assert checksums(drawn) == ("af07f3ef8ff65326", "f95acf27b8c8dfa7", "520c412e4628a8dc")
    none = load(save(tmp_path, x_train=X, y_train=Y - 1), validation=False)
    assert checksums(none) == ("34b4fa4e7eeb1b65", "447f6b3609eccc61", "f1ceff4dcb5f0e6d")


def test_mnists_splits_are_those_of_earlier_versions(real):
    mnist = load("mnist", real)
    assert checksums(mnist) == ("617a72a364fb7461", "b9ac1012c920131c", "c72f028ac34c06e5")
    assert mnist.example_shape == (28, 28)
