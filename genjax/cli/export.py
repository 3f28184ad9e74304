"""`genjax export RUN FILE`: the trained parameters as plain arrays."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from genjax.cli.options import parse
from genjax.cli.run import load
from genjax.errors import UserError


@dataclass(frozen=True)
class Options:
    """Write weights_0, ..., bias_0, bias_1, ... as float32 arrays."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run's folder, or the name of a machine that comes with genjax."""
    file: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """The .npz to write."""
    overwrite: bool = False
    """Replace the file where it exists."""
    json: bool = False
    """Print one JSON object."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax export`."""
    options = parse(Options, arguments, "genjax export")
    run = load(Path(options.run))
    if run.family.arrays is None:
        raise UserError(f"A {run.model} has nothing to export.")
    arrays = run.family.arrays(run.state)
    path = write_arrays(Path(options.file), arrays, "FILE", options.overwrite)
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    return {"file": str(path), "arrays": shapes}, f"{path}: " + ", ".join(f"{n} {tuple(s)}" for n, s in shapes.items())


def write_arrays(path: Path, arrays: dict[str, np.ndarray], argument: str, overwrite: bool) -> Path:
    """An .npz, written whole or not at all. Raises `UserError` where it exists or cannot be written."""
    if path.suffix != ".npz":
        raise UserError(f"{argument} {path} is not an .npz; give it that ending.")
    if path.exists() and not overwrite:
        raise UserError(f"{argument} {path} exists; name another file, or replace it with --overwrite.")
    temporary = path.with_name(f".{path.name}.part")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise UserError(f"{argument} {path} cannot be written ({error.strerror}); name a place that can.") from None
    return path
