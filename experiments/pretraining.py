"""What do depth and pretraining change? Filters and samples of an RBM and of a DBM, with and without pretraining.

    python -m experiments.pretraining [--dataset NAME] [--data-dir DIR] [--quick | --smoke] [--out DIR]

Three machines of as many epochs of all layers together: an RBM, a DBM whose layers were first trained as RBMs one by
one (Salakhutdinov and Hinton 2009), and the same DBM from random weights. Of each the test log-likelihood (of a DBM its
lower bound, AIS) along common seeds, and of the first seed a column of pictures: filters of the first layer; of the
second through the first; the images that drive the second layer's units most; samples after 1,000 sweeps of fresh
chains. Writes pretraining.png, results.jsonl and a table with paired differences. Expect strokes in the first layers
and wider mixtures in the second; and the centred gradient to train a DBM of this size from random weights too (quick:
0.4 nats ahead of the RBM, and 0.5 pretrained, the former alone beyond chance): look at the table before believing that
one needs pretraining. Full: 5 seeds, 400 epochs; --quick: 2 seeds, 40 epochs.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import IMAGES, Rows, images_of, interval, options
from experiments.course_figure import show
from genjax.plots.images import save
from genjax.plots.weights import own_scale, strongest

UNITS, SAMPLES, SWEEPS = 36, 64, 1000


class Scale(NamedTuple):
    """Seeds, epochs of all layers together, epochs of each pair of layers before, units of a layer, effort of AIS."""

    seeds: int
    epochs: int
    pretraining: int
    units: int
    effort: dict[str, int]


SCALES = {
    "full": Scale(5, 400, 40, 128, {"temperatures": 2000, "ais_chains": 100}),
    "quick": Scale(2, 40, 10, 64, {"temperatures": 300, "ais_chains": 50}),
    "smoke": Scale(2, 2, 1, 8, {"temperatures": 20, "ais_chains": 10}),
}


def machines(scale: Scale) -> dict[str, Any]:
    """The three."""
    layers = (scale.units, scale.units)
    return {
        "RBM": genjax.rbm(hidden=scale.units),
        "DBM, pretrained": genjax.dbm(layers=layers, pretraining=scale.pretraining),
        "DBM, from scratch": genjax.dbm(layers=layers, pretraining=0),
    }


def measured(run: genjax.Run, effort: dict[str, int]) -> dict[str, Any]:
    """Its likelihood."""
    answer = run.log_likelihood(**effort)
    return {"log_likelihood": answer.mean, "kind": answer.kind, "trusted": answer.trusted}


def draw(runs: dict[str, genjax.Run], title: str) -> Figure:
    """A column of pictures for each machine."""
    figure = Figure(figsize=(3.6 * len(runs), 14), layout="constrained")
    for column, (name, run) in zip(figure.subplots(4, len(runs)).T, runs.items()):
        assert run.model.filters is not None
        layers = run.model.filters(run.parameters)
        units = [strongest(weights, UNITS) for weights in layers]
        show(column[0], own_scale(layers[0][:, units[0]]), run, f"{name}: layer 1, weights", True)
        if len(layers) > 1:
            show(column[1], own_scale(layers[1][:, units[1]]), run, "layer 2, through layer 1", True)
            assert run.model.maxima is not None
            driving = run.model.maxima(jax.random.key(0), run.parameters, 2, units[1], run.plot.brightness())
            if driving is not None:
                show(column[2], driving, run, "what drives the same units most", False)
        drawn = run.draw(SAMPLES, (SWEEPS,))["means"]
        show(column[3], drawn, run, f"expected pixels after {SWEEPS:,} sweeps", False)
        for axes in column:
            axes.set_axis_off()
    figure.suptitle(title)
    return figure


def main() -> None:
    """All machines and seeds; print the table, write results and figure."""
    chosen = options(__doc__, "pretraining", "2 seeds, 40 epochs, 64 units a layer", more=IMAGES)
    scale, images = SCALES[chosen.scale], images_of(chosen)
    rows, shown = Rows(chosen.out / "results.jsonl", "machine", "seed"), {}
    for name, model in machines(scale).items():
        for seed in range(scale.seeds):
            run = genjax.fit(model, images, epochs=scale.epochs, seed=seed, validation=False, progress=False)
            rows.once(lambda run=run: measured(run, scale.effort), machine=name, seed=seed)
            shown.setdefault(name, run)
    print(f"{'machine':18} {'nats':>8}   ahead of the RBM by (95 %)")
    plain = np.array([row["log_likelihood"] for row in rows.of(machine="RBM")])
    for name in shown:
        mine = rows.of(machine=name)
        nats = np.array([row["log_likelihood"] for row in mine])
        low, high = interval(nats - plain)
        ahead = "" if name == "RBM" else f"{(nats - plain).mean():+.2f} [{low:+.2f}, {high:+.2f}]"
        bound = " at least" if mine[0]["kind"] == "lower_bound" else ""
        print(f"{name:18} {nats.mean():8.2f}   {ahead}{bound}")
    title = f"{images.name}: layers of {scale.units}, {scale.epochs} epochs; the {UNITS} strongest units"
    print(save(draw(shown, title), chosen.out / "pretraining.png"))


if __name__ == "__main__":
    main()
