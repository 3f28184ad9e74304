"""How well do small networks predict the Santa Fe laser, 100 points ahead, when they feed on their own predictions?

    python -m experiments.laser --series lasertrain.dat --continuation laserpred.dat [--kinds mlp lstm bidirectional]
        [--quick | --smoke] [--out DIR]

Files have one number a line: series A of the Santa Fe competition (Weigend and Gershenfeld 1994), or any other; without
a continuation the last 100 values are kept for it, and without a series a made-up laser is predicted. A multilayer
perceptron, an LSTM and a bidirectional LSTM learn the next value from `lag` values (standardised, with noise on the
inputs, weights averaged over the last fifth of the run). Lag, units and noise are chosen on validation: stretches of
120 points within the series are held out in turn, with every window that touches them, and predicted recursively from
three starts each; the setting with the least geometric mean of their mean squared errors is chosen (the errors span
three orders of magnitude: a plain mean would be that of one collapse of the intensity). Only chosen settings are then
trained on the whole series, with 5 seeds, and predict the continuation; the ensemble, whose members' mean is fed back,
stands apart. Writes results.jsonl, forecast.png and the table. The course's students reached 471 with an MLP and 210
with an LSTM. Full: about 15 minutes on two cores, --quick: about one. A run that is interrupted goes on.
"""

import itertools
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import append, interval, lines, options
from genjax import data
from genjax.data import series as time_series
from genjax.networks.perceptron import Perceptron
from genjax.networks.recurrent import LSTM, Noisy
from genjax.plots.images import save

THEIRS = {"mlp": 471, "lstm": 210}  # of the course's students, the best of their grids
SHIFTS = (0, 10, 20)  # where predictions of a stretch begin, after its own beginning


class Kind(NamedTuple):
    """A network and how it is trained; `lags`, `units` and `noises` are the grid."""

    lags: tuple[int, ...]
    units: tuple[int, ...]
    noises: tuple[float, ...]
    steps: int
    batch: int
    rate: float
    seeds: int  # of each setting and stretch in validation


class Scale(NamedTuple):
    kinds: dict[str, Kind]
    stretches: int
    horizon: int
    seeds: int  # of the chosen settings


RECURRENT = Kind((20, 40), (16, 32), (0.03,), 1500, 64, 1e-2, 1)
SCALES = {
    "full": Scale(
        {"mlp": Kind((30, 50, 70), (32, 64), (0.03, 0.1), 8000, 64, 5e-3, 2), "lstm": RECURRENT}
        | {"bidirectional": RECURRENT._replace(lags=(20,))},
        4,
        100,
        5,
    ),
    "quick": Scale(
        {
            "mlp": Kind((50,), (64,), (0.03, 0.1), 3000, 64, 5e-3, 1),
            "lstm": Kind((20,), (16,), (0.03,), 300, 64, 1e-2, 1),
        },
        2,
        100,
        5,
    ),
    "smoke": Scale(
        {"mlp": Kind((8, 12), (8,), (0.1,), 30, 32, 1e-2, 1)}
        | {kind: Kind((8,), (4,), (0.1,), 20, 16, 1e-2, 1) for kind in ("lstm", "bidirectional")},
        2,
        20,
        2,
    ),
}


def network(kind: str, units: int, noise: float) -> nn.Module:
    """From a window to its next value."""
    plain = Perceptron((units,), 1, "tanh") if kind == "mlp" else LSTM((units,), 1, kind == "bidirectional")
    return Noisy(plain, noise)


def trained(kind: str, how: Kind, setting: dict[str, Any], sets: list[data.Dataset], seeds: int) -> list[genjax.Run]:
    """A run of each set and seed."""
    model = genjax.supervised(
        network=network(kind, setting["units"], setting["noise"]),
        loss="squared_error",
        learning_rate=how.rate,
        average=0.2,
    )
    steps = {"steps": how.steps, "batch_size": how.batch}
    return genjax.grid(model, sets, seeds=seeds, validation=False, progress=False, **steps)


