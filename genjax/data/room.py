"""What a file claims to hold, held against the memory there is: refused before it is unpacked."""

import contextlib
import os
from functools import lru_cache
from pathlib import Path

from genjax.errors import UserError

RATIO = 200
"""How many times smaller than itself a set of images may be packed: MNIST is 5 times, and only a blank one 1000."""
SMALL = 2**28
"""Bytes that may be packed however well."""


@lru_cache
def memory() -> int:
    """Bytes that this process may have: of the machine, its container and its own limit the least."""
    found = [2**63]
    with contextlib.suppress(AttributeError, ValueError, OSError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(OSError, ValueError):
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows

        found.append(resource.getrlimit(resource.RLIMIT_AS)[0])
    return min(number for number in found if number > 0)


def refuse_too_large(size: int, place: str, remedy: str, packed: int | None = None) -> None:
    """Raise `UserError` that begins with `place` where so many bytes do not fit, or were packed as no images are."""
    if size > memory():
        raise UserError(f"{place} would take {_shown(size)}, and there are {_shown(memory())} of memory; {remedy}.")
    if packed is not None and size > max(SMALL, RATIO * packed):
        times = size // max(1, packed)
        raise UserError(f"{place} says that it unpacks to {_shown(size)}, {times} times its size; {remedy}.")


def _shown(size: int) -> str:
    return f"{size / 1e9:.3g} GB"
