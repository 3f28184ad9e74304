"""`genjax reconstruct RUN --remove ...`: fill in removed pixels, and measure against the truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genjax.api.removal import figures, removals
from genjax.api.waiting import Waiting
from genjax.api.writing import refuse_file, refuse_run_folder
from genjax.cli.options import OpenOptions, open_run
from genjax.cli.parsing import parse
from genjax.cli.writing import in_any_case
from genjax.errors import UserError
from genjax.evaluation.reconstruction import region
from genjax.evaluation.sentences import of_filled
from genjax.plots.images import save
from genjax.training.config import at_least, positive


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions):
    """Remove pixels of test images, clamp the rest, and let the model fill them in."""

    remove: tuple[str, ...] = ("bottom:4",)
    """top:10, middle:6, bottom:8, rows:5-14 (both included, from 0), or random:0.3; of several the errors are drawn
    against the share removed."""
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
    if not options.remove:
        raise UserError("--remove names nothing; give a part of the images, such as bottom:4.")
    for where in options.remove:
        region(where)
    if options.out is not None:
        refuse_file(Path(options.out), "--out", ".png", overwrite=True)
    run = open_run(options)
    if run.model.reconstruct is None:
        raise UserError(f"A {run.model.name} does not reconstruct.")
    if options.out is None:
        refuse_run_folder(run)
    name = "-".join(options.remove).replace(":", "-").replace(".", "_")
    path = Path(options.out) if options.out else run.folder / "figures" / f"reconstruct-{name}.png"
    with Waiting(f"filling in {options.images} images, {len(options.remove)} times"):
        found = removals(run, options.remove, options.images, options.sweeps, options.seed)
    each = [one.numbers for one in found]
    numbers = {"removed": each} if len(each) > 1 else each[0]
    lines = [line for one in each for line in of_filled(one)]
    with in_any_case(numbers, "\n".join(lines)):
        written = [str(save(figure, where)) for where, figure in figures(run, found, path).items()]
    return numbers | {"figure": written[0], "figures": written}, "\n".join([*lines, *written])
