"""A run's record of its data: the same data are known again, and what differs is said."""

import dataclasses
import json

import numpy as np
import pytest

from genjax.data import record
from genjax.data.dataset import Dataset, Labels
from genjax.data.ratings import split
from genjax.data.tastes import generate
from genjax.errors import UserError

RNG = np.random.default_rng(0)
IMAGES = RNG.random((13, 4), np.float32)
LABELS = np.arange(13, dtype=np.int32) % 3


def dataset(order=slice(None), labels=LABELS, images=IMAGES, shape=(2, 2, 1), train=8) -> Dataset:
    x, y, cuts = images[order], labels[order], (train, 10)
    return Dataset("own", *np.split(x, cuts), Labels(*np.split(y, cuts)), shape, "none", "npz", ("a", "b", "c"))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (dataset(), None),
        (dataset(np.r_[1, 0, 2:13]), "the same images in another order, so that others are held out"),
        (dataset(np.r_[12, 1:12, 0]), "the same images in another order, so that others are held out"),
        (dataset(np.arange(13)[::-1]), "the same images in another order, so that others are held out"),
        (dataset(labels=LABELS[::-1].copy()), "the same images with other labels"),
        (dataset(np.r_[1, 0, 2:13], labels=(LABELS + 1) % 3), "the same images with other labels"),
        (dataset(images=1 - IMAGES), "as many images, but not the same ones"),
        (dataset(images=np.where(np.arange(13)[:, None] == 11, 0.5, IMAGES).astype(np.float32)), "as many images, but"),
        (dataset(shape=(1, 4, 1)), "images of 1 x 4 x 1 where the run had 2 x 2 x 1"),
        (dataset(train=7), "7 train, 3 validation, 3 test"),
    ],
)
def test_what_differs_is_said(now, said):
    found = record.difference(record.of_images(dataset()), record.of_images(now))
    assert found is None if said is None else found is not None and said in found


def test_a_record_is_read_as_it_was_written():
    kept = record.of_images(dataset())
    assert kept.brightness == pytest.approx(IMAGES[:8].mean())
    assert (kept.example_shape, kept.classes) == ((2, 2), 3)
    assert (kept.counts, kept.examples) == ({"train": 8, "validation": 2, "test": 3}, (8, 4))
    saved = {name: list(x) if isinstance(x, tuple) else x for name, x in record.to_json(kept).items()}
    assert record.from_json(saved) == kept
    assert record.of_images(dataclasses.replace(dataset(), name="other", source="IDX")) == kept


def as_written(kept):
    return json.loads(json.dumps(record.to_json(kept)))


def test_the_mean_has_a_file_of_its_own(tmp_path):
    kept = record.of_images(dataset())
    np.testing.assert_allclose(kept.mean, IMAGES[:8].mean(0), rtol=1e-6)
    assert "mean" not in record.to_json(kept)
    read = record.from_json(as_written(kept))
    assert read.mean is None
    assert record.read_mean(tmp_path, read) is read
    record.write_mean(tmp_path, kept)
    np.testing.assert_array_equal(record.read_mean(tmp_path, read).mean, kept.mean)
    for harm in (np.zeros(3, np.float32), np.full(4, np.nan, np.float32), np.zeros(4)):
        np.save(tmp_path / record.MEAN, harm)
        with pytest.raises(ValueError, match=r"mean.npy (does not hold 4 float32 numbers|holds NaN)"):
            record.read_mean(tmp_path, read)
    (tmp_path / record.MEAN).write_bytes(b"")
    with pytest.raises(ValueError, match=r"mean.npy cannot be read"):
        record.read_mean(tmp_path, read)


def test_a_record_of_an_earlier_version_is_read():
    """Its checksums, here as version 1 made them, still hold; what it lacks is unknown."""
    saved = as_written(record.of_images(dataset()))
    for name in ("example_shape", "classes", "labelled"):
        del saved[name]
    checksums = ("775602cf95ebf3cf", "d004da506b8132cb", "06cc91968374d2bd")
    assert (saved["unordered"], saved["ordered"], saved["labels"]) == checksums
    old = record.from_json(saved)
    assert (old.example_shape, old.classes, old.labelled, old.mean) == (None, None, None, None)
    assert old.example == (2, 2)
    assert record.difference(old, record.of_images(dataset())) is None
    other = record.of_images(dataset(labels=LABELS[::-1].copy()))
    assert record.difference(old, other) == "the same images with other labels"


@pytest.mark.parametrize(
    "lie", [{"example_shape": [3]}, {"example_shape": "4"}, {"classes": -1}, {"classes": 1.5}, {"labelled": 3}]
)
def test_a_record_that_cannot_be_is_refused(lie):
    with pytest.raises(ValueError, match=next(iter(lie))):
        record.from_json(as_written(record.of_images(dataset())) | lie)


def test_a_record_takes_examples_flat_or_shaped():
    kept = record.of_images(dataset())
    np.testing.assert_array_equal(kept.flatten(IMAGES.reshape(13, 2, 2)), IMAGES)
    assert kept.shaped(IMAGES).shape == (13, 2, 2)
    ratings = record.of_ratings(split(generate(0, users=20, items=9)[0]))
    with pytest.raises(UserError, match="ratings has no images"):
        ratings.flatten(IMAGES)
    assert "20 x 9 users and items" in repr(ratings)
    assert repr(kept) == ("Record of 13 images (8 train, 2 validation, 3 test) of shape (2, 2)\n  3 classes: a, b, c")


def test_targets_are_part_of_the_checksums():
    x, y = IMAGES.reshape(13, 2, 2), np.arange(13.0)
    same, other = (record.of_images(Dataset.from_arrays(x, target)) for target in (y, y[::-1]))
    assert record.difference(same, record.of_images(Dataset.from_arrays(x, y))) is None
    assert record.difference(same, other) == "the same images with other labels"
    assert same.labels != other.labels
    assert record.difference(same, record.of_images(Dataset.from_arrays(x, y.astype(np.float32)))) is not None
