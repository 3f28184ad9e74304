"""Asked for a digit, or for the missing part of one: does a deep Boltzmann machine answer better than an RBM?

    python -m experiments.class_samples --data-dir DIR [--rbm RUN] [--dbm RUN] [--quick | --smoke] [--out DIR]

Machines that learned images and labels together, the label a categorical layer on top: an RBM 784-500 and a DBM
784-500-1000, trained here unless runs of `genjax train rbm --classes 10` and `genjax train dbm --classes 10` are named.
Samples of each class: its label clamped, fresh chains that start from the biases alone; the judge (a classifier of
MNIST, trained first and kept) says how many are of the class that was asked for, and how varied they are, as the mean
squared distance of two samples of a class over that of two test images of it. Reconstructions: the middle rows of test
images removed, the rest clamped; beside them what the training images' mean would cost. Writes class_samples.png,
results.jsonl and the table. Expect eight or nine of ten samples to be of the class that was asked for, and
the DBM to fill in a little better. Full: 25 minutes on two cores, most of it for the DBM; --quick: a tenth of it.
--smoke: digits, seconds.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.common import options, run_of
from genjax import data
from genjax.cli.adversarial import learned_judge
from genjax.cli.reconstruct import Filled, damage, errors, fill, parse_region
from genjax.cli.run import FIXED_DRAW, Run
from genjax.cli.sample import classes
from genjax.errors import UserError
from genjax.evaluation.classifier import Judge
from genjax.plots.images import save, tile
from genjax.plots.text import plain


class Scale(NamedTuple):
    """Passes over the images of both, samples of a class, their sweeps, and test images to fill in."""

    epochs: tuple[int, int]
    samples: int
    sweeps: int
    images: int


SCALES = {
    "full": Scale((40, 30), 100, 10_000, 1000),
    "quick": Scale((4, 3), 50, 1000, 200),
    "smoke": Scale((100, 100), 20, 200, 20),
}
SIZES: dict[str, dict[str, Any]] = {"rbm": {"hidden": 500}, "dbm": {"layers": (500, 1000), "pretraining": 0}}
TINY: dict[str, dict[str, Any]] = {"rbm": {"hidden": 40}, "dbm": {"layers": (40, 30), "pretraining": 0}}
SHOWN = 8  # samples of a class, and reconstructions, in the figure


class Answers(NamedTuple):
    """What one machine gives back: samples of each class, expected and drawn, and test images filled in."""

    seen: Float[np.ndarray, "classes samples pixels"]
    drawn: Float[np.ndarray, "classes samples pixels"]
    images: Filled


def answers(run: Run, scale: Scale, removed: np.ndarray) -> Answers:
    """Samples of every class and reconstructions."""
    assert run.family.sample is not None
    found = []
    for label in range(classes(run)):
        key = jax.random.fold_in(jax.random.key(0), label)
        seen, drawn = run.family.sample(key, run.state, scale.samples, [scale.sweeps], label=label)
        found.append((seen[:, -1], drawn))
    seen, drawn = (np.stack(part) for part in zip(*found))
    return Answers(seen, drawn, fill(run, removed, 400, seed=0))


def distance(images: Float[np.ndarray, "images pixels"]) -> float:
    """The mean squared distance of two different images of these, a pixel."""
    return float(2 * images.astype(np.float64).var(0, ddof=1).mean())


def numbers(run: Run, given: Answers, eye: Judge) -> dict[str, Any]:
    """How right and how varied the samples are, and the errors of the reconstructions."""
    found = run.prepared.dataset
    test = data.binarise_fixed(found.test, run.config.binarisation, FIXED_DRAW)
    right, varied = [], []
    for label, drawn in enumerate(given.drawn):
        right.append(float(np.mean(np.argmax(eye.logits(drawn), -1) == label)))
        varied.append(distance(drawn) / distance(test[found.labels.test == label]))
    told = {"rightly": right, "varied": varied, "judge": eye.accuracy(test, found.labels.test)}
    return told | errors(run, given.images)


def main() -> None:
    """Both machines; print the table, write results and figure."""
    more = {f"--{name}": {"type": Path, "help": f"a run of genjax train {name} with --classes"} for name in SIZES}
    chosen = options(__doc__, "class-samples", "a tenth of the training, fewer samples", mnist=True, more=more)
    scale, given, rows = SCALES[chosen.scale], {}, []
    runs = {}
    for (name, size), epochs in zip(SIZES.items(), scale.epochs):
        tiny = TINY[name] | {"epochs": epochs, "classes": 10}
        run = run_of(chosen, name, getattr(chosen, name), tiny, dataset="mnist", epochs=epochs, classes=10, **size)
        if run.model != name or not classes(run):
            raise UserError(f"--{name} {run.folder} is not a run of genjax train {name} --classes.")
        middle = parse_region(f"middle:{run.shape[0] // 3}")
        removed = damage(middle, run.shape, min(scale.images, len(run.prepared.dataset.test)), 0)
        runs[name], given[name] = run, answers(run, scale, removed)
    print(
        f"{'machine':8} {'of the class asked for':>24} {'worst class':>12} {'varied':>8} {'removed pixels wrong':>21}"
    )
    for name, run in runs.items():
        row = {"machine": name, "sweeps": scale.sweeps}
        rows.append(row | numbers(run, given[name], learned_judge(run.prepared.dataset)))
        row = rows[-1]
        print(
            f"{name:8} {100 * np.mean(row['rightly']):22.1f} % {100 * min(row['rightly']):10.1f} % "
            f"{np.mean(row['varied']):8.2f} {100 * row['pixel_error']:11.2f} %"
        )
    print(f"of test images the judge tells {100 * rows[0]['judge']:.1f} %; the training images' mean has", end=" ")
    print(f"{100 * rows[0]['pixel_error_of_mean']:.2f} % of the removed pixels wrong")
    (chosen.out / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(draw(runs, given, chosen.out / "class_samples.png"))


def show(axes: Axes, images: np.ndarray, run: Run, columns: int, title: str) -> None:
    """A sheet of images; removed pixels (NaN) are red."""
    shades = colormaps["gray"].with_extremes(bad="firebrick")
    axes.imshow(np.ma.masked_invalid(tile(images, run.shape, columns)), cmap=shades, vmin=0, vmax=1)
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


def draw(runs: dict[str, Run], given: dict[str, Answers], path: Path) -> Path:
    """Above a class a row, the RBM's samples left and the DBM's right; below the same test images filled in by both."""
    figure = Figure(figsize=(11, 9.5), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(10, 4.5))
    above, below = parts
    for axes, (name, run) in zip(above.subplots(1, 2), runs.items()):
        rows = given[name].seen[:, :SHOWN].reshape(-1, np.prod(run.shape))
        show(axes, rows, run, SHOWN, f"{name.upper()}: p(v | h), label clamped, a class a row")
    one, (truth, damaged, _) = runs["rbm"], given["rbm"].images
    sheets = {"test images": truth, "removed": damaged}
    sheets |= {f"filled in by the {name.upper()}": answer.images.filled for name, answer in given.items()}
    for axes, (title, images) in zip(below.subplots(1, 4), sheets.items()):
        show(axes, images[: 2 * SHOWN], one, SHOWN // 2, title)
    names = " and ".join(run.folder.name for run in runs.values())
    figure.suptitle(plain(f"{one.config.dataset}: {names}, with labels"))
    return save(figure, path)


if __name__ == "__main__":
    main()
