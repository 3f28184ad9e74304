"""`genjax filters RUN`: plot the weights of every layer and the images that activate its units most."""

from dataclasses import dataclass
from typing import Any

from genjax.api.waiting import Waiting
from genjax.api.writing import refuse_run_folder
from genjax.cli.options import OpenOptions, open_run
from genjax.cli.parsing import parse
from genjax.plots.images import save
from genjax.training.config import positive


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions):
    """Plot the strongest units of every layer: their weights to the pixels (those of higher layers through the layers
    between), and from the second layer on the images that activate them most, found by gradient ascent."""

    units: int = 64
    """How many of each layer."""
    seed: int = 0
    """Random seed of the images from which gradient ascent starts."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax filters`."""
    options = parse(Options, arguments, "genjax filters")
    positive(options, "units")
    run = open_run(options)
    refuse_run_folder(run)
    with Waiting("drawing filters", "of deep machines up to two minutes: images are climbed to that drive their units"):
        figures = run.plot.filters(options.units, options.seed)
        written = [str(save(figure, run.folder / "figures" / f"{name}.png")) for name, figure in figures.items()]
    return {"figures": written}, "\n".join(written)
