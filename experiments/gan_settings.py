"""What do the knobs of a GAN do? Betas and optimisers, latents, networks, losses: one at a time, samples measured.

    python -m experiments.gan_settings [--dataset NAME] [--data-dir DIR] [--quick | --smoke] [--out DIR]

One GAN (perceptrons 128-256, non-saturating loss, Adam with betas 0.5 and 0.999, 64 latents, no penalty), and what
changes one thing in it: the first beta; SGD with momentum or RMSprop for Adam; 3, 10 or 784 latents; convolutions; a
WGAN with clipping; a WGAN-GP. As many steps of the generator for all. Samples are measured by a classifier of the
images (trained first, and kept): the classifier score (at most the number of classes), the Frechet distance of features
from test images', and the classes that have a fifth of their share. Writes gan_settings.png (score of each setting, a
dot a seed), curves.png (losses and accuracies of the discriminator along the three losses), samples.png (a row a
setting), results.jsonl and the table. Expect a first beta of 0.9 to go wrong and 0 to do as well as 0.5; three latents
to draw all classes and to stay further away than ten; convolutions of this size and clipping to need more steps than a
perceptron; losses that say nothing of the samples, while a critic's score difference shrinks as they get better. Full:
5 seeds, 4,800 steps; --quick: one seed, 600 steps, five settings.
"""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.adversarial import BATCH, FAST, WGAN_GP
from experiments.common import IMAGES, Rows, images_of, options
from experiments.gan_comparison import SETTINGS as COMPARED
from genjax.api.classifier import classifier_of
from genjax.evaluation.classifier import Classifier
from genjax.evaluation.coverage import classifier_score
from genjax.plots.images import rows_of_images, save
from genjax.training.loop import Chunk

SETTINGS: dict[str, dict[str, Any]] = {
    "base": {},
    "beta 0": {"momentum": 0.0, "discriminator_momentum": 0.0},
    "beta 0.9": {"momentum": 0.9, "discriminator_momentum": 0.9},
    "SGD": {
        "optimiser": "sgd",
        "discriminator_optimiser": "sgd",
        "learning_rate": 0.05,
        "discriminator_learning_rate": 0.05,
    },
    "RMSprop": {"optimiser": "rmsprop", "discriminator_optimiser": "rmsprop", "momentum": 0.0},
    "3 latents": {"latent": 3},
    "10 latents": {"latent": 10},
    "784 latents": {"latent": 784},
    "convolutions": {"backbone": "conv", "channels": (16, 32)},
    "WGAN, clipping": COMPARED["WGAN"],
    "WGAN-GP": WGAN_GP,
}
EVERY = 10  # steps that a point of a curve is the mean of
LOSSES = {"base": "GAN", "WGAN, clipping": "WGAN", "WGAN-GP": "WGAN-GP"}
PANELS = {
    "discriminator_loss": "loss of the discriminator",
    "generator_loss": "loss of the generator",
    "real_accuracy": "accuracy on real images",
    "fake_accuracy": "accuracy on generated images",
    "score_difference": "score of real - of generated",
}


class Scale(NamedTuple):
    """Settings, seeds, steps of the generator, and units of the two layers."""

    names: tuple[str, ...]
    seeds: int
    steps: int
    layers: tuple[int, int]


SCALES = {
    "full": Scale(tuple(SETTINGS), 5, 4800, (128, 256)),
    "quick": Scale(("base", "beta 0.9", "3 latents", "784 latents", "WGAN-GP"), 1, 600, (128, 256)),
    "smoke": Scale(("base", "3 latents", "WGAN-GP"), 1, 4, (8, 16)),
}


def trained(name: str, seed: int, images: genjax.Dataset, scale: Scale) -> tuple[genjax.Run, dict[str, Any]]:
    """One game, and its curve: means over every ten steps."""
    setting = FAST | SETTINGS[name]
    setting |= {} if "backbone" in setting else {"layers": scale.layers}
    each: dict[str, list[float]] = {metric: [] for metric in PANELS}

    def keep(chunk: Chunk) -> None:
        for metric, values in each.items():
            values.extend(chunk.steps[metric].tolist())

    fitting: dict[str, Any] = {"steps": scale.steps, "seed": seed, "batch_size": BATCH, "validation": False}
    run = genjax.fit(genjax.gan(**setting), images, **fitting, on_chunk=keep, progress=False)
    curve = {name: [float(np.mean(v[n : n + EVERY])) for n in range(0, len(v), EVERY)] for name, v in each.items()}
    return run, curve | {"step": [min(n + EVERY, scale.steps) for n in range(0, scale.steps, EVERY)]}


