"""What do shared weights buy? A convolutional RBM beside dense ones, in nats, on MNIST and on Silhouettes.

    python -m experiments.conv_rbm --data-dir DIR --silhouettes FILE.npz [--quick | --smoke] [--out DIR]

Four machines for each set of images: a convolutional RBM, one with probabilistic max-pooling (Lee et al. 2009), a dense
RBM with as many parameters as the first, and a dense one of 500 hidden units. All are trained for the same CPU minutes
(those of all threads together, so that other work on the machine counts for nothing): the time of a step is measured
first, and the steps follow from it. Learning rates are chosen among a few by the log-likelihood of validation images
after a tenth of the training. Test log-likelihoods are by AIS, with reverse AIS beside it. Every row is written as it
comes, and a call that was interrupted goes on. Writes conv_rbm.png, results.jsonl and the table. Full: 2 CPU minutes of
training a machine, about 40 minutes of CPU in all; --quick: a minute each; --smoke: digits, seconds.
"""

import argparse
import itertools
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import genjax
from experiments.common import append, lines, options
from genjax.plots import images
from genjax.plots.images import save
from genjax.plots.weights import cropped, own_scale, strongest


class Scale(NamedTuple):
    """How much is tried."""

    seconds: float  # of CPU, for the training of each machine
    timed: int  # steps by which a step is timed
    filters: int
    width: int
    hidden: int
    effort: dict[str, Any]  # of the last evaluation
    short: dict[str, Any]  # of those by which settings are chosen
    rates: int  # how many learning rates are tried


SCALES = {
    "full": Scale(
        120, 50, 64, 10, 500, {"temperatures": 3000, "ais_chains": 100}, {"temperatures": 300, "ais_chains": 50}, 3
    ),
    "quick": Scale(
        60, 20, 32, 10, 500, {"temperatures": 1000, "ais_chains": 100}, {"temperatures": 100, "ais_chains": 50}, 1
    ),
    "smoke": Scale(0.5, 5, 4, 5, 16, {"temperatures": 30, "ais_chains": 20}, {"temperatures": 20, "ais_chains": 20}, 1),
}
RATES = {  # the first one is taken where none is chosen
    "convolutional": (2.0, 0.7, 5.0),
    "500 units": (0.1, 0.2, 0.03),
    "few units": (0.2, 0.06, 0.6),
    "pooled": (2.0, 0.7, 5.0),
}


def sets(chosen: argparse.Namespace) -> dict[str, genjax.Dataset]:
    """The images; for a smoke test the 8x8 digits alone."""
    if chosen.scale == "smoke":
        return {"digits": genjax.data.load("digits")}
    return {
        "MNIST": genjax.data.load("mnist", chosen.data_dir),
        "Silhouettes": genjax.data.load(chosen.silhouettes),
    }


def model(name: str, scale: Scale, pixels: int, learning_rate: float) -> Any:
    """One of the four."""
    stride = 1 if scale.width < 10 else 2
    shared: dict[str, Any] = {"filters": scale.filters, "width": scale.width, "stride": stride, "chains": 100}
    if name == "convolutional":
        return genjax.conv_rbm(**shared, learning_rate=learning_rate)
    if name == "pooled":
        return genjax.conv_rbm(**shared, pooling=2, learning_rate=learning_rate)
    few = max(1, round((scale.filters * (scale.width**2 + 1)) / (pixels + 1)))
    return genjax.rbm(hidden=few if name == "few units" else scale.hidden, chains=100, learning_rate=learning_rate)


def parameters(run: genjax.Run) -> int:
    """How many numbers the machine has."""
    return sum(x.size for x in jax.tree.leaves(run.machine))


def validation(dataset: genjax.Dataset) -> np.ndarray:
    """Binary validation images, always the same ones."""
    return (dataset.validation > np.random.default_rng(0).random(dataset.validation.shape)).astype(np.float32)


def planned(scale: Scale, name: str, dataset: genjax.Dataset) -> dict[str, Any]:
    """CPU seconds of a step, and validation nats by the learning rates tried."""
    pixels, scores, each = dataset.train.shape[1], {}, float("nan")
    for number, rate in enumerate(RATES[name][: scale.rates]):
        one = model(name, scale, pixels, rate)
        if number == 0:
            genjax.fit(one, dataset, steps=scale.timed, progress=False)  # compiles
            few, many = (cpu_seconds(one, dataset, times * scale.timed) for times in (1, 4))
            # of a few short steps the difference is noise, and may be below zero
            each = max((many - few) / (3 * scale.timed), many / (20 * scale.timed))
        if scale.rates > 1:
            run = genjax.fit(one, dataset, steps=max(1, int(0.1 * scale.seconds / each)), progress=False)
            scores[str(rate)] = run.log_likelihood(validation(dataset), **scale.short).mean
    best = max(scores, key=scores.get, default=str(RATES[name][0]))  # type: ignore[arg-type]
    return {"seconds_a_step": each, "validation": scores, "learning_rate": float(best)}


def cpu_seconds(one: Any, dataset: genjax.Dataset, steps: int) -> float:
    """Of a whole call of so many steps, all threads together."""
    start = time.process_time()
    genjax.fit(one, dataset, steps=steps, progress=False)
    return time.process_time() - start


def trained(
    scale: Scale, name: str, dataset: genjax.Dataset, plan: dict[str, Any], folder: Path
) -> tuple[genjax.Run, int]:
    """The machine after its minutes, kept in a folder so that an interrupted run goes on."""
    steps = max(1, int(scale.seconds / plan["seconds_a_step"]))
    one = model(name, scale, dataset.train.shape[1], plan["learning_rate"])
    return genjax.fit(one, dataset, steps=steps, out=folder, progress=False), steps


