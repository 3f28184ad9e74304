"""`genjax features RUN --out FILE`: what a trained model makes of every image, for a classifier."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from genjax.cli.export import write_arrays
from genjax.cli.options import parse
from genjax.cli.run import load
from genjax.errors import UserError


@dataclass(frozen=True)
class Options:
    """Write the mean hidden units of every image: `x_train`, `y_train`, `x_test` and `y_test` (float32 and int32)."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run's folder, or the name of a machine that comes with genjax."""
    out: str
    """The .npz to write. Its training images end with those that the run held out."""
    data_dir: str | None = None
    """Where the images lie, if not where they lay at training."""
    overwrite: bool = False
    """Replace --out where it exists."""
    json: bool = False
    """Print one JSON object."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax features`."""
    options = parse(Options, arguments, "genjax features")
    run = load(Path(options.run), options.data_dir)
    if run.family.features is None:
        raise UserError(f"A {run.model} has no features of images.")
    whole = run.prepared.dataset.without_validation()
    arrays = {"x_train": run.family.features(run.state, whole.train), "y_train": whole.labels.train}
    arrays |= {"x_test": run.family.features(run.state, whole.test), "y_test": whole.labels.test}
    path = write_arrays(Path(options.out), arrays, "--out", options.overwrite)
    shapes = {name: list(np.shape(array)) for name, array in arrays.items()}
    return {"out": str(path), "arrays": shapes}, f"{path}: " + ", ".join(f"{n} {tuple(s)}" for n, s in shapes.items())