def measured(run: genjax.Run, curve: dict[str, Any], classifier: Classifier) -> dict[str, Any]:
    """Its samples, by the classifier, beside its curve."""
    table = run.measured_samples(classifier=classifier)[0].table["samples"]
    numbers = {name: table[name] for name in ("classifier_score", "frechet_distance", "classes", "copies")}
    return numbers | {"curve": curve, "drawn": run.draw(12)["samples"].round(3).tolist()}


def draw_scores(rows: Rows, names: tuple[str, ...], real: float, title: str) -> Figure:
    """A dot a seed, a line a setting."""
    figure = Figure(figsize=(7, 0.8 + 0.36 * len(names)), layout="constrained")
    axes = figure.subplots()
    for place, name in enumerate(names):
        scores = [row["classifier_score"] for row in rows.of(setting=name)]
        axes.plot(scores, np.full(len(scores), place), "o", color="C0", alpha=0.6)
    axes.axvline(real, color="grey", linestyle=":", label="real test images")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel="classifier score of the samples", title=title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def draw_curves(rows: Rows, names: list[str], title: str) -> Figure:
    """Losses and accuracies of the first seed against steps, a row a loss."""
    figure = Figure(figsize=(3.2 * len(PANELS), 2.6 * len(names)), layout="constrained")
    for line, name in zip(figure.subplots(len(names), len(PANELS), sharex=True, squeeze=False), names):
        curve = rows.of(setting=name, seed=0)[0]["curve"]
        for axes, (metric, label) in zip(line, PANELS.items()):
            axes.plot(curve["step"], curve[metric], linewidth=1)
            axes.set_title(f"{LOSSES[name]}: {label}", fontsize=9)
            axes.grid(alpha=0.3)
            if metric.endswith("accuracy"):
                axes.set_ylim(-0.03, 1.03)
    for axes in figure.axes[-len(PANELS) :]:
        axes.set_xlabel("steps of the generator")
    figure.suptitle(title)
    return figure


def main() -> None:
    """All settings and seeds; print the table, write results and figures."""
    chosen = options(__doc__, "gan-settings", "one seed, an eighth of the steps, five settings", more=IMAGES)
    scale, images = SCALES[chosen.scale], images_of(chosen)
    classifier = classifier_of(images)
    if classifier is None:
        raise SystemExit(
            f"gan_settings: {images.name} has no labels, and a classifier measures samples; choose others."
        )
    rows, sheet = Rows(chosen.out / "results.jsonl", "setting", "seed"), {}
    real = classifier_score(classifier.logits, images.test)
    print(f"{'setting':16} {'score':>6} {'Frechet':>8} {'classes':>8} {'copies':>7}   means over {scale.seeds} seeds")
    for name in scale.names:
        for seed in range(scale.seeds):
            rows.once(
                lambda n=name, s=seed: measured(*trained(n, s, images, scale), classifier), setting=name, seed=seed
            )
        mine = rows.of(setting=name)
        score, distance, classes, copies = (
            np.mean([row[key] for row in mine]) for key in ("classifier_score", "frechet_distance", "classes", "copies")
        )
        print(f"{name:16} {score:6.2f} {distance:8.1f} {classes:8.1f} {100 * copies:5.1f} %", flush=True)
        sheet[name] = np.array(mine[0]["drawn"])
    print(f"real test images: score {real:.2f}")
    title = f"{images.name}, {scale.steps:,} steps of the generator"
    print(save(draw_scores(rows, scale.names, real, title), chosen.out / "gan_settings.png"))
    print(save(draw_curves(rows, [n for n in LOSSES if n in scale.names], title), chosen.out / "curves.png"))
    print(save(rows_of_images(sheet, images.shape, f"{title}: samples of seed 0"), chosen.out / "samples.png"))


if __name__ == "__main__":
    main()
