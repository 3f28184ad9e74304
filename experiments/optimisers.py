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
logarithms of two neighbours' errors excludes 0, and a "~" where it does not. Expect L-BFGS ahead after equal epochs
and mostly after equal seconds too, and mostly a "~" among the stochastic ones. Full: about 7 minutes
of one core; --quick: 30 units, no noise, fewer epochs, 90 s. A run that is interrupted goes on.
"""

import itertools
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import optax

import genjax
from experiments.common import Rows, chosen_by, geometric, options, order, value_at
from genjax.errors import Diverged
from genjax.networks.spread import SpreadPerceptron
from genjax.plots.bands import band_panels
from genjax.plots.images import save

END, APART, POINTS, BATCH = 3 * np.pi, 0.05, 189, 21


class Method(NamedTuple):
    optimiser: Any
    rates: tuple[float, ...] = ()  # to choose from
    batch: int = BATCH


METHODS = {
    "GD": Method("sgd", (0.003, 0.01, 0.03, 0.1, 0.3), POINTS),
    "SGD": Method("sgd", (0.003, 0.01, 0.03, 0.1, 0.3)),
    "Nesterov": Method("nesterov", (0.001, 0.003, 0.01, 0.03, 0.1)),
    "Adam": Method("adam", (0.001, 0.003, 0.01, 0.03, 0.1)),
    "Adadelta": Method(optax.adadelta, (0.1, 0.3, 1.0, 3.0, 10.0)),
    "L-BFGS": Method(optax.lbfgs(), (), POINTS),
}


class Scale(NamedTuple):
    noises: tuple[float, ...]
    units: tuple[int, ...]
    seeds: int
    epochs: int


SCALES = {
    "full": Scale((0.0, 0.15, 0.5), (10, 30, 50), 5, 2000),
    "quick": Scale((0.0,), (30,), 3, 500),
    "smoke": Scale((0.15,), (5,), 2, 20),
}
CHOOSING = (100, 101)  # seeds of the runs that rates are chosen by


def points(noise: float, seed: int, choosing: bool = False) -> genjax.Dataset:
    """The training points, and those without noise; to choose by, held-out points are as noisy as the training ones."""
    rng = np.random.default_rng(seed)
    x, other, clean = np.arange(0, END, APART), rng.uniform(0, END, POINTS), np.linspace(0, END, 1000)
    noisy = [(at[:, None], np.sin(at**2)[:, None] + noise * rng.standard_normal((POINTS, 1))) for at in (x, other)]
    train, held_out = [(a.astype(np.float32), b.astype(np.float32)) for a, b in noisy]
    test = clean[:, None].astype(np.float32), np.sin(clean**2)[:, None].astype(np.float32)
    return genjax.Dataset.from_arrays(*train, test=test, validation=held_out if choosing else test)


def model(name: str, units: int, **options: Any) -> Any:
    """A network and its optimiser, whose rate stays."""
    options |= {"schedule": "constant"} if METHODS[name].rates else {}
    options |= {"network": SpreadPerceptron(units, 1, 0.0, END), "optimiser": METHODS[name].optimiser}
    return genjax.supervised(loss="squared_error", average=0.0, **options)


def learn(name: str, noise: float, units: int, seed: int, epochs: int, rate: dict[str, float]) -> dict[str, Any]:
    """One run, and its errors on training points and on those without noise, by epochs and seconds."""
    last = epochs * (POINTS // BATCH) if name == "GD" else epochs
    times = np.union1d(np.round(np.geomspace(1, last, 40)).astype(int), [epochs])
    own, data, batch = model(name, units, **rate), points(noise, seed), METHODS[name].batch
    run = genjax.fit(own, data, epochs=1, seed=seed, batch_size=batch, progress=False)
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
        rates: dict[tuple[str, float], dict[str, float]] = {}
        for (name, method), noise in itertools.product(METHODS.items(), scale.noises):
            run = {"seeds": CHOOSING, "epochs": scale.epochs, "batch_size": method.batch}
            data = partial(points, noise, choosing=True)
            find = partial(chosen_by, model(name, units), data, **run, learning_rate=[*method.rates])
            about = {"method": name, "noise": noise, "units": units}
            rates[name, noise] = rows.once(find, **about)["chosen"] if method.rates else {}
        every = itertools.product(scale.noises, range(scale.seeds), METHODS)
        missing = [key for key in every if not rows.of(units=units, **dict(zip(("noise", "seed", "method"), key)))]
        for name in {name: None for _, _, name in missing}:
            learn(
                name, scale.noises[0], units, 0, 3, rates[name, scale.noises[0]]
            )  # compiles: no run's seconds hold it
        for noise, seed, name in missing:
            one = partial(learn, name, noise, units, seed, scale.epochs, rates[name, noise])
            rows.once(one, method=name, noise=noise, units=units, seed=seed)
    return rows


def of_all(rows: Rows, noise: float, units: int, seeds: int) -> dict[str, list[dict[str, Any]]]:
    """The runs of each method that stayed finite with every seed."""
    found = {name: rows.of(method=name, noise=noise, units=units, diverged=False) for name in METHODS}
    return {name: some for name, some in found.items() if len(some) == seeds}


def table(rows: Rows, scale: Scale) -> None:
    """Of each noise and width: errors after equal epochs, and the order after those and after equal seconds."""
    for noise, units in itertools.product(scale.noises, scale.units):
        runs = of_all(rows, noise, units, scale.seeds)
        ends = {"epoch": scale.epochs, "seconds": min(row["seconds"][-1] for some in runs.values() for row in some)}
        errors = {
            axis: {n: np.array([value_at(end, r[axis], r["held_out_loss"]) for r in runs[n]]) for n in runs}
            for axis, end in ends.items()
        }
        print(f"\nnoise {noise}, {units} units: error without noise (geometric mean, 95 %), rate, seconds")
        for name, of_seeds in errors["epoch"].items():
            middle, low, high = geometric(of_seeds)
            spent = np.median([value_at(scale.epochs, row["epoch"], row["seconds"]) for row in runs[name]])
            rate = runs[name][0]["rate"].get("learning_rate", "none")
            print(f"  {name:9} {middle:8.4f} [{low:.4f}, {high:.4f}], {rate}, {spent:.2f} s")
        for axis, end in ends.items():
            print(f"  after {round(end, 2):g} {axis.removesuffix('s')}s: {order(errors[axis])}")
        print(*(f"  {name} diverged with a seed" for name in METHODS.keys() - runs.keys()), sep="\n", end="")


def main() -> None:
    """All runs that are not there yet, the table and the figures."""
    chosen = options(__doc__, "optimisers", "30 units without noise, fewer epochs")
    scale = SCALES[chosen.scale]
    rows = measure(scale, chosen.out / "results.jsonl")
    table(rows, scale)
    for axis, name, xlabel in (("epoch", "by_epochs", "epochs"), ("seconds", "by_seconds", "seconds of training")):
        panels = {}
        for noise, units in itertools.product(scale.noises, scale.units):
            runs = of_all(rows, noise, units, scale.seeds).items()
            curves = {method: [(row[axis], row["held_out_loss"]) for row in some] for method, some in runs}
            panels[f"noise {noise}, {units} units"] = curves
        figure = band_panels(panels, len(scale.units), xlabel, "error (points without noise)")
        print(save(figure, chosen.out / f"{name}.png"))


if __name__ == "__main__":
    main()
