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


GIGABYTES = 3  # of a process, at its most


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Of `-n auto`: as many processes as there are cores, or as memory holds where that is fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError):
        return cores
    return max(1, min(cores, int(memory / GIGABYTES)))


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
