"""What all tests share."""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator

from tests.xla_flags import QUICK

os.environ.setdefault("XLA_FLAGS", QUICK)  # read when JAX's backend starts

import jax
import pytest

# What one test has compiled another process reads. Workers and the commands that tests start find the folder in their
# environment.
CACHE = None if "JAX_COMPILATION_CACHE_DIR" in os.environ else tempfile.mkdtemp(prefix="genjax-tests-")
if CACHE is not None:
    os.environ |= {"JAX_COMPILATION_CACHE_DIR": CACHE, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3"}
    jax.config.update("jax_compilation_cache_dir", CACHE)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def pytest_unconfigure() -> None:
    """The process that made the cache, which is the last to end, takes it away."""
    if CACHE is not None:
        shutil.rmtree(CACHE, ignore_errors=True)


@pytest.fixture(autouse=True, scope="module")
def forget_what_was_compiled() -> Iterator[None]:
    """Thousands of compiled programs take gigabytes of a process, and one that kept them all died in XLA's compiler."""
    yield
    jax.clear_caches()
    gc.collect()
