"""`genjax transfer A B`: picture A in the colours of picture B."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from genjax.cli.parsing import parse
from genjax.cli.writing import in_any_case, refuse_file, write_picture
from genjax.training.config import at_least, positive
from genjax.transport.colour import EXTENSIONS, closeness, fit_colours, picture, recoloured


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
    plan = transfer.plan
    numbers = {"samples": len(transfer.colours), "cost": plan.cost, "entropy": plan.entropy, "error": plan.error}
    numbers |= {"converged": plan.converged, "iterations": plan.iterations, "regularisation": options.regularisation}
    numbers |= {"distance": closeness(source, target), "distance_after": closeness(made, target)}
    kind = "exact plan" if options.regularisation is None else f"plan regularised by {options.regularisation:g}"
    doubt = "" if plan.converged else f"; NOT CONVERGED, its sums are off by {plan.error:.2g}: raise --regularisation"
    text = f"{kind} of {numbers['samples']} pixels: cost {plan.cost:.4f}, entropy {plan.entropy:.2f} nats{doubt}\n"
    text += f"distance of the colours from B's: {numbers['distance']:.4f}, now {numbers['distance_after']:.4f}"
    with in_any_case(numbers, text):
        numbers["out"] = str(write_picture(path, made, "--out", options.overwrite))
    return numbers, f"{text}\n{path}"
