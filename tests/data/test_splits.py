"""Which images are held out: no class is lost, whatever the order, and known sets keep what is customary."""

import numpy as np
import pytest

from genjax.data import catalog, load
from genjax.data.dataset import assemble
from genjax.data.images import Images
from genjax.data.splits import for_validation, held_out

SORTED = np.repeat(np.arange(10), 30)
PIXELS = np.random.default_rng(0).integers(0, 256, (300, 3, 3), np.uint8)


def counts(labels):
    return np.bincount(labels, minlength=10).tolist()


@pytest.mark.parametrize("own_test", [True, False])
@pytest.mark.parametrize("order", [1, -1])
def test_arrays_sorted_by_class_lose_none(tmp_path, own_test, order):
    x, y = PIXELS[::order], SORTED[::order]
    test = {"x_test": PIXELS[:20], "y_test": SORTED[:20]} if own_test else {}
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, **test)
    data = load(str(tmp_path / "a.npz"))
    assert counts(data.labels.validation) == ([3] * 10 if own_test else counts(data.labels.validation))
    assert min(counts(data.labels.validation)) >= 2
    assert min(counts(data.labels.train)) >= 21
    assert len(set(data.labels.train[:40])) == 10  # whoever takes the first few has all classes, too
    label_of = {row.tobytes(): label for row, label in zip((x / np.float32(255)).reshape(300, 9), y)}
    for part in ("train", "validation"):
        for row, label in zip(getattr(data, part), getattr(data.labels, part)):
            assert label_of[row.tobytes()] == label
    again = load(str(tmp_path / "a.npz"))
    np.testing.assert_array_equal(again.train, data.train)


def test_what_is_shaped_like_mnist_is_not_mnist():
    labels = np.repeat(np.arange(10), 6000)
    x = np.zeros((60_000, 28, 28, 1), np.uint8)
    x[:, 0, 0, 0] = labels + 1
    data = assemble("mnist", Images(x, labels, x[:10], labels[:10], "npz"), "none")
    assert counts(data.labels.validation) == [600] * 10


def test_the_last_five_thousand_by_name():
    by_name = {entry.name: entry.validation for entry in catalog.CATALOG if entry.validation is not None}
    assert by_name == dict.fromkeys(("mnist", "fashion_mnist", "kmnist", "emnist_mnist"), 5000) | {"digits": 143}
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 10, 60_000)
    x = np.zeros((60_000, 1, 2, 1), np.uint8)
    x[:, 0, 0, 0], x[:, 0, 1, 0] = np.arange(60_000) % 256, np.arange(60_000) // 256
    data = assemble("mnist", Images(x, labels, x[:10], labels[:10], "IDX"), "none", custom=5000)
    np.testing.assert_array_equal(data.validation * 255, x[-5000:].reshape(5000, 2))
    np.testing.assert_array_equal(data.train * 255, x[:-5000].reshape(55_000, 2))


def test_a_copy_of_a_known_set_in_another_order_loses_no_class(tmp_path, idx_bytes):
    y = np.repeat(np.arange(3, dtype=np.uint8), 30)
    x = np.random.default_rng(2).integers(0, 256, (90, 4, 4), np.uint8)
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(x))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(y))
    assert counts(load("mnist", tmp_path).labels.validation)[:3] == [3, 3, 3]
    (tmp_path / "runes").mkdir()
    for path in tmp_path.glob("*ubyte"):
        path.rename(tmp_path / "runes" / path.name)
    assert counts(load("runes", tmp_path).labels.validation)[:3] == [3, 3, 3]


@pytest.mark.parametrize("sizes", [(1, 99), (1, 1, 98), (2, 2, 2, 30), (5,) * 30, (1,) * 7, (3, 1), (1, 1)])
@pytest.mark.parametrize("share", [5, 10])
def test_small_classes_stay_in_training(sizes, share):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    count = max(1, len(labels) // share)
    train, aside = held_out(labels, count)
    assert len(aside) == count
    assert sorted([*train, *aside]) == list(range(len(labels)))
    lost = set(labels) - set(labels[train])
    assert len(lost) <= max(0, count - (len(labels) - len(sizes)))  # only where there is nothing else to set aside


def test_without_labels_a_tenth_is_drawn_from_everywhere():
    train, validation = for_validation(np.full(1000, -1), None)
    assert len(validation) == 100
    assert validation.min() < 100
    assert validation.max() > 900
    assert len(train) == 900


def test_own_splits_keep_their_order_and_are_mixed_for_the_first_few(tmp_path):
    y = np.repeat(np.arange(3), 40)
    x = np.arange(120, dtype=np.uint8).reshape(120, 1, 1) + 2
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_validation=x, y_validation=y, x_test=x, y_test=y)
    data = load(str(tmp_path / "a.npz"))
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(data.labels, part), y)
    mixed = data.mixed()
    for part in ("train", "validation"):
        labels = getattr(mixed.labels, part)
        assert len(set(labels[:20])) == 3
        np.testing.assert_array_equal((getattr(mixed, part)[:, 0] * 255 - 2).round() // 40, labels)
    np.testing.assert_array_equal(mixed.test, data.test)
    digits = load()
    assert digits.mixed() is digits
