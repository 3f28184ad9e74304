"""`genjax features RUN --out FILE`: what a trained model makes of every image, for a classifier."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genjax.api.waiting import Waiting
from genjax.api.writing import listed, refuse_file, write_arrays
from genjax.cli.options import OpenOptions, open_run
from genjax.cli.parsing import parse
from genjax.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions):
    """Write the mean hidden units of every image: `x_train`, `y_train`, `x_test` and `y_test` (float32 and int32)."""

    out: str
    """The .npz to write. Its training images end with those that the run held out."""
    overwrite: bool = False
    """Replace --out where it exists."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax features`."""
    options = parse(Options, arguments, "genjax features")
    refuse_file(Path(options.out), "--out", ".npz", options.overwrite)
    run = open_run(options)
    if run.model.features is None:
        raise UserError(f"A {run.model.name} has no features of images.")
    whole = run.prepared.dataset.without_validation()
    with Waiting("features of every image"):
        arrays = {"x_train": run.features(whole.train), "y_train": whole.labels.train}
        arrays |= {"x_test": run.features(whole.test), "y_test": whole.labels.test}
        path = write_arrays(Path(options.out), arrays, "--out", options.overwrite)
    shapes = {name: list(np.shape(array)) for name, array in arrays.items()}
    return {"out": str(path), "arrays": shapes}, listed(path, arrays)
