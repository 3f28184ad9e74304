"""Bytes that read as floats: the same values, on the host and on the device, as many as are asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.data import Dataset, load, stored
from genjax.data import arrays as files
from genjax.data.checksum import checksum, of_rows
from genjax.data.stored import Stored

BYTES = np.arange(256, dtype=np.uint8)
RAW = np.random.default_rng(0).integers(0, 256, (40, 12), np.uint8)
ROWS = np.random.default_rng(1).permutation(40)[:30]
HELD = Stored(RAW, ROWS)
FLOATS = RAW[ROWS] / np.float32(255)


def test_every_byte_is_the_rounded_quotient_everywhere():
    """`x / 255` inside jit is not: 126 of the 256 differ."""
    expected = BYTES / np.float32(255)
    np.testing.assert_array_equal(stored.floats(BYTES), expected)
    np.testing.assert_array_equal(stored.shown(jnp.asarray(BYTES)), expected)
    np.testing.assert_array_equal(jax.jit(stored.shown)(BYTES), expected)


def test_the_sum_of_two_products_is_the_quotient_fused_or_not():
    """Compilers may leave out the rounding of one product."""
    high, low, expected = float(stored.HIGH), float(stored.LOW), BYTES / np.float32(255)
    of_low, of_high = ((BYTES.astype(np.float32) * part).astype(float) for part in (stored.LOW, stored.HIGH))
    np.testing.assert_array_equal((BYTES * high + of_low).astype(np.float32), expected)
    np.testing.assert_array_equal((of_high + BYTES * low).astype(np.float32), expected)


@pytest.mark.parametrize("kind", [bool, np.float32])
def test_other_values_are_themselves(kind):
    raw = (RAW > 99).astype(kind)
    np.testing.assert_array_equal(stored.floats(raw), raw)
    assert stored.floats(raw).dtype == stored.shown(jnp.asarray(raw)).dtype == np.float32
    np.testing.assert_array_equal(stored.shown(jnp.asarray(raw)), raw)


@pytest.mark.parametrize(
    "asked",
    [
        lambda x: x[3],
        lambda x: x[2:9:3],
        lambda x: x[[4, 1]],
        lambda x: x[np.array([[4, 1], [0, 2]])],
        lambda x: x[np.arange(30) > 20],
        lambda x: x[1:3, 2],
        lambda x: x[x > 0.5],
        lambda x: list(x)[-1],
        lambda x: 1 - x,
        lambda x: np.abs(x),
        lambda x: x.mean(0),
        lambda x: x.T,
        lambda x: x.reshape(-1, 3, 4),
        lambda x: x.min(),
        lambda x: x.max(),
        lambda x: x.max(1),
        lambda x: np.min(x, initial=-1),
        lambda x: np.concatenate([x, x]),
        lambda x: jnp.asarray(x),
        lambda x: [x.shape, x.size, x.ndim, len(x), x.dtype],
    ],
)
def test_it_reads_as_the_array_of_its_values(asked, monkeypatch):
    monkeypatch.setattr(stored, "BLOCK", 50)
    found, expected = asked(HELD), asked(FLOATS)
    if isinstance(expected, list):
        assert found == expected
    else:
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    assert not hasattr(HELD, "nonsense")


@pytest.mark.parametrize("size", [1, 100, 10**6])
def test_what_is_summed_in_blocks(size, monkeypatch):
    monkeypatch.setattr(stored, "BLOCK", size)
    np.testing.assert_array_equal(stored.mean(HELD), stored.mean(FLOATS))
    assert stored.brightness(HELD) == pytest.approx(stored.brightness(FLOATS), rel=1e-12)
    assert checksum("", HELD) == checksum("", FLOATS)
    np.testing.assert_array_equal(of_rows(HELD), of_rows(FLOATS))


@pytest.mark.parametrize(("x", "kind"), [(RAW, np.uint8), (RAW > 9, bool), ((RAW > 9).astype(np.uint8), bool)])
def test_a_byte_a_value_is_kept_in_every_split(x, kind):
    data = Dataset.from_arrays(x, np.arange(40) % 4)
    parts = data.train, data.validation, data.test, data.mixed().train, data.without_validation().train
    assert {part.array.dtype for part in parts} == {np.dtype(kind)}
    assert all(part.array is data.train.array for part in parts)  # one copy for all of them
    x = x.copy()
    kept = Dataset.from_arrays(x, test=0, validation=0)
    x[:] = 0
    assert kept.train.max() == 1


def test_bytes_beside_floats_are_floats():
    """A split that is a Dataset comes as its values."""
    other = Dataset.from_arrays(RAW[:10], test=0, validation=0)
    for split in ("test", "validation"):
        data = Dataset.from_arrays(RAW, **{"test": 0, "validation": 0, split: other})
        np.testing.assert_array_equal(data.train, RAW / np.float32(255))
        np.testing.assert_array_equal(getattr(data, split), RAW[:10] / np.float32(255))


def test_a_mapped_file_is_not_copied(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", RAW)
    expected = load(tmp_path / "x.npy")
    assert expected.train.array.flags.writeable  # a small file is read
    monkeypatch.setattr(files, "MAPPED", 0)
    mapped = load(tmp_path / "x.npy")
    given = Dataset.from_arrays(np.load(tmp_path / "x.npy", mmap_mode="r"))
    for data in (mapped, given):
        assert not data.train.array.flags.writeable
        np.testing.assert_array_equal(data.train, expected.train)
        np.testing.assert_array_equal(data.test, expected.test)
