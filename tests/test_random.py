"""The draws: probabilities to 2^-24, borders, global indices, generators."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import random


def test_words_depend_on_the_global_index_alone():
    key = jax.random.key(5)
    whole = np.asarray(random.words(key, 40, 30))
    part = random.words(key, 7, 5, first_chain=11, first_unit=20)
    np.testing.assert_array_equal(part, whole[11:18, 20:25])
    assert len(np.unique(whole)) == whole.size


def test_every_key_kind_gives_its_own_words_and_jit_changes_nothing():
    keys = [random.key(1, "counter"), random.key(2, "counter"), random.key(1, "threefry"), random.key(1, "rbg")]
    drawn = [np.asarray(random.bits(key, (20, 10))) for key in keys]
    for i, a in enumerate(drawn):
        np.testing.assert_array_equal(a, jax.jit(random.bits, static_argnums=1)(keys[i], (20, 10)))
        assert all(np.mean(a == b) < 0.01 for b in drawn[:i])
    plain = jax.random.bits(jax.random.key(1), (20, 10), jnp.uint32)
    np.testing.assert_array_equal(drawn[2], plain)


@partial(jax.jit, compiler_options={"xla_backend_optimization_level": 2})
def hits(logit):
    """Of all 2^24 values that the comparison can tell apart."""
    words = jnp.arange(2**24, dtype=jnp.uint32) << 8
    return random.below_sigmoid(words, jnp.full(2**24, logit, jnp.float32)).sum()


@pytest.mark.parametrize("logit", [-12.0, -3.0, -0.1, 0.0, 0.7, 5.0, 12.0])
def test_probabilities_are_resolved_to_2_to_the_minus_24(logit):
    found, mirrored = int(hits(logit)), int(hits(-logit))
    assert abs(found / 2**24 - 1 / (1 + np.exp(-logit))) <= 1.1 * 2**-24
    assert found + mirrored == 2**24


def test_extreme_logits_decide():
    words = random.words(jax.random.key(0), 1000, 1)
    for logit, expected in ((-1e4, 0), (-np.inf, 0), (1e4, 1), (np.inf, 1)):
        drawn = random.below_sigmoid(words, jnp.full((1000, 1), logit, jnp.float32))
        assert bool(jnp.all(drawn == bool(expected)))


@pytest.mark.parametrize("generator", ["counter", "threefry", "rbg"])
def test_frequencies(generator):
    logits = jnp.broadcast_to(jnp.linspace(-4, 4, 9), (200_000, 9))
    p = 1 / (1 + np.exp(-np.linspace(-4, 4, 9)))
    for drawn in (
        random.bernoulli(random.key(3, generator), logits),
        random.bernoulli_of_mean(random.key(4, generator), jax.nn.sigmoid(logits)),
    ):
        error = (np.asarray(drawn).mean(0) - p) / np.sqrt(p * (1 - p) / 200_000)
        assert np.all(np.abs(error) < 5.5)


def test_sure_means_are_kept():
    mean = jnp.asarray([0.0, 1.0])
    drawn = random.bernoulli_of_mean(jax.random.key(0), jnp.broadcast_to(mean, (100_000, 2)))
    assert np.asarray(drawn).min(0).tolist() == [0, 1]
    assert np.asarray(drawn).max(0).tolist() == [0, 1]


def test_uniform_stays_below_one():
    words = jnp.asarray([0, 255, 256, 2**32 - 1], jnp.uint32)
    np.testing.assert_array_equal(random.uniform(words), np.float32([0, 0, 2**-24, 1 - 2**-24]))


def test_subkeys_differ_by_name():
    key = jax.random.key(0)
    names = ["a", "b", "order", "step"]
    assert len({tuple(np.asarray(jax.random.key_data(random.subkey(key, n)))) for n in names}) == len(names)


def test_words_of_one_draw_are_uncorrelated():
    """Rows, columns and rectangles of one matrix: +-1 top bits have the correlations of independent ones."""
    bits = 1 - 2 * (np.asarray(random.words(jax.random.key(9), 512, 512)) >> 31).astype(np.int64)
    for product in (bits[1:] * bits[:-1], bits[:, 1:] * bits[:, :-1]):
        assert abs(product.sum()) < 5.5 * np.sqrt(product.size)
    corners = bits[1:, 1:] * bits[1:, :-1] * bits[:-1, 1:] * bits[:-1, :-1]
    assert abs(corners.sum()) < 5.5 * np.sqrt(corners.size)


def test_noise_is_the_pairs_of_each_key():
    """Its hash is written out; that of `pairs` is JAX's own."""
    keys = jax.random.split(jax.random.key(3), 5)
    found = random.noise(keys, 7, 11)
    for number, key in enumerate(keys):
        rows, columns = random.pairs(key, 7, 11)
        np.testing.assert_array_equal([found.a[number], found.b[number]], rows)
        np.testing.assert_array_equal([found.c[number], found.d[number]], columns)
