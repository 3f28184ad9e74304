"""How good are the digits of a GAN on MNIST, by a classifier, with convolutions and with a perceptron?

    python -m experiments.gan_mnist --data-dir DIR [--quick | --smoke] [--out DIR]

A GAN with convolutions, 32 and 64 channels and a dense layer of 256, and a perceptron, with the non-saturating loss and
R1, no labels, on all 60,000 training images; along the way 1,000 samples, and at the end 10,000, are evaluated on the
features of a classifier that was trained on MNIST (it is trained first, and kept: 3 to 5 minutes). Beside each number
stands that of real images. Writes results.jsonl, curves.png and the table, and of each run samples, their nearest
training images and a film. Expect a classifier score above 9.0 of 10 with convolutions (real test images: about 9.9),
all ten classes, and less from the perceptron. Full: 24,000 steps, 32 minutes on one core, of which the perceptron takes
5; --quick: an eighth of the steps. A run that is interrupted goes on with the next setting.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.adversarial import BATCH, samples
from experiments.common import append, lines, minutes, mnist, options
from genjax.errors import Diverged
from genjax.evaluation.classifier import Classifier, train_classifier
from genjax.evaluation.coverage import class_shares, classifier_score, nearest
from genjax.plots.images import rows_of_images, save
from genjax.training.loop import Chunk

COMMON: dict[str, Any] = {
    "penalty": "r1",
    "penalty_weight": 0.5,
    "schedule": "linear",
    "learning_rate": 1e-3,
    "discriminator_learning_rate": 1e-3,
    "momentum": 0.0,
    "discriminator_momentum": 0.0,
    "second_moment": 0.99,
    "discriminator_second_moment": 0.99,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "convolutions 32-64": {"backbone": "conv", "channels": (32, 64), "dense": (256,)},
    "perceptron 256-512": {"backbone": "mlp", "layers": (256, 512)},
}
ALL = list(SETTINGS)
SCALES = {"full": (1, ALL, 24_000), "quick": (1, ALL, 3000), "smoke": (1, ["perceptron 256-512"], 30)}
REAL = ("classifier_score", "frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage")
REAL += ("copies",)
POINTS = 20  # of the curve


def run(name: str, seed: int, steps: int, images: genjax.Dataset, classifier: Classifier, out: Path) -> dict[str, Any]:
    """One run, evaluated along the way on 1,000 samples and at the end on as many as there are test images."""
    small: dict[str, Any] = {"layers": (16,)} if steps < 100 else {}
    model, points = genjax.gan(**(COMMON | SETTINGS[name] | small)), []

    def measure(chunk: Chunk) -> None:
        if chunk.step < steps * (len(points) + 1) / POINTS and chunk.step < steps:
            return
        x = samples(chunk.state, 1000)
        score, entropy = classifier_score(classifier.logits, x), class_shares(classifier.logits, x).entropy
        points.append((chunk.step, time.perf_counter() - start, score, entropy))
        print(f"  {name}, seed {seed}: step {chunk.step}, {points[-1][1] / 60:.1f} min, score {score:.2f}", flush=True)

    start = time.perf_counter()
    about: dict[str, Any] = {"setting": name, "seed": seed, "curve": points}
    try:
        fitting = {"steps": steps, "seed": seed, "batch_size": BATCH, "validation": False}
        trained = genjax.fit(model, images, **fitting, on_chunk=measure, progress=False)
    except Diverged:
        return about | {"seconds": time.perf_counter() - start, "samples": None}
    slug = f"{name.split()[0]}-{seed}"
    x = trained.draw(100, seed=seed + 1)["samples"]
    shown = {str(i + 1): x[10 * i : 10 * i + 10] for i in range(10)}
    save(rows_of_images(shown, images.shape, f"{name}, seed {seed}: samples"), out / f"samples-{slug}.png")
    save(trained.plot.film(), out / f"film-{slug}.png")
    beside = {"samples": x[:10]}
    for what, of in (("the classifier's features", classifier.features), ("pixels", np.asarray)):
        rows = nearest(np.asarray(of(x[:10])), np.asarray(of(images.train))).row[:, 0]
        beside[f"nearest by {what}"] = images.train[rows]
    title = f"{name}: samples and their nearest training images"
    save(rows_of_images(beside, images.shape, title), out / f"nearest-{slug}.png")
    about |= {"steps": trained.step, "seconds": 60 * minutes(trained)}
    return about | trained.sample_quality(classifier=classifier, seed=seed + 1)


def main() -> None:
    """Both backbones; print the table as it grows, write results and figures."""
    chosen = options(__doc__, "gan-mnist", "an eighth of the steps", mnist=True)
    seeds, names, steps = SCALES[chosen.scale]
    images = mnist(chosen).without_validation()
    classifier = train_classifier(images)
    path = chosen.out / "results.jsonl"
    rows = lines(path)
    for seed in range(seeds):
        for name in names:
            if not any((row["setting"], row["seed"]) == (name, seed) for row in rows):
                rows.append(run(name, seed, steps, images, classifier, chosen.out))
                append(path, rows[-1])
    print(f"{'setting':20} {'seed':>4} {'minutes':>8} {'classes':>8} {'entropy':>8}", *(f"{n:>16}" for n in REAL))
    for row in rows:
        print(line(f"{row['setting']:20} {row['seed']:>4} {row['seconds'] / 60:8.1f}", row["samples"]))
    real = next((row["real"] for row in rows if row["samples"]), None)
    print(line(f"{'real images':34}", real))
    print(draw(rows, chosen.out / "curves.png"))


def line(start: str, numbers: dict[str, Any] | None) -> str:
    """A row of the table; an estimate by its mean."""
    if numbers is None:
        return f"{start}  diverged"
    values = [numbers[name]["mean"] if isinstance(numbers[name], dict) else numbers[name] for name in REAL]
    text = " ".join(f"{np.nan if value is None else value:16.3f}" for value in values)
    return f"{start} {numbers['classes']:>8} {100 * numbers['class_entropy_ratio']:6.1f} % {text}"


def draw(rows: list[dict[str, Any]], path: Path) -> Path:
    """Classifier score against minutes of training, real test images as a line."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for row in rows:
        number = list(SETTINGS).index(row["setting"])
        points = np.array(row["curve"]).reshape(-1, 4)
        label = row["setting"] if row["seed"] == 0 else None
        axes.plot(points[:, 1] / 60, points[:, 2], color=f"C{number}", label=label)
    for real in [row["real"] for row in rows if row["samples"]][:1]:
        axes.axhline(real["classifier_score"], color="grey", linestyle=":", label="real test images")
    axes.set(xlabel="minutes, evaluation included", ylabel="classifier score of 1,000 samples", title="GANs on MNIST")
    axes.grid(alpha=0.3)
    axes.legend()
    return save(figure, path)


if __name__ == "__main__":
    main()
