"""`genjax export RUN FILE`: the trained parameters as plain arrays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from genjax.api.writing import listed, refuse_file, write_arrays
from genjax.cli.options import OpenOptions, open_run
from genjax.cli.parsing import parse
from genjax.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions):
    """Write weights_0, ..., bias_0, bias_1, ... as float32 arrays."""

    file: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """The .npz to write."""
    overwrite: bool = False
    """Replace the file where it exists."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax export`."""
    options = parse(Options, arguments, "genjax export")
    refuse_file(Path(options.file), "FILE", ".npz", options.overwrite)
    run = open_run(options)
    if run.model.arrays is None:
        raise UserError(f"A {run.model.name} has nothing to export.")
    arrays = run.model.arrays(run.parameters)
    path = write_arrays(Path(options.file), arrays, "FILE", options.overwrite)
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    return {"file": str(path), "arrays": shapes}, listed(path, arrays)
