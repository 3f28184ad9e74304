"""Files that a person names: whether they can be written is asked before the work."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from genjax.errors import UserError
from genjax.training import folder as run_folder

REMEDY = "name a place that can"
ARTICLES = {".npz": "an", ".png": "a", ".html": "an"}


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


def listed(path: Path, arrays: dict[str, Any]) -> str:
    """A file of arrays in words: its path, and the shape of each."""
    return f"{path}: " + ", ".join(f"{name} {np.shape(array)}" for name, array in arrays.items())


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
