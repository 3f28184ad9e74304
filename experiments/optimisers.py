"""Which optimiser fits sin(x^2) best, and after how many epochs, and after how many seconds?

    python -m experiments.optimisers [--quick | --smoke] [--out DIR]

One hidden layer of 10, 30 or 50 tanh units on the 189 points of [0, 3 pi] that are 0.05 apart, to whose sin(x^2) noise
of standard deviation 0, 0.15 or 0.5 is added: GD, SGD, Nesterov, Adam, Adadelta, and L-BFGS with its line search, all
on the same training loop. GD and L-BFGS take all points a step, the others 21. Every rate is chosen on 189 other noisy
points (two seeds, the smallest mean squared error after the last epoch), L-BFGS needs none. What is measured is the
mean squared error on 1,000 points without noise, over seeds that draw first weights, noise and batches alike for every
optimiser. All get as many epochs, which is a ninth of the others' updates for GD and L-BFGS; GD goes on to as many
updates. Seconds are those of training, with the evaluations and without compilation.

Writes results.jsonl, by_epochs.png, by_seconds.png (line: geometric mean; band: all seeds) and the table: errors after
equal epochs, and the order after equal epochs and after equal seconds, with a "<" where the 95 % interval of the paired
logarithms of two neighbours' errors excludes 0, and a "~" where it does not. Expect L-BFGS far ahead without noise and
with enough units, and behind where it fits the noise. Full: about 15 minutes of one core; --quick: 30 units alone,
fewer epochs, 90 s. A run that is interrupted goes on.
"""

import itertools
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import optax
from matplotlib.figure import Figure

import genjax
from experiments.common import Rows, chosen_by, interval, options, order
from genjax.errors import Diverged
from genjax.networks.spread import SpreadPerceptron
from genjax.plots.bands import band
from genjax.plots.images import save

END, APART, TESTED = 3 * np.pi, 0.05, 1000
POINTS = len(np.arange(0, END, APART))
BATCH = POINTS // 9


class Method(NamedTuple):
    """An optimiser, the rates to choose from, and how many points it takes a step."""

    optimiser: Any
    rates: tuple[float, ...] = ()
    batch: int = BATCH


METHODS = {
    "GD": Method("sgd", (0.003, 0.01, 0.03, 0.1, 0.3), POINTS),
    "SGD": Method("sgd", (0.003, 0.01, 0.03, 0.1, 0.3)),
    "Nesterov": Method("nesterov", (0.0003, 0.001, 0.003, 0.01, 0.03)),
    "Adam": Method("adam", (0.001, 0.003, 0.01, 0.03, 0.1)),
    "Adadelta": Method(optax.adadelta, (0.1, 0.3, 1.0, 3.0, 10.0)),
    "L-BFGS": Method(optax.lbfgs(), (), POINTS),
}


class Scale(NamedTuple):
    """How much is tried."""

    noises: tuple[float, ...]
    units: tuple[int, ...]
    seeds: int
    epochs: int


SCALES = {
    "full": Scale((0.0, 0.15, 0.5), (10, 30, 50), 5, 2000),
    "quick": Scale((0.0, 0.5), (30,), 3, 500),
    "smoke": Scale((0.15,), (5,), 2, 20),
}
CHOOSING = (100, 101)  # seeds of the runs that rates are chosen by


def points(noise: float, seed: int, choosing: bool = False) -> genjax.Dataset:
    """The training points, and those without noise; to choose by, held-out points are as noisy as the training ones."""
    rng = np.random.default_rng(seed)
    x, other, clean = np.arange(0, END, APART), rng.uniform(0, END, POINTS), np.linspace(0, END, TESTED)
    noisy = [(at[:, None], np.sin(at**2)[:, None] + noise * rng.standard_normal((POINTS, 1))) for at in (x, other)]
    train, held_out = [(a.astype(np.float32), b.astype(np.float32)) for a, b in noisy]
    test = clean[:, None].astype(np.float32), np.sin(clean**2)[:, None].astype(np.float32)
    return genjax.Dataset.from_arrays(*train, test=test, validation=held_out if choosing else test)


def model(name: str, units: int, rate: float | None = None) -> Any:
    """A network and its optimiser, whose rate stays."""
    network = SpreadPerceptron(units, 1, 0.0, END)
    options = {"network": network, "loss": "squared_error", "optimiser": METHODS[name].optimiser, "average": 0.0}
    options |= {"schedule": "constant"} if METHODS[name].rates else {}
    return genjax.supervised(**options, **({} if rate is None else {"learning_rate": rate}))


