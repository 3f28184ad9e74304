"""How good does an RBM 784-500 get on MNIST, after how many minutes of training?

    python -m experiments.mnist_rbm --data-dir DIR [--quick | --smoke] [--out DIR]

PCD-1 with the centred gradient, sampled binarisation, all 60,000 training images: three lengths, each by itself with
its rate falling to 0 (a run that is cut short of its schedule reads 4 to 10 nats worse). Every machine is judged on the
test and training images by AIS and by reverse AIS from its own long chains. Beside them the published figures: CD-25
-86.34 (Salakhutdinov and Murray 2008), PCD-10 with 2000 hidden units -85.03 (Cote and Larochelle 2016, fixed
binarisation, so not of one table). Writes mnist_rbm.png, results.jsonl and the table. Full: 3 seeds; about 1.5 hours a
seed on two cores. --quick: one seed of the shortest. --smoke: digits, seconds. A run that is interrupted goes on.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from genjax import data
from genjax.algorithms.contrastive import ContrastiveConfig, contrastive, trained_machine
from genjax.algorithms.negative import chains_of
from genjax.likelihood.evaluate import evaluate
from genjax.plots.images import save
from genjax.training import loop
from genjax.training.config import split

PUBLISHED = {"CD-25, 2008": -86.34}


class Length(NamedTuple):
    """One run: passes over the data, persistent chains, learning rate at the start."""

    epochs: int
    chains: int
    learning_rate: float


LENGTHS = {"short": Length(30, 200, 0.2), "middle": Length(90, 500, 0.2), "long": Length(300, 500, 0.2)}
SCALES: dict[str, tuple[int, list[str], dict[str, int]]] = {
    "full": (3, list(LENGTHS), {"temperatures": 10_000, "chains": 500}),
    "quick": (1, ["short"], {"temperatures": 3000, "chains": 200}),
    "smoke": (1, ["short"], {"temperatures": 30, "chains": 20}),
}


def learn(images: np.ndarray, length: Length, hidden: int, seed: int) -> tuple[Any, float]:
    """The state after training, and the seconds that it took, compilation included."""
    training = loop.TrainingSet(jnp.asarray(images), jnp.zeros(len(images), jnp.int32), None)
    plan = loop.plan(len(images), 100, "sampled")
    total = length.epochs * plan.steps_per_epoch
    config = ContrastiveConfig(hidden=hidden, chains=length.chains, learning_rate=length.learning_rate)
    static, hyper = split(config, total)
    algorithm, key = contrastive(static), jax.random.key(seed)
    began = time.perf_counter()
    state = loop.train(key, algorithm, training, plan, loop.initial(key, algorithm, training, plan, hyper), total)
    return jax.block_until_ready(state), time.perf_counter() - began


def judge(state: Any, found: data.Dataset, effort: dict[str, int]) -> dict[str, Any]:
    """Log-likelihoods, nats an image, by AIS and reverse AIS."""
    train, test = (data.binarise_fixed(x, "sampled", seed) for x, seed in ((found.train, 1), (found.test, 0)))
    answer = evaluate(
        jax.random.key(0),
        trained_machine(state),
        (jnp.asarray(train), None),
        (jnp.asarray(test), None),
        start=chains_of(state.chains),
        **effort,
    )
    reverse = answer["log_z"]["reverse"]
    gap = None if reverse is None else reverse["mean"] - answer["log_z"]["mean"]
    splits = {name: answer["log_likelihood"][name] for name in ("test", "train")}
    return {**splits, "reverse_minus_forward": gap, "trusted": answer["log_likelihood"]["test"]["trusted"]}


def main() -> None:
    """All lengths for all seeds; print the table as it grows, write results and figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="where MNIST's files lie (otherwise they are fetched)")
    parser.add_argument("--quick", dest="scale", action="store_const", const="quick", help="one seed of the shortest")
    parser.add_argument("--smoke", dest="scale", action="store_const", const="smoke", help="does it run?")
    parser.add_argument("--out", type=Path, default=Path("runs/mnist-rbm"))
    parser.set_defaults(scale="full")
    options = parser.parse_args()
    seeds, lengths, effort = SCALES[options.scale]
    smoke = options.scale == "smoke"
    found = (data.load("digits") if smoke else data.load("mnist", options.data_dir)).without_validation()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "results.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    print(f"{'length':8} {'seed':>4} {'minutes':>8} {'test':>22} {'train':>9} {'reverse - AIS':>14}")
    for seed in range(seeds):
        for name in lengths:
            row = next((r for r in rows if (r["length"], r["seed"]) == (name, seed)), None)
            if row is None:
                state, seconds = learn(found.train, LENGTHS[name], 16 if smoke else 500, seed)
                about = {"length": name, "seed": seed, "seconds": seconds, **LENGTHS[name]._asdict()}
                row = about | judge(state, found, effort)
                with open(path, "a") as file:
                    file.write(json.dumps(row) + "\n")
                rows.append(row)
            test, gap = row["test"], row["reverse_minus_forward"]
            interval = f"{test['mean']:.2f} [{test['low']:.2f}, {test['high']:.2f}]"
            shown = "exact" if gap is None else f"{gap:+.2f}"
            minutes = row["seconds"] / 60
            print(
                f"{name:8} {seed:>4} {minutes:8.1f} {interval:>22} {row['train']['mean']:9.2f} {shown:>14}", flush=True
            )
    print(draw(rows, options.out / "mnist_rbm.png"))


def draw(rows: list[dict[str, Any]], path: Path) -> Path:
    """Test log-likelihood against minutes, every run a point, the published figures as lines."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for number, name in enumerate(dict.fromkeys(row["length"] for row in rows)):
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
