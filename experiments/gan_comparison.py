"""GAN against WGAN against WGAN-GP, with as many steps of the generator: which is best, and which is safe?

    python -m experiments.gan_comparison --data-dir DIR [--quick | --smoke] [--out DIR]

MNIST, convolutions with 16 and 32 channels, the same seeds for all; the critics of WGAN have five steps for each of the
generator, as published, and so take five times as many images. Samples are evaluated by a classifier of MNIST (trained
first, and kept). Writes results.jsonl, curves.png (means over the seeds, with bands from the lowest to the highest) and
a table with the paired differences and what became of each seed. Expect WGAN-GP ahead, in three times the GAN's
minutes, clipping far behind, and nobody to collapse: digits are half made by then. Full: 5 seeds, 2,400 steps of the
generator, 42 minutes on one core; --quick: 2 seeds, 480 steps. A run that is interrupted goes on.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.adversarial import BATCH, FAST, WGAN_GP, fate, samples
from experiments.common import append, interval, lines, mnist, options
from genjax.errors import Diverged
from genjax.evaluation.classifier import Classifier, train_classifier
from genjax.evaluation.coverage import class_shares, classifier_score
from genjax.evaluation.distances import frechet_distance
from genjax.plots.images import save
from genjax.training.loop import Chunk

SETTINGS: dict[str, dict[str, Any]] = {
    "GAN": FAST,
    "WGAN": {
        "loss": "wasserstein",
        "penalty": "clipping",
        "discriminator_steps": 5,
        "optimiser": "rmsprop",
        "discriminator_optimiser": "rmsprop",
        "momentum": 0.0,
        "discriminator_momentum": 0.0,
        "learning_rate": 2e-4,
        "discriminator_learning_rate": 2e-4,
    },
    "WGAN-GP": WGAN_GP,
}
ALL = list(SETTINGS)
SCALES = {"full": (5, ALL, 2400), "quick": (2, ALL, 480), "smoke": (2, ["GAN", "WGAN"], 20)}
SAMPLES = 2000  # that are evaluated after each chunk: every 240 steps


def run(name: str, seed: int, steps: int, images: genjax.Dataset, classifier: Classifier) -> dict[str, Any]:
    """One seed: its curve, and what became of it."""
    channels = (16, 32) if steps > 100 else (4, 8)
    model, points = genjax.gan(backbone="conv", channels=channels, **SETTINGS[name]), []
    truth = np.asarray(classifier.features(images.test))

    def measure(chunk: Chunk) -> None:
        x = samples(chunk.state, SAMPLES if steps > 100 else 100)
        classes = class_shares(classifier.logits, x)
        numbers = {
            "step": chunk.step,
            "classifier_score": classifier_score(classifier.logits, x),
            "class_entropy": classes.entropy,
            "classes": int(np.sum(classes.shares > 0.01)),
            "confident": classes.confident,
            "frechet_distance": frechet_distance(classifier.features(x), truth),
        }
        points.append(numbers | chunk.metrics)

    start = time.perf_counter()
    try:
        run = {"steps": steps, "seed": seed, "batch_size": BATCH, "validation": False}
        genjax.fit(model, images, **run, on_chunk=measure, progress=False)
        last = points[-1]
        outcome = fate(last["classifier_score"], last["classes"], images.classes, last["confident"])
    except Diverged:
        outcome = "diverged"
    seconds = time.perf_counter() - start
    return {"setting": name, "seed": seed, "seconds": seconds, "fate": outcome, "curve": points}


def main() -> None:
    """All settings for all seeds; print the table, write results and figure."""
    chosen = options(__doc__, "gan-comparison", "2 seeds, a fifth of the steps", mnist=True)
    seeds, names, steps = SCALES[chosen.scale]
    images = mnist(chosen)
    classifier = train_classifier(images)
    path = chosen.out / "results.jsonl"
    rows = lines(path)
    for seed in range(seeds):
        for name in names:
            if not any((row["setting"], row["seed"]) == (name, seed) for row in rows):
                rows.append(run(name, seed, steps, images, classifier))
                append(path, rows[-1])
                print(f"{name}, seed {seed}: {rows[-1]['fate']}, {rows[-1]['seconds'] / 60:.1f} min", flush=True)
    final = {
        name: np.array([last(row)["classifier_score"] for row in rows if row["setting"] == name]) for name in names
    }
    print(f"{'setting':8} {'minutes':>8} {'score':>7} {'Frechet':>8} {'GAN - it (95 %)':>18}  what became of each seed")
    for name, scores in final.items():
        mine = [row for row in rows if row["setting"] == name]
        low, high = interval(final["GAN"] - scores)
        distance = np.mean([last(row)["frechet_distance"] for row in mine if "frechet_distance" in last(row)] or np.nan)
        minutes = np.mean([row["seconds"] for row in mine]) / 60
        ahead = "" if name == "GAN" else f"{low:+.2f} to {high:+.2f}"
        fates = ", ".join(f"{row['fate']} {score:.1f}" for row, score in zip(mine, scores))
        print(f"{name:8} {minutes:8.1f} {scores.mean():7.2f} {distance:8.2f} {ahead:>18}  {fates}")
    print(f"real test images: score {classifier_score(classifier.logits, images.test):.2f}")
    print(draw(rows, chosen.out / "curves.png"))


def last(row: dict[str, Any]) -> dict[str, Any]:
    """Where a run ended; the worst there is where it diverged or has no numbers."""
    return row["curve"][-1] if row["curve"] and row["fate"] != "diverged" else {"classifier_score": 1.0}


PANELS = {
    "classifier_score": "classifier score",
    "class_entropy": "class entropy (nats)",
    "frechet_distance": "Frechet distance on the classifier's features",
    "score_difference": "score of real - score of fake",
    "generator_gradient": "norm of the generator's gradient",
    "fake_accuracy": "discriminator's accuracy on fakes",
}


def draw(rows: list[dict[str, Any]], path: Path) -> Path:
    """Means over the seeds against steps of the generator, with bands from the lowest to the highest."""
    figure = Figure(figsize=(12, 6.5), layout="constrained")
    for axes, (metric, label) in zip(figure.subplots(2, 3).ravel(), PANELS.items()):
        for number, name in enumerate(SETTINGS):
            curves = [row["curve"] for row in rows if row["setting"] == name and row["curve"]]
            if not curves:
                continue
            longest = max(curves, key=len)
            values = np.full((len(curves), len(longest)), np.nan)  # where a run has diverged, the others go on
            for row, curve in zip(values, curves):
                row[: len(curve)] = [point[metric] for point in curve]
            steps = [point["step"] for point in longest]
            axes.plot(steps, np.nanmean(values, 0), color=f"C{number}", label=f"{name}, {len(curves)} seeds")
            band = np.nanmin(values, 0), np.nanmax(values, 0)
            axes.fill_between(steps, *band, color=f"C{number}", alpha=0.2, linewidth=0)
        axes.set(xlabel="steps of the generator", title=label)
        axes.grid(alpha=0.3)
        if metric in ("frechet_distance", "score_difference", "generator_gradient"):
            axes.set_yscale("symlog" if metric == "score_difference" else "log")
    figure.axes[0].legend()
    return save(figure, path)


if __name__ == "__main__":
    main()
