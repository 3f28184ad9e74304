"""IDX files: bytes written by the test come back; bytes that lie are told."""

import gzip
import hashlib

import numpy as np
import pytest

from genjax.data import idx, load
from genjax.errors import UserError


@pytest.mark.parametrize("below", ["", "mnist"])
@pytest.mark.parametrize(
    "pattern", ["{}-{}-idx{}-ubyte", "{}-{}-idx{}-ubyte.gz", "{}-{}.idx{}-ubyte", "{}-{}.idx{}-ubyte.gz"]
)
def test_what_was_written_is_read(tmp_path, write_idx, small_set, pattern, below):
    write_idx(tmp_path / below, pattern)
    data = load("mnist", tmp_path)
    x, y, test_x, test_y = small_set
    assert data.source == "IDX"
    assert data.shape == (4, 5, 1)
    assert (len(data.train), len(data.validation), len(data.test)) == (27, 3, 10)
    whole = data.without_validation()
    np.testing.assert_array_equal(whole.train, x.reshape(30, 20).astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(data.test, test_x.reshape(10, 20).astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(whole.labels.train, y)
    np.testing.assert_array_equal(data.labels.test, test_y)


def test_a_set_without_a_name_of_ours(tmp_path, write_idx):
    write_idx(tmp_path / "runes")
    assert load("runes", tmp_path).name == "runes"


def test_emnist_stands_upright(tmp_path, write_idx, small_set):
    write_idx(tmp_path, begins=("emnist-letters-train", "emnist-letters-test"))
    data = load("emnist_letters", tmp_path)
    assert data.shape == (5, 4, 1)
    np.testing.assert_array_equal(data.test[0].reshape(5, 4) * 255, small_set[2][0].T)


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def swap(path):
    path.write_bytes(path.with_name(path.name.replace("images-idx3", "labels-idx1")).read_bytes())


def repack(change):
    return lambda path: path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, ["cut short", "gzip"]),
        (flip, ["damaged", "gzip"]),
        (swap, ["not an IDX file of images", "0x00000801", "0x00000803"]),
        (repack(lambda b: b[:-1]), ["30 x 4 x 5", "600 in all", "599 follow"]),
        (repack(lambda b: b + b"0"), ["600 in all", "601 follow"]),
        (repack(lambda b: b[:9]), ["header"]),
        (repack(lambda b: b""), ["not an IDX file"]),
        (repack(lambda b: b[:4] + bytes(12)), ["0 x 0 x 0"]),
        (repack(lambda b: b[:7] + b"\x1d" + b[8:-20]), ["29 images", "30 labels"]),
        (repack(lambda b: b[:11] + b"\x05" + b[12:15] + b"\x04" + b[16:]), ["5 x 4", "4 x 5", "same source"]),
        (lambda path: path.unlink(), ["not train-images-idx3-ubyte.gz"]),
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path, write_idx, harm, words):
    path = write_idx(tmp_path)[0]
    harm(path)
    with pytest.raises(UserError) as told:
        load("mnist", tmp_path)
    sentence = str(told.value)
    assert sentence.startswith("`data_dir`")
    assert all(word in sentence for word in ["train-images-idx3-ubyte.gz", *words]), sentence
    assert "\n" not in sentence


def test_the_error_lists_what_was_looked_for(tmp_path):
    with pytest.raises(
        UserError, match=r"train-images-idx3-ubyte.gz.*mnist/.*mnist/<version>/dataset_info.json.*tfds/"
    ):
        load("mnist", tmp_path)
    with pytest.raises(UserError, match=r"`data_dir` .*no such folder"):
        load("mnist", tmp_path / "elsewhere")


def test_canonical_mnist(real):
    paths = idx.find(real / "mnist")
    assert paths is not None
    assert hashlib.sha256(paths[0].read_bytes()).hexdigest().startswith("440fcabf")
    data = load("mnist", real)
    assert (data.train.shape, data.validation.shape, data.test.shape) == ((55000, 784), (5000, 784), (10000, 784))
    assert data.shape == (28, 28, 1)
    assert list(data.labels.train[:5]) == [5, 0, 4, 1, 9]
    assert list(data.labels.test[:3]) == [7, 2, 1]
    whole = data.without_validation().train
    assert whole.shape == (60000, 784)
    assert abs(whole.mean(dtype=np.float64) - 0.1306605) < 1e-6  # of 0 to 1; the figure that everybody normalises by
    assert (whole.min(), whole.max()) == (0, 1)