def validated(kind: str, how: Kind, setting: dict[str, Any], series: np.ndarray, scale: Scale) -> dict[str, Any]:
    """The mean squared error of each stretch when it was held out; infinite where a run diverged."""
    began, lag, length = time.process_time(), setting["lag"], scale.horizon + SHIFTS[-1]
    moments = time_series.Scale.of(series)
    standard = moments.standard(series)
    x, y = time_series.windows(standard, lag)
    first = max(max(each.lags) for each in scale.kinds.values())
    starts = time_series.stretches(len(series), first, length, scale.stretches)
    sets = []
    for start in starts:
        kept = time_series.apart(len(series), lag, start, length)
        sets.append(data.Dataset.from_arrays(x[kept], y[kept], test=0, validation=0))
    errors = []
    for number, run in enumerate(trained(kind, how, setting, sets, how.seeds)):
        begins = [starts[number // how.seeds] + shift for shift in SHIFTS]
        before, truth = time_series.pasts(standard, lag, begins, scale.horizon)
        said = np.asarray(time_series.forecast(run.parameters, jnp.asarray(before), scale.horizon))
        errors.append(np.inf if run.diverged else moments.deviation**2 * float(np.mean((said - truth) ** 2)))
    each = np.reshape(errors, (len(starts), -1)).mean(1)
    seconds = time.process_time() - began
    score = float(np.exp(np.log(each).mean()))
    return {"kind": kind, **setting, "score": score, "starts": starts, "each": each.tolist(), "cpu_seconds": seconds}


def together(members: Any, x: jax.Array) -> jax.Array:
    """The mean of what networks predict, whose parameters are stacked."""
    return jnp.mean(jax.vmap(lambda member: member(x))(members), axis=0)


def tested(kind: str, how: Kind, chosen: dict[str, Any], series: np.ndarray, after: np.ndarray, seeds: int) -> Any:
    """The chosen setting, trained on the whole series: a row for each seed's prediction, and the ensemble's."""
    began, moments = time.process_time(), time_series.Scale.of(series)
    standard, setting = moments.standard(series), {name: chosen[name] for name in ("lag", "units", "noise")}
    whole = data.Dataset.from_arrays(*time_series.windows(standard, setting["lag"]), test=0, validation=0)
    runs = trained(kind, how, setting, [whole], seeds)
    ensemble = jax.tree_util.Partial(
        together, jax.tree.map(lambda *leaves: jnp.stack(leaves), *[r.parameters for r in runs])
    )
    rows, past = [], jnp.asarray(standard[None, -setting["lag"] :])
    for name, predict in [*((seed, run.parameters) for seed, run in enumerate(runs)), ("ensemble", ensemble)]:
        said = moments.original(np.asarray(time_series.forecast(predict, past, len(after)))[0])
        row = {"kind": kind, **setting, "seed": name, "mse": float(np.mean((said - after) ** 2)), "said": said.tolist()}
        rows.append(row | {"cpu_seconds": time.process_time() - began})
    return rows


def table(rows: list[dict[str, Any]]) -> list[str]:
    """What a person reads."""
    said = []
    for row in rows:
        if "score" in row:
            each = ", ".join(f"{error:.0f}" for error in row["each"])
            about = f"{row['kind']:13} lag {row['lag']:2}, {row['units']:2} units, noise {row['noise']:.2f}"
            said.append(f"{about}: validation {row['score']:6.0f} ({each}), {row['cpu_seconds']:.0f} s of CPU")
    for kind in dict.fromkeys(row["kind"] for row in rows if "seed" in row):
        mine = {row["seed"]: row for row in rows if row["kind"] == kind and "seed" in row}
        each = np.array([row["mse"] for seed, row in mine.items() if seed != "ensemble"])
        low, high = interval(each)
        setting = "lag {lag}, {units} units, noise {noise:.2f}".format(**mine["ensemble"])
        errors = ", ".join(f"{error:.1f}" for error in each)
        said.append(f"{kind:13} {setting}: test MSE {each.mean():.1f} [{low:.1f}, {high:.1f}], seeds {errors}")
        said.append(f"{'':13} ensemble {mine['ensemble']['mse']:.1f}; the students' {THEIRS.get(kind, '-')}")
    return said


def main() -> None:
    """What is missing is trained; table and figure are made of the rows."""
    more: dict[str, dict[str, Any]] = {
        "--series": {"type": Path, "help": "a file with one number a line (otherwise a made-up laser)"},
        "--continuation": {"type": Path, "help": "what comes after it (otherwise its last 100 values are kept)"},
        "--kinds": {"nargs": "+", "choices": list(SCALES["full"].kinds), "default": list(SCALES["full"].kinds)},
    }
    chosen = options(__doc__, "laser", "two small networks", more=more)
    scale, path = SCALES[chosen.scale], chosen.out / "results.jsonl"
    made_up = partial(time_series.laser, 1100 if chosen.scale != "smoke" else 240)
    series = made_up() if chosen.series is None else time_series.read(chosen.series)
    if chosen.continuation is None:
        series, after = series[: -scale.horizon], series[-scale.horizon :]
    else:
        after = time_series.read(chosen.continuation)[: scale.horizon]
    rows = lines(path)
    for kind, how in ((kind, how) for kind, how in scale.kinds.items() if kind in chosen.kinds):
        for lag, units, noise in itertools.product(how.lags, how.units, how.noises):
            setting = {"lag": lag, "units": units, "noise": noise}
            if not any("score" in row and row["kind"] == kind and setting.items() <= row.items() for row in rows):
                rows.append(validated(kind, how, setting, series, scale))
                append(path, rows[-1])
                print(table(rows[-1:])[0], flush=True)
        if not any("seed" in row and row["kind"] == kind for row in rows):
            best = min((row for row in rows if row["kind"] == kind), key=lambda row: row["score"])
            for row in tested(kind, how, best, series, after, scale.seeds):
                rows.append(row)
                append(path, row)
    print("\n".join(table(rows)))
    print(save(figure(rows, series, after), chosen.out / "forecast.png"))


def figure(rows: list[dict[str, Any]], series: np.ndarray, after: np.ndarray) -> Figure:
    """Of each kind the seed in the middle of the errors, the others thin, with the truth."""
    kinds = list(dict.fromkeys(row["kind"] for row in rows if "seed" in row))
    drawn = Figure(figsize=(9, 2.3 * len(kinds)), layout="constrained")
    before, ahead = np.arange(-len(after) // 2, 1), np.arange(1, len(after) + 1)
    for axes, kind in zip(drawn.subplots(len(kinds), sharex=True, squeeze=False)[:, 0], kinds):
        mine = sorted(
            (r for r in rows if r["kind"] == kind and r.get("seed", "ensemble") != "ensemble"), key=lambda r: r["mse"]
        )
        axes.plot(before, series[-len(before) :], color="0.6", label="end of the series")
        axes.plot(ahead, after, color="black", label="truth")
        middle = mine[(len(mine) - 1) // 2]
        for row in mine:
            if row is not middle:
                axes.plot(ahead, row["said"], color="tab:red", alpha=0.25, linewidth=0.7)
        label = f"predicted, seed {middle['seed']} (MSE {middle['mse']:.0f})"
        axes.plot(ahead, middle["said"], color="tab:red", linestyle="--", label=label)
        title = "{kind}, lag {lag}, {units} units: mean MSE {mean:.0f}".format(
            mean=np.mean([r["mse"] for r in mine]), **middle
        )
        axes.set(title=title, ylabel="intensity", ylim=(-20, 1.15 * max(series.max(), after.max())))
        axes.legend(loc="upper left", ncols=3, fontsize=7)
    axes.set_xlabel("time, in samples after the last one that was given")
    return drawn


if __name__ == "__main__":
    main()
