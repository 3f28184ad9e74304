"""A run's folder is trained by one process at a time: a lock that ends with its holder, however that ends."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from genjax.errors import UserError

NAME = ".lock"  # of the file, which stays: the operating system holds the lock, not the file's existence


def hold(folder: Path) -> FileLock:
    """The lock of an existing folder, held until it is released. Raises `UserError` where somebody else holds it, or
    where nothing can be written."""
    lock = FileLock(folder / NAME, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        text = f"{folder} is being trained by another process; wait until that has ended, or name another folder."
        raise UserError(text) from None
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); name a folder that can.") from None
    return lock


@contextlib.contextmanager
def released_on_failure(lock: FileLock | None) -> Iterator[None]:
    """While open, an exception gives the lock back at once: a notebook keeps the frames in which it happened."""
    try:
        yield
    except BaseException:
        if lock is not None:
            lock.release()
        raise
