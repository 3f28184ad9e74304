"""`genjax transfer A B`: picture A in the colours of picture B."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from genjax.api.writing import refuse_file, write_picture
from genjax.cli.parsing import parse
from genjax.cli.writing import in_any_case
from genjax.evaluation.sentences import of_transfer
from genjax.training.config import at_least, positive
from genjax.transport.colour import EXTENSIONS, fit_colours, measured, picture, recoloured


@dataclass(frozen=True, kw_only=True)
class Options:
    """Give a picture the colours of another by optimal transport between samples of their pixels."""

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="A")]
    """The picture to be recoloured: a file, or china or flower, which scikit-learn ships."""
    target: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="B")]
    """The picture whose colours it gets."""
    regularisation: float | None = None
    """Of the plan, in squared distances of colours from 0 to 1: the larger, the more alike all colours become (by
    default none: an exact plan)."""
    samples: int = 1000
    """Pixels of each picture between which the plan is made."""
    extension: Literal["nearest", "kernel", "linear"] = "nearest"
    """How all other pixels are moved: as the nearest one of the sample, by kernel ridge regression, or by a linear
    map."""
    seed: int = 0
    """Random seed of the samples."""
    out: str | None = None
    """The .png to write (by default A-as-B.png here)."""
    overwrite: bool = False
    """Replace --out where it exists."""
    json: bool = False
    """Print one JSON object."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax transfer`."""
    options = parse(Options, arguments, "genjax transfer")
    positive(options, "regularisation")
    at_least(options, 2, "samples")
    path = Path(options.out or f"{Path(options.source).stem}-as-{Path(options.target).stem}.png")
    refuse_file(path, "--out", ".png", options.overwrite)
    source, target = picture(options.source, "A"), picture(options.target, "B")
    extension = next(kind() for kind in EXTENSIONS if kind.kind == options.extension)
    given = {"samples": options.samples, "seed": options.seed}
    transfer = fit_colours(source, target, options.regularisation, extension=extension, **given)
    made = recoloured(transfer, source)
    numbers = measured(transfer, source, target, made) | {"regularisation": options.regularisation}
    text = "\n".join(of_transfer(numbers))
    with in_any_case(numbers, text):
        numbers["out"] = str(write_picture(path, made, "--out", options.overwrite))
    return numbers, f"{text}\n{path}"
