"""What a command writes: whether it can is asked before the work, and what was measured is printed in any case."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from genjax.errors import Unwritten, UserError
from genjax.training import folder as run_folder

REMEDY = "name a place that can"
ARTICLES = {".npz": "an", ".png": "a", ".html": "an"}


@contextlib.contextmanager
def in_any_case(result: dict[str, Any], text: str) -> Iterator[None]:
    """Write something here: the answer is not lost where that fails."""
    try:
        yield
    except (UserError, OSError) as error:
        sentence = str(error) if isinstance(error, UserError) else f"{error.filename}: {error.strerror or error}."
        raise Unwritten(sentence, result, text) from None


def refuse(place: Path, what: str) -> None:
    """Raise `UserError` where no file can be made in this folder; what it is for stands in the sentence."""
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise UserError(f"{what} cannot be written ({error.strerror}); {REMEDY}.") from None


def refuse_run_folder(run: Any) -> None:
    """Raise `UserError` where figures and evaluations of a run could not be written; its folder need not exist yet."""
    for place in (run.folder, run.folder / "figures"):
        refuse(next(path for path in [place, *place.absolute().parents] if path.exists()), f"the run's folder {place}")


def refuse_file(path: Path, argument: str, ending: str, overwrite: bool) -> None:
    """Raise `UserError` for a file that may not or cannot be written."""
    if path.suffix != ending:
        raise UserError(f"{argument} {path} is not {ARTICLES[ending]} {ending}; give it that ending.")
    if path.is_dir():
        raise UserError(f"{argument} {path} is a folder; name a file.")
    if path.exists() and not overwrite:
        raise UserError(f"{argument} {path} exists; name another file, or replace it with --overwrite.")
    refuse(path.parent, f"{argument} {path}")


def write_picture(path: Path, pixels: Any, argument: str, overwrite: bool) -> Path:
    """A .png of bytes (height, width, 3). Raises `UserError` where it exists or cannot be written."""
    refuse_file(path, argument, ".png", overwrite)
    try:
        Image.fromarray(pixels).save(path)
    except OSError as error:
        raise UserError(f"{argument} {path} cannot be written ({error.strerror}); {REMEDY}.") from None
    return path


def write_arrays(path: Path, arrays: dict[str, Any], argument: str, overwrite: bool) -> Path:
    """An .npz, written whole or not at all. Raises `UserError` where it exists or cannot be written."""
    refuse_file(path, argument, ".npz", overwrite)
    try:
        run_folder.write_arrays(path, arrays)
    except OSError as error:
        raise UserError(f"{argument} {path} cannot be written ({error.strerror}); {REMEDY}.") from None
    return path
