"""A folder for what is slow to make again: decoded images, fetched files. Losing it costs time, never a result."""

import contextlib
import logging
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]

_log = logging.getLogger(__name__)


def folder() -> Path:
    """GENJAX_CACHE, else genjax below XDG_CACHE_HOME, else ~/.cache/genjax; it need not exist."""
    if chosen := os.environ.get("GENJAX_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path(os.path.expanduser("~")) / ".cache") / "genjax"


def remembered(name: str, make: Callable[[], Arrays]) -> Arrays:
    """The arrays under `name`, made and kept where they are missing or damaged.

    The name must tell everything that they depend on. Not being able to keep them is worth a warning only.
    """
    path = folder() / f"{name}.npz"
    arrays = _load(path)
    if arrays is None:
        arrays = make()
        _save(path, arrays)
    return arrays


@contextlib.contextmanager
def writing(target: Path) -> Iterator[Path]:
    """A new file beside `target` that takes its place if the block ends well, and vanishes otherwise."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    try:
        yield Path(temporary)
        os.replace(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _load(path: Path) -> Arrays | None:
    try:
        with np.load(path, allow_pickle=False) as stored:  # each array is checked against its CRC
            return {key: stored[key] for key in stored.files}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        _log.warning("%s is damaged (%s); making it again", path, error)
        return None


def _save(path: Path, arrays: Arrays) -> None:
    try:
        with writing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
    except OSError as error:
        _log.warning("%s cannot be written (%s); the next start decodes again", path, error.strerror or error)
