"""`genjax sample RUN`: draw from a trained model along fresh chains."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from genjax import random
from genjax.cli.export import write_arrays
from genjax.cli.options import parse, positive
from genjax.cli.run import Run, load
from genjax.errors import UserError
from genjax.plots import grids, images


@dataclass(frozen=True)
class Options:
    """Draw samples, along independent chains where the model has them, and picture them."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run's folder."""
    sweeps: int = 1000
    """Gibbs sweeps from fresh starting points."""
    chains: int = 10
    """Independent chains, or images of a model that draws at one go."""
    label: int | None = None
    """The class to be drawn, of a model that was trained with labels."""
    seed: int = 0
    """Of the chains."""
    out: str | None = None
    """An .npz for the last states (`samples`, chains x pixels) and, of chains, their expected pixels (`means`)."""
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
    if run.family.draw is not None:
        return drawn(run, options)
    if run.family.sample is None:
        raise UserError(f"A {run.model} does not sample.")
    if options.label is not None:
        raise UserError(f"--label {options.label}: a {run.model} does not draw by class; leave it out.")
    when = times(options.sweeps)
    pixels, last = run.family.sample(random.key(options.seed, run.config.rng), run.state, options.chains, when)
    title = f"{run.folder.name}: p(v | h) along fresh chains"
    path = run.folder / "figures" / f"samples-{options.sweeps}.png"
    images.chain(pixels[:20], when, run.prepared.dataset.shape, title, path)
    result: dict[str, Any] = {"chains": options.chains, "sweeps": options.sweeps, "figure": str(path)}
    if options.out is not None:
        arrays = {"samples": last.astype(np.float32), "means": pixels[:, -1]}
        result["out"] = str(write_arrays(Path(options.out), arrays, "--out", options.overwrite))
    return result, f"{options.chains} chains, {options.sweeps} sweeps: {path}" + (
        f"\n{options.out}" if options.out else ""
    )


def drawn(run: Run, options: Options) -> tuple[dict[str, Any], str]:
    """Images at one go."""
    assert run.family.draw is not None
    x = run.family.draw(random.key(options.seed, run.config.rng), run.state, options.chains, options.label)
    chosen = "" if options.label is None else f"-{options.label}"
    path = run.folder / "figures" / f"samples-seed-{options.seed}{chosen}.png"
    rows = {str(i + 1): x[i : i + 10] for i in range(0, min(len(x), 100), 10) if len(x) - i >= min(len(x), 10)}
    grids.rows_of_images(rows, run.prepared.dataset.shape, f"{run.folder.name}: samples", path)
    result: dict[str, Any] = {"images": len(x), "label": options.label, "figure": str(path)}
    if options.out is not None:
        result["out"] = str(write_arrays(Path(options.out), {"samples": x}, "--out", options.overwrite))
    return result, f"{len(x)} images: {path}" + (f"\n{options.out}" if options.out else "")
