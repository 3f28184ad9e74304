"""Which negative phase brings an RBM closest to the data, and how fast?

    python -m experiments.negative_phases [--quick | --smoke] [--out DIR]

CD-1, CD-10, PCD-1 and PCD-1 without centring, on the 8x8 digits (threshold at 1/2) with 12 hidden units, so that the
log-likelihood is exact. Same data, learning rate, steps and seeds for all. Writes curves.png, results.jsonl and a
table. Expect PCD-1 with the centred gradient ahead of all at the end, and CD-1 worst of the centred ones: its chains
never leave the data. Full: 8 seeds, about 2 minutes on two cores; --quick: 5 seeds, a quarter of the steps.
"""

import json
from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import interval, options
from genjax import data
from genjax.boltzmann.rbm import free_energy
from genjax.likelihood import exact
from genjax.plots.images import save
from genjax.training.loop import Chunk

SETTINGS: dict[str, dict[str, Any]] = {
    "PCD-1": {"negative": "pcd", "chains": 100},
    "PCD-1, not centred": {"negative": "pcd", "chains": 100, "centred": False},
    "CD-10": {"negative": "cd", "k": 10},
    "CD-1": {"negative": "cd", "k": 1},
}


def curve(setting: dict[str, Any], seed: int, epochs: int, images: genjax.Dataset) -> list[tuple[int, float]]:
    """Exact mean log-likelihood of the training images (nats) along one run."""
    model = genjax.rbm(hidden=12, learning_rate=0.1, average=0.0, **setting)
    x, points = jnp.asarray(images.train), []

    def measure(chunk: Chunk) -> None:
        machine = model.model.parameters(chunk.state)
        points.append((chunk.step, float(jnp.mean(-free_energy(machine, x))) - exact.log_z(machine)))

    run = {"epochs": epochs, "seed": seed, "binarisation": "none"}
    genjax.fit(model, images, **run, on_chunk=measure, progress=False)
    return points


def main() -> None:
    """Run all settings with the same seeds; print the table, write results and figure."""
    chosen = options(__doc__, "negative-phases", "5 seeds, a quarter of the steps")
    seeds, epochs = {"full": (8, 1600), "quick": (5, 400), "smoke": (2, 40)}[chosen.scale]
    digits = data.load("digits")
    binary = data.binarise_fixed(digits.without_validation().train, "threshold", 0)
    images = genjax.Dataset.from_arrays(binary, test=0, validation=0)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    final = {}
    with open(chosen.out / "results.jsonl", "w") as file:
        for name, setting in SETTINGS.items():
            curves = [curve(setting, seed, epochs, images) for seed in range(seeds)]
            values = np.array([[value for _, value in points] for points in curves])
            steps = [step for step, _ in curves[0]]
            final[name] = values[:, -1]
            for seed, points in enumerate(curves):
                entry = {"setting": name, "seed": seed, "steps": steps, "log_likelihood": [v for _, v in points]}
                file.write(json.dumps(entry) + "\n")
            (line,) = axes.plot(steps, values.mean(0), label=name)
            axes.fill_between(steps, values.min(0), values.max(0), alpha=0.2, color=line.get_color())
    axes.set(xlabel="steps", ylabel="exact log-likelihood (nats an image)", title=f"digits, 64-12, {seeds} seeds")
    axes.set_ylim(bottom=min(v.mean() for v in final.values()) - 4, top=max(v.mean() for v in final.values()) + 1)
    axes.legend()
    axes.grid(alpha=0.3)
    save(figure, chosen.out / "curves.png")
    print(f"{'setting':20} {'log-likelihood':>15} {'PCD-1 ahead by (95 %)':>26}")
    for name, values in final.items():
        low, high = interval(final["PCD-1"] - values)
        print(f"{name:20} {values.mean():15.3f} {low:+12.3f} to {high:+.3f}")
    print(chosen.out / "curves.png")


if __name__ == "__main__":
    main()
