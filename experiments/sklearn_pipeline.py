"""Does scikit-learn's own pipeline get better, or faster, with genjax's RBM in it?

    python -m experiments.sklearn_pipeline [--data-dir DIR] [--quick | --smoke] [--out DIR]

The example of scikit-learn's documentation ("Restricted Boltzmann Machine features for digit classification"): 8x8
digits, each also shifted by a pixel in four directions, 100 hidden units, rate 0.06, 10 passes in batches of 10, and
logistic regression on the hidden units, until it has converged (the documentation's tolerance of 1 ends scikit-learn
1.9's at once). `sklearn.neural_network.BernoulliRBM` and `genjax.sklearn.BernoulliRBM` with the same arguments and
common seeds, which also split the digits: test accuracy, and the difference with its interval. Then the time of `fit`,
one pass over MNIST at 784-500 in batches of 100, in rounds that time each once (left out if there is no --data-dir).
Writes sklearn_pipeline.png, results.jsonl and the tables. Full: 10 seeds, 5 rounds, about 20 minutes on two cores;
--quick: 3 and 2; --smoke: seconds. A run that is interrupted goes on.
"""

import time
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from sklearn import neural_network
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

import genjax.sklearn
from benchmarks.harness import order, ratio
from experiments.common import append, interval, lines, mnist, options
from genjax import data
from genjax.plots.images import save

RBMS = {"scikit-learn": neural_network.BernoulliRBM, "genjax": genjax.sklearn.BernoulliRBM}


class Scale(NamedTuple):
    """How much is tried."""

    seeds: int
    rounds: int
    passes: int
    shifted: bool


SCALES = {"full": Scale(10, 5, 10, True), "quick": Scale(3, 2, 10, True), "smoke": Scale(2, 2, 2, False)}


def digits(shifted: bool) -> tuple[np.ndarray, np.ndarray]:
    """All 1,797 digits in [0, 1], `(images, 64)`, and their labels; also moved by one pixel each way."""
    whole = data.load("digits").whole()
    images, labels = whole.x.reshape(-1, 8, 8), np.asarray(whole.y)
    if not shifted:
        return images.reshape(-1, 64), labels
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    places = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]
    moved = [padded[:, row : row + 8, column : column + 8].reshape(-1, 64) for row, column in places]
    return np.concatenate(moved), np.tile(labels, len(places))


def accuracy(name: str, seed: int, scale: Scale) -> dict[str, Any]:
    """Of the pipeline with one of the RBMs, and the seconds of the RBM's `fit`."""
    x, y = digits(scale.shifted)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=seed)
    rbm = RBMS[name](100, learning_rate=0.06, n_iter=scale.passes, random_state=seed)
    pipeline = Pipeline([("rbm", rbm), ("logistic", LogisticRegression(solver="newton-cg", C=6000, max_iter=1000))])
    began = time.process_time()
    rbm.fit(x_train)
    seconds = time.process_time() - began
    pipeline.named_steps["logistic"].fit(rbm.transform(x_train), y_train)
    return {"rbm": name, "seed": seed, "accuracy": pipeline.score(x_test, y_test), "fit_cpu_seconds": seconds}


def fit_times(images: np.ndarray, hidden: int, rounds: int) -> list[dict[str, Any]]:
    """Seconds of a pass over these images, on the clock and of the processor; the first `fit` compiles."""
    rows = []
    for number in range(rounds + 1):
        for name in order(list(RBMS), number):
            rbm = RBMS[name](hidden, batch_size=100, n_iter=1, learning_rate=0.01, random_state=number)
            began = time.perf_counter(), time.process_time()
            rbm.fit(images)
            spent = time.perf_counter() - began[0], time.process_time() - began[1]
            rows.append({"timed": name, "round": number, "seconds": spent[0], "cpu_seconds": spent[1]})
    return rows


def main() -> None:
    """All seeds, then the times; print the tables, write results and figure. What earlier calls have done stays."""
    chosen = options(__doc__, "sklearn-pipeline", "3 seeds, 2 rounds", mnist=True)
    scale, path = SCALES[chosen.scale], chosen.out / "results.jsonl"
    rows = lines(path)
    for seed in range(scale.seeds):
        for name in RBMS:
            if not any((row.get("rbm"), row.get("seed")) == (name, seed) for row in rows):
                rows.append(accuracy(name, seed, scale))
                append(path, rows[-1])
    for name in RBMS:
        shown = ", ".join(f"{100 * value:.1f}" for value in accuracies(rows, name))
        print(f"{name:12} accuracy {100 * accuracies(rows, name).mean():.2f} % ({shown})")
    ahead = accuracies(rows, "genjax") - accuracies(rows, "scikit-learn")
    low, high = interval(100 * ahead)
    print(f"genjax is ahead by {100 * ahead.mean():.2f} points [{low:.2f}, {high:.2f}] over {len(ahead)} common seeds")
    if chosen.data_dir or chosen.scale == "smoke":
        if not any("timed" in row for row in rows):
            for row in fit_times(mnist(chosen).without_validation().train, 500, scale.rounds):
                rows.append(row)
                append(path, row)
        tell_times(rows)
    print(save(draw(rows), chosen.out / "sklearn_pipeline.png"))


def accuracies(rows: list[dict[str, Any]], name: str) -> np.ndarray:
    """Of each seed."""
    return np.array([row["accuracy"] for row in rows if row.get("rbm") == name])


def tell_times(rows: list[dict[str, Any]]) -> None:
    """A line each: the first `fit`, the later ones, and their ratio."""
    for kind in ("seconds", "cpu_seconds"):
        each = {name: np.array([row[kind] for row in rows if row.get("timed") == name]) for name in RBMS}
        times = ratio(each["scikit-learn"][1:], each["genjax"][1:])
        for name, spent in each.items():
            print(f"{name:12} a pass, {kind.replace('_', ' ')}: {np.median(spent[1:]):.2f} (the first {spent[0]:.2f})")
        print(f"scikit-learn takes {times.median:.2f} [{times.low:.2f}, {times.high:.2f}] times as many")


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Accuracy of each seed with either RBM, on a line."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    both = 100 * np.stack([accuracies(rows, name) for name in RBMS])
    axes.plot(range(len(RBMS)), both, "o-", color="C0", linewidth=0.8, alpha=0.6)
    axes.plot(range(len(RBMS)), both.mean(1), "_", color="C1", markersize=40, markeredgewidth=2)
    axes.set(xticks=range(len(RBMS)), xticklabels=list(RBMS), xlim=(-0.5, 1.5), ylabel="test accuracy (%)")
    axes.set_title("8x8 digits, RBM 64-100 and logistic regression:\na line a seed, bars the means", fontsize=9)
    axes.grid(alpha=0.3)
    return figure


if __name__ == "__main__":
    main()
