"""Classes are what occurs, whatever the source calls them."""

import numpy as np
import pytest

from genjax.data import load
from genjax.data.classes import in_order
from genjax.errors import DataWarning, UserError

X = np.random.default_rng(0).random((60, 4, 4))


def read(tmp_path, y_train, y_test=None, **more):
    labels = {} if y_test is None else {"y_test": y_test}
    np.savez(tmp_path / "mine.npz", x_train=X, y_train=y_train, x_test=X[:30], **labels, **more)
    return load(str(tmp_path / "mine.npz"))


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([0, 1, 2], ("0", "1", "2")),
        ([1, 2, 3], ("1", "2", "3")),
        ([3, 8, 5], ("3", "5", "8")),
        ([7, 10**14, 12], ("7", "12", "100000000000000")),
        ([-5, 5, 0], ("-5", "0", "5")),
        ([1.0, 2.0, 4.0], ("1", "2", "4")),
        ([False, True, True], ("0", "1")),
        ([7, 7, 7], ("7",)),
    ],
)
def test_labels_become_the_numbers_of_those_that_occur(tmp_path, values, names):
    y = np.tile(values, 20)
    data = read(tmp_path, y, y[:30])
    assert data.class_names == names
    assert data.classes == len(names)
    assert [names[number] for number in data.labels.test] == [str(int(label)) for label in y[:30]]
    whole = data.without_validation()
    assert whole.class_names == names
    rows = {row.tobytes(): str(int(label)) for row, label in zip(X.astype(np.float32).reshape(60, 16), y)}
    assert [names[number] for number in whole.labels.train] == [rows[row.tobytes()] for row in whole.train]
    said = "are classes 0 to" in " ".join(data.notes)
    assert said == (names != tuple(map(str, range(len(names)))))


def test_a_class_may_occur_in_test_or_validation_alone(tmp_path):
    y, test = np.tile([2, 4], 30), np.tile([2, 9], 15)
    with pytest.warns(DataWarning, match="no training image is of class 3, 9"):
        data = read(tmp_path, y, test, x_validation=X[:10], y_validation=np.tile([4, 3], 5))
    assert data.class_names == ("2", "3", "4", "9")
    assert data.classes == 4
    assert (set(data.labels.train), set(data.labels.validation), set(data.labels.test)) == ({0, 2}, {1, 2}, {0, 3})


def test_no_label_at_all(tmp_path):
    for y in (np.full(60, -1), np.full(60, -1.0)):
        data = read(tmp_path, y)
        assert (data.class_names, data.classes) == ((), 0)
        assert set(np.concatenate(data.labels)) == {-1}


@pytest.mark.parametrize("y", [np.tile([-1, 1], 30), np.tile([-1, 0, 1], 20), np.tile([-1, 5, 5, 5], 15)])
def test_minus_one_beside_others_is_explained(tmp_path, y):
    with pytest.raises(UserError, match=r"`dataset` mine: labels run from -1 to \d, and -1 means .* no label; number"):
        read(tmp_path, y, y[:30])


def test_splits_that_are_labelled_in_part(tmp_path):
    y = np.tile([0, 1], 30)
    with pytest.raises(UserError, match="training images are labelled and validation images are not"):
        read(tmp_path, y, y[:30], x_validation=X[:5])
    with pytest.raises(UserError, match="validation images are labelled and training images are not"):
        read(tmp_path, np.full(60, -1), x_validation=X[:5], y_validation=y[:5])
    with pytest.warns(DataWarning, match="test images have no labels"):
        data = read(tmp_path, y)
    assert (set(data.labels.train), set(data.labels.test)) == ({0, 1}, {-1})


@pytest.mark.parametrize("y", [np.full(60, 2**63 + 1, np.uint64), np.full(60, 1e300), np.arange(60) * 10**15])
def test_labels_beyond_what_can_be_told_apart_are_refused(tmp_path, y):
    with pytest.raises(UserError, match=r"y_train .*number the classes 0, 1, 2"):
        read(tmp_path, y)


def test_emnists_letters_are_26(tmp_path, idx_bytes):
    y = np.tile(np.arange(1, 27, dtype=np.uint8), 10)
    x = np.random.default_rng(1).integers(0, 256, (260, 4, 4), np.uint8)
    for part in ("train", "test"):
        (tmp_path / f"emnist-letters-{part}-images-idx3-ubyte").write_bytes(idx_bytes(x))
        (tmp_path / f"emnist-letters-{part}-labels-idx1-ubyte").write_bytes(idx_bytes(y))
    data = load("emnist_letters", tmp_path)
    assert (data.classes, data.class_names[0], data.class_names[-1]) == (26, "1", "26")
    np.testing.assert_array_equal(data.labels.test, y - 1)


def test_digits_keep_their_names():
    data = load()
    assert data.class_names == tuple("0123456789")
    assert data.notes == ()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["10", "9", "1"], "1 9 10"),
        (["-1", "0.5", "+3", "02"], "-1 0.5 02 +3"),
        (["10", "9", "a"], "10 9 a"),
        (["1e99999999", "2"], "1e99999999 2"),
        (["b", "A", "a"], "A a b"),
        (["1", "01"], "01 1"),
    ],
)
def test_numbers_stand_in_numeric_order(names, expected):
    assert " ".join(in_order(names)) == expected
