"""What are features worth that were learned from other digits? MNIST's 5 to 9 from few labels, after 0 to 4 from all.

    python -m experiments.transfer_learning --data-dir DIR [--quick | --smoke] [--out DIR]

A small convolutional network learns the digits 0 to 4 from all their labels. Then the digits 5 to 9 are learned from 1,
5, 10 and 50 labels a class, in four ways: the same network from scratch, a logistic layer on the frozen features,
fine-tuning of the whole network from there with a new last layer, and a logistic layer on the pixels, which tells
whether features hold more than they were made of. Seeds are common: each has its own network of 0 to 4, its own choice
of labelled images and its own first weights. The learning rate of each way and count is chosen on validation images by
a seed that does not come again (with labels as few as these one would not have so many validation images: it is the
same favour to all).

Writes results.jsonl, transfer.png and the table. Expect fine-tuning ahead with 50 labels a class alone, and frozen
features that know no more of the new digits than pixels do. Full: about 3 minutes of one core. A call that is
interrupted goes on.
"""

from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import Rows, best_rate, interval, labelled, mnist, of_classes, options, percent
from experiments.cost import costs, sentence
from genjax.networks.classifier import FeatureClassifier
from genjax.plots.images import save

WAYS = ("from scratch", "frozen features", "fine-tuning", "pixels alone")
OLD, NEW = range(5), range(5, 10)  # classes
BATCH, OTHER = 50, 100  # examples a step at most; the seed by which rates are chosen


class Scale(NamedTuple):
    channels: tuple[int, ...]
    source: int  # steps on the digits 0 to 4
    steps: int  # on the others
    counts: tuple[int, ...]  # of labels a class
    rates: tuple[tuple[float, ...], ...]  # that are tried, of each way
    seeds: int


RATES = ((1e-3, 3e-3), (1e-2, 1e-1), (3e-4, 1e-3, 3e-3), (1e-3, 1e-2, 1e-1))
ONE = ((3e-3,), (3e-2,), (1e-3,), (1e-2,))
SCALES = {
    "full": Scale((16, 32), 550, 250, (1, 5, 10, 50), RATES, 5),
    "quick": Scale((8, 16), 250, 100, (1, 10, 50), ONE, 3),
    "smoke": Scale((8,), 100, 40, (1, 10), ONE, 2),
}


def given(train: Any, validation: Any) -> genjax.Dataset:
    """These images; test images are kept out of sight."""
    return genjax.Dataset.from_arrays(*train, test=0, validation=validation)


@cache
def source(scale: Scale, dataset: Any, seed: int) -> genjax.Run:
    """A network of the digits 0 to 4."""
    data = given(of_classes(dataset, "train", OLD), of_classes(dataset, "validation", OLD))
    model = genjax.supervised(network=FeatureClassifier(dataset.shape, len(OLD), scale.channels), learning_rate=3e-3)
    return genjax.fit(model, data, steps=scale.source, seed=seed, batch_size=100, progress=False)


def learned(way: str, rate: float, of: Any, train: Any, validation: Any, seed: int, steps: int) -> genjax.Run:
    """The new digits, learned from few labels."""
    network, start = of.parameters.network, None
    if way in ("frozen features", "pixels alone"):
        network = nn.Dense(len(NEW))
    if way == "frozen features":
        train, validation = ((of.features(x), y) for x, y in (train, validation))
    if way == "fine-tuning":
        fresh: Any = network.init(jax.random.key(seed), jnp.asarray(train[0][:1]))["params"]
        start = replace(of.parameters, parameters=of.parameters.parameters | {"last": fresh["last"]})
    model = genjax.supervised(network=network, learning_rate=rate)
    options = {"steps": steps, "seed": seed, "batch_size": min(BATCH, len(train[0])), "progress": False}
    return genjax.fit(model, given(train, validation), start=start, **options)


def chosen_rate(way: str, count: int, scale: Scale, dataset: Any) -> dict[str, Any]:
    """By validation images."""
    images = labelled(dataset, NEW, count, OTHER), of_classes(dataset, "validation", NEW)

    def learn(rate: float) -> genjax.Run:
        return learned(way, rate, source(scale, dataset, OTHER), *images, OTHER, scale.steps)

    return best_rate(scale.rates[WAYS.index(way)], learn)


