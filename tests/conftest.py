"""What all tests share."""

import gc
from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def forget_what_was_compiled() -> Iterator[None]:
    """Thousands of compiled programs in one process use up its memory maps (65,530 on Linux), and XLA then crashes."""
    yield
    jax.clear_caches()
    gc.collect()
