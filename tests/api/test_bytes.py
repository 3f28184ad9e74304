"""Runs on bytes are runs on the same images as floats, to the last bit, also where the device has no room for them."""

import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import genjax
from genjax.algorithms.contrastive import PCD
from genjax.data import arrays, stored
from genjax.data.stored import Stored
from genjax.training import feed, sets

RNG = np.random.default_rng(0)
X = (RNG.integers(0, 256, (90, 4, 4)) * (RNG.random((90, 4, 4)) < 0.5)).astype(np.uint8)
Y = np.arange(90) % 3
OPTIONS = {"steps": 9, "batch_size": 10, "progress": False}


def same(one, other):
    """Whether two runs are the same in all that they have learned, measured, and keep of their data."""
    for a, b in zip(jax.tree.leaves(one.state), jax.tree.leaves(other.state), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in one.history.keys() - {"seconds"}:
        np.testing.assert_array_equal(one.history[name], other.history[name], err_msg=name)
    np.testing.assert_array_equal(one.record.mean, other.record.mean)
    assert one.record == other.record


def close(one, other):
    """The same but for rounding: batches are equal, and one compiled step adds up in another order than the other."""
    for a, b in zip(jax.tree.leaves(one.state), jax.tree.leaves(other.state), strict=True):
        np.testing.assert_allclose(np.asarray(a, np.float64), np.asarray(b, np.float64), rtol=1e-4, atol=1e-6)
    assert one.record == other.record


@pytest.fixture(name="no_room")
def no_room_fixture(monkeypatch):
    """Runs read their sets from the host from now on, some steps at a time."""
    monkeypatch.setattr(sets, "too_large", lambda nbytes: True)
    monkeypatch.setattr(feed, "PIECE", 4 * 160)


@pytest.mark.slow
@pytest.mark.parametrize("binarisation", ["threshold", "sampled"])
def test_bytes_are_their_floats(binarisation):
    """The machine's first biases are of the mean, its chains of the drawn images."""
    model = genjax.rbm(hidden=5, negative=PCD(chains=10))
    one = genjax.fit(model, (X, Y), binarisation=binarisation, **OPTIONS)
    other = genjax.fit(model, (X / np.float32(255), Y), binarisation=binarisation, **OPTIONS)
    assert one.prepared.training.x.dtype == jnp.uint8
    assert other.prepared.training.x.dtype == jnp.float32
    same(one, other)
    for asked in (lambda run: run.fixed_train().x, lambda run: run.fixed_test().x, lambda run: run.mean):
        np.testing.assert_array_equal(asked(one), asked(other))


@pytest.mark.slow
def test_zeros_and_ones_are_a_byte_each():
    x = X > 99
    one, other = (genjax.fit(genjax.rbm(hidden=5), (kind, Y), **OPTIONS) for kind in (x, x.astype(np.float32)))
    assert one.prepared.training.x.dtype == jnp.bool_
    same(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("model", [genjax.dbn(layers=(6, 4)), genjax.vae(latents=2, pixels="gaussian")])
def test_a_run_from_the_host_is_one_from_the_device(model, no_room, monkeypatch, tmp_path):
    """Stages of a belief network too, and a run in a folder that was interrupted."""
    one = genjax.fit(model, (X, Y), **OPTIONS)
    assert isinstance(one.prepared.training.x, Stored)

    def interrupt(chunk):
        if chunk.step >= 6:
            raise KeyboardInterrupt

    longer = OPTIONS | {"steps": 300}
    genjax.fit(model, (X, Y), out=tmp_path / "run", on_chunk=interrupt, **longer)
    went_on = genjax.fit(model, (X, Y), out=tmp_path / "run", **longer)
    monkeypatch.setattr(sets, "too_large", lambda nbytes: False)
    close(one, genjax.fit(model, (X, Y), **OPTIONS))
    whole = genjax.fit(model, (X, Y), **longer)
    assert not isinstance(whole.prepared.training.x, Stored)
    close(whole, went_on)


@pytest.mark.slow
def test_a_grid_has_its_set_on_the_device(no_room):
    (one,) = genjax.grid(genjax.rbm(hidden=5), (X, Y), seeds=[3], **OPTIONS)
    alone = genjax.fit(genjax.rbm(hidden=5), (X, Y), seed=3, **OPTIONS)
    np.testing.assert_allclose(one.machine.weights[0], alone.machine.weights[0], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        genjax.gan(backbone="conv", channels=(4, 4)),
        genjax.vae(latents=4, channels=(4,), layers=(16,), pixels="gaussian"),
    ],
)
def test_colour_images_in_a_file(model, tmp_path, monkeypatch):
    """They are never all in memory as bytes, let alone as floats: 37 MB and 147 MB."""
    path = tmp_path / "colours.npy"
    mapped = np.lib.format.open_memmap(path, "w+", np.uint8, (3000, 64, 64, 3))
    mapped[:] = RNG.integers(0, 256, mapped.shape, np.uint8)
    mapped.flush()
    options = OPTIONS | {"steps": 3}
    expected = genjax.fit(model, path, **options)
    for where, name, value in ((arrays, "MAPPED", 0), (sets, "ROOM", 10**7), (feed, "PIECE", 2**18)):
        monkeypatch.setattr(where, name, value)
    for where, name in ((stored, "BLOCK"), (sets, "TOGETHER")):
        monkeypatch.setattr(where, name, 2**20)
    monkeypatch.setattr(jax, "local_devices", lambda: [NoMemory()])
    tracemalloc.start()
    run = genjax.fit(model, path, **options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(run.prepared.training.x, Stored)
    close(run, expected)
    assert peak < 100e6


class NoMemory:
    """A device that does not say how much memory it has."""

    def memory_stats(self):
        """Nothing."""
