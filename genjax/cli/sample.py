"""`genjax sample RUN`: draw from a trained model along fresh chains."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from genjax import random
from genjax.cli.export import write_arrays
from genjax.cli.options import parse, positive
from genjax.cli.run import load
from genjax.errors import UserError
from genjax.plots import images, latent


@dataclass(frozen=True)
class Options:
    """Draw samples along independent chains, and picture them."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run's folder."""
    sweeps: int = 1000
    """Gibbs sweeps from fresh starting points (models that draw independently have none)."""
    chains: int = 10
    """Independent chains, or draws."""
    seed: int = 0
    """Of the chains."""
    out: str | None = None
    """An .npz for the last states (`samples`, chains x pixels) and their expected pixels (`means`)."""
    overwrite: bool = False
    """Replace --out where it exists."""
    json: bool = False
    """Print one JSON object."""


def times(sweeps: int) -> list[int]:
    """About eight numbers of sweeps, evenly spread in their logarithm, ending with `sweeps`."""
    return sorted({round(t) for t in np.geomspace(1, sweeps, 8)})


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax sample`."""
    options = parse(Options, arguments, "genjax sample")
    positive(options, "sweeps", "chains")
    run = load(Path(options.run))
    if run.family.sample is None:
        raise UserError(f"A {run.model} does not sample.")
    when = [1] if run.family.independent else times(options.sweeps)
    pixels, last = run.family.sample(random.key(options.seed, run.config.rng), run.state, options.chains, when)
    shape, name = run.prepared.dataset.shape, run.folder.name
    if run.family.independent:
        path, said = run.folder / "figures" / f"samples-{options.chains}.png", f"{options.chains} draws"
        latent.sheet(pixels[:400, -1], shape, 10, f"{name}: expected pixels of independent draws", path)
    else:
        path = run.folder / "figures" / f"samples-{options.sweeps}.png"
        said = f"{options.chains} chains, {options.sweeps} sweeps"
        images.chain(pixels[:20], when, shape, f"{name}: p(v | h) along fresh chains", path)
    result: dict[str, Any] = {"chains": options.chains, "sweeps": options.sweeps, "figure": str(path)}
    if options.out is not None:
        arrays = {"samples": last.astype(np.float32), "means": pixels[:, -1]}
        result["out"] = str(write_arrays(Path(options.out), arrays, "--out", options.overwrite))
    return result, f"{said}: {path}" + (f"\n{options.out}" if options.out else "")