def measured(way: str, rate: float, count: int, seed: int, scale: Scale, dataset: Any) -> dict[str, Any]:
    """Test accuracy of one run."""
    of, (x, y) = source(scale, dataset, seed), of_classes(dataset, "test", NEW)
    images = labelled(dataset, NEW, count, seed), of_classes(dataset, "validation", NEW)
    run = learned(way, rate, of, *images, seed, scale.steps)
    told = run.classify(of.features(x) if way == "frozen features" else x).argmax(1)
    return {"rate": rate, "test": float(np.mean(told == y))}


def main() -> None:
    """Rates, runs, costs; print the table, write results and the figure."""
    chosen = options(__doc__, "transfer-learning", "smaller networks, shorter runs, 3 seeds", mnist=True)
    scale, dataset, runs = SCALES[chosen.scale], mnist(chosen), []
    results = Rows(chosen.out / "results.jsonl", "part", "way", "labels", "seed")
    for count in scale.counts:
        for way in WAYS:
            choose = partial(chosen_rate, way, count, scale, dataset)
            rate = results.once(choose, part="rate", way=way, labels=count)["rate"]
            for seed in range(scale.seeds):
                make = partial(measured, way, rate, count, seed, scale, dataset)
                runs.append(results.once(make, part="run", way=way, labels=count, seed=seed))
    said = results.once(lambda: {"said": cost(source(scale, dataset, 0), dataset)}, part="cost")["said"]
    print("\n".join([*table(runs), said]), flush=True)
    print(save(figure(runs), chosen.out / "transfer.png"))


def cost(of: genjax.Run, dataset: Any) -> str:
    """Of a step with as many images as there are at most."""
    images = labelled(dataset, NEW, BATCH, 0), of_classes(dataset, "validation", NEW)
    whole, last = (genjax.supervised(network=network) for network in (of.parameters.network, nn.Dense(len(NEW))))
    rows = costs({"the whole network, fine-tuned or from scratch": whole}, given(*images), BATCH)
    small = given(*((of.features(x), y) for x, y in images))
    return sentence(rows + costs({"the logistic layer alone, features given": last}, small, BATCH))


def tests(runs: list[dict[str, Any]], way: str, count: int) -> np.ndarray:
    """Test accuracies by seed."""
    return np.array([row["test"] for row in runs if (row["way"], row["labels"]) == (way, count)])


def table(runs: list[dict[str, Any]]) -> list[str]:
    """Test accuracy by labels and way, and differences to learning from scratch, paired by seed."""
    said = [f"{'labels a class':16}" + "".join(f"{way:>24}" for way in WAYS) + "   more than from scratch"]
    for count in dict.fromkeys(row["labels"] for row in runs):
        scratch, *others = (tests(runs, way, count) for way in WAYS)
        cells = "".join(f"{percent(part, 1):>24}" for part in (scratch, *others))
        more = ", ".join(percent(part - scratch, 1) for part in others)
        said.append(f"{count:<16}{cells}   {more}")
    return said


def figure(runs: list[dict[str, Any]]) -> Figure:
    """Test accuracy against the number of labels: means over seeds and their intervals."""
    drawn = Figure(figsize=(6.5, 4.2), layout="constrained")
    axes, counts = drawn.subplots(), list(dict.fromkeys(row["labels"] for row in runs))
    for number, way in enumerate(WAYS):
        each = [100 * tests(runs, way, count) for count in counts]
        means = np.array([part.mean() for part in each])
        ends = np.abs(np.array([interval(part) for part in each]).T - means)
        axes.errorbar(np.array(counts) * 1.04 ** (number - 1), means, ends, marker="o", capsize=3, label=way)
    axes.set(xscale="log", xlabel="labels a class", ylabel="test accuracy, %", title="digits 5 to 9, after 0 to 4")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.axhline(20, color="grey", linestyle="--", linewidth=0.8, label="chance")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    return drawn


if __name__ == "__main__":
    main()
