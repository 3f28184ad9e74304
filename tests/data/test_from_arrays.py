"""A caller's own arrays: what their values and targets mean, how they are split, and that they are left alone."""

import jax.numpy as jnp
import numpy as np
import pytest

from genjax.data import Dataset
from genjax.data.binarisation import refuse_unbounded
from genjax.errors import DataWarning, UserError

RNG = np.random.default_rng(0)
BITS = (RNG.random((500, 30)) < 0.4).astype(np.int64)
REALS = RNG.normal(size=(60, 8, 8))
BYTES = RNG.integers(0, 256, (60, 8, 8)).astype(np.uint8)
Y = np.arange(60) % 3 + 4
PARTS = ("train", "validation", "test")


def lengths(data):
    return tuple(len(getattr(data, part)) for part in PARTS)


def rows_in(data, x):
    """Which rows of x each split holds."""
    number = {row.tobytes(): i for i, row in enumerate(x.reshape(len(x), -1).astype(np.float32))}
    return {part: [number[row.tobytes()] for row in getattr(data, part)] for part in PARTS}


def test_a_fifth_is_for_testing_and_a_tenth_of_the_others_for_validation():
    data = Dataset.from_arrays(BITS)
    assert lengths(data) == (360, 40, 100)
    assert (data.shape, data.example_shape, data.classes, data.name) == ((1, 30, 1), (30,), 0, "arrays")
    x = REALS
    rows = rows_in(Dataset.from_arrays(x), x)
    assert sorted(row for part in rows.values() for row in part) == list(range(60))
    assert rows != rows_in(Dataset.from_arrays(x, seed=1), x)
    assert rows == rows_in(Dataset.from_arrays(x, seed=0), x)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (BYTES, BYTES / np.float32(255)),
        (BYTES.reshape(60, 64), BYTES.reshape(60, 64) / np.float32(255)),
        (BYTES[..., None], BYTES / np.float32(255)),
        (BYTES > 99, BYTES > 99),
        ((BYTES > 99).astype(np.uint8), BYTES > 99),
        ((BYTES > 99).astype(np.int32), BYTES > 99),
        (REALS, REALS.astype(np.float32)),
        (jnp.asarray(REALS, jnp.bfloat16), np.asarray(jnp.asarray(REALS, jnp.bfloat16), np.float32)),
        (REALS.tolist(), REALS.astype(np.float32)),
    ],
)
def test_what_values_mean(x, expected):
    data = Dataset.from_arrays(x, test=0, validation=0)
    assert data.train.dtype == np.float32
    np.testing.assert_array_equal(data.train, expected.reshape(60, 64))


@pytest.mark.parametrize(
    ("x", "example_shape", "shape"),
    [
        (BYTES.reshape(60, 64), (64,), (8, 8, 1)),
        (BITS, (30,), (1, 30, 1)),
        (BYTES, (8, 8), (8, 8, 1)),
        (BYTES[..., None], (8, 8, 1), (8, 8, 1)),
        (np.repeat(BYTES[..., None], 3, -1), (8, 8, 3), (8, 8, 3)),
    ],
)
def test_what_goes_in_shaped_comes_out_shaped(x, example_shape, shape):
    data = Dataset.from_arrays(x)
    assert (data.example_shape, data.shape) == (example_shape, shape)
    assert data.shaped(data.test).shape == (len(data.test), *example_shape)
    values = int(np.prod(shape))
    expected = data.flatten(x)
    assert expected.shape == (len(x), values)
    for form in ((values,), shape, example_shape):
        np.testing.assert_array_equal(data.flatten(x.reshape(-1, *form)), expected)
    np.testing.assert_array_equal(data.shaped(expected), data.shaped(expected).reshape(-1, *example_shape))
    assert {row.tobytes() for row in data.test} <= {row.tobytes() for row in expected}


