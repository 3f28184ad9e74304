"""What likelihood does a VAE reach on MNIST, after how many epochs, and what does the importance-weighted bound add?

    python -m experiments.vae_likelihood --data-dir DIR [--quick | --smoke] [--out DIR]

50 latents, 200-200 tanh units each way, sampled binarisation, all 60,000 training images, Adam with a rate that falls
linearly to 0, the parameters averaged over the last fifth; each length is a run by itself. The VAE, and the IWAE with
50 draws at the same epochs and seeds; both are evaluated by importance sampling with 5,000 draws an image on all test
images. Published: VAE 86.76, IWAE 84.78 nats, after 3,280 epochs of batch 20 (Burda, Grosse and Salakhutdinov 2016).
Writes vae_likelihood.png, results.jsonl and the table. Expect the VAE at 88.5 nats or better after its longest run, and
the IWAE ahead of it by 1.5 nats or more. Full: 2 hours on two cores; where there is a GPU, also 600 and 3,000 epochs
of the VAE and 600 of the IWAE. --quick: 8 epochs, 500 draws. --smoke: digits, seconds. A run that is interrupted goes
on.
"""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import append, interval, lines, minutes, mnist, options
from genjax.plots.images import save

PUBLISHED = {"VAE, 2016": 86.76, "IWAE, k = 50, 2016": 84.78}
BATCH, RATE = 250, 4e-3
MODELS = {"vae": genjax.vae(learning_rate=RATE), "iwae": genjax.iwae(learning_rate=RATE, draws=50)}


class Length(NamedTuple):
    """Runs of one model: passes over the images, and how many seeds."""

    model: str
    epochs: int
    seeds: int


class Scale(NamedTuple):
    """How much is tried, and the importance samples an image."""

    lengths: tuple[Length, ...]
    draws: int


FULL = (Length("vae", 20, 3), Length("vae", 60, 1), Length("vae", 200, 1), Length("iwae", 20, 3))
SCALES = {
    "full": Scale(FULL, 5000),
    "quick": Scale((Length("vae", 8, 1), Length("iwae", 8, 1)), 500),
    "smoke": Scale((Length("vae", 4, 2), Length("iwae", 4, 2)), 20),
}
GPU = (Length("vae", 600, 1), Length("vae", 3000, 1), Length("iwae", 200, 1), Length("iwae", 600, 1))


def run(length: Length, seed: int, images: genjax.Dataset, draws: int) -> dict[str, Any]:
    """Train and evaluate one model."""
    options = {"epochs": length.epochs, "seed": seed, "batch_size": BATCH, "validation": False}
    trained = genjax.fit(MODELS[length.model], images, **options, progress=False)
    about = {"model": length.model, "epochs": length.epochs, "seed": seed, "seconds": 60 * minutes(trained)}
    return trained.evaluation(draws=draws) | about


def main() -> None:
    """All runs; print the table as it grows, write results and figure."""
    chosen = options(__doc__, "vae-likelihood", "8 epochs, 500 draws", mnist=True)
    scale, images = SCALES[chosen.scale], mnist(chosen)
    lengths = scale.lengths + (GPU if chosen.scale == "full" and jax.default_backend() != "cpu" else ())
    path = chosen.out / "results.jsonl"
    rows = lines(path)
    print(
        f"{'model':6} {'epochs':>6} {'seed':>4} {'minutes':>8} {'test NLL':>24} {'ELBO':>8} {'train NLL':>10}  active"
    )
    for length in lengths:
        for seed in range(length.seeds):
            wanted = (length.model, length.epochs, seed)
            row = next((r for r in rows if (r["model"], r["epochs"], r["seed"]) == wanted), None)
            if row is None:
                row = run(length, seed, images, scale.draws)
                append(path, row)
                rows.append(row)
            print(line(row), flush=True)
    for text in comparisons(rows):
        print(text)
    print(draw(rows, chosen.out / "vae_likelihood.png"))


def nll(row: dict[str, Any]) -> float:
    """Nats a test image."""
    return -row["log_likelihood"]["test"]["mean"]


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    test, train = row["log_likelihood"]["test"], row["log_likelihood"]["train"]
    shown = f"{-test['mean']:.2f} [{-test['high']:.2f}, {-test['low']:.2f}]"
    start = f"{row['model']:6} {row['epochs']:>6} {row['seed']:>4} {row['seconds'] / 60:8.1f} {shown:>24}"
    return f"{start} {-row['elbo']['test']['mean']:8.2f} {-train['mean']:10.2f}  {row['active_units'][0]}"


def comparisons(rows: list[dict[str, Any]]) -> list[str]:
    """By how much the IWAE is ahead at equal epochs, over common seeds."""
    answer = []
    for epochs in sorted({row["epochs"] for row in rows}):
        by_seed = {
            name: {r["seed"]: nll(r) for r in rows if (r["model"], r["epochs"]) == (name, epochs)} for name in MODELS
        }
        seeds = sorted(set(by_seed["vae"]) & set(by_seed["iwae"]))
        if seeds:
            ahead = np.array([by_seed["vae"][s] - by_seed["iwae"][s] for s in seeds])
            low, high = interval(ahead)
            shown = f"{ahead.mean():.2f} nats" + (f" [{low:.2f}, {high:.2f}]" if len(seeds) > 1 else "")
            answer.append(f"after {epochs} epochs iwae is ahead of vae by {shown}, {len(seeds)} seeds")
    return answer


def draw(rows: list[dict[str, Any]], path: Path) -> Path:
    """Test NLL against epochs and against minutes, every run a point, the published figures as lines."""
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    for axes, name, scale in zip(figure.subplots(1, 2, sharey=True), ("epochs", "seconds"), (1, 60)):
        for number, model in enumerate(MODELS):
            points = sorted((row[name] / scale, nll(row)) for row in rows if row["model"] == model)
            axes.plot(*zip(*points), "o-", color=f"C{number}", linewidth=1, label=model)
        for (text, value), style in zip(PUBLISHED.items(), (":", "--")):
            axes.axhline(value, color="grey", linestyle=style, linewidth=1, label=f"{text}: {value}")
        axes.set(xlabel="minutes of training" if scale > 1 else "epochs", xscale="log")
        for which in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            which(lambda value, _: f"{value:g}")
        axes.grid(alpha=0.3)
    figure.axes[1].legend()
    figure.axes[0].set_ylabel("test NLL (nats an image)")
    figure.suptitle("50 latents, 200-200 tanh units, sampled binarisation")
    return save(figure, path)


if __name__ == "__main__":
    main()
