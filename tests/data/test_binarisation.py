"""What a model is shown: the draw has the right law, and the one for testing is always the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.data import binarise, binarise_fixed
from genjax.errors import UserError

X = np.random.default_rng(0).random((50, 20), dtype=np.float32)


def test_sampled_has_the_intensities_as_means():
    levels = jnp.array([0.0, 0.03, 0.5, 0.8, 1.0])
    draws = 40_000
    shown = jax.jit(binarise, static_argnums=2)(jax.random.key(1), jnp.tile(levels, (draws, 1)), "sampled")
    assert set(np.unique(shown)) == {0.0, 1.0}
    # five standard errors: a right draw misses less than once in 1e6; a threshold at a half misses by hundreds
    tolerance = 5 * np.sqrt(levels * (1 - levels) / draws)
    assert (np.abs(shown.mean(0) - levels) <= tolerance + 1e-7).all()
    assert shown.dtype == jnp.float32


def test_sampled_draws_pixels_apart():
    shown = binarise(jax.random.key(2), jnp.full((20_000, 2), 0.5), "sampled")
    assert abs(np.corrcoef(shown.T)[0, 1]) < 5 / np.sqrt(20_000)
    assert not (shown == binarise(jax.random.key(3), jnp.full((20_000, 2), 0.5), "sampled")).all()


def test_threshold_and_none():
    x = jnp.array([0.0, 0.5, 0.5000001, 1.0])
    np.testing.assert_array_equal(binarise(jax.random.key(0), x, "threshold"), [0, 0, 1, 1])
    np.testing.assert_array_equal(binarise(jax.random.key(0), x, "none"), x)


def test_fixed_is_one_draw_whatever_stands_beside_it():
    whole = binarise_fixed(X, "sampled", 4)
    np.testing.assert_array_equal(whole[:7], binarise_fixed(X[:7], "sampled", 4))
    assert (whole != binarise_fixed(X, "sampled", 5)).any()
    with jax.default_prng_impl("rbg"):
        np.testing.assert_array_equal(whole, binarise_fixed(X, "sampled", 4))
    assert whole.dtype == np.float32
    assert set(np.unique(whole)) == {0.0, 1.0}
    rows = binarise_fixed(np.full((2, 1000), 0.5, np.float32), "sampled", 0)
    assert (rows[0] != rows[1]).any()


def test_fixed_without_draws_and_without_rows():
    np.testing.assert_array_equal(binarise_fixed(X, "none", 0), X)
    np.testing.assert_array_equal(binarise_fixed(X, "threshold", 0), X > 0.5)
    assert binarise_fixed(X[:0], "sampled", 0).shape == (0, 20)


def test_another_word_is_refused():
    unchecked = getattr(binarise, "__wrapped__", binarise)  # under pytest, the type checker speaks first
    with pytest.raises(UserError, match="`binarisation` median: not one of sampled, threshold, none"):
        unchecked(jax.random.key(0), jnp.zeros(3), "median")
