"""How many modes does each kind of GAN catch, where they can be counted?

    python -m experiments.gaussian_modes [--quick | --smoke] [--out DIR]

A ring of 8 Gaussians (radius 1, deviation 0.01) and a grid of 25 (spacing 2, deviation 0.05), as in VEEGAN (Srivastava
et al. 2017) and PacGAN (Lin et al. 2018); 2,500 samples, a mode is caught by one within three deviations, and the
share of samples that close to some mode is the quality. Perceptrons of three layers, with as many steps of the
generator; those of the discriminator for each of them are in the table. All seeds of a setting train side by side on
the same points, and samples are of the moving average of the generator. Writes results.jsonl,
modes.png, samples.png and the table. Expect WGAN-GP, R1 and spectral normalisation to catch every mode of every seed,
and clipping to spread its samples between them. Full: 10 seeds, 5,000 steps of the generator on the ring
and 10,000 on the grid, 80 minutes on one core; --quick: 3 seeds, two fifths of the steps. A run that is interrupted
goes on.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import append, lines, options
from genjax.algorithms.gan import gan
from genjax.evaluation.modes import Mixture, grid, ring
from genjax.models.base import constructor
from genjax.models.gan import GAN
from genjax.plots.images import save
from genjax.training.config import split
from genjax.training.stages import LAST
from genjax.typing import Stage

MIXTURES = {"ring": ring(), "grid": grid()}
COUNT = 2500  # samples that are evaluated
COMMON: dict[str, Any] = {
    "penalty": "none",
    "layers": (128, 128, 128),
    "latent": 2,
    "batch_norm": False,
    "learning_rate": 1e-3,
    "discriminator_learning_rate": 1e-3,
    "schedule": "linear",
    "second_moment": 0.9,
    "discriminator_second_moment": 0.9,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "minimax": {"loss": "minimax"},
    "non-saturating": {},
    "least-squares": {"loss": "least-squares"},
    "hinge": {"loss": "hinge"},
    "PacGAN2": {"packing": 2},
    "WGAN, clipping": {
        "loss": "wasserstein",
        "penalty": "clipping",
        "clip": 0.05,
        "discriminator_steps": 5,
        "optimiser": "rmsprop",
        "discriminator_optimiser": "rmsprop",
        "learning_rate": 5e-4,
        "discriminator_learning_rate": 5e-4,
        "momentum": 0.0,
        "discriminator_momentum": 0.0,
        "second_moment": 0.999,
        "discriminator_second_moment": 0.999,
    },
    "WGAN-GP": {"loss": "wasserstein", "penalty": "gradient", "penalty_weight": 0.1, "discriminator_steps": 5},
    "R1": {"penalty": "r1", "penalty_weight": 0.01},
    "spectral norm": {"normalisation": "spectral", "discriminator_steps": 5, "learning_rate": 3e-4},
}
ALL = list(SETTINGS)
SCALES = {"full": (10, ALL, (5000, 10_000)), "quick": (3, ALL, (2000, 4000)), "smoke": (2, ["R1"], (40, 40))}


@dataclass(frozen=True, kw_only=True)
class PointGAN(GAN):
    """A GAN of points without bounds."""


def stages(
    config: PointGAN, steps: int, steps_per_epoch: int, shape: tuple[int, int, int], classes: int = 0
) -> tuple[Stage, ...]:
    """One stage: the game, whose generator has no sigmoid at its end."""
    static, hyper = split(config, steps)
    return (Stage(LAST, gan(static, shape, bounded=False), hyper, steps),)


PointGAN.model = GAN.model._replace(name="point-gan", config=PointGAN, stages=stages)


def run(name: str, mixture: Mixture, seeds: int, steps: int) -> list[dict[str, Any]]:
    """A row for each seed."""
    scale = float(mixture.centres.std())  # of what a network is given
    size = 64 if steps < 1000 else 128
    points = genjax.Dataset.from_arrays(mixture.draw(20 * size * 5, 0) / scale, test=0, validation=0)
    model, start = constructor(PointGAN)(**(COMMON | SETTINGS[name])), time.perf_counter()
    runs = genjax.grid(model, points, seeds=seeds, steps=steps, batch_size=size, progress=False)
    seconds = time.perf_counter() - start
    rows = []
    for seed, trained in enumerate(runs):
        finite = trained.diverged is None
        row: dict[str, Any] = {"finite": finite, "caught": 0, "high_quality": 0.0, "divergence": None, "points": []}
        if finite:
            drawn = trained.sample(COUNT, seed=seed) * scale
            row |= mixture.tally(drawn)._asdict()
            row["points"] = np.round(drawn[:500], 3).tolist() if seed == 0 else []
        if not row["caught"]:
            row["divergence"] = None  # infinite
        rows.append({"seed": seed, "seconds": seconds, **row})
    return rows


def main() -> None:
    """All settings on both mixtures; print the table as it grows, write results and figures."""
    chosen = options(__doc__, "gaussian-modes", "3 seeds, two fifths of the steps")
    seeds, names, steps = SCALES[chosen.scale]
    path = chosen.out / "results.jsonl"
    rows = lines(path)
    print(
        f"{'mixture':8} {'setting':16} {'D steps':>7} {'all modes in':>13} {'modes caught':>22} {'high quality':>13}"
        f" {'minutes':>8}"
    )
    for (kind, mixture), length in zip(MIXTURES.items(), steps):
        for name in names:
            mine = [row for row in rows if (row["mixture"], row["setting"]) == (kind, name)]
            if not mine:
                for row in run(name, mixture, seeds, length):
                    mine.append({"mixture": kind, "setting": name} | row)
                    append(path, mine[-1])
                rows += mine
            caught, quality = np.array([[row["caught"], row["high_quality"]] for row in mine]).T
            whole = f"{np.sum(caught == len(mixture.centres))} of {len(mine)}"
            spread = f"{caught.mean():.1f} ({caught.min():.0f} to {caught.max():.0f}) of {len(mixture.centres)}"
            minutes = mine[0]["seconds"] / 60
            start = f"{kind:8} {name:16} {SETTINGS[name].get('discriminator_steps', 1):>7}"
            print(f"{start} {whole:>13} {spread:>22} {quality.mean():13.3f} {minutes:8.1f}", flush=True)
    print(draw(rows, chosen.out / "modes.png"))
    print(scatter(rows, chosen.out / "samples.png"))


def draw(rows: list[dict[str, Any]], path: Path) -> Path:
    """Share of modes caught and of samples of good quality, a point a seed."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    for axes, kind in zip(figure.subplots(1, 2, sharey=True), MIXTURES):
        for number, name in enumerate(SETTINGS):
            mine = [row for row in rows if (row["mixture"], row["setting"]) == (kind, name)]
            lift = np.linspace(-0.15, 0.15, len(mine))
            modes = [row["caught"] / len(MIXTURES[kind].centres) for row in mine]
            axes.plot(modes, number + lift, "o", color="C0", label="modes caught" if not number else None)
            quality = [row["high_quality"] for row in mine]
            axes.plot(quality, number + lift, "x", color="C1", label="high quality" if not number else None)
        axes.set(title=f"{kind}, {len(MIXTURES[kind].centres)} modes", xlabel="share", xlim=(-0.03, 1.03))
        axes.set_yticks(range(len(SETTINGS)), list(SETTINGS))
        axes.grid(alpha=0.3)
        axes.legend()
    return save(figure, path)


def scatter(rows: list[dict[str, Any]], path: Path) -> Path:
    """500 samples of the first seed of each setting, on the modes."""
    figure = Figure(figsize=(2 * len(SETTINGS), 4.4), layout="constrained")
    grid_of_axes = figure.subplots(len(MIXTURES), len(SETTINGS))
    for line, (kind, mixture) in zip(grid_of_axes, MIXTURES.items()):
        for axes, name in zip(line, SETTINGS):
            axes.plot(*mixture.centres.T, "+", color="C1", markersize=8)
            for row in rows:
                if (row["mixture"], row["setting"], row["seed"]) == (kind, name, 0) and row["points"]:
                    axes.plot(*np.array(row["points"]).T, ".", color="C0", markersize=2)
            reach = 1.5 * np.abs(mixture.centres).max()
            axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
            axes.set_title(name, fontsize=8)
    figure.suptitle("500 samples of seed 0 on the modes of the data (+)")
    return save(figure, path)


if __name__ == "__main__":
    main()