def evaluated(run: genjax.Run, scale: Scale) -> dict[str, Any]:
    """Test and training nats with their intervals, and by how much reverse AIS is above AIS."""
    numbers = run.evaluation(**scale.effort)
    reverse = numbers["log_z"]["reverse"]
    gap = None if reverse is None else reverse["mean"] - numbers["log_z"]["mean"]
    return {"parameters": parameters(run), **numbers["log_likelihood"], "reverse_minus_forward": gap}


def find(rows: list[dict[str, Any]], kind: str, of: str, name: str) -> dict[str, Any] | None:
    """What an earlier call has written of this machine."""
    return next((row for row in rows if (row["kind"], row["dataset"], row["model"]) == (kind, of, name)), None)


def printed(row: dict[str, Any]) -> str:
    """One line of the table."""
    test, gap = row["test"], row["reverse_minus_forward"]
    interval = f"{test['mean']:.2f} [{test['low']:.2f}, {test['high']:.2f}]"
    shown = "exact" if gap is None else f"{gap:+.2f}"
    trust = "" if test["trusted"] else "  not trusted"
    numbers = f"{row['parameters']:>10} {row['steps']:>7} {row['cpu_minutes']:>7.1f} {interval:>27}"
    return f"{row['dataset']:12} {row['model']:14} {numbers} {row['train']['mean']:>9.2f} {shown:>8}{trust}"


def main() -> None:
    """Plan, train and evaluate what has not been; print the table as it grows, write the figure."""
    more = {"--silhouettes": {"help": "Caltech-101 Silhouettes, an npz file with its own splits"}}
    chosen = options(__doc__, "conv-rbm", "a minute each, half the filters, no choice of rates", mnist=True, more=more)
    scale, path = SCALES[chosen.scale], chosen.out / "results.jsonl"
    if chosen.scale != "smoke" and chosen.silhouettes is None:
        raise SystemExit("give --silhouettes FILE.npz, where Caltech-101 Silhouettes lie")
    heads = f"{'parameters':>10} {'steps':>7} {'CPU min':>7} {'test':>27} {'train':>9} {'rev-AIS':>8}"
    print(f"{'':12} {'':14} {heads}")
    data = sets(chosen)
    for name, of in itertools.product(RATES, data):
        about = {"dataset": of, "model": name}
        plan = find(lines(path), "plan", of, name)
        if plan is None:
            plan = {"kind": "plan", **about, **planned(scale, name, data[of])}
            append(path, plan)
        row = find(lines(path), "result", of, name)
        if row is None:
            run, steps = trained(scale, name, data[of], plan, folder(chosen.out, of, name))
            spent = {"steps": steps, "cpu_minutes": steps * plan["seconds_a_step"] / 60}
            row = {"kind": "result", **about, **spent, **evaluated(run, scale)}
            append(path, row)
        print(printed(row), flush=True)
        jax.clear_caches()
    print(save(draw(chosen.out, [row for row in lines(path) if row["kind"] == "result"]), chosen.out / "conv_rbm.png"))


def folder(out: Path, of: str, name: str) -> Path:
    """Where a run is kept."""
    return out / f"{of}-{name}".lower().replace(" ", "-")


def draw(out: Path, rows: list[dict[str, Any]]) -> Figure:
    """For each set of images: nats by the number of parameters; below, the filters of the two that share weights."""
    names = list(dict.fromkeys(row["dataset"] for row in rows))
    figure = Figure(figsize=(6.5 * len(names), 8), layout="constrained")
    grid = figure.subplots(2, 2 * len(names), squeeze=False, height_ratios=(1.1, 1))
    for number, of in enumerate(names):
        for one in grid[0, 2 * number : 2 * number + 2]:
            one.remove()
        axes = figure.add_subplot(grid[0, 0].get_gridspec()[0, 2 * number : 2 * number + 2])
        points(axes, [row for row in rows if row["dataset"] == of], of)
        for below, name in zip(grid[1, 2 * number : 2 * number + 2], ("convolutional", "pooled")):
            shown(below, genjax.load(folder(out, of, name)), f"{of}: {name}")
    return figure


def points(axes: Axes, rows: list[dict[str, Any]], of: str) -> None:
    """Test nats of every machine with the interval of AIS."""
    for number, row in enumerate(rows):
        test = row["test"]
        ends = [[max(test["mean"] - test["low"], 0)], [max(test["high"] - test["mean"], 0)]]
        label = f"{row['model']}: {test['mean']:.1f}"
        axes.errorbar([row["parameters"]], [test["mean"]], yerr=ends, fmt="os^D"[number], capsize=4, label=label)
    minutes = rows[0]["cpu_minutes"]
    axes.set(xscale="log", xlabel="parameters", ylabel="test log-likelihood (nats an image)")
    axes.set_title(f"{of}: RBMs after {60 * minutes:.0f} s of CPU each")
    axes.grid(alpha=0.3)
    axes.legend()


def shown(axes: Axes, run: genjax.Run, title: str) -> None:
    """Filters, the strongest first, each on its own scale around zero."""
    assert run.model.filters is not None
    weights, shape = cropped(run.model.filters(run.parameters)[0], run.image_shape)
    chosen = own_scale(weights[:, strongest(weights, 64)])
    tiles = images.tile(chosen, shape, images.square(len(chosen)), border=0.0)
    axes.imshow(tiles, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set(xticks=[], yticks=[], title=title, xlabel=f"{len(chosen)} filters, {shape[0]} x {shape[1]} pixels")


if __name__ == "__main__":
    main()
