"""Files of a person's own arrays, and what is said about those that cannot be used."""

import numpy as np
import pytest

from genjax.data import load
from genjax.errors import DataWarning, UserError

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
    whole = data.without_validation()
    label_of = {row.tobytes(): label for row, label in zip(BYTES.reshape(40, 36), Y)}
    assert [label_of[np.rint(row * 255).astype(np.uint8).tobytes()] for row in whole.train] == list(whole.labels.train)
    np.testing.assert_array_equal(data.test * 255, BYTES[30:].reshape(10, 36))
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
    np.testing.assert_array_equal(data.test * 255, x[:5].reshape(5, -1))
    assert {row.tobytes() for row in np.rint(data.train * 255).astype(np.uint8)} < {row.tobytes() for row in x}


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
        ({"x_train": X, "x_validation": BYTES}, "x_train is float64 and x_validation uint8"),
        ({"x_train": BYTES, "x_test": X}, "x_train is uint8 and x_test float64"),
        ({"x_train": BYTES, "x_validation": BYTES > 0}, "x_train is uint8 and x_validation bool"),
        ({"x_train": X, "x_test": X.astype(str)}, "x_test holds <U32, not numbers"),
        ({"x_train": X, "x_validation": X[:, 1:]}, r"\(40, 6, 6\) and x_validation \(40, 5, 6\)"),
        ({"x_train": X, "x_test": X[:0]}, r"x_test has shape \(0, 6, 6\)"),
        ({"x_train": X, "x_validation": X, "y_validation": Y[1:]}, r"y_validation has shape \(39,\) beside 40 images"),
        ({"x_train": BYTES.astype(np.uint16)}, "uint16.* run from 0 to 255.*save them as uint8"),
        ({"x_train": BYTES.astype(np.uint16) * 200}, "uint16.* run from 0 to 51000.*divide them by"),
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
    assert str(told.value).startswith("`dataset` ")
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


SPLITS = ("train", "validation", "test")


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("own", [("train",), ("train", "validation"), ("train", "test"), SPLITS])
def test_every_split_of_a_file_is_used_and_others_are_drawn(tmp_path, own, labelled):
    rows = {"train": np.arange(20), "validation": np.arange(20, 27), "test": np.arange(27, 40)}
    arrays = {f"x_{split}": BYTES[rows[split]] for split in own}
    arrays |= {f"y_{split}": Y[rows[split]] for split in own} if labelled else {}
    data = load(save(tmp_path, **arrays))
    number = {row.tobytes(): i for i, row in enumerate((BYTES / np.float32(255)).reshape(40, 36))}
    found = {split: [number[row.tobytes()] for row in getattr(data, split)] for split in SPLITS}
    assert sorted(row for part in found.values() for row in part) == sorted(
        np.concatenate([rows[split] for split in own])
    )
    for split in SPLITS[1:]:
        if split in own:
            assert found[split] == list(rows[split])
    left = 20 if "test" in own else 16
    assert len(found["test"]) == (13 if "test" in own else 4)
    assert len(found["validation"]) == (7 if "validation" in own else left // 10)
    for split in SPLITS:
        np.testing.assert_array_equal(getattr(data.labels, split), Y[found[split]] if labelled else -1)
    whole = data.without_validation()
    assert len(whole.train) == len(found["train"]) + len(found["validation"])
    assert len(whole.validation) == 0
    aside = [note for note in data.notes if "set aside for testing" in note]
    assert len(aside) == ("test" not in own)
    assert set(data.notes) == set(aside)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"x_val": X}, "its array x_val is not used"),
        ({"y_validation": Y}, "its array y_validation is not used"),
        ({"y_test": Y}, "its array y_test is not used"),
        ({"X_train": X, "weights": Y, "about": np.array({})}, "its arrays X_train, weights, about are not used"),
    ],
)
def test_arrays_that_are_not_used_are_named(tmp_path, more, named):
    path = save(tmp_path, x_train=X, y_train=Y, **more)
    with pytest.warns(DataWarning, match=named):
        data = load(path)
    assert [note for note in data.notes if named in note and path in note]


@pytest.mark.parametrize("kinds", [(np.float32, np.float64, np.float16), (np.uint8, np.bool_, np.float32)])
def test_types_that_mean_the_same_go_together(tmp_path, kinds):
    bits = BYTES > 127
    arrays = {f"x_{split}": bits.astype(kind) for split, kind in zip(SPLITS, kinds)}
    data = load(save(tmp_path, **arrays))
    for split in SPLITS:
        np.testing.assert_array_equal(getattr(data, split), bits.reshape(40, 36))


@pytest.mark.parametrize(
    ("low", "high", "formula"),
    [
        (-3.89942, 3.06604, "(x + 3.89942) / 6.96546"),
        (-1, 1, "(x + 1) / 2"),
        (-1234.5678, 8000.123, "(x + "),
        (-1000.00123, -1000, "(x + "),
        (-1e-5, 1e30, "(x + "),
    ],
)
def test_the_remedy_for_negative_values_works(tmp_path, low, high, formula):
    x = np.linspace(low, high, 360).reshape(10, 6, 6)
    with pytest.raises(UserError) as told:
        load(save(tmp_path, x_train=x))
    remedy = str(told.value).split("for instance ")[1].rstrip(".")
    assert remedy.startswith(formula)
    load(save(tmp_path, x_train=eval(remedy, {"x": x})))


def test_three_images_and_a_split_of_its_own_suffice(tmp_path):
    data = load(save(tmp_path, x_train=X[:1], x_validation=X[1:2], x_test=X[2:3]))
    assert (len(data.train), len(data.validation), len(data.test)) == (1, 1, 1)
    data = load(save(tmp_path, x_train=X[:2], x_validation=X[1:2]))
    assert (len(data.train), len(data.validation), len(data.test)) == (1, 1, 1)
    with pytest.raises(UserError, match=r"1 image.s. cannot be split .* at least two"):
        load(save(tmp_path, x_train=X[:1], x_test=X))
