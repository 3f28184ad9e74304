"""Tiny data and the runs on them that all questions share."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import genjax
from genjax.api.run import Run

Same = Callable[[Any, Any], None]


@pytest.fixture(scope="session")
def bits() -> np.ndarray:
    """(120, 12) of 0 and 1, in two kinds that differ in their halves."""
    rng = np.random.default_rng(0)
    shares = np.where(np.arange(120)[:, None] % 2 == np.arange(12) // 6, 0.8, 0.2)
    return (rng.random((120, 12)) < shares).astype(np.float32)


@pytest.fixture(scope="session")
def kinds() -> np.ndarray:
    """Which of the two each row of `bits` is."""
    return np.arange(120) % 2


@pytest.fixture(scope="module")
def fit(bits: np.ndarray) -> Callable[..., Run]:
    """`genjax.fit` of a tiny RBM on `bits`, in silence."""

    def fitted(model: Any = None, data: Any = None, **options: Any) -> Run:
        model = genjax.rbm(hidden=4, chains=10) if model is None else model
        data = bits if data is None and not isinstance(model, Run) else data
        own = {} if isinstance(model, Run) else {"batch_size": 20}
        return genjax.fit(model, data, **own | {"progress": False} | options)

    return fitted


def leaves(state: Any) -> list[np.ndarray]:
    """As numpy arrays, keys by their words."""
    return [
        np.asarray(jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x)
        for x in jax.tree.leaves(state)
    ]


@pytest.fixture(scope="session")
def same() -> Same:
    """Whether two states, or parameters, are equal bit for bit."""

    def check(first: Any, second: Any) -> None:
        assert jax.tree.structure(first) == jax.tree.structure(second)
        for one, other in zip(leaves(first), leaves(second), strict=True):
            np.testing.assert_array_equal(one, other)

    return check
