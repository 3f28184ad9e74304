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

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.common import interval, options
from genjax import data
from genjax.algorithms.contrastive import ContrastiveConfig, contrastive, trained_machine
from genjax.boltzmann.machine import Machine
from genjax.boltzmann.path import uncoupled
from genjax.likelihood import ais
from genjax.likelihood.evaluate import log_densities
from genjax.plots.images import save
from genjax.training import early, loop
from genjax.training.config import split
from genjax.typing import Batch

IMAGES, LIMIT = 1000, 2.0


class Scale(NamedTuple):
    """How much is tried."""

    seeds: int
    epochs: int
    hidden: int
    temperatures: int


SCALES = {"full": Scale(5, 2400, 256, 5000), "quick": Scale(2, 2400, 256, 2000), "smoke": Scale(2, 40, 16, 50)}


def digits(seed: int) -> tuple[loop.TrainingSet, np.ndarray]:
    """1,000 training images, the other training images held out, and the test images, each binarised once."""
    found = data.load("digits").without_validation()
    order = np.random.default_rng(seed).permutation(len(found.train))
    binary = data.binarise_fixed(found.train[order], "sampled", seed)
    learned, x = binary[:IMAGES], jnp.asarray(binary[IMAGES:])
    held_out = Batch(x, jnp.zeros(len(x), jnp.int32))
    training = loop.TrainingSet(jnp.asarray(learned), jnp.zeros(len(learned), jnp.int32), held_out)
    return training, data.binarise_fixed(found.test, "sampled", 0)


def learn(training: loop.TrainingSet, seed: int, scale: Scale, limit: float | None) -> dict[str, Any]:
    """One run: its machine, its steps, and its gap (nats) along the way."""
    plan = loop.plan(IMAGES, 100, "none")
    total = scale.epochs * plan.steps_per_epoch
    static, hyper = split(ContrastiveConfig(hidden=scale.hidden, weight_decay=0.0), total)
    algorithm, key, gaps = contrastive(static), jax.random.key(seed), []

    def watch(chunk: loop.Chunk) -> None:
        gaps.append((chunk.step, chunk.metrics["free_energy_gap"]))
        if limit is not None and early.new_end(chunk.step, total) < total and early.too_wide(chunk, limit):
            raise early.Stopped(chunk)

    state = loop.initial(key, algorithm, training, plan, hyper)
    try:
        state = loop.train(key, algorithm, training, plan, state, total, 0, [watch])
    except early.Stopped as stop:
        first, limit = stop.chunk.step, None
        total = early.new_end(first, total)
        state = early.shorten(stop.chunk.state, static.schedule, first, total)
        state = loop.train(key, algorithm, training, plan, state, total, first, [watch])
    return {"machine": trained_machine(state), "steps": total, "gaps": gaps}


def log_likelihood(machine: Machine, images: np.ndarray, test: np.ndarray, scale: Scale) -> float:
    """Mean over the test images, nats, by AIS."""
    base = uncoupled(machine, jnp.asarray(images))
    log_z = ais.log_z(jax.random.key(0), machine, base, scale.temperatures, 500)
    return float(log_densities(machine, (jnp.asarray(test), None)).mean() - log_z.mean)


def main() -> None:
    """Both runs for every seed; print the table, write results and figure."""
    chosen = options(__doc__, "early-stopping", "2 seeds")
    scale = SCALES[chosen.scale]
    figure = Figure(figsize=(10, 4), layout="constrained")
    gaps, scores = figure.subplots(1, 2)
    found: dict[str, list[float]] = {"all steps": [], "stopped": []}
    print(f"{'seed':>4} {'all steps':>18} {'stopped':>18}   nats a test image (steps)")
    with open(chosen.out / "results.jsonl", "w") as file:
        for seed in range(scale.seeds):
            training, test = digits(seed)
            line = f"{seed:>4}"
            for number, (name, limit) in enumerate((("all steps", None), ("stopped", LIMIT))):
                run = learn(training, seed, scale, limit)
                score = log_likelihood(run["machine"], np.asarray(training.images), test, scale)
                found[name].append(score)
                entry = {"seed": seed, "run": name, "log_likelihood": score, "steps": run["steps"], "gaps": run["gaps"]}
                file.write(json.dumps(entry) + "\n")
                gaps.plot(*zip(*run["gaps"]), color=f"C{number}", linewidth=1, label=name if seed == 0 else None)
                line += f" {score:10.2f} ({run['steps']:5})"
            print(line, flush=True)
    difference = np.subtract(found["stopped"], found["all steps"])
    low, high = interval(difference)
    ahead = f"in {np.sum(difference > 0)} of {scale.seeds} seeds"
    print(f"stopped is ahead by {difference.mean():.2f} [{low:.2f}, {high:.2f}] nats, {ahead}")
    gaps.axhline(LIMIT, color="grey", linestyle=":", linewidth=1)
    gaps.set(xlabel="steps", ylabel="held-out gap (nats)", title="1,000 digits, 64-256")
    gaps.legend()
    for seed in range(scale.seeds):
        scores.plot([0, 1], [found["all steps"][seed], found["stopped"][seed]], "o-", color="C2", linewidth=1)
    scores.set(xticks=[0, 1], xticklabels=["all steps", "stopped"], title="a line a seed")
    scores.set_ylabel("test log-likelihood (nats an image)")
    save(figure, chosen.out / "early_stopping.png")
    print(chosen.out / "early_stopping.png")


if __name__ == "__main__":
    main()
