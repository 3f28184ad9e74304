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
from typing import Any, NamedTuple

import numpy as np
import optax
from matplotlib.figure import Figure

import genjax
from experiments.common import append, interval, lines, options, order
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
    "full": Scale((0.0, 0.15, 0.5), (10, 30, 50), 5, 5000),
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


def choose(name: str, noise: float, units: int, epochs: int) -> dict[str, Any]:
    """The rate of the least error on noisy points that were held out, and the errors of all; infinite if diverged."""
    rates, errors = METHODS[name].rates, {}
    run = {"epochs": epochs, "batch_size": METHODS[name].batch, "progress": False}
    for seed in CHOOSING:
        runs = genjax.grid(model(name, units), points(noise, seed, True), learning_rate=[*rates], seeds=[seed], **run)
        for rate, one in zip(rates, runs):
            error = float("inf") if one.diverged else float(one.history["held_out_loss"][-1])
            errors.setdefault(rate, []).append(error)
    means = [float(np.mean(errors[rate])) for rate in rates]
    return {"rate": rates[int(np.argmin(means))], "rates": rates, "errors": means}


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
    return past | {"diverged": diverged}


def measure(scale: Scale, path: Any) -> list[dict[str, Any]]:
    """All rows: rates as they were chosen, and runs."""
    done = {(row["method"], row["noise"], row["units"], row.get("seed")): row for row in lines(path)}
    for units in scale.units:
        for name, method in METHODS.items():
            warm = False
            for noise in scale.noises:
                key = (name, noise, units, None)
                if method.rates and key not in done:
                    found = choose(name, noise, units, scale.epochs)
                    done[key] = {"method": name, "noise": noise, "units": units} | found
                    append(path, done[key])
                rate = done[key]["rate"] if method.rates else None
                for seed in range(scale.seeds):
                    if (*key[:3], seed) in done:
                        continue
                    if not warm:  # so that no run's seconds hold the compilation
                        learn(name, noise, units, seed, 3, rate)
                        warm = True
                    row = {"method": name, "noise": noise, "units": units, "seed": seed, "rate": rate}
                    done[(*key[:3], seed)] = row | learn(name, noise, units, seed, scale.epochs, rate)
                    append(path, done[(*key[:3], seed)])
    return list(done.values())


def at(row: dict[str, Any], axis: str, value: float) -> float:
    """A run's error at this epoch or second, on the line between the two measurements around it."""
    return float(np.exp(np.interp(np.log(value), np.log(row[axis]), np.log(row["held_out_loss"]))))


def table(rows: list[dict[str, Any]], scale: Scale) -> None:
    """Of each noise and width: errors after equal epochs and after the seconds of the quickest, and their order."""
    for noise, units in itertools.product(scale.noises, scale.units):
        runs = {name: of(rows, name, noise, units) for name in METHODS}
        runs = {name: some for name, some in runs.items() if len(some) == scale.seeds}
        second = min(row["seconds"][-1] for some in runs.values() for row in some)
        print(f"\nnoise {noise}, {units} units: mean squared error without noise, 1e-4, and its 95 % interval")
        orders = []
        for axis, value in (("epoch", scale.epochs), ("seconds", second)):
            errors = {name: np.array([at(row, axis, value) for row in some]) for name, some in runs.items()}
            orders.append(f"  after {value:.3g} {axis.removesuffix('s')}s: {order(errors)}")
            if axis == "epoch":
                for name, of_seeds in errors.items():
                    low, high = np.exp(interval(np.log(of_seeds))) * 1e4
                    mean, spent = (
                        np.exp(np.log(of_seeds).mean()) * 1e4,
                        [np.interp(value, row["epoch"], row["seconds"]) for row in runs[name]],
                    )
                    rate = "its own" if not METHODS[name].rates else f"{runs[name][0]['rate']:g}"
                    print(f"  {name:9} {mean:9.3g} [{low:.3g}, {high:.3g}], rate {rate}, {np.median(spent):.2f} s")
        print(*orders, sep="\n")


def of(rows: list[dict[str, Any]], name: str, noise: float, units: int) -> list[dict[str, Any]]:
    """The runs of all seeds that stayed finite."""
    key = (name, noise, units)
    return [r for r in rows if (r["method"], r["noise"], r["units"]) == key and r.get("diverged") is False]


def draw(rows: list[dict[str, Any]], scale: Scale, axis: str) -> Figure:
    """Errors against epochs or seconds, a panel for each noise and width."""
    size = 4.2 * len(scale.units), 3.2 * len(scale.noises)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(scale.noises), len(scale.units), squeeze=False, sharex=True, sharey="row")
    for (i, noise), (j, units) in itertools.product(enumerate(scale.noises), enumerate(scale.units)):
        for number, name in enumerate(METHODS):
            curves = [(row[axis], row["held_out_loss"]) for row in of(rows, name, noise, units)]
            if curves:
                band(panels[i, j], curves, name, f"C{number}")
        panels[i, j].set(
            title=f"noise {noise}, {units} units", ylabel="squared error (without noise)" if j == 0 else ""
        )
        panels[i, j].grid(alpha=0.3)
        panels[i, j].set(
            xlabel={"epoch": "epochs", "seconds": "seconds of training"}[axis] if noise == scale.noises[-1] else ""
        )
    panels[0, 0].legend(fontsize=8)
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
