"""Does depth pay? A deep Boltzmann machine and a deep belief network on MNIST, and an RBM after the same minutes.

    python -m experiments.deep_mnist --data-dir DIR [--quick | --smoke] [--out DIR]

DBM 784-500-1000 (all layers together from the start), DBN 784-500-2000 (greedy stack, then up-down), and an RBM
784-500 by PCD-1 that is given the DBM's minutes; sampled binarisation, all 60,000 images. The RBM's figure is a
log-likelihood, the deep ones' are lower bounds; log Z by AIS with reverse AIS beside it. Published, not all of one
binarisation: DBM -84.62 (Salakhutdinov and Hinton 2009), DBN -84.55 (Murray and Salakhutdinov 2008). The three are
ordinary runs of `genjax train` in folders of their own, interrupted ones go on. Writes deep_mnist.png, results.jsonl
and the table. Full: about 3 hours on two cores; --quick: a fiftieth of it; --smoke: digits, seconds.
"""

import argparse
from typing import Any, NamedTuple

from matplotlib.figure import Figure

import genjax
from experiments.common import append, minutes, options, run_of
from genjax.plots.images import save

PUBLISHED = {"DBM, 2009": -84.62, "DBN, 2008": -84.55}


class Deep(NamedTuple):
    """Layers, and passes over the data: for each RBM of a stack (0: no stack), and for all layers."""

    layers: tuple[int, int]
    pretraining: int
    epochs: int


class Scale(NamedTuple):
    """How much is tried, and the effort of annealed importance sampling."""

    hidden: int
    dbm: Deep
    dbn: Deep
    effort: dict[str, Any]


WEAK = {"temperatures": 1000, "ais_chains": 100}
SCALES = {
    "full": Scale(500, Deep((500, 1000), 0, 110), Deep((500, 2000), 60, 20), {}),
    "quick": Scale(500, Deep((500, 1000), 0, 4), Deep((500, 2000), 1, 4), WEAK),
    "smoke": Scale(12, Deep((12, 8), 1, 2), Deep((12, 8), 1, 2), {"temperatures": 30, "ais_chains": 20}),
}


def finished(
    chosen: argparse.Namespace, name: str, model: Any, epochs: int | None, effort: dict[str, Any] | None
) -> genjax.Run:
    """A run that is trained and, with an effort, evaluated: started, gone on with, or found so."""
    run = run_of(chosen, None, model, name, epochs=epochs, validation=False)
    if effort is not None and run.evaluated is None:
        run.write_evaluation(run.evaluation(**effort))
    return run


def seconds_an_epoch(run: genjax.Run) -> float:
    """Of a run of one stage, from its second chunk on: the first one compiles."""
    entries = run.entries
    first = entries[0] if len(entries) > 1 else {"seconds": 0.0, "epoch": 0.0}
    return (entries[-1]["seconds"] - first["seconds"]) / (entries[-1]["epoch"] - first["epoch"])


def row(name: str, run: genjax.Run) -> dict[str, Any]:
    """What a run's evaluation says of it."""
    evaluated: Any = run.evaluated
    answer, log_z, bounds = evaluated["log_likelihood"], evaluated["log_z"], evaluated.get("elbo")
    return {
        "name": name,
        "minutes": minutes(run),
        "test": answer["test"],
        "train": answer["train"],
        "variational_bound": None if bounds is None else bounds["test"],
        "log_z": {k: log_z[k] for k in ("mean", "low", "high", "trusted", "reverse")},
        "tightness": evaluated.get("tightness"),
    }


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Test figures against minutes of training, the published ones as lines."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for number, entry in enumerate(rows):
        test = entry["test"]
        ends = [[max(test["mean"] - test["low"], 0)], [max(test["high"] - test["mean"], 0)]]
        label = f"{entry['name']}, {test['kind'].replace('_', ' ')}"
        axes.errorbar([entry["minutes"]], [test["mean"]], yerr=ends, fmt="o", color=f"C{number}", label=label)
    for number, (name, value) in enumerate(PUBLISHED.items()):
        style = ":" if number else "--"
        axes.axhline(value, color="grey", linestyle=style, linewidth=1, label=f"{name}: {value}")
    axes.set(xlabel="minutes of training", ylabel="test images (nats an image)", title="MNIST, sampled binarisation")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def main() -> None:
    """Train what is not trained yet; print the table, write results and figure."""
    chosen = options(__doc__, "deep-mnist", "a fiftieth of the training, a short evaluation", mnist=True)
    scale = SCALES[chosen.scale]
    dbm = genjax.dbm(layers=scale.dbm.layers, pretraining=scale.dbm.pretraining)
    dbn = genjax.dbn(layers=scale.dbn.layers, pretraining=scale.dbn.pretraining)
    rbm = genjax.rbm(hidden=scale.hidden)
    runs = {
        "dbm": finished(chosen, "dbm", dbm, scale.dbm.epochs, scale.effort),
        "dbn": finished(chosen, "dbn", dbn, scale.dbn.epochs, scale.effort),
    }
    timed = finished(chosen, "rbm-timed", rbm, 2, None)
    epochs = max(1, round(60 * minutes(runs["dbm"]) / seconds_an_epoch(timed)))
    if (chosen.out / "rbm").exists():  # as long as when it was started
        epochs = genjax.load(chosen.out / "rbm").settings.epochs
    runs["rbm"] = finished(chosen, "rbm", rbm, epochs, scale.effort)
    rows = [row(name, run) for name, run in runs.items()]
    (chosen.out / "results.jsonl").unlink(missing_ok=True)
    print(f"{'':6} {'minutes':>8} {'test':>26} {'train':>9} {'log Z':>10} {'reverse - AIS':>14}")
    for entry in rows:
        append(chosen.out / "results.jsonl", entry)
        test, log_z = entry["test"], entry["log_z"]
        gap = "exact" if log_z["reverse"] is None else f"{log_z['reverse']['mean'] - log_z['mean']:+.2f}"
        interval = f"{test['mean']:.2f} [{test['low']:.2f}, {test['high']:.2f}]"
        print(
            f"{entry['name']:6} {entry['minutes']:8.1f} {interval:>26} {entry['train']['mean']:9.2f} "
            f"{log_z['mean']:10.2f} {gap:>14}"
        )
    print(save(draw(rows), chosen.out / "deep_mnist.png"))


if __name__ == "__main__":
    main()
