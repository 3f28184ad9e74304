"""Files of a person's own arrays, and what is said about those that cannot be used."""

import numpy as np
import pytest

from genjax.data import load
from genjax.errors import UserError

RNG = np.random.default_rng(3)
BYTES = RNG.integers(0, 256, (40, 6, 6), np.uint8)
BYTES[0, 0, 0] = 255
Y = np.arange(40) % 4


def save(tmp_path, **arrays):
    np.savez(tmp_path / "mine.npz", **arrays)
    return str(tmp_path / "mine.npz")


def test_npz_of_bytes(tmp_path):
    data = load(save(tmp_path, x_train=BYTES[:30], y_train=Y[:30], x_test=BYTES[30:], y_test=Y[30:]))
    assert (data.name, data.source, data.shape) == ("mine", "npz", (6, 6, 1))
    assert (len(data.train), len(data.validation), len(data.test)) == (27, 3, 10)
    np.testing.assert_array_equal(data.train * 255, BYTES[:27].reshape(27, 36))
    np.testing.assert_array_equal(data.labels.test, Y[30:])
    assert data.labels.train.dtype == np.int32


def test_a_relative_path_may_lie_in_the_data_folder(tmp_path):
    save(tmp_path, x_train=BYTES)
    assert load("mine.npz", data_dir=tmp_path).shape == (6, 6, 1)


@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (BYTES.reshape(40, 36), (6, 6, 1)),
        (BYTES.reshape(40, 36)[:, :20], (1, 20, 1)),
        (BYTES[..., None], (6, 6, 1)),
        (np.repeat(BYTES[..., None], 3, -1), (6, 6, 3)),
    ],
)
def test_shapes(tmp_path, x, shape):
    data = load(save(tmp_path, x_train=x, y_train=Y, x_test=x[:5], y_test=Y[:5]))
    assert data.shape == shape
    np.testing.assert_array_equal(data.train[0] * 255, x[0].ravel())


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.uint8, np.int64, np.bool_])
def test_bits_of_any_type_stay_bits(tmp_path, kind):
    bits = (BYTES > 127).astype(kind)
    np.testing.assert_array_equal(load(save(tmp_path, x_train=bits, x_test=bits)).test, bits.reshape(40, 36))


def test_floats_are_taken_as_they_are(tmp_path):
    x = RNG.random((40, 36))
    data = load(save(tmp_path, x_train=x, x_test=x))
    np.testing.assert_array_equal(data.test, x.astype(np.float32))
    assert set(data.labels.train) == {-1}


def test_a_lone_array_holds_out_a_fifth(tmp_path):
    np.save(tmp_path / "faces.npy", BYTES)
    data = load(str(tmp_path / "faces.npy"))
    assert (data.name, data.source) == ("faces", "npy")
    assert (len(data.train), len(data.validation), len(data.test)) == (29, 3, 8)
    rows = np.concatenate([data.train, data.validation, data.test])
    assert {row.tobytes() for row in rows} == {row.tobytes() for row in BYTES.reshape(40, 36) / np.float32(255)}
    assert set(data.labels.test) == {-1}
    np.testing.assert_array_equal(load(str(tmp_path / "faces.npy")).test, data.test)


def test_npz_without_a_test_set_holds_out_by_class(tmp_path):
    assert list(np.bincount(load(save(tmp_path, x_train=BYTES, y_train=Y)).labels.test)) == [2, 2, 2, 2]


X = BYTES / 255


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": X, "y": Y}, "holds x, y but no x_train; save it with x_train, y_train, x_test, y_test"),
        ({"x_train": BYTES.astype(np.float32)}, "float32.* run from 0 to 255.*divide them by"),
        ({"x_train": BYTES.astype(np.int64)}, "int64.* run from 0 to 255.*save them as uint8"),
        ({"x_train": X * 2 - 1}, "not within .*rescale them, for instance"),
        ({"x_train": np.where(X > 0.5, np.nan, X)}, "NaN"),
        ({"x_train": X.astype(str)}, "not numbers"),
        ({"x_train": X.astype(complex)}, "not numbers"),
        ({"x_train": X[0, 0]}, r"x_train has shape \(6,\)"),
        ({"x_train": X[:0]}, r"x_train has shape \(0, 6, 6\)"),
        ({"x_train": np.zeros((9, 3, 8, 8))}, "8 channels; give 1 .grey. or 3 .RGB. as the last axis"),
        ({"x_train": X, "x_test": X[:, 1:]}, r"\(40, 6, 6\) and x_test \(40, 5, 6\)"),
        ({"x_train": X, "x_test": BYTES}, "x_train is float64 and x_test uint8"),
        ({"x_train": X, "y_train": Y[1:]}, r"y_train has shape \(39,\) beside 40 images"),
        ({"x_train": X, "y_train": np.eye(4)[Y]}, r"y_train has shape \(40, 4\) beside 40 images"),
        ({"x_train": X, "y_train": Y + 0.5}, "y_train .float64. does not hold class numbers"),
        ({"x_train": X, "y_train": Y.astype(str)}, "does not hold class numbers"),
        ({"x_train": np.array([{}, {}])}, "Python objects"),
        ({"x_train": X[:1]}, "cannot be split"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(tmp_path, arrays, words):
    path = save(tmp_path, **arrays)
    with pytest.raises(UserError, match=words) as told:
        load(path)
    assert str(told.value).startswith("--dataset ")
    assert "mine" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
@pytest.mark.parametrize("keep", [0, 4, 100, -30])
def test_a_cut_file(tmp_path, suffix, keep):
    path = tmp_path / f"cut{suffix}"
    np.savez(path, x_train=BYTES) if suffix == ".npz" else np.save(path, BYTES)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match="numpy cannot read it"):
        load(str(path))


def test_a_wrong_suffix(tmp_path):
    np.save(tmp_path / "a.npy", BYTES)
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    with pytest.raises(UserError, match=r"rename it to .npy"):
        load(str(tmp_path / "a.npz"))