def test_other_shapes_are_refused_with_both():
    data = Dataset.from_arrays(BYTES)
    for wrong in (BYTES[:, :7], BYTES[0], BITS, 3.0):
        with pytest.raises(UserError, match=r"`given` has shape .* one example of these data has shape \(8, 8\)"):
            data.flatten(wrong, "`given`")
    unknown = np.where(REALS > 1, np.nan, REALS)
    with pytest.raises(UserError, match="NaN"):
        data.flatten(unknown)
    np.testing.assert_array_equal(np.isnan(data.flatten(unknown, finite=False)), (REALS > 1).reshape(60, 64))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"x": BYTES.astype(int)}, r"`x` holds integers .int64. from 0 to 255.*uint8 where 255 is white, or as floats"),
        ({"x": 2 * BITS - 1}, "`x` holds integers .* from -1 to 1.*give them as floats"),
        ({"x": np.where(REALS > 1, np.nan, REALS)}, "`x` holds NaN"),
        ({"x": REALS * 1e300}, "float32 cannot hold"),
        ({"x": REALS.astype(str)}, "`x` holds <U.*not numbers"),
        ({"x": REALS + 1j}, "not numbers"),
        ({"x": [[1.0, 2.0], [1.0]]}, "`x` is no array .*rows of equal length"),
        ({"x": "digits"}, r"`x` has shape \(\)"),
        ({"x": REALS[0, 0]}, r"`x` has shape \(8,\)"),
        ({"x": BYTES.reshape(60, 4, 4, 4)}, "4 channels; give 1 .grey. or 3"),
        ({"x": BYTES, "y": Y[1:]}, r"`y` has shape \(59,\) beside 60"),
        ({"x": BYTES, "y": np.eye(7, dtype=int)[Y]}, r"`y` has shape \(60, 7\) beside 60"),
        ({"x": BYTES, "y": Y.astype(str)}, "`y` holds <U.*unique"),
        ({"x": BYTES, "y": {"a": Y[1:]}}, r"`y` has an array of shape \(59,\)"),
        ({"x": BYTES, "test": 1.0}, "`test` 1.0: a share is at least 0 and below 1"),
        ({"x": BYTES, "validation": -0.1}, "`validation` -0.1: a share"),
        ({"x": BYTES, "validation": None}, "`validation` None: a share"),
        ({"x": BYTES, "test": (BYTES, Y, Y)}, "`test` is a tuple of 3"),
        ({"x": BYTES, "test": BYTES[:0]}, "`test` holds no examples; give 0 for none"),
        ({"x": BYTES, "test": BYTES[:, 1:]}, r"`test` has shape \(60, 7, 8\), and one example .* \(8, 8\)"),
        ({"x": BYTES, "test": BYTES / 255}, "`x` is uint8 and `test` float64; give all alike"),
        ({"x": BYTES, "validation": (BYTES, Y)}, "validation images are labelled and training images are not"),
        ({"x": BYTES, "y": REALS, "test": BYTES}, "`test`: its y is not like `y`.*target of .n, 8, 8.*classes or noth"),
        ({"x": BYTES, "y": Y, "test": (BYTES, REALS)}, "`test`: its y is not like `y`"),
        ({"x": BYTES[:2]}, "`x`: 2 image.* cannot be split"),
        ({"x": BYTES, "seed": -1}, "`seed` -1"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(arguments, words):
    with pytest.raises(UserError, match=words) as refused:
        Dataset.from_arrays(**arguments)
    assert "\n" not in str(refused.value)


def test_integers_are_classes_in_equal_shares():
    data = Dataset.from_arrays(REALS, Y, test=0.25, validation=0.2)
    assert (data.class_names, data.classes, lengths(data)) == (("4", "5", "6"), 3, (36, 9, 15))
    for labels, each in zip(data.labels, (12, 3, 5)):
        assert np.bincount(labels).tolist() == [each] * 3
    for part, rows in rows_in(data, REALS).items():
        np.testing.assert_array_equal(data.target(part), Y[rows] - 4)
    assert Dataset.from_arrays(REALS, Y.tolist()).classes == 3


@pytest.mark.parametrize("form", [lambda y: y, lambda y: {"a": y, "b": (y.astype(int), y[:, None])}, lambda y: [y, y]])
def test_floats_and_pytrees_are_targets_as_they_stand(form):
    y = np.repeat([0.0, 1.0], 30)
    data = Dataset.from_arrays(REALS, form(y))
    assert (data.classes, data.class_names, set(np.concatenate(data.labels))) == (0, (), {-1})
    for whole in (data, data.mixed(), data.without_validation(), data.without_validation().mixed()):
        for part, rows in rows_in(whole, REALS).items():
            expected, found = form(y[rows]), whole.target(part)
            assert repr(found) == repr(expected)
    assert data.targets is not None
    assert len(data.without_validation().validation) == 0


def test_targets_in_order_are_mixed_with_their_examples():
    data = Dataset.from_arrays(REALS, np.arange(60.0), test=0, validation=0)
    assert not data.shuffled
    assert rows_in(data, REALS)["train"] == list(range(60))
    rows = rows_in(data.mixed(), REALS)["train"]
    assert rows != list(range(60))
    np.testing.assert_array_equal(data.mixed().target("train"), rows)


@pytest.mark.parametrize("form", ["pair", "Dataset", "array"])
@pytest.mark.parametrize("argument", ["test", "validation"])
def test_a_split_may_be_given(argument, form):
    x, y = BYTES[50:], Y[50:]
    value = {"pair": (x, y), "array": x, "Dataset": Dataset.from_arrays(x, y, test=0, validation=0)}[form]
    other = "validation" if argument == "test" else "test"
    if form == "array" and argument == "test":
        with pytest.warns(DataWarning, match="test images have no labels"):
            data = Dataset.from_arrays(BYTES[:50], Y[:50], test=value)
    else:
        data = Dataset.from_arrays(BYTES[:50], Y[:50], **{argument: value})
    np.testing.assert_array_equal(getattr(data, argument) * 255, x.reshape(10, 64))
    np.testing.assert_array_equal(data.target(argument), -1 if form == "array" else y - 4)
    assert len(getattr(data, other)) == (5 if other == "validation" else 10)
    assert data.class_names == ("4", "5", "6")


def test_a_given_split_with_a_target_or_flat():
    data = Dataset.from_arrays(REALS[:50], REALS[:50], test=(REALS[50:].reshape(10, 64), REALS[50:]), validation=False)
    np.testing.assert_array_equal(data.target("test"), REALS[50:])
    again = Dataset.from_arrays(REALS[:40], REALS[:40], test=0, validation=data)
    assert lengths(again) == (40, 60, 0)
    assert len(again.target("validation")) == 60


def test_no_test_split_is_said_where_one_is_needed():
    data = Dataset.from_arrays(BYTES, Y, test=0)
    assert lengths(data) == (54, 6, 0)
    with pytest.raises(UserError, match="arrays has no test examples; give examples as `x`, or data with a `test` spl"):
        data.split("test")
    x, y = data.split("validation")
    assert (len(x), len(y)) == (6, 6)
    assert not [note for note in data.notes if "set aside" in note]


def test_the_callers_arrays_are_neither_kept_nor_changed():
    for x, y in ((REALS.astype(np.float32), REALS[:, 0].copy()), ((BYTES > 9).astype(np.uint8), Y.copy())):
        before = x.copy(), y.copy()
        data = Dataset.from_arrays(x[:40], y[:40], test=(x[40:50], y[40:50]), validation=(x[50:], y[50:]))
        flat = data.flatten(x)
        whole = [np.copy(getattr(data, part)) for part in PARTS] + [np.copy(data.target(part)) for part in PARTS]
        np.testing.assert_array_equal((x, y)[0], before[0])
        np.testing.assert_array_equal((x, y)[1], before[1])
        x[:], y[:] = 0, 0
        now = [getattr(data, part) for part in PARTS] + [data.target(part) for part in PARTS]
        for kept, value in zip(whole, now):
            np.testing.assert_array_equal(kept, value)
        assert flat.any()
    target = {"a": np.ones(60)}
    data = Dataset.from_arrays(REALS, target, test=0, validation=0)
    target["a"][:] = 0
    assert data.target("train")["a"].all()


def test_doubts_are_warnings_but_sparse_rows_are_none():
    with pytest.warns(DataWarning, match="`x`: every pixel of the training images is 0.5"):
        Dataset.from_arrays(np.full((50, 9), 0.5))
    assert len(Dataset.from_arrays(np.eye(40)[:, :30]).notes) == 1  # that a fifth is set aside
    assert len(Dataset.from_arrays(REALS * 0.01).notes) == 1


def test_draws_need_probabilities():
    data = Dataset.from_arrays(REALS)
    with pytest.raises(UserError, match=r"`binarisation` sampled: the train examples run from -.* give .* none"):
        refuse_unbounded("sampled", train=data.train)
    refuse_unbounded("none", train=data.train)
    refuse_unbounded("sampled", train=Dataset.from_arrays(BYTES).train, test=data.test[:0])


def test_a_dataset_is_a_few_lines():
    assert repr(Dataset.from_arrays(BYTES, Y, name="mine")).splitlines() == [
        "Dataset mine: 44 train, 4 validation, 12 test",
        "  example (8, 8), values 0 to 1",
        "  3 classes: 4, 5, 6",
        "  arrays, licence: see source",
    ]
    assert "target float64[], int64[2]" in repr(Dataset.from_arrays(REALS, (REALS[:, 0, 0], np.ones((60, 2), int))))
