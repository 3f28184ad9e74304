"""Does a rising pseudo-likelihood mean a rising likelihood? Both along the training of an RBM, by PCD and by CD.

    python -m experiments.pseudo_likelihood [--dataset NAME] [--data-dir DIR] [--quick | --smoke] [--out DIR]

A small machine, whose log-likelihood is exact by enumeration of its hidden units, and a larger one by AIS; each by
PCD-1 and by CD-1 at a constant rate in batches of 10, and by PCD-1 at ten times the rate. Along the way of test images,
in nats: the log-likelihood, the exact pseudo-log-likelihood, and the estimate of it that flips one pixel an image
(scikit-learn's `score_samples`). Writes pseudo_likelihood.png (a column a machine, a row a negative phase),
results.jsonl, and a table of the end beside the best, with the rank correlation of likelihood and exact pseudo-
likelihood along the run. Expect the two to rise together at the low rate, the pseudo-likelihood nats above the
likelihood; at the high rate the likelihood to fall by nats now and then where the pseudo-likelihood hardly moves (128
units, quick: 26.0 in the end after 23.8 at its best, the other 21.4 after 20.8); and the one-pixel estimate to jump by
nats, so that of two neighbouring points it does not say which is better. Full: 12 and 128 hidden units, 400 epochs;
--quick: 30 epochs. With --dataset mnist the larger machine is what takes long.
"""

import json
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import rankdata

import genjax
from experiments.common import IMAGES, images_of, options
from genjax.boltzmann.rbm import free_energy
from genjax.evaluation.likelihood import pseudo
from genjax.likelihood import exact
from genjax.likelihood.ais import rough_log_z
from genjax.plots.images import save
from genjax.training.loop import Chunk

PHASES: dict[str, dict[str, Any]] = {
    "PCD-1, rate 0.05": {"negative": "pcd", "learning_rate": 0.05},
    "CD-1, rate 0.05": {"negative": "cd", "k": 1, "learning_rate": 0.05},
    "PCD-1, rate 0.5": {"negative": "pcd", "learning_rate": 0.5},
}
CURVES = {
    "log_likelihood": "log-likelihood",
    "pseudo": "pseudo-log-likelihood, exact",
    "one_pixel": "pseudo-log-likelihood, one pixel an image",
}


class Scale(NamedTuple):
    """The hidden units of each machine, the epochs, and the effort of AIS."""

    hidden: tuple[int, ...]
    epochs: int
    effort: dict[str, int]


SCALES = {
    "full": Scale((12, 128), 400, {"count": 2000, "chains": 100}),
    "quick": Scale((12, 128), 30, {"count": 500, "chains": 50}),
    "smoke": Scale((4, 20), 4, {"count": 20, "chains": 10}),
}


def curve(hidden: int, phase: str, images: genjax.Dataset, scale: Scale) -> list[dict[str, float]]:
    """The numbers of `CURVES` along one run, by epoch."""
    model = genjax.rbm(hidden=hidden, schedule="constant", average=0.0, **PHASES[phase])
    points: list[dict[str, float]] = []
    run = genjax.fit(model, images, steps=1, progress=False)
    test, mean = run.fixed_test(), jnp.asarray(run.mean)[None]

    def measure(chunk: Chunk) -> None:
        machine = model.model.parameters(chunk.state)
        found = pseudo(jax.random.key(chunk.step), machine, test)
        assert found is not None
        total = exact.log_z(machine) if hidden <= 12 else rough_log_z(jax.random.key(0), machine, mean, **scale.effort)
        density = -np.asarray(free_energy(machine, test.x)).mean()
        numbers = {"log_likelihood": float(density) - total, "pseudo": found["exact"].mean}
        points.append({"epoch": chunk.epoch, **numbers, "one_pixel": found["one_pixel"].mean})

    genjax.fit(model, images, epochs=scale.epochs, batch_size=10, on_chunk=measure, progress=False)
    return points


def draw(curves: dict[tuple[int, str], list[dict[str, float]]], title: str) -> Figure:
    """A column a machine, a row a negative phase."""
    sizes = sorted({hidden for hidden, _ in curves})
    figure = Figure(figsize=(5.5 * len(sizes), 3.4 * len(PHASES)), layout="constrained")
    grid = figure.subplots(len(PHASES), len(sizes), sharex=True, sharey=True, squeeze=False)
    for row, phase in zip(grid, PHASES):
        for axes, hidden in zip(row, sizes):
            points = curves[hidden, phase]
            for number, (name, label) in enumerate(CURVES.items()):
                style = {"linewidth": 0.8, "alpha": 0.8} if name == "one_pixel" else {"linewidth": 1.8}
                axes.plot(
                    [p["epoch"] for p in points], [p[name] for p in points], color=f"C{number}", label=label, **style
                )
            by = "exact" if hidden <= 12 else "AIS"
            axes.set_title(f"{hidden} hidden units (log-likelihood: {by}), {phase}", fontsize=10)
            axes.grid(alpha=0.3)
        row[0].set_ylabel("nats a test image")
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
    grid[0, 0].legend(fontsize=8)
    figure.suptitle(title)
    return figure


def main() -> None:
    """All machines; print the table, write results and figure."""
    chosen = options(__doc__, "pseudo-likelihood", "30 epochs, little AIS", more=IMAGES)
    images, scale = images_of(chosen), SCALES[chosen.scale]
    curves = {(hidden, phase): curve(hidden, phase, images, scale) for hidden in scale.hidden for phase in PHASES}
    ends = f"{'log-likelihood: best':>21} {'end':>8} {'pseudo: best':>13} {'end':>8}"
    print(f"{'hidden':>6} {'phase':16} {ends}  rank correlation")
    with open(chosen.out / "results.jsonl", "w") as file:
        for (hidden, phase), points in curves.items():
            file.write(json.dumps({"hidden": hidden, "phase": phase, "curve": points}) + "\n")
            true, other = (np.array([point[name] for point in points]) for name in ("log_likelihood", "pseudo"))
            ends = f"{true.max():21.2f} {true[-1]:8.2f} {other.max():13.2f} {other[-1]:8.2f}"
            print(f"{hidden:6} {phase:16} {ends}  {np.corrcoef(rankdata(true), rankdata(other))[0, 1]:.2f}")
    title = f"{images.name}: what training climbs, and what is read off along the way"
    print(save(draw(curves, title), chosen.out / "pseudo_likelihood.png"))


if __name__ == "__main__":
    main()
