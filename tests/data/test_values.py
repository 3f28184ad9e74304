"""What is white, and what looks as if it had been saved wrongly."""

import numpy as np
import pytest

from genjax.data import load
from genjax.data.dataset import assemble
from genjax.data.images import Images
from genjax.data.values import doubts

RNG = np.random.default_rng(0)
GOOD = RNG.random((50, 16), np.float32)
SPARSE = (RNG.random((50, 400)) < 0.01).astype(np.float32)
HOT = np.where(np.arange(50 * 400).reshape(50, 400) == 7, np.float32(1), np.float32(0.003))


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((50, 16), np.float32), "every pixel of the training images is 0, so"),
        (np.full((50, 16), 0.5, np.float32), "every pixel of the training images is 0.5, so"),
        (GOOD * np.float32(16 / 255), "nearly black, their brightest pixel is 0.06"),
        (1 - GOOD / 10, "nearly white, their darkest pixel is 0.9"),
        (HOT, "hardly show anything"),
        (np.where(np.arange(50)[:, None] < 10, np.float32(0), GOOD), "10 of 50 training images are blank"),
    ],
)
def test_doubtful_images_are_named(x, words):
    (said,) = doubts(x, "training")
    assert words in said
    assert "check how they were saved" in said


@pytest.mark.parametrize("x", [GOOD, SPARSE, (GOOD > 0.5).astype(np.float32), GOOD[:1], np.eye(50, dtype=np.float32)])
def test_good_images_are_not(x):
    assert doubts(x, "training") == []


def test_known_sets_are_not(real):
    assert load().notes == ()
    assert load("mnist", real).notes == ()


@pytest.mark.parametrize(("top", "white"), [(1, 1), (2, 255), (16, 255), (255, 255)])
@pytest.mark.parametrize("where", ["train", "validation", "test"])
def test_uint8_above_one_anywhere_is_bytes_everywhere(top, white, where):
    parts = {name: RNG.integers(0, 2, (9, 3, 3, 1)).astype(np.uint8) for name in ("train", "validation", "test")}
    parts[where][0, 0, 0, 0] = top
    x, y = np.concatenate([parts["train"], parts["validation"]]), np.full(18, -1)
    data = assemble("made", Images(x, y, parts["test"], y[:9], "IDX", validation=9), "none")
    for name, part in parts.items():
        np.testing.assert_array_equal(getattr(data, name), (part / np.float32(white)).reshape(9, 9))


def test_test_images_are_looked_at_too():
    x = RNG.random((20, 4, 4, 1), np.float32)
    data = assemble("made", Images(x, np.full(20, -1), x / 255, np.full(20, -1), "npz"), "none")
    assert [note.split(",")[0] for note in data.notes] == ["`dataset` made: the test images are nearly black"]
