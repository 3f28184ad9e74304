"""How well does a Wasserstein GAN's critic estimate the Wasserstein distance?

    python -m experiments.critic_distance --data-dir DIR [--quick | --smoke] [--out DIR]

MNIST, perceptrons, WGAN-GP and WGAN with clipping. As they learn, the critic's own estimate, the difference of its mean
scores of test images and of samples, beside the exact distance of 1,000 test images from 1,000 samples of the generator
as it is (POT's simplex on Euclid's distance of pixels), and beside that of 1,000 training images, below which no
generator comes. Expect WGAN-GP's estimate to lie below the exact distance all the time, and to fall much further: a
critic sees what the generator could still mend, the exact distance of a few images mostly how far apart any two digits
are (as Stanczuk et al. 2021 found). Clipping's estimate is in units of its own. Writes results.jsonl, distances.png and
the table. Full: 2 seeds, 2,400 steps of the generator, some minutes; --quick: 1 seed, 600. Needs the extra `ot`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.adversarial import BATCH, WGAN_GP, samples
from experiments.common import append, lines, mnist, options
from genjax.algorithms.gan import newest
from genjax.evaluation.distances import subset
from genjax.models.gan import critic
from genjax.plots.images import save
from genjax.training.loop import Chunk
from genjax.transport import wasserstein

SETTINGS: dict[str, dict[str, Any]] = {
    "WGAN-GP": WGAN_GP,
    "WGAN, clipping": WGAN_GP | {"penalty": "clipping", "clip": 0.02, "penalty_weight": None},
}
SCALES = {"full": (2, 2400), "quick": (1, 600), "smoke": (1, 20)}
IMAGES, POINTS = 1000, 24


def run(name: str, seed: int, steps: int, images: genjax.Dataset) -> dict[str, Any]:
    """One game: both distances along the way."""
    given = {key: value for key, value in SETTINGS[name].items() if value is not None}
    model, points = genjax.gan(layers=(128, 256) if steps > 100 else (16,), **given), []
    real = subset(images.test, IMAGES)

    def measure(chunk: Chunk) -> None:
        if chunk.step < steps * (len(points) + 1) / POINTS and chunk.step < steps:
            return
        x = samples(newest(chunk.state), len(real), seed)
        scores: Any = [critic(chunk.state, part) for part in (real, x)]
        own = float(scores[0].mean() - scores[1].mean())
        points.append({"step": chunk.step, "critic": own, "exact": wasserstein(x, real)})

    fitting = {"steps": steps, "seed": seed, "batch_size": BATCH, "validation": False}
    genjax.fit(model, images, **fitting, on_chunk=measure, progress=False)
    return {"setting": name, "seed": seed, "floor": wasserstein(subset(images.train, len(real)), real), "curve": points}


def main() -> None:
    """Both games; print the table, write results and figure."""
    chosen = options(__doc__, "critic-distance", "one seed, a quarter of the steps", mnist=True)
    seeds, steps = SCALES[chosen.scale]
    images = mnist(chosen).without_validation()
    path = chosen.out / "results.jsonl"
    rows = lines(path)
    for seed in range(seeds):
        for name in SETTINGS:
            if not any((row["setting"], row["seed"]) == (name, seed) for row in rows):
                rows.append(run(name, seed, steps, images))
                append(path, rows[-1])
    print(f"{'game':16} {'seed':>4} {'steps':>6} {'exact':>8} {'critic':>8} {'real images':>12}")
    for row in rows:
        for point in (row["curve"][0], row["curve"][-1]):
            numbers = f"{point['step']:6} {point['exact']:8.3f} {point['critic']:8.3f} {row['floor']:12.3f}"
            print(f"{row['setting']:16} {row['seed']:>4} {numbers}")
    print(draw(rows, chosen.out / "distances.png"))


def draw(rows: list[dict[str, Any]], path: Path) -> Path:
    """Both distances against steps, a panel a game."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(SETTINGS)), SETTINGS):
        for number, row in enumerate(row for row in rows if row["setting"] == name):
            step, own, exact = np.array([[p["step"], p["critic"], p["exact"]] for p in row["curve"]]).T
            axes.plot(step, exact, color="C0", label=None if number else "exact, of 1,000 images")
            axes.plot(step, own, color="C1", label=None if number else "the critic's estimate")
            floor = "1,000 training images, exact"
            axes.axhline(row["floor"], color="grey", linestyle=":", label=None if number else floor)
        axes.set(title=name, xlabel="steps of the generator", ylabel="Wasserstein distance of pixels", ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return save(figure, path)


if __name__ == "__main__":
    main()
