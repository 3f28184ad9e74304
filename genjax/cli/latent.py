"""`genjax latent RUN`: what lies where in a model's latent space, in four pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from genjax.cli.options import parse
from genjax.cli.run import load
from genjax.errors import UserError
from genjax.evaluation import latent
from genjax.plots import grids

WALKS = {
    "interpolation": (latent.interpolation, "from one latent to another"),
    "traversals": (latent.traversals, "one coordinate a row, from -3 to 3"),
    "plane": (latent.plane, "a plane of equal probability"),
    "neighbourhoods": (latent.neighbourhoods, "ever further from one latent"),
}


@dataclass(frozen=True)
class Options:
    """Picture interpolations, traversals of single coordinates, a plane and neighbourhoods."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run's folder."""
    label: int = 0
    """The class to be drawn, of a model that was trained with labels."""
    seed: int = 0
    """Of the latents."""
    json: bool = False
    """Print one JSON object."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax latent`."""
    options = parse(Options, arguments, "genjax latent")
    run = load(Path(options.run))
    if run.family.decode is None or run.family.latent is None:
        raise UserError(f"A {run.model} has no latent space to walk through.")
    size, written = run.family.latent(run.state), {}
    for name, (walk, title) in WALKS.items():
        z = walk(np.random.default_rng(options.seed), size)
        images = run.family.decode(run.state, z.reshape(-1, size), options.label).reshape(*z.shape[:2], -1)
        path = run.folder / "figures" / f"latent-{name}.png"
        rows = {str(number + 1): row for number, row in enumerate(images)}
        grids.rows_of_images(rows, run.prepared.dataset.shape, f"{run.folder.name}: {title}", path)
        written[name] = str(path)
    return {"latent": size, "figures": written}, "\n".join(written.values())
