"""`genjax sample RUN`: draw from a trained model along fresh chains, those that training kept, or of one label."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import numpy as np
import tyro

from genjax import random
from genjax.cli.export import write_arrays
from genjax.cli.options import parse, positive
from genjax.cli.run import Run, load
from genjax.errors import UserError
from genjax.plots import grids, images

Start = Literal["fresh", "persistent"]


@dataclass(frozen=True)
class Options:
    """Draw samples along independent chains, and picture them."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run's folder, or the name of a machine that comes with genjax."""
    sweeps: int = 1000
    """Gibbs sweeps from the starting points."""
    chains: int = 10
    """Independent chains, of each label where all are drawn."""
    start: Start = "fresh"
    """Fresh starting points, or where training has left its persistent chains."""
    label: str | None = None
    """Clamp this label of a machine that has learned them (--classes), or each of them in turn: all."""
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
    if options.start == "persistent" and (options.label or persistent(run, 1) is None):
        why = "are not of one label" if options.label else f"of this {run.model} do not exist"
        raise UserError(f"--start persistent: persistent chains {why}; leave it out.")
    label = chosen_label(run, options.label)
    name = "samples" + ("-persistent" if options.start == "persistent" else "")
    name += f"-label-{options.label}" if options.label else ""
    path = run.folder / "figures" / f"{name}-{options.sweeps}.png"
    if label == "all":
        path, arrays = draw_classes(run, options.sweeps, options.chains, options.seed, path)
    else:
        how: dict[str, Any] = {"start": options.start, "label": label}
        path, arrays = draw(run, times(options.sweeps), options.chains, options.seed, path, **how)
    result: dict[str, Any] = {"chains": len(arrays["samples"]), "sweeps": options.sweeps, "figure": str(path)}
    if options.out is not None:
        result["out"] = str(write_arrays(Path(options.out), arrays, "--out", options.overwrite))
    return result, f"{result['chains']} chains, {options.sweeps} sweeps: {path}" + (
        f"\n{options.out}" if options.out else ""
    )


def classes(run: Run) -> int:
    """How many labels the model has learned with its images."""
    return getattr(run.config, "classes", 0)


def persistent(run: Run, chains: int) -> Any:
    """That many of the chains which training has left, or None."""
    return None if run.family.persistent is None else run.family.persistent(run.state, run.config, chains)


def chosen_label(run: Run, text: str | None) -> int | Literal["all"] | None:
    """What --label says. Raises `UserError` where the model has no such label."""
    if text is None:
        return None
    if not classes(run):
        raise UserError(f"--label {text}: this {run.model} has not learned labels; train one with --classes 10.")
    if text == "all":
        return "all"
    if not text.isdecimal() or int(text) >= classes(run):
        raise UserError(f"--label {text} is none of them; give a number from 0 to {classes(run) - 1}, or all.")
    return int(text)


def draw(
    run: Run, when: list[int], chains: int, seed: int, path: Path, start: Start = "fresh", label: int | None = None
) -> tuple[Path, dict[str, np.ndarray]]:
    """Chains as rows, time as columns; the picture, and the last states with their expected pixels."""
    assert run.family.sample is not None
    options: dict[str, Any] = {} if label is None else {"label": label}
    options |= {"start": persistent(run, chains)} if start == "persistent" else {}
    pixels, last = run.family.sample(random.key(seed, run.config.rng), run.state, chains, when, **options)
    title = f"{run.folder.name}: p(v | h) along {start} chains" + ("" if label is None else f" of label {label}")
    images.chain(pixels[:20], when, run.shape, title, path)
    return path, {"samples": last.astype(np.float32), "means": pixels[:, -1]}


def draw_classes(run: Run, sweeps: int, chains: int, seed: int, path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """A row of fresh chains for each label, which is clamped; the picture, and the last states with their labels."""
    assert run.family.sample is not None
    key = random.key(seed, run.config.rng)
    found = [
        run.family.sample(jax.random.fold_in(key, label), run.state, chains, [sweeps], label=label)
        for label in range(classes(run))
    ]
    means = np.stack([pixels[:, -1] for pixels, _ in found])
    title = f"{run.folder.name}: p(v | h) after {sweeps} sweeps of fresh chains, a label a row"
    rows = {str(label): images[:20] for label, images in enumerate(means)}
    grids.rows_of_images(rows, run.shape, title, path)
    samples = np.concatenate([last for _, last in found]).astype(np.float32)
    labels = np.repeat(np.arange(classes(run)), chains)
    return path, {"samples": samples, "means": np.concatenate(means), "labels": labels}
