"""Does stopping by the held-out gap help where a machine can learn its images by heart?

    python -m experiments.early_stopping [--quick | --smoke] [--out DIR]

An RBM of 256 hidden units on 1,000 of the 8x8 digits, binarised once, so that they can be learned by heart (drawn anew
each time they are shown they cannot: the gap then stays under 0.5 nats), PCD-1 without weight decay: once for all its
steps, and once stopped where held-out images are 2 nats less likely than training ones, the learning rate falling over
another tenth of the steps so far (genjax/training/early.py). Same data, noise and rates for both; the held-out images
are training images that are left out, and the table is about the test images, by AIS. Writes early_stopping.png,
results.jsonl and the table. Expect the stopped run ahead for every seed, in a fraction of the time. Full: 5 seeds,
24,000 steps each; --quick: 2 seeds.
"""

import json
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import interval, options
from genjax import data
from genjax.plots.images import save
from genjax.training import early
from genjax.training.loop import Chunk

IMAGES, LIMIT = 1000, 2.0


class Scale(NamedTuple):
    """How much is tried."""

    seeds: int
    epochs: int
    hidden: int
    temperatures: int


SCALES = {"full": Scale(5, 2400, 256, 5000), "quick": Scale(2, 2400, 256, 2000), "smoke": Scale(2, 120, 16, 50)}


def digits(seed: int) -> genjax.Dataset:
    """1,000 training images, the other training images held out, and the test images, each binarised once."""
    source = data.load("digits").without_validation()
    order = np.random.default_rng(seed).permutation(len(source.train))
    binary = data.binarise_fixed(source.train[order], "sampled", seed)
    test = data.binarise_fixed(source.test, "sampled", 0)
    return genjax.Dataset.from_arrays(binary[:IMAGES], test=test, validation=binary[IMAGES:])


def learn(images: genjax.Dataset, seed: int, scale: Scale, limit: float | None) -> tuple[genjax.Run, list[Any]]:
    """One run, and its gap (nats) along the way."""
    gaps, stopped = [], False

    def watch(chunk: Chunk) -> None:
        nonlocal stopped
        gaps.append((chunk.step, chunk.metrics["free_energy_gap"]))
        total = scale.epochs * (IMAGES // 100)
        if limit is None or stopped or early.new_end(chunk.step, total) == total:
            return
        if early.too_wide([gap for _, gap in gaps], limit):
            stopped = True
            raise early.Stopped(chunk)

    model = genjax.rbm(hidden=scale.hidden, weight_decay=0.0)
    run = {"epochs": scale.epochs, "seed": seed, "binarisation": "none"}
    return genjax.fit(model, images, **run, on_chunk=watch, progress=False), gaps


def main() -> None:
    """Both runs for every seed; print the table, write results and figure."""
    chosen = options(__doc__, "early-stopping", "2 seeds")
    scale = SCALES[chosen.scale]
    figure = Figure(figsize=(10, 4), layout="constrained")
    gaps, scores = figure.subplots(1, 2)
    scored: dict[str, list[float]] = {"all steps": [], "stopped": []}
    print(f"{'seed':>4} {'all steps':>18} {'stopped':>18}   nats a test image (steps)")
    with open(chosen.out / "results.jsonl", "w") as file:
        for seed in range(scale.seeds):
            images = digits(seed)
            line = f"{seed:>4}"
            for number, (name, limit) in enumerate((("all steps", None), ("stopped", LIMIT))):
                run, curve = learn(images, seed, scale, limit)
                score = run.log_likelihood(temperatures=scale.temperatures).mean
                scored[name].append(score)
                entry = {"seed": seed, "run": name, "log_likelihood": score, "steps": run.step, "gaps": curve}
                file.write(json.dumps(entry) + "\n")
                gaps.plot(*zip(*curve), color=f"C{number}", linewidth=1, label=name if seed == 0 else None)
                line += f" {score:10.2f} ({run.step:5})"
            print(line, flush=True)
    difference = np.subtract(scored["stopped"], scored["all steps"])
    low, high = interval(difference)
    ahead = f"in {np.sum(difference > 0)} of {scale.seeds} seeds"
    print(f"stopped is ahead by {difference.mean():.2f} [{low:.2f}, {high:.2f}] nats, {ahead}")
    gaps.axhline(LIMIT, color="grey", linestyle=":", linewidth=1)
    gaps.set(xlabel="steps", ylabel="held-out gap (nats)", title="1,000 digits, 64-256")
    gaps.legend()
    for seed in range(scale.seeds):
        scores.plot([0, 1], [scored["all steps"][seed], scored["stopped"][seed]], "o-", color="C2", linewidth=1)
    scores.set(xticks=[0, 1], xticklabels=["all steps", "stopped"], title="a line a seed")
    scores.set_ylabel("test log-likelihood (nats an image)")
    save(figure, chosen.out / "early_stopping.png")
    print(chosen.out / "early_stopping.png")


if __name__ == "__main__":
    main()
