"""No random key is used twice: JAX's own checker (`jax_debug_key_reuse`) over training, going on and every question.

It follows keys through whole programs, loops included, and counts a key as used where bits are drawn from it or where
it is split; `fold_in`, by which all keys here are derived, uses none. A resumed run folds the number of each step into
the same key as the uninterrupted one, which `training/test_loop.py` holds.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import genjax
from genjax import random

X = (np.random.default_rng(0).random((60, 6, 6, 1)) < 0.4).astype(np.float32)
HALF = np.arange(36).reshape(6, 6, 1) < 18


@pytest.fixture(autouse=True)
def checked() -> Iterator[None]:
    """JAX's checker, on programs that are traced anew."""
    jax.clear_caches()
    with jax.debug_key_reuse(True):
        yield


def test_the_checker_sees_a_key_that_two_draws_share():
    def twice(key):
        return random.bernoulli(key, jnp.zeros((3, 4))) + random.normal(key, (3, 4))

    with pytest.raises(jax.errors.KeyReuseError):
        jax.jit(twice)(random.key(0))


@pytest.mark.slow
def test_no_key_is_used_twice():
    """By an RBM, also one that goes on, and all that it is asked."""
    data = genjax.Dataset.from_arrays(X, np.arange(60) % 3)
    run = genjax.fit(genjax.rbm(hidden=4, chains=10), data, steps=7, batch_size=20, progress=False)
    run = genjax.fit(run, steps=14, progress=False)
    run.log_likelihood()
    run.sample(4, sweeps=10)
    run.reconstruct(X[:4], HALF)
    run.sample(4, given=X[0], missing=HALF, sweeps=10)
