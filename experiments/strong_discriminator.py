"""What happens when the discriminator is far too strong, and which number shows it?

    python -m experiments.strong_discriminator --data-dir DIR [--quick | --smoke] [--out DIR]

MNIST, perceptrons. A fair game against one in which the discriminator has ten steps for each of the generator at five
times its learning rate; with the minimax loss, the non-saturating loss, and the latter with R1. Samples are evaluated
by a classifier of MNIST (trained first, and kept). Writes results.jsonl, curves.png and a table of the last quarter of
each run. Expect the strong discriminator to be right on all images; the minimax generator's gradient to vanish and
its samples to stay noise; the non-saturating one's to stay large, with classes that go missing; R1 to make the strong
discriminator the better teacher. A discriminator's loss near 0 is the sign of trouble, not of success. Full: 3 seeds,
2,400 steps, 13 minutes on one core; --quick: 1 seed, 720 steps. A run that is interrupted goes on.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.adversarial import BATCH, samples
from experiments.common import append, lines, mnist, options
from genjax.algorithms.gan import newest
from genjax.errors import Diverged
from genjax.evaluation import collapse
from genjax.evaluation.classifier import Classifier, train_classifier
from genjax.evaluation.coverage import classifier_score
from genjax.evaluation.distances import subset
from genjax.plots.images import save
from genjax.training.loop import Chunk

FAIR: dict[str, Any] = {"penalty": "none", "learning_rate": 2e-4, "discriminator_learning_rate": 2e-4}
STRONG: dict[str, Any] = {"discriminator_steps": 10, "discriminator_learning_rate": 1e-3}
GAMES: dict[str, dict[str, Any]] = {
    "minimax": {"loss": "minimax"},
    "non-saturating": {},
    "non-saturating + R1": {"penalty": "r1", "penalty_weight": 1.0},
}
SETTINGS = {
    f"{name}, {side}": FAIR | game | extra
    for name, game in GAMES.items()
    for side, extra in (("fair", {}), ("strong", STRONG))
}
ALL = list(SETTINGS)
SCALES = {"full": (3, ALL, 2400), "quick": (1, ALL, 720), "smoke": (1, ["minimax, strong"], 20)}
SHOWN = {
    "classifier_score": "classifier score",
    "discriminator_loss": "discriminator's loss",
    "generator_loss": "generator's loss",
    "fake_accuracy": "discriminator's accuracy on fakes",
    "generator_gradient": "norm of the generator's gradient",
    "class_entropy": "class entropy of samples (nats)",
}


def run(
    name: str, seed: int, steps: int, images: genjax.Dataset, classifier: Classifier, levels: collapse.Levels
) -> dict[str, Any]:
    """One game: all that can be watched along the way, and the alarms that were raised."""
    model, points = genjax.gan(layers=(128, 256) if steps > 100 else (16,), **SETTINGS[name]), []

    def measure(chunk: Chunk) -> None:
        x = samples(chunk.state, 1000)
        summary = collapse.summarise(samples(newest(chunk.state), levels.samples), classifier.logits)
        accuracy = min(chunk.metrics["real_accuracy"], chunk.metrics["fake_accuracy"])
        alarms = collapse.alarms(summary, levels, accuracy)
        numbers = {"classifier_score": classifier_score(classifier.logits, x), "class_entropy": summary.entropy}
        points.append({"step": chunk.step, **numbers, **chunk.metrics, "alarms": alarms})

    finished, start = True, time.perf_counter()
    try:
        fitting = {"steps": steps, "seed": seed, "batch_size": BATCH, "validation": False}
        genjax.fit(model, images, **fitting, on_chunk=measure, progress=False)
    except Diverged:  # the curve ends there
        finished = False
    seconds = time.perf_counter() - start
    return {"setting": name, "seed": seed, "seconds": seconds, "finished": finished, "curve": points}


def main() -> None:
    """All games for all seeds; print the table, write results and figure."""
    chosen = options(__doc__, "strong-discriminator", "one seed, a third of the steps", mnist=True)
    seeds, names, steps = SCALES[chosen.scale]
    images = mnist(chosen).without_validation()
    classifier = train_classifier(images)
    levels = collapse.learn_levels(subset(images.train, 10_000), classifier.logits)
    path = chosen.out / "results.jsonl"
    rows = lines(path)
    for seed in range(seeds):
        for name in names:
            if not any((row["setting"], row["seed"]) == (name, seed) for row in rows):
                rows.append(run(name, seed, steps, images, classifier, levels))
                append(path, rows[-1])
    print(f"{'game':28} finished", *(f"{key:>18}" for key in SHOWN), " alarms in the last quarter (share of points)")
    for name in names:
        print(line(name, [row for row in rows if row["setting"] == name]))
    print(draw(rows, chosen.out / "curves.png"))


def line(name: str, rows: list[dict[str, Any]]) -> str:
    """A row of the table: means over the last quarter of the runs that did not diverge."""
    curves = [row["curve"] for row in rows if row["finished"]]
    start = f"{name:28} {f'{len(curves)} of {len(rows)}':>8}"
    if not curves:
        return start
    tails = [point for curve in curves for point in curve[-len(curve) // 4 :]]
    numbers = " ".join(f"{np.mean([point[key] for point in tails]):18.3g}" for key in SHOWN)
    kinds = sorted({alarm for point in tails for alarm in point["alarms"]})
    shares = {kind: np.mean([kind in point["alarms"] for point in tails]) for kind in kinds}
    return f"{start} {numbers}  {', '.join(f'{kind} {share:.1f}' for kind, share in shares.items()) or 'none'}"


def draw(rows: list[dict[str, Any]], path: Path) -> Path:
    """What is watched against steps of the generator: a colour a loss, dashed where the discriminator is strong."""
    figure = Figure(figsize=(12, 6.5), layout="constrained")
    for axes, (metric, label) in zip(figure.subplots(2, 3).ravel(), SHOWN.items()):
        for row in rows:
            game, side = row["setting"].rsplit(", ", 1)
            points = [(point["step"], point[metric]) for point in row["curve"]]
            if not points:
                continue
            named = row["setting"] if row["seed"] == 0 else None
            style = {"color": f"C{list(GAMES).index(game)}", "linestyle": "-" if side == "fair" else "--"}
            axes.plot(*zip(*points), label=named, linewidth=1, **style)
        axes.set(xlabel="steps of the generator", title=label)
        axes.grid(alpha=0.3)
        if metric in ("discriminator_loss", "generator_gradient"):
            axes.set_yscale("log")
    figure.axes[0].legend(fontsize=7)
    return save(figure, path)


if __name__ == "__main__":
    main()
