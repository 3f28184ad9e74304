"""The figures of a grid: curves with bands over seeds, and what every setting makes of damaged images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genjax.api.grid_results import metrics_of, settings_row
from genjax.api.run import Run
from genjax.plots import curves as curves_plots
from genjax.plots import grids
from genjax.plots.figure import Figure
from genjax.training.stages import LAST

SHOWN = 8  # test images that are filled in


def figures_of_grid(runs: Sequence[Run], names: Sequence[str], title: str) -> dict[str, Figure]:
    """Of runs whose settings differ in these options, by the names of their files; apart for every dataset and
    binarisation."""
    kinds = dict.fromkeys((run.settings.dataset, run.settings.binarisation) for run in runs)
    figures = {}
    for number, kind in enumerate(kinds):
        of_setting: dict[str, list[Run]] = {}
        for run in runs:
            if (run.settings.dataset, run.settings.binarisation) == kind:
                options = settings_row(run)
                label = ", ".join(f"{name} {options.get(name)}" for name in names) or "all"
                of_setting.setdefault(label, []).append(run)
        end = "" if len(kinds) == 1 else f"-{number + 1}"
        which = title if len(kinds) == 1 else f"{title}, {Path(kind[0] or '').name}, binarisation {kind[1]}"
        figures |= {f"{stem}{end}": figure for stem, figure in figures_of(of_setting, which).items()}
    return figures


def figures_of(of_setting: dict[str, list[Run]], title: str) -> dict[str, Figure]:
    """The figures of runs on the same data, by the names of their files."""
    figures: dict[str, Figure] = {}
    same = [run for runs in of_setting.values() for run in runs]
    for metric in metrics_of(same)[:1]:
        curves = {label: aligned([run.history for run in runs], metric) for label, runs in of_setting.items()}
        label = curves_plots.label_of(same[0].model.panels, metric)
        figures["curves"] = grids.bands(curves, label, f"{title}: mean and range over seeds")
    if same[0].model.reconstruct is not None:
        figures["reconstructions"] = filled(of_setting, title)
    return figures


def aligned(histories: list[dict[str, np.ndarray]], metric: str) -> grids.Curves:
    """A metric of several runs' last stages on common epochs, NaN where one was not measured."""
    lasts = [{name: values[h["stage"] == LAST] for name, values in h.items()} for h in histories]
    epochs = np.unique(np.concatenate([history.get("epoch", np.zeros(0)) for history in lasts]))
    values = np.full((len(lasts), len(epochs)), np.nan)
    for row, history in enumerate(lasts):
        if metric in history:
            values[row, np.searchsorted(epochs, history["epoch"])] = history[metric]
    return grids.Curves(epochs, values)


def filled(of_setting: dict[str, list[Run]], title: str) -> Figure:
    """The lower halves of test images, filled in by the first seed of each setting."""
    first = next(iter(of_setting.values()))[0]
    truth, missing = first.plot.damaged(SHOWN, seed=first.settings.seed)
    rows = {
        label: runs[0].reconstruct(truth, missing, sweeps=400, seed=runs[0].settings.seed).reshape(len(truth), -1)
        for label, runs in of_setting.items()
        if runs[0].diverged is None
    }
    damaged, shape = np.where(missing, np.nan, truth), first.image_shape
    return grids.reconstructions(truth, damaged, rows, shape, f"{title}: lower halves filled in, first seed")
