"""What all tests share."""

import gc
from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def forget_what_was_compiled() -> Iterator[None]:
    """Thousands of compiled programs take gigabytes of a process, and one that kept them all died in XLA's compiler."""
    yield
    jax.clear_caches()
    gc.collect()
