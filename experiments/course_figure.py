"""What features does a deep machine have that an RBM does not, and does it draw better digits? One figure.

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
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import genjax
from experiments.common import data_name, options, paired_distance, run_of
from genjax.errors import UserError
from genjax.plots.images import save, square, tile
from genjax.plots.text import plain
from genjax.plots.weights import own_scale, strongest

SWEEPS = {"full": 10_000, "quick": 1000, "smoke": 20}
UNITS, CHAINS = 36, 200
TINY = {
    "rbm": genjax.rbm(hidden=36, chains=20),
    "dbm": genjax.dbm(layers=(36, 36), pretraining=0, chains=20),
}  # of a smoke test


class Pictures(NamedTuple):
    """Of one machine: the filters of each layer, `(pixels, units)`, and samples `(chains, pixels)`."""

    filters: list[np.ndarray]
    means: np.ndarray
    drawn: np.ndarray


def pictures(run: genjax.Run, sweeps: int) -> Pictures:
    """What is shown of one machine."""
    assert run.model.filters is not None
    arrays = run.draw(CHAINS, (sweeps,))
    return Pictures(run.model.filters(run.parameters), arrays["means"], arrays["samples"])


def spread(weights: Float[np.ndarray, "pixels units"]) -> float:
    """How many pixels a filter has: all alike count in full, those near zero not at all. The median over the units."""
    square = weights.astype(np.float64) ** 2
    return float(np.median(square.sum(0) ** 2 / (square**2).sum(0)))


def show(axes: Axes, images: np.ndarray, run: genjax.Run, title: str, signed: bool) -> None:
    """A sheet of images in [0, 1], or of filters in [-1, 1]."""
    sheet = tile(images, run.image_shape, square(len(images)), border=0.0 if signed else 0.5)
    colours: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -1} if signed else {"cmap": "gray", "vmin": 0}
    axes.imshow(sheet, vmax=1, **colours)
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


def draw(rbm: genjax.Run, dbm: genjax.Run, shown: dict[str, Pictures], sweeps: int) -> Figure:
    """The one figure."""
    assert dbm.model.maxima is not None
    figure = Figure(figsize=(14, 9.5), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(1, 1.5))
    above, below = parts
    units = {"rbm": shown["rbm"].filters[0], "dbm": shown["dbm"].filters[0], "second": shown["dbm"].filters[1]}
    chosen = {name: weights[:, strongest(weights, UNITS)] for name, weights in units.items()}
    second = strongest(units["second"], UNITS)
    maxima = dbm.model.maxima(jax.random.key(0), dbm.parameters, 2, second, dbm.plot.brightness())
    axes = above.subplots(1, 4)
    of = {name: f"{chosen[name].shape[1]} of {weights.shape[1]} units" for name, weights in units.items()}
    show(axes[0], own_scale(chosen["rbm"]), rbm, f"RBM: weights of {of['rbm']}", True)
    show(axes[1], own_scale(chosen["dbm"]), dbm, f"DBM, layer 1: {of['dbm']}", True)
    show(axes[2], own_scale(chosen["second"]), dbm, f"DBM, layer 2 through layer 1: {of['second']}", True)
    if maxima is not None:
        show(axes[3], maxima, dbm, "DBM, layer 2: the images that drive the same units most", False)
    for axis, (name, run) in zip(below.subplots(1, 2), (("rbm", rbm), ("dbm", dbm))):
        title = f"{name.upper()}: p(v | h) after {sweeps:,} sweeps of fresh chains, a chain an image"
        show(axis, shown[name].means[:100], run, title, False)
    figure.suptitle(plain(f"{data_name(rbm)}: {rbm.name} and {dbm.name}"))
    return figure


def main() -> None:
    """Both machines; print the table, write results and figure."""
    more = {f"--{name}": {"type": Path, "help": f"a {name.upper()}'s run, or {name}-mnist"} for name in ("rbm", "dbm")}
    chosen = options(__doc__, "course-figure", f"{SWEEPS['quick']} sweeps", mnist=True, more=more)
    if chosen.scale != "smoke" and not (chosen.rbm and chosen.dbm):
        raise SystemExit("course_figure: name two runs, --rbm RUN and --dbm RUN.")
    rbm, dbm = (run_of(chosen, getattr(chosen, name), TINY[name], epochs=2) for name in ("rbm", "dbm"))
    for name, run in (("rbm", rbm), ("dbm", dbm)):
        if run.model.name != name:
            raise UserError(f"--{name} {run.folder} is a {run.model.name}; name a run of genjax train {name}.")
    if rbm.image_shape != dbm.image_shape:
        raise UserError(f"--rbm {rbm.folder} and --dbm {dbm.folder} have images of different shapes.")
    sweeps = SWEEPS[chosen.scale]
    shown = {name: pictures(run, sweeps) for name, run in (("rbm", rbm), ("dbm", dbm))}
    apart_in_data = paired_distance(np.asarray(rbm.fixed_test().x))
    print(f"{'machine':8} {'pixels of a filter, layer by layer':>36} {'samples apart / test images apart':>36}")
    with open(chosen.out / "results.jsonl", "w") as file:
        for name, of in shown.items():
            pixels = {f"layer {number}": spread(weights) for number, weights in enumerate(of.filters, 1)}
            apart = paired_distance(of.drawn) / apart_in_data
            entry = {"machine": name, "sweeps": sweeps, "pixels": pixels, "samples_apart": apart}
            file.write(json.dumps(entry) + "\n")
            print(f"{name:8} {', '.join(f'{n:.0f}' for n in pixels.values()):>36} {apart:36.2f}")
    print(save(draw(rbm, dbm, shown, sweeps), chosen.out / "course_figure.png"))


if __name__ == "__main__":
    main()
