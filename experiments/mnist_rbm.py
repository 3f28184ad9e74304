"""How good does an RBM 784-500 get on MNIST, after how many minutes of training?

    python -m experiments.mnist_rbm --data-dir DIR [--quick | --smoke] [--out DIR]

PCD-1 with the centred gradient, sampled binarisation, all 60,000 training images: three lengths, each by itself with
its rate falling to 0 (a run that is cut short of its schedule reads 4 to 10 nats worse). Every machine is evaluated on
the test and training images by AIS and by reverse AIS from its own long chains. Beside them the published figures:
CD-25 -86.34 (Salakhutdinov and Murray 2008), PCD-10 with 2000 hidden units -85.03 (Cote and Larochelle 2016, fixed
binarisation, so not of one table). Writes mnist_rbm.png, results.jsonl and the table. Full: 3 seeds; about 45 minutes
a seed on one core, and 10 more to evaluate; expect -85.6, -84.1 and -83.4. --quick: one seed of the shortest. --smoke:
digits, seconds. A run that is interrupted goes on.
"""

from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

import genjax
from experiments.common import append, lines, minutes, mnist, options
from genjax.plots.images import save

PUBLISHED = {"CD-25, 2008": -86.34}


class Length(NamedTuple):
    """One run: passes over the data, persistent chains, learning rate at the start."""

    epochs: int
    chains: int
    learning_rate: float


LENGTHS = {"short": Length(30, 200, 0.2), "middle": Length(90, 200, 0.2), "long": Length(300, 200, 0.2)}
SCALES: dict[str, tuple[int, list[str], dict[str, Any]]] = {
    "full": (3, list(LENGTHS), {"temperatures": 10_000, "ais_chains": 200}),
    "quick": (1, ["short"], {"temperatures": 3000, "ais_chains": 200}),
    "smoke": (1, ["short"], {"temperatures": 30, "ais_chains": 20}),
}


def trained(length: Length, seed: int, images: genjax.Dataset, hidden: int) -> genjax.Run:
    """One run on all training images."""
    model = genjax.rbm(hidden=hidden, chains=length.chains, learning_rate=length.learning_rate)
    return genjax.fit(model, images, epochs=length.epochs, seed=seed, validation=False, progress=False)


def evaluation(run: genjax.Run, effort: dict[str, Any]) -> dict[str, Any]:
    """Log-likelihoods, nats an image, by AIS and reverse AIS."""
    numbers = run.evaluation(**effort)
    log_z, splits = numbers["log_z"], numbers["log_likelihood"]
    gap = None if log_z["reverse"] is None else log_z["reverse"]["mean"] - log_z["mean"]
    return {**splits, "reverse_minus_forward": gap, "trusted": splits["test"]["trusted"]}


def main() -> None:
    """All lengths for all seeds; print the table as it grows, write results and figure."""
    chosen = options(__doc__, "mnist-rbm", "one seed of the shortest", mnist=True)
    seeds, lengths, effort = SCALES[chosen.scale]
    images = mnist(chosen)
    path = chosen.out / "results.jsonl"
    rows = lines(path)
    print(f"{'length':8} {'seed':>4} {'minutes':>8} {'test':>22} {'train':>9} {'reverse - AIS':>14}")
    for seed in range(seeds):
        for name in lengths:
            row = next((r for r in rows if (r["length"], r["seed"]) == (name, seed)), None)
            if row is None:
                length = LENGTHS[name]
                run = trained(length, seed, images, 16 if chosen.scale == "smoke" else 500)
                about = {"length": name, "seed": seed, "seconds": 60 * minutes(run), **length._asdict()}
                row = about | evaluation(run, effort)
                append(path, row)
                rows.append(row)
            test, gap = row["test"], row["reverse_minus_forward"]
            interval = f"{test['mean']:.2f} [{test['low']:.2f}, {test['high']:.2f}]"
            shown = "exact" if gap is None else f"{gap:+.2f}"
            start = f"{name:8} {seed:>4} {row['seconds'] / 60:8.1f}"
            print(f"{start} {interval:>22} {row['train']['mean']:9.2f} {shown:>14}", flush=True)
    print(draw(rows, chosen.out / "mnist_rbm.png"))


def draw(rows: list[dict[str, Any]], path: Path) -> Path:
    """Test log-likelihood against minutes, every run a point, the published figures as lines."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for number, name in enumerate(name for name in LENGTHS if any(row["length"] == name for row in rows)):
        points = [(row["seconds"] / 60, row["test"]["mean"]) for row in rows if row["length"] == name]
        axes.plot(*zip(*points), "o", color=f"C{number}", label=f"{name}, {LENGTHS[name].epochs} epochs")
    for name, value in PUBLISHED.items():
        axes.axhline(value, color="grey", linestyle=":", linewidth=1, label=f"{name}: {value}")
    axes.set(
        xlabel="minutes of training", ylabel="test log-likelihood (nats an image)", title="MNIST, RBM 784-500, PCD-1"
    )
    axes.grid(alpha=0.3)
    axes.legend()
    return save(figure, path)


if __name__ == "__main__":
    main()
