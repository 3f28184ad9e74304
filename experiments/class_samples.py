"""Asked for a digit, or for the missing part of one: does a deep Boltzmann machine answer better than an RBM?

    python -m experiments.class_samples --data-dir DIR [--rbm RUN] [--dbm RUN] [--quick | --smoke] [--out DIR]

Machines that learned images and labels together, the label a categorical layer on top: an RBM 784-500 and a DBM
784-500-1000, trained here unless runs of `genjax train rbm --classes 10` and `genjax train dbm --classes 10` are named.
Samples of each class: its label clamped, fresh chains that start from the biases alone; a classifier of MNIST (trained
first and kept) says how many are of the class that was asked for. How varied they are is the mean squared distance of
two samples of a class over that of two test images of it. Reconstructions: the middle rows of test
images removed, the rest clamped; beside them what the training images' mean would cost. Writes class_samples.png,
results.jsonl and the table. Expect eight or nine of ten samples to be of the class that was asked for, and
the DBM to fill in a little better. Full: 25 minutes on two cores, most of it for the DBM; --quick: a tenth of it.
--smoke: digits, seconds.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import genjax
from experiments.common import data_name, options, paired_distance, run_of
from genjax.errors import UserError
from genjax.evaluation.classes import accuracy
from genjax.evaluation.classifier import Classifier, train_classifier
from genjax.evaluation.reconstruction import Filled, errors, fill, missing_mask, region
from genjax.plots.images import draw as draw_images
from genjax.plots.images import save
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
MODELS = {
    "rbm": genjax.rbm(hidden=500, classes=10),
    "dbm": genjax.dbm(layers=(500, 1000), pretraining=0, classes=10),
}
TINY = {
    "rbm": genjax.rbm(hidden=40, classes=10),
    "dbm": genjax.dbm(layers=(40, 30), pretraining=0, classes=10),
}
SHOWN = 8  # samples of a class, and reconstructions, in the figure


class Answers(NamedTuple):
    """What one machine gives back: samples of each class, expected and drawn, and test images filled in."""

    means: Float[np.ndarray, "classes samples pixels"]
    drawn: Float[np.ndarray, "classes samples pixels"]
    images: Filled


def answers(run: genjax.Run, scale: Scale, missing: Bool[np.ndarray, "images pixels"]) -> Answers:
    """Samples of every class and reconstructions."""
    arrays = run.draw_classes(scale.samples, scale.sweeps)
    means, drawn = (arrays[name].reshape(run.classes, scale.samples, -1) for name in ("means", "samples"))
    return Answers(means, drawn, fill(run.reconstruct, np.asarray(run.fixed_test(len(missing)).x), missing))


def numbers(
    run: genjax.Run, given: Answers, missing: Bool[np.ndarray, "images pixels"], classifier: Classifier
) -> dict[str, Any]:
    """How right and how varied the samples are, and the errors of the reconstructions."""
    test, labels = np.asarray(run.fixed_test().x), run.prepared.dataset.labels.test
    right, varied = [], []
    for label, drawn in enumerate(given.drawn):
        right.append(accuracy(classifier.logits, drawn, np.full(len(drawn), label)).mean)
        varied.append(paired_distance(drawn) / paired_distance(test[labels == label]))
    known = accuracy(classifier.logits, test, labels).mean
    filled = errors(given.images.truth, given.images.filled, missing, np.asarray(run.fixed_train().x).mean(0))
    numbers = {"accuracy": right, "varied": varied, "classifier_accuracy": known}
    return numbers | {name: estimate.mean for name, estimate in filled.items()}


def main() -> None:
    """Both machines; print the table, write results and figure."""
    more = {f"--{name}": {"type": Path, "help": f"a run of genjax train {name} with --classes"} for name in MODELS}
    chosen = options(__doc__, "class-samples", "a tenth of the training, fewer samples", mnist=True, more=more)
    scale, runs, given, missing, rows = SCALES[chosen.scale], {}, {}, {}, []
    for (name, model), epochs in zip((TINY if chosen.scale == "smoke" else MODELS).items(), scale.epochs):
        run = run_of(chosen, getattr(chosen, name), model, epochs=epochs)
        if run.model.name != name or not run.classes:
            raise UserError(f"--{name} {run.folder} is not a run of genjax train {name} --classes.")
        middle, count = region(f"middle:{run.image_shape[0] // 3}"), min(scale.images, run.record.counts["test"])
        missing[name] = missing_mask(middle, run.image_shape, count)
        runs[name], given[name] = run, answers(run, scale, missing[name])
    print(
        f"{'machine':8} {'of the class asked for':>24} {'worst class':>12} {'varied':>8} {'removed pixels wrong':>21}"
    )
    for name, run in runs.items():
        classifier = train_classifier(run.prepared.dataset)
        rows.append({"machine": name, "sweeps": scale.sweeps} | numbers(run, given[name], missing[name], classifier))
        row = rows[-1]
        print(
            f"{name:8} {100 * np.mean(row['accuracy']):22.1f} % {100 * min(row['accuracy']):10.1f} % "
            f"{np.mean(row['varied']):8.2f} {100 * row['pixel_error']:11.2f} %"
        )
    known = 100 * rows[0]["classifier_accuracy"]
    print(f"of test images the classifier knows {known:.1f} %; the training images' mean has", end=" ")
    print(f"{100 * rows[0]['pixel_error_of_mean']:.2f} % of the removed pixels wrong")
    (chosen.out / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(draw(runs, given, chosen.out / "class_samples.png"))


def show(axes: Axes, images: np.ndarray, run: genjax.Run, columns: int, title: str) -> None:
    """A sheet of images; removed pixels (NaN) are red."""
    draw_images(axes, images, run.image_shape, columns)
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


def draw(runs: dict[str, genjax.Run], given: dict[str, Answers], path: Path) -> Path:
    """Above a class a row, the RBM's samples left and the DBM's right; below the same test images filled in by both."""
    figure = Figure(figsize=(11, 9.5), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(10, 4.5))
    above, below = parts
    for axes, (name, run) in zip(above.subplots(1, 2), runs.items()):
        rows = given[name].means[:, :SHOWN].reshape(-1, given[name].means.shape[-1])
        show(axes, rows, run, SHOWN, f"{name.upper()}: p(v | h), label clamped, a class a row")
    one, (truth, damaged, _) = runs["rbm"], given["rbm"].images
    sheets = {"test images": truth, "removed": damaged}
    sheets |= {f"filled in by the {name.upper()}": answer.images.filled for name, answer in given.items()}
    for axes, (title, images) in zip(below.subplots(1, 4), sheets.items()):
        show(axes, images[: 2 * SHOWN], one, SHOWN // 2, title)
    names = " and ".join(run.name for run in runs.values())
    figure.suptitle(plain(f"{data_name(one)}: {names}, with labels"))
    return save(figure, path)


if __name__ == "__main__":
    main()
