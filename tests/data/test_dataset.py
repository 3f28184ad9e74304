"""The default set, and how every set is split."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from genjax.data import load
from genjax.data.dataset import assemble
from genjax.data.images import Images
from genjax.data.splits import for_validation, held_out
from genjax.errors import UserError


def test_digits_are_scikit_learns_split():
    bunch = load_digits()
    expected = train_test_split(bunch.data, bunch.target, test_size=360, random_state=0, stratify=bunch.target)
    data = load()
    whole = data.without_validation()
    assert (whole.name, whole.shape, whole.source) == ("digits", (8, 8, 1), "scikit-learn")
    np.testing.assert_array_equal(whole.train * 16, expected[0])
    np.testing.assert_array_equal(whole.test * 16, expected[1])
    np.testing.assert_array_equal(whole.labels.train, expected[2])
    np.testing.assert_array_equal(whole.labels.test, expected[3])
    assert (len(data.train), len(data.validation), len(whole.train), len(whole.test)) == (1294, 143, 1437, 360)
    assert len(whole.validation) == len(whole.labels.validation) == 0
    assert whole.train.dtype == np.float32
    assert whole.labels.train.dtype == np.int32
    assert (whole.train.min(), whole.train.max()) == (0, 1)


def test_digits_need_scikit_learn_once(monkeypatch):
    first = load("digits")
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    monkeypatch.setitem(sys.modules, "sklearn.model_selection", None)
    second = load("digits")
    for part in ("train", "validation", "test"):
        assert np.array_equal(getattr(first, part), getattr(second, part))
        assert np.array_equal(getattr(first.labels, part), getattr(second.labels, part))


def test_validation_is_the_end_of_training():
    data = load()
    whole = data.without_validation()
    np.testing.assert_array_equal(whole.train[-143:], data.validation)
    np.testing.assert_array_equal(whole.labels.train[-143:], data.labels.validation)
    np.testing.assert_array_equal(whole.train[:1294], data.train)


@pytest.mark.parametrize(
    ("images", "custom", "expected"),
    [(60000, 5000, 5000), (60000, None, 6000), (30, 5000, 3), (1437, 143, 143), (1437, None, 143), (2, None, 1)],
)
def test_size_of_validation(images, custom, expected):
    train, validation = for_validation(np.arange(images) % 2, custom)
    assert len(validation) == expected
    assert sorted([*train, *validation]) == list(range(images))
    if custom is not None:
        np.testing.assert_array_equal(validation, np.arange(images - expected, images))


def test_held_out_is_by_class_and_repeatable():
    labels = np.repeat(np.arange(4, dtype=np.int32), [50, 100, 150, 200])
    train, test = held_out(labels, 100)
    assert sorted([*train, *test]) == list(range(500))
    np.testing.assert_array_equal(np.bincount(labels[test]), [10, 20, 30, 40])
    np.testing.assert_array_equal(held_out(labels, 100)[1], test)
    last_tenth = labels[train[-len(train) // 10 :]]
    assert len(set(last_tenth)) == 4


def test_held_out_without_enough_of_each_class():
    train, test = held_out(np.array([0, 1, 2, 3, 3], np.int32), 1)
    assert sorted([*train, *test]) == [0, 1, 2, 3, 4]
    assert list(test) in ([3], [4])  # the only image of a class is the last to be taken


def test_a_validation_split_of_the_source_is_kept():
    x = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    y = np.arange(10, dtype=np.int32)
    data = assemble("made", Images(x, y, x[:2], y[:2], "here", validation=4), "none")
    assert list(data.labels.validation) == [6, 7, 8, 9]


def test_too_few_images():
    x, y = np.zeros((2, 2, 2, 1), np.uint8), np.zeros(2, np.int32)
    with pytest.raises(UserError, match=r"`dataset` made: 2 image.*at least three"):
        assemble("made", Images(x, y, None, None, "here"), "none")


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(UserError, match=r"`dataset` mnits: not one of digits, mnist, .*\.npz.*folder of images"):
        load("mnits")
    with pytest.raises(UserError, match=r"`data_dir` .* holds nothing of that name"):
        load("mnits", tmp_path)
    with pytest.raises(UserError, match="no such file or folder"):
        load(str(tmp_path / "none.npz"))
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match=r"notes.txt: genjax cannot read such a file"):
        load(str(tmp_path / "notes.txt"))


def test_options_that_would_do_nothing_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"`data_dir` .*scikit-learn"):
        load("digits", tmp_path)
    with pytest.raises(UserError, match=r"`size` 16.*folder of images"):
        load("digits", size=16)
