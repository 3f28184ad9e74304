"""`genjax reconstruct RUN --remove ...`: fill in removed pixels, and measure against the truth."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from genjax import random
from genjax.cli.options import OpenOptions, at_least, parse, positive
from genjax.cli.run import Run, fixed_splits, opened
from genjax.cli.writing import in_any_case, refuse_file, refuse_run_folder
from genjax.errors import UserError
from genjax.plots import images

FORMS = "top:N, middle:N or bottom:N (rows), rows:A-B (from 0), or random:SHARE"


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
    """Of chains and of random removal."""
    out: str | None = None
    """The picture (by default in the run's figures/)."""


class Region(NamedTuple):
    """What to remove: kind and its numbers."""

    kind: str
    first: float
    last: float


def parse_region(text: str) -> Region:
    """Read `--remove`. Raises `UserError` for another form."""
    rows = re.fullmatch(r"(top|middle|bottom):(\d+)", text)
    span = re.fullmatch(r"rows:(\d+)-(\d+)", text)
    share = re.fullmatch(r"random:(\d*\.?\d+)", text)
    if rows and int(rows[2]) > 0:
        return Region(rows[1], 0, int(rows[2]))
    if span and int(span[1]) <= int(span[2]):
        return Region("rows", int(span[1]), int(span[2]))
    if share and 0 < float(share[1]) < 1:
        return Region("random", 0, float(share[1]))
    raise UserError(f"--remove {text} is none of the known forms; give {FORMS} between 0 and 1.")


def damage(region: Region, shape: tuple[int, int, int], count: int, seed: int) -> np.ndarray:
    """Which pixels to remove, booleans `(count, pixels)`. Raises `UserError` where the image has too few rows."""
    height, width, channels = shape
    if region.kind == "random":
        pixels = np.random.default_rng(seed).random((count, height, width, 1)) < region.last
        return np.broadcast_to(pixels, (count, *shape)).reshape(count, -1)
    size = int(region.last)
    start = {"top": 0, "middle": (height - size) // 2, "bottom": height - size, "rows": int(region.first)}[region.kind]
    stop = size + 1 if region.kind == "rows" else start + size
    if start < 0 or stop > height or stop - start >= height:
        text = f"rows:{start}-{size}" if region.kind == "rows" else f"{region.kind}:{size}"
        raise UserError(f"--remove {text} does not fit images of {height} rows; leave at least one row.")
    removed = np.zeros(shape, bool)
    removed[start:stop] = True
    return np.broadcast_to(removed.reshape(-1), (count, height * width * channels))


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax reconstruct`."""
    options = parse(Options, arguments, "genjax reconstruct")
    positive(options, "images")
    at_least(options, 2, "sweeps")
    region = parse_region(options.remove)
    if options.out is not None:
        refuse_file(Path(options.out), "--out", ".png", overwrite=True)
    run = opened(options)
    if run.family.reconstruct is None:
        raise UserError(f"A {run.model} does not reconstruct.")
    if options.out is None:
        refuse_run_folder(run.folder)
    count = min(options.images, len(run.prepared.dataset.test))
    removed = damage(region, run.shape, count, options.seed)
    if not removed.any():
        raise UserError(f"--remove {options.remove} removes no pixel of {count} images; give a larger share.")
    name = options.remove.replace(":", "-").replace(".", "_")
    path = Path(options.out) if options.out else run.folder / "figures" / f"reconstruct-{name}.png"
    found, measured = measure(run, removed, options.sweeps, options.seed)
    measured = {"remove": options.remove} | measured
    lines = sentences(options.remove, measured)
    with in_any_case(measured, "\n".join(lines)):
        picture = draw(run, found, path)
    return measured | {"figure": str(picture)}, "\n".join([*lines, str(picture)])


def sentences(remove: str, measured: dict[str, Any]) -> list[str]:
    """What a person reads; shares of wrong pixels make sense for binary ones only."""

    def beside_mean(name: str, text: str, scale: float = 1.0, unit: str = "") -> str:
        own, of_mean = (f"{scale * measured[name + suffix]:.4g}{unit}" for suffix in ("", "_of_mean"))
        return f"{own} {text} (the training mean: {of_mean})"

    lines = [f"{remove} removed from {measured['images']} test images"]
    lines.append(beside_mean("squared_error", "mean squared error a removed pixel"))
    if "pixel_error" in measured:
        lines.append(beside_mean("pixel_error", "of the removed pixels wrong", 100.0, " %"))
        lines.append(beside_mean("nats_per_pixel", "nats a removed pixel"))
    return lines


class Filled(NamedTuple):
    """Test images as they are, with pixels that were removed, and with these filled in: `(images, pixels)`."""

    truth: np.ndarray
    damaged: np.ndarray
    filled: np.ndarray


def fill(run: Run, removed: np.ndarray, sweeps: int, seed: int) -> Filled:
    """Removed pixels of the first test images at their expected values, given the others."""
    assert run.family.reconstruct is not None
    truth = fixed_splits(run)[1][: len(removed)]
    filled = run.family.reconstruct(random.key(seed, run.config.rng), run.state, truth, removed, sweeps)
    return Filled(truth, np.where(removed, np.nan, truth), filled)


def errors(run: Run, found: Filled) -> dict[str, Any]:
    """How far filled pixels are from the truth.

    `squared_error`: mean over the removed pixels. Of binary ones also `pixel_error`, the share of those whose expected
    value is on the wrong side of one half, and `nats_per_pixel`, the mean of -log p(true pixel) under the expected
    values, pixel by pixel. All beside those of the training images' mean, which knows nothing of the image.
    """
    removed, measured = np.isnan(found.damaged), {}
    known = np.broadcast_to(fixed_splits(run)[0].mean(0), found.truth.shape)
    for suffix, guess in (("", found.filled), ("_of_mean", known)):
        x, p = found.truth[removed], guess[removed].astype(np.float64)
        measured["squared_error" + suffix] = float(np.mean((p - x) ** 2))
        if np.all((x == 0) | (x == 1)):
            p = np.clip(p, 1e-4, 1 - 1e-4)
            measured["pixel_error" + suffix] = float(np.mean((p > 0.5) != (x > 0.5)))
            measured["nats_per_pixel" + suffix] = float(-np.mean(np.where(x > 0.5, np.log(p), np.log1p(-p))))
    return measured


def measure(run: Run, removed: np.ndarray, sweeps: int, seed: int) -> tuple[Filled, dict[str, Any]]:
    """The first test images with their removed pixels filled in, and the errors."""
    found = fill(run, removed, sweeps, seed)
    return found, {"images": len(removed), "removed_pixels": int(removed.sum()), "sweeps": sweeps} | errors(run, found)


def draw(run: Run, found: Filled, path: Path) -> Path:
    """The picture original | damaged | reconstruction."""
    names = ("original", "damaged", "reconstruction")
    columns = {name: part[:16] for name, part in zip(names, found)}
    title = f"{run.folder.name}: removed pixels (red) filled in"
    return images.save(images.side_by_side(columns, run.shape, title), path)
