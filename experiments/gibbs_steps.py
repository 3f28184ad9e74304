"""How many Gibbs sweeps: at training (k of CD-k and PCD-k), and at sampling? Likelihood and samples of each.

    python -m experiments.gibbs_steps [--dataset NAME] [--data-dir DIR] [--quick | --smoke] [--out DIR]

RBMs of the same size, steps and seed that differ in the negative phase alone: chains that start at each batch (CD) or
go on (PCD), k sweeps a step. Of each the test log-likelihood (AIS, nats an image), the minutes of training, and its
samples after 1, 4, 10, 100 and 1,000 sweeps of fresh chains, by a classifier of the images (trained first, and kept):
the Frechet distance of their features from the test images', and the entropy of their classes. Writes gibbs_steps.png
(quality against sweeps, a line a machine, dotted what training images have; likelihood against k), chains.png (a row a
chain, after each number of sweeps), results.jsonl and the table. Expect samples to get better until some tens of
sweeps, long after their classes are spread; k to help CD, in likelihood and samples, and PCD hardly; and ten sweeps to
cost several times the minutes of one. Full: k of 1, 4, 10 and 100; --quick: 1 and 10, three eighths of the epochs.
"""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import IMAGES, Rows, images_of, minutes, options
from genjax.api.classifier import classifier_of
from genjax.evaluation.classifier import Classifier
from genjax.evaluation.coverage import class_shares
from genjax.evaluation.distances import frechet_distance, subset
from genjax.plots.bands import number
from genjax.plots.images import rows_of_images, save

SWEEPS = (1, 4, 10, 100, 1000)
SHOWN = 3  # chains of each machine in chains.png


class Scale(NamedTuple):
    """The ks, hidden units, epochs, samples that are measured, and the effort of AIS."""

    ks: tuple[int, ...]
    hidden: int
    epochs: int
    samples: int
    effort: dict[str, int]


SCALES = {
    "full": Scale((1, 4, 10, 100), 128, 800, 2000, {"temperatures": 2000, "ais_chains": 100}),
    "quick": Scale((1, 10), 128, 300, 1437, {"temperatures": 500, "ais_chains": 50}),
    "smoke": Scale((1, 2), 8, 2, 40, {"temperatures": 20, "ais_chains": 10}),
}


def trained(phase: str, k: int, images: genjax.Dataset, scale: Scale) -> genjax.Run:
    """One machine."""
    model = genjax.rbm(hidden=scale.hidden, negative=phase, k=k)
    return genjax.fit(model, images, epochs=scale.epochs, validation=False, progress=False)


def measured(run: genjax.Run, classifier: Classifier, scale: Scale) -> dict[str, Any]:
    """Likelihood, and the quality of samples after each number of sweeps."""
    truth, drawn = np.asarray(run.fixed_test().x), {}
    features = np.asarray(classifier.features(truth))
    for sweeps in SWEEPS:
        x = run.draw(scale.samples, (sweeps,))["samples"]
        drawn[str(sweeps)] = {
            "frechet_distance": frechet_distance(np.asarray(classifier.features(x)), features),
            "class_entropy": class_shares(classifier.logits, x).entropy,
        }
    answer = run.log_likelihood(**scale.effort)
    return {"log_likelihood": answer.mean, "trusted": answer.trusted, "minutes": minutes(run), "after": drawn}


def draw(rows: list[dict[str, Any]], real: float, title: str) -> Figure:
    """Distance and classes against sweeps of sampling, likelihood against sweeps of training."""
    figure = Figure(figsize=(14, 4.2), layout="constrained")
    distance, classes, likelihood = figure.subplots(1, 3)
    shades = sorted({row["k"] for row in rows})
    for row in rows:
        style: dict[str, Any] = {
            "color": f"C{shades.index(row['k'])}",
            "linestyle": "-" if row["phase"] == "pcd" else "--",
        }
        for axes, name in ((distance, "frechet_distance"), (classes, "class_entropy")):
            values = [row["after"][str(sweeps)][name] for sweeps in SWEEPS]
            axes.plot(SWEEPS, values, "o", label=f"{row['phase'].upper()}-{row['k']}", **style)
    distance.axhline(real, color="grey", linestyle=":", label="training images")
    classes.axhline(np.log(10), color="grey", linestyle=":")
    distance.set(ylabel="Frechet distance to test images", yscale="log", title="samples: distance")
    classes.set(ylabel="entropy of the classes (nats)", title="samples: classes (dotted: ten alike)")
    for phase, line in (("pcd", "-"), ("cd", "--")):
        points = sorted((row["k"], row["log_likelihood"]) for row in rows if row["phase"] == phase)
        likelihood.plot(*zip(*points), f"o{line}", color="black", label=phase.upper())
    likelihood.set(xlabel="k, sweeps a step of training", ylabel="nats a test image", title="log-likelihood (AIS)")
    for axes in (distance, classes):
        axes.set_xlabel("sweeps of sampling, from fresh chains")
    for axes in (distance, classes, likelihood):
        axes.set_xscale("log")
        number(axes.xaxis)
        axes.grid(alpha=0.3)
    number(distance.yaxis)
    likelihood.set_xticks(shades, [str(k) for k in shades])
    distance.legend(fontsize=8)
    likelihood.legend(fontsize=8)
    figure.suptitle(title)
    return figure


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    after = [f"{row['after'][str(sweeps)]['frechet_distance']:8.1f}" for sweeps in SWEEPS]
    trust = "" if row["trusted"] else "  (AIS is not trusted)"
    numbers = f"{row['log_likelihood']:8.2f} {row['minutes']:8.2f} {' '.join(after)}"
    return f"{row['phase'].upper() + '-' + str(row['k']):9} {numbers}{trust}"


def main() -> None:
    """All machines; print the table, write results and figures."""
    chosen = options(__doc__, "gibbs-steps", "k of 1 and 10, three eighths of the epochs", more=IMAGES)
    scale, images = SCALES[chosen.scale], images_of(chosen)
    classifier = classifier_of(images)
    if classifier is None:
        raise SystemExit(f"gibbs_steps: {images.name} has no labels, and a classifier measures samples; choose others.")
    rows = Rows(chosen.out / "results.jsonl", "phase", "k")
    pictures, shape = {}, images.shape
    print(
        f"{'machine':9} {'nats':>8} {'minutes':>8}", *(f"{sweeps:>8}" for sweeps in SWEEPS), " sweeps: Frechet distance"
    )
    for phase in ("cd", "pcd"):
        for k in scale.ks:
            run = trained(phase, k, images, scale)
            print(line(rows.once(lambda run=run: measured(run, classifier, scale), phase=phase, k=k)), flush=True)
            for place, chain in enumerate(run.draw(SHOWN, SWEEPS)["path"], 1):
                pictures[f"{phase.upper()}-{k}, chain {place}"] = chain
    features = [np.asarray(classifier.features(x)) for x in (subset(images.train, scale.samples), images.test)]
    real = frechet_distance(*features)
    title = f"{images.name}: RBMs with {scale.hidden} hidden units, {scale.epochs} epochs"
    print(save(draw(rows.of(), real, title), chosen.out / "gibbs_steps.png"))
    columns = [str(sweeps) for sweeps in SWEEPS]
    sheet = rows_of_images(
        pictures, shape, f"{images.name}: expected pixels along fresh chains", columns, ("sweeps", "")
    )
    print(save(sheet, chosen.out / "chains.png"))


if __name__ == "__main__":
    main()
