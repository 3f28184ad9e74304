"""A run's record of its data: the same data are known again, and what differs is said."""

import dataclasses

import numpy as np
import pytest

from genjax.data import record
from genjax.data.dataset import Dataset, Labels

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
        (dataset(images=1 - IMAGES), "as many images, but not the same ones"),
        (dataset(images=np.where(np.arange(13)[:, None] == 11, 0.5, IMAGES).astype(np.float32)), "as many images, but"),
        (dataset(shape=(1, 4, 1)), "images of 1 x 4 x 1 where the run saw 2 x 2 x 1"),
        (dataset(train=7), "7 train, 3 validation, 3 test"),
    ],
)
def test_what_differs_is_said(now, said):
    found = record.difference(record.of_images(dataset()), record.of_images(now))
    assert found is None if said is None else found is not None and said in found


def test_a_record_is_read_as_it_was_written():
    kept = record.of_images(dataset())
    assert kept.brightness == pytest.approx(IMAGES[:8].mean())
    assert (kept.counts, kept.examples) == ({"train": 8, "validation": 2, "test": 3}, (8, 4))
    saved = {name: list(x) if isinstance(x, tuple) else x for name, x in record.to_json(kept).items()}
    assert record.from_json(saved) == kept
    assert record.of_images(dataclasses.replace(dataset(), name="other", source="IDX")) == kept