def learn(name: str, noise: float, units: int, seed: int, epochs: int, rate: float | None) -> dict[str, Any]:
    """One run: its errors on training points and on those without noise, by epochs and seconds, and its curve."""
    data, method = points(noise, seed), METHODS[name]
    longest = epochs * (POINTS // BATCH) if name == "GD" else epochs
    times = np.union1d(np.round(np.geomspace(1, longest, 40)).astype(int), [epochs])
    run = genjax.fit(model(name, units, rate), data, epochs=1, seed=seed, batch_size=method.batch, progress=False)
    diverged = False
    try:
        for time in times[1:]:  # one run, which goes on: nothing of it depends on its length
            run = genjax.fit(run, epochs=int(time), progress=False)
    except Diverged:
        diverged = True
    past = {name: run.history[name].tolist() for name in ("epoch", "seconds", "train_loss", "held_out_loss")}
    return past | {"diverged": diverged, "rate": rate}


def measure(scale: Scale, path: Any) -> Rows:
    """All rows: rates as they were chosen, and runs; methods take turns, so that a busy machine slows all alike."""
    rows = Rows(path, "method", "noise", "units", "seed")
    for units in scale.units:
        rates: dict[tuple[str, float], float | None] = {}
        for (name, method), noise in itertools.product(METHODS.items(), scale.noises):
            run = {"seeds": CHOOSING, "epochs": scale.epochs, "batch_size": method.batch}
            data = partial(points, noise, choosing=True)
            find = partial(chosen_by, model(name, units), data, **run, learning_rate=[*method.rates])
            about = {"method": name, "noise": noise, "units": units}
            rates[name, noise] = rows.once(find, **about)["chosen"]["learning_rate"] if method.rates else None
        missing = [
            (noise, seed, name)
            for noise, seed, name in itertools.product(scale.noises, range(scale.seeds), METHODS)
            if not rows.of(method=name, noise=noise, units=units, seed=seed)
        ]
        for name in {name: None for _, _, name in missing}:
            learn(
                name, scale.noises[0], units, 0, 3, rates[name, scale.noises[0]]
            )  # compiles: no run's seconds hold it
        for noise, seed, name in missing:
            run = partial(learn, name, noise, units, seed, scale.epochs, rates[name, noise])
            rows.once(run, method=name, noise=noise, units=units, seed=seed)
    return rows


def at(row: dict[str, Any], axis: str, value: float) -> float:
    """A run's error at this epoch or second, on the line between the two measurements around it."""
    return float(np.exp(np.interp(np.log(value), np.log(row[axis]), np.log(row["held_out_loss"]))))


def of_all(rows: Rows, noise: float, units: int, seeds: int) -> dict[str, list[dict[str, Any]]]:
    """The runs of each method that stayed finite with every seed."""
    found = {name: rows.of(method=name, noise=noise, units=units, diverged=False) for name in METHODS}
    return {name: some for name, some in found.items() if len(some) == seeds}


def table(rows: Rows, scale: Scale) -> None:
    """Of each noise and width: errors after equal epochs, and the order after those and after equal seconds."""
    for noise, units in itertools.product(scale.noises, scale.units):
        runs = of_all(rows, noise, units, scale.seeds)
        quickest = min(row["seconds"][-1] for some in runs.values() for row in some)
        print(f"\nnoise {noise}, {units} units: error without noise, 1e-4 (geometric mean, 95 %), rate, seconds")
        for name, some in runs.items():
            logs = np.log([at(row, "epoch", scale.epochs) for row in some])
            middle, low, high = (np.exp(x) * 1e4 for x in (logs.mean(), *interval(logs)))
            spent = np.median([np.interp(scale.epochs, row["epoch"], row["seconds"]) for row in some])
            print(f"  {name:9} {middle:9.3g} [{low:.3g}, {high:.3g}], {some[0]['rate'] or 'none'}, {spent:.2f} s")
        for absent in METHODS.keys() - runs.keys():
            print(f"  {absent:9} diverged with a seed at least")
        for axis, value in (("epoch", scale.epochs), ("seconds", quickest)):
            errors = {name: np.array([at(row, axis, value) for row in some]) for name, some in runs.items()}
            print(f"  after {value:.3g} {axis.removesuffix('s')}s: {order(errors)}")


def draw(rows: Rows, scale: Scale, axis: str) -> Figure:
    """Errors against epochs or seconds, a panel for each noise and width."""
    size = 1 + 3.8 * len(scale.units), 0.6 + 3 * len(scale.noises)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(scale.noises), len(scale.units), squeeze=False, sharex=True, sharey="row")
    for axes, (noise, units) in zip(panels.ravel(), itertools.product(scale.noises, scale.units)):
        runs = of_all(rows, noise, units, scale.seeds)
        for number, name in enumerate(METHODS):
            if name in runs:
                band(axes, [(row[axis], row["held_out_loss"]) for row in runs[name]], name, f"C{number}")
        axes.set(title=f"noise {noise}, {units} units")
        axes.grid(alpha=0.3)
    panels[0, 0].legend(fontsize=8)
    figure.supxlabel({"epoch": "epochs", "seconds": "seconds of training"}[axis])
    figure.supylabel("mean squared error on points without noise")
    return figure


def main() -> None:
    """All runs that are not there yet, the table and the figures."""
    chosen = options(__doc__, "optimisers", "30 units alone, fewer epochs")
    scale = SCALES[chosen.scale]
    rows = measure(scale, chosen.out / "results.jsonl")
    table(rows, scale)
    for axis, name in (("epoch", "by_epochs.png"), ("seconds", "by_seconds.png")):
        print(save(draw(rows, scale, axis), chosen.out / name))


if __name__ == "__main__":
    main()
