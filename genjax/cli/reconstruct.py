"""`genjax reconstruct RUN --remove ...`: fill in removed pixels, and measure against the truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genjax.cli.options import OpenOptions, open_run, parse
from genjax.cli.writing import in_any_case, refuse_file, refuse_run_folder
from genjax.errors import UserError
from genjax.evaluation.reconstruction import errors, missing_mask, region
from genjax.evaluation.sentences import of_filled
from genjax.likelihood.estimate import plain
from genjax.plots.images import save
from genjax.training.config import at_least, positive

SHOWN = 16  # images of the picture


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions):
    """Remove pixels of test images, clamp the rest, and let the model fill them in."""

    remove: str = "bottom:4"
    """top:10, middle:6, bottom:8, rows:5-14 (both included, from 0), or random:0.3."""
    images: int = 1000
    """Test images to measure on."""
    sweeps: int = 400
    """Gibbs sweeps; the first quarter is not counted."""
    seed: int = 0
    """Random seed of chains and of random removal."""
    out: str | None = None
    """The picture (by default in the run's figures/)."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax reconstruct`."""
    options = parse(Options, arguments, "genjax reconstruct")
    positive(options, "images")
    at_least(options, 2, "sweeps")
    where = region(options.remove)
    if options.out is not None:
        refuse_file(Path(options.out), "--out", ".png", overwrite=True)
    run = open_run(options)
    if run.model.reconstruct is None:
        raise UserError(f"A {run.model.name} does not reconstruct.")
    if options.out is None:
        refuse_run_folder(run)
    truth = np.asarray(run.fixed_test(options.images).x)
    missing = missing_mask(where, run.image_shape, len(truth), options.seed)
    name = options.remove.replace(":", "-").replace(".", "_")
    path = Path(options.out) if options.out else run.folder / "figures" / f"reconstruct-{name}.png"
    filled = run.reconstruct(truth, missing, sweeps=options.sweeps, seed=options.seed)
    found = errors(truth, filled, missing, np.asarray(run.fixed_train().x).mean(0))
    numbers = {"remove": options.remove, "images": len(truth)} | plain(found)
    lines = of_filled(numbers)
    with in_any_case(numbers, "\n".join(lines)):
        few = slice(SHOWN)
        save(run.plot.of_reconstructions(truth[few], missing[few], filled[few]), path)
    return numbers | {"figure": str(path)}, "\n".join([*lines, str(path)])
