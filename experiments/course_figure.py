"""What does a deep machine see that an RBM does not, and does it dream better digits? One figure.

    python -m experiments.course_figure --rbm RUN --dbm RUN [--data-dir DIR] [--out DIR] [--quick | --smoke]

Above: filters of the RBM, of the DBM's first layer, and of its second layer, through the first and by activation
maximisation. Below: samples of both, p(v | h) along fresh chains that start from the biases alone, never from images.
The runs are folders of `genjax train rbm` and `genjax train dbm` on the same images, the second one with two hidden
layers at least. Expect local strokes in both first layers and wider, mixed patterns in the second; and samples of all
kinds from both. The table says it in numbers: the pixels that a filter effectively has, (sum w^2)^2 / sum w^4, median
over the units; and how far two samples are apart, over how far two test images are (a machine caught in one mode: far
below 1). Writes course_figure.png and results.jsonl. Full: 10,000 sweeps, two minutes; --quick: 1,000. --smoke trains
two tiny machines on the digits.
"""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.common import options, run_of
from genjax import data
from genjax.cli.filters import brightness
from genjax.cli.run import FIXED_DRAW, Run
from genjax.errors import UserError
from genjax.plots.images import own_scale, save, square, strongest, tile
from genjax.plots.text import plain

SWEEPS = {"full": 10_000, "quick": 1000, "smoke": 20}
UNITS, CHAINS = 36, 200
TINY = {"epochs": 2, "chains": 20}


def pictures(run: Run, sweeps: int) -> dict[str, np.ndarray]:
    """Filters of every layer, `(pixels, units)`, and samples, `(chains, pixels)`: `seen` expected and `drawn`."""
    assert run.family.filters is not None
    assert run.family.sample is not None
    found = {f"layer {n}": weights for n, weights in enumerate(run.family.filters(run.state), 1)}
    means, drawn = run.family.sample(jax.random.key(0), run.state, CHAINS, [sweeps])
    return found | {"seen": means[:, 0], "drawn": drawn}


def spread(weights: Float[np.ndarray, "pixels units"]) -> float:
    """How many pixels a filter has: all alike count in full, those near zero not at all. The median over the units."""
    square = weights.astype(np.float64) ** 2
    return float(np.median(square.sum(0) ** 2 / (square**2).sum(0)))


def distance(images: Float[np.ndarray, "images pixels"]) -> float:
    """The mean squared distance of two different images of these, a pixel."""
    return float(2 * images.astype(np.float64).var(0, ddof=1).mean())


def show(axes: Axes, images: np.ndarray, run: Run, title: str, signed: bool) -> None:
    """A sheet of images in [0, 1], or of filters in [-1, 1]."""
    sheet = tile(images, run.shape, square(len(images)), border=0.0 if signed else 0.5)
    colours: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -1} if signed else {"cmap": "gray", "vmin": 0}
    axes.imshow(sheet, vmax=1, **colours)
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


def draw(rbm: Run, dbm: Run, found: dict[str, dict[str, np.ndarray]], sweeps: int) -> Figure:
    """The one figure."""
    assert dbm.family.maxima is not None
    figure = Figure(figsize=(14, 9.5), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(1, 1.5))
    above, below = parts
    units = {"rbm": found["rbm"]["layer 1"], "dbm": found["dbm"]["layer 1"], "second": found["dbm"]["layer 2"]}
    chosen = {name: weights[:, strongest(weights, UNITS)] for name, weights in units.items()}
    second = strongest(units["second"], UNITS)
    maxima = dbm.family.maxima(jax.random.key(0), dbm.state, 2, second, brightness(dbm, jax.random.key(0)))
    axes = above.subplots(1, 4)
    of = {name: f"{chosen[name].shape[1]} of {weights.shape[1]} units" for name, weights in units.items()}
    show(axes[0], own_scale(chosen["rbm"]), rbm, f"RBM: weights of {of['rbm']}", True)
    show(axes[1], own_scale(chosen["dbm"]), dbm, f"DBM, layer 1: {of['dbm']}", True)
    show(axes[2], own_scale(chosen["second"]), dbm, f"DBM, layer 2 through layer 1: {of['second']}", True)
    if maxima is not None:
        show(axes[3], maxima, dbm, "DBM, layer 2: the images that drive the same units most", False)
    for axis, (name, run) in zip(below.subplots(1, 2), (("rbm", rbm), ("dbm", dbm))):
        title = f"{name.upper()}: p(v | h) after {sweeps:,} sweeps of fresh chains, a chain an image"
        show(axis, found[name]["seen"][:100], run, title, False)
    figure.suptitle(plain(f"{rbm.config.dataset}: {rbm.folder.name} and {dbm.folder.name}"))
    return figure


def main() -> None:
    """Both machines; print the table, write results and figure."""
    more = {f"--{name}": {"type": Path, "help": f"a {name.upper()}'s run, or {name}-mnist"} for name in ("rbm", "dbm")}
    chosen = options(__doc__, "course-figure", f"{SWEEPS['quick']} sweeps", mnist=True, more=more)
    if chosen.scale != "smoke" and not (chosen.rbm and chosen.dbm):
        raise SystemExit("course_figure: name two runs, --rbm RUN and --dbm RUN.")
    rbm = run_of(chosen, "rbm", chosen.rbm, TINY | {"hidden": 36})
    dbm = run_of(chosen, "dbm", chosen.dbm, TINY | {"layers": (36, 36), "pretraining": 0})
    for name, run in (("rbm", rbm), ("dbm", dbm)):
        if run.model != name:
            raise UserError(f"--{name} {run.folder} is a {run.model}; name a run of genjax train {name}.")
    if rbm.shape != dbm.shape:
        raise UserError(f"--rbm {rbm.folder} and --dbm {dbm.folder} have images of different shapes.")
    sweeps = SWEEPS[chosen.scale]
    found = {name: pictures(run, sweeps) for name, run in (("rbm", rbm), ("dbm", dbm))}
    test = data.binarise_fixed(rbm.prepared.dataset.test, rbm.config.binarisation, FIXED_DRAW)
    print(f"{'machine':8} {'pixels of a filter, layer by layer':>36} {'samples apart / test images apart':>36}")
    with open(chosen.out / "results.jsonl", "w") as file:
        for name, parts in found.items():
            pixels = {layer: spread(weights) for layer, weights in parts.items() if layer.startswith("layer")}
            apart = distance(parts["drawn"]) / distance(test)
            entry = {"machine": name, "sweeps": sweeps, "pixels": pixels, "samples_apart": apart}
            file.write(json.dumps(entry) + "\n")
            print(f"{name:8} {', '.join(f'{n:.0f}' for n in pixels.values()):>36} {apart:36.2f}")
    print(save(draw(rbm, dbm, found, sweeps), chosen.out / "course_figure.png"))


if __name__ == "__main__":
    main()
