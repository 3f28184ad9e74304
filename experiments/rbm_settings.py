"""What do components, learning rate and iterations do to an RBM? A grid, and its scores against each of the three.

    python -m experiments.rbm_settings [--dataset NAME] [--data-dir DIR] [--quick | --smoke] [--out DIR]

scikit-learn's three knobs (n_components, learning_rate, n_iter) as hidden units, rate and epochs of PCD-1, at a
constant rate, without averaging and in batches of 10, as there. Every combination with common seeds, trained side by
side by `genjax.grid`. Of each run the test log-likelihood (AIS) and the exact pseudo-log-likelihood, nats an image.
Writes settings.png: a row of panels for each score, a panel for each factor, thin lines the settings of the other two
(mean over the seeds), a thick one their mean; results.jsonl; and a table, the best setting first. Expect a low rate to
leave a machine at -27.4, what the pixels' base rates give; units to help little before there are epochs enough; and the
highest rate to win by the pseudo-likelihood and to lose by the likelihood: the two scores do not order the settings
alike. Full: 5 by 5 by 4 settings, 5 seeds; --quick: 3 by 3 by 2 settings, 2 seeds.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import IMAGES, images_of, options
from genjax.api.compare import lines_of
from genjax.api.grid_results import rows_of, summarise
from genjax.plots.images import save

FACTORS = {"hidden": "hidden units", "learning_rate": "learning rate", "epochs": "epochs"}
SCORES = {"log_likelihood": "log-likelihood, AIS", "pseudo_log_likelihood": "pseudo-log-likelihood, exact"}


class Scale(NamedTuple):
    """The axes, the seeds, and the effort of AIS."""

    hidden: tuple[int, ...]
    learning_rate: tuple[float, ...]
    epochs: tuple[int, ...]
    seeds: int
    effort: dict[str, int]


SCALES = {
    "full": Scale(
        (10, 25, 50, 100, 200),
        (0.01, 0.03, 0.1, 0.3, 1.0),
        (5, 10, 20, 40),
        5,
        {"temperatures": 2000, "ais_chains": 100},
    ),
    "quick": Scale((10, 50, 100), (0.01, 0.1, 0.5), (5, 20), 2, {"temperatures": 300, "ais_chains": 50}),
    "smoke": Scale((4, 8), (0.05, 0.2), (1, 2), 2, {"temperatures": 20, "ais_chains": 10}),
}


def trained(images: genjax.Dataset, scale: Scale) -> list[dict[str, Any]]:
    """A row of plain numbers for each run of the grid, as its results.jsonl has them."""
    axes: Any = {name: list(getattr(scale, name)) for name in FACTORS}
    model = genjax.rbm(schedule="constant", average=0.0)
    runs = genjax.grid(model, images, seeds=scale.seeds, batch_size=10, progress=False, **axes)
    return rows_of(runs, scale.effort)


def draw(table: list[dict[str, Any]], title: str) -> Figure:
    """Each score against each factor, the settings of the other two as lines."""
    figure = Figure(figsize=(4.2 * len(FACTORS), 3.4 * len(SCORES)), layout="constrained")
    for row, (score, label) in zip(figure.subplots(len(SCORES), len(FACTORS), sharey="row"), SCORES.items()):
        means = np.array([line[score]["mean"] for line in table], float)
        for axes, (factor, name) in zip(row, FACTORS.items()):
            others = [other for other in FACTORS if other != factor]
            values = sorted({line[factor] for line in table})
            curves = []
            for setting in sorted({tuple(line[o] for o in others) for line in table}):
                mine = {line[factor]: m for line, m in zip(table, means) if tuple(line[o] for o in others) == setting}
                curves.append([mine[value] for value in values])
                axes.plot(values, curves[-1], color="grey", linewidth=0.7, alpha=0.6)
            axes.plot(values, np.mean(curves, 0), "o-", color="C0", linewidth=2.5)
            axes.set(xscale="log", xlabel=name, xticks=values, xticklabels=[f"{value:g}" for value in values])
            axes.minorticks_off()
            axes.grid(alpha=0.3)
        row[0].set_ylabel(f"{label}\n(nats a test image)")
    figure.suptitle(title)
    return figure


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """A line a run."""
    path.write_text("".join(json.dumps(row, default=repr) + "\n" for row in rows))


def main() -> None:
    """The grid; print the table, write results and figure."""
    chosen = options(__doc__, "rbm-settings", "3 by 3 by 2 settings, 2 seeds", more=IMAGES)
    images, scale = images_of(chosen), SCALES[chosen.scale]
    rows = trained(images, scale)
    write(chosen.out / "results.jsonl", rows)
    table = [line for line in summarise(rows, list(FACTORS), list(SCORES)) if not line["diverged"]]
    if gone := sum(row["diverged"] for row in rows):
        print(f"{gone} runs diverged; their settings are left out.")
    best = sorted(table, key=lambda line: -line["log_likelihood"]["mean"])
    print("\n".join(lines_of([{name: line[name] for name in (*FACTORS, "seeds", *SCORES)} for line in best])))
    print("+-: half the 95 % interval of the mean over the seeds (Student's t)")
    title = f"{images.name}: PCD-1, {scale.seeds} seeds; grey the settings of the other two, blue their mean"
    print(save(draw(table, title), chosen.out / "settings.png"))


if __name__ == "__main__":
    main()
