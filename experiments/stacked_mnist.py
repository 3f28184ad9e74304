"""How many modes of Stacked MNIST do a plain GAN, PacGAN2 and WGAN-GP catch?

    python -m experiments.stacked_mnist --data-dir DIR [--channels 2 | 3] [--quick | --smoke] [--out DIR]

Digits drawn at random and stacked as channels: 1000 modes with three channels (Metz et al. 2017), 100 with two, which
is what two cores can do (the default). 26,000 samples, each channel classified by a classifier of MNIST (trained first,
and kept); the divergence is KL from equal shares, in nats. Published with three channels: DCGAN 99 modes and 3.40,
PacDCGAN2 1000 and 0.06 (Lin et al. 2018), WGAN-GP 959 and 0.73. Writes results.jsonl, modes-2.png or modes-3.png,
samples and the table. Expect all to catch the 100 modes of two channels, and WGAN-GP to share them out best: look at
the samples too, for the classifier names any blob. Full: 3 seeds, 2,400 steps of the generator, 24 minutes on one core;
--quick: 1 seed, 600 steps. A run that is interrupted goes on.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.adversarial import BATCH, FAST, WGAN_GP, samples
from experiments.common import append, lines, mnist, options
from genjax.errors import Diverged
from genjax.evaluation.classifier import Classifier, train_classifier
from genjax.evaluation.modes import stacked, stacked_modes
from genjax.plots.images import rows_of_images, save
from genjax.training.loop import Chunk

SETTINGS: dict[str, dict[str, Any]] = {
    "non-saturating": FAST,
    "PacGAN2": FAST | {"packing": 2},
    "WGAN-GP": WGAN_GP,
}
PUBLISHED = {"non-saturating": (99, 3.40), "PacGAN2": (1000, 0.06), "WGAN-GP": (959, 0.73)}  # three channels
ALL = list(SETTINGS)
SCALES = {"full": (3, ALL, 2400, 26_000), "quick": (1, ALL, 600, 5000), "smoke": (1, ["PacGAN2"], 20, 500)}


def run(
    name: str, seed: int, steps: int, count: int, images: genjax.Dataset, classifier: Classifier, out: Path
) -> dict[str, Any]:
    """One run, its modes counted along the way on a tenth of the samples."""
    channels, points = images.shape[2], []
    sizes = (16, 32) if steps > 100 else (4, 8)
    model = genjax.gan(backbone="conv", channels=sizes, latent=100, **SETTINGS[name])

    def measure(chunk: Chunk) -> None:
        modes = stacked_modes(classifier.logits, samples(chunk.state, count // 10), channels)
        points.append((chunk.step, modes.caught, modes.divergence))

    about: dict[str, Any] = {"setting": name, "seed": seed, "steps": steps, "curve": points}
    about |= {"modes": 0, "divergence": None}
    start = time.perf_counter()
    try:
        fitting = {"steps": steps, "seed": seed, "batch_size": BATCH, "validation": False}
        trained = genjax.fit(model, images, **fitting, on_chunk=measure, progress=False)
    except Diverged:
        return about | {"seconds": time.perf_counter() - start}
    x = trained.draw(count, seed=seed + 1)["samples"]
    modes = stacked_modes(classifier.logits, x, channels)
    rows = {
        f"{i + 1}, channel {c + 1}": x[10 * i : 10 * i + 10, c::channels] for i in range(3) for c in range(channels)
    }
    title = f"{name}, seed {seed}: samples, their channels below each other"
    figure = rows_of_images(rows, (*images.shape[:2], 1), title)
    save(figure, out / f"samples-{channels}-{name}-{seed}.png")
    about |= {"seconds": time.perf_counter() - start}
    return about | {"modes": modes.caught, "divergence": modes.divergence}


def main() -> None:
    """All settings for all seeds; print the table, write results and figure."""
    more = {"--channels": {"type": int, "default": 2, "choices": (2, 3), "help": "digits that are stacked"}}
    chosen = options(__doc__, "stacked-mnist", "one seed, a quarter of the steps", mnist=True, more=more)
    channels = chosen.channels
    seeds, names, steps, count = SCALES[chosen.scale]
    plain = mnist(chosen)
    classifier = train_classifier(plain)
    images = stacked(plain, channels, count=60_000 if chosen.scale != "smoke" else 1000)
    real = stacked_modes(classifier.logits, images.train[:count], channels)
    path = chosen.out / "results.jsonl"
    rows = [row for row in lines(path) if row["channels"] == channels]
    print(
        f"{'setting':16} {'seed':>4} {'minutes':>8} {'modes':>6} {'KL':>7}  of {10**channels}, real images:"
        f" {real.caught}, {real.divergence:.3f}"
    )
    for seed in range(seeds):
        for name in names:
            row = next((r for r in rows if (r["setting"], r["seed"]) == (name, seed)), None)
            if row is None:
                row = {"channels": channels} | run(name, seed, steps, count, images, classifier, chosen.out)
                append(path, row)
                rows.append(row)
            beside = "  published {}, {:.2f}".format(*PUBLISHED[name]) if channels == 3 else ""
            divergence = "diverged" if row["divergence"] is None else f"{row['divergence']:7.3f}"
            print(f"{name:16} {seed:>4} {row['seconds'] / 60:8.1f} {row['modes']:>6} {divergence}{beside}", flush=True)
    print(draw(rows, channels, chosen.out / f"modes-{channels}.png"))


def draw(rows: list[dict[str, Any]], channels: int, path: Path) -> Path:
    """Modes and divergence along the runs, a line a seed."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    labels = (f"modes of {10**channels}, in a tenth of the samples", "KL from equal shares (nats)")
    for place, (axes, label) in enumerate(zip(figure.subplots(1, 2), labels)):
        for row in rows:
            points = np.array(row["curve"]).reshape(-1, 3)
            named = row["setting"] if row["seed"] == 0 else None
            color = f"C{list(SETTINGS).index(row['setting'])}"
            axes.plot(points[:, 0], points[:, 1 + place], color=color, label=named)
        axes.set(xlabel="steps of the generator", title=label)
        axes.grid(alpha=0.3)
        axes.legend()
    return save(figure, path)


if __name__ == "__main__":
    main()
