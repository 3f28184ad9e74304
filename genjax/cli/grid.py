"""`genjax grid MODEL --learning-rate 0.01 0.06 --hidden 10 20 --seeds 8`: a grid of settings and seeds.

Options with several values span the grid; an option that takes several values as one (--layers) is given once for each.
"""

import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genjax import random
from genjax.api import folder as on_disk
from genjax.api.compare import lines_of, shared_scores
from genjax.api.grid import compatible, grid, summarise
from genjax.api.progress import Bar
from genjax.api.run import Run
from genjax.cli.options import Parser, say, tuples
from genjax.errors import UserError
from genjax.likelihood.estimate import plain
from genjax.models.table import MODELS
from genjax.plots import grids
from genjax.plots.images import save
from genjax.training import folder as run_folder

OF_TRAINING = ("temperatures", "ais_chains", "standard_error", "draws")
SHOWN = 8  # test images that are filled in
EPOCHS, BATCH, TEMPERATURES, CHAINS = 10, 10, 1000, 100  # the runs of a grid are short, and their estimates cheap


@dataclass(frozen=True, kw_only=True)
class Options:
    """Train a grid of settings and seeds, any option having several values:"""

    seeds: int = 1
    """Runs of each setting, from --seed on; each is the run that `genjax train` makes of its seed."""
    common_batches: bool = False
    """Let the seeds of a setting share the order and the binarisation of their batches: faster."""
    evaluate: bool = True
    """Evaluate each run at the end."""
    out: str | None = None
    """The grid's folder (by default runs/grid-<model>-<dataset>, with -2, -3, ... where that exists)."""
    json: bool = False
    """Print one JSON object instead of sentences."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax grid`."""
    name = arguments[0] if arguments else ""
    if name in ("-h", "--help"):
        print(f"usage: genjax grid MODEL ...   MODEL: {', '.join(MODELS)}; each takes --help")
        raise SystemExit(0)
    if name not in MODELS:
        raise UserError(f"genjax grid {name or '...'}: name a model, one of {', '.join(MODELS)}.")
    kind = MODELS[name].config
    parser = Parser(kind, Options, f"genjax grid {name}", OF_TRAINING)
    parser.usual({"epochs": EPOCHS, "batch_size": BATCH, "temperatures": TEMPERATURES, "ais_chains": CHAINS})
    axes, rest = axes_of(arguments[1:], tuples(kind))
    base, run, effort, options = parser(rest)
    refuse(run, options)
    values = {axis: [typed(parser, rest, axis, value) for value in given] for axis, given in axes.items()}
    stem = Path(run.dataset or "").stem or "images"
    folder = Path(options.out) if options.out else run_folder.free_name(Path("runs") / f"grid-{name}-{stem}")
    of_run = {field.name: getattr(run, field.name) for field in dataclasses.fields(run)}
    for fixed in ("dataset", "seed", "stop_gap", "checkpoint_seconds", "log_every", "steps", "validation"):
        of_run.pop(fixed)
    data = values.pop("dataset", [run.dataset])
    seeds = range(run.seed, run.seed + options.seeds)
    began, runs = time.perf_counter(), []
    for dataset in data:
        each: dict[str, Any] = {axis: value for axis, value in of_run.items() if value is not None} | values
        each |= {"validation": run.validation, "common_batches": options.common_batches}
        runs += grid(base, dataset, seeds=list(seeds), **each)
    seconds = time.perf_counter() - began
    names = (["dataset"] if len(data) > 1 else []) + list(values)
    say(f"{folder}: {len(runs) // len(seeds)} settings, {len(runs)} runs")
    on_disk.create_grid(folder, base, runs, {"axes": plain(values)})
    rows = evaluated(runs, effort if options.evaluate else None)
    (folder / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    np.savez(folder / "parameters.npz", **parameters_of(runs))  # type: ignore[arg-type]
    table = summarise(rows, names)
    figures = [str(path) for path in draw(folder, runs, names)]
    result = {"run": str(folder), "runs": len(rows), "training_seconds": round(seconds, 2), "settings": table}
    lines = [f"{folder}: {len(rows)} runs in {seconds:.0f} s", *tables_of(table, names)]
    return result | {"figures": figures}, "\n".join([*lines, f"figures: {folder / 'figures'}"])


def refuse(run: Any, options: Options) -> None:
    """Raise `UserError` for seeds that are none, and for options that a grid does not have."""
    if options.seeds < 1:
        raise UserError(f"--seeds {options.seeds} is not positive; give the number of runs of each setting.")
    if run.seed + options.seeds - 1 > random.LARGEST_SEED:
        raise UserError(f"--seed {run.seed} with --seeds {options.seeds} goes beyond {random.LARGEST_SEED}.")
    for name, usual in (("stop_gap", None), ("log_every", None), ("checkpoint_seconds", 15.0)):
        if getattr(run, name) != usual:
            raise UserError(f"--{name.replace('_', '-')} {getattr(run, name)} is of single runs; leave it out.")


def axes_of(arguments: list[str], tuples: set[str]) -> tuple[dict[str, list[list[str]]], list[str]]:
    """Values of the options that span the grid, by name, and the arguments without them."""
    given: dict[str, list[list[str]]] = {}
    rest: list[str] = []
    place = 0
    while place < len(arguments):
        end = place + 1
        while end < len(arguments) and not arguments[end].startswith("--"):
            end += 1
        option, values = arguments[place], arguments[place + 1 : end]
        name = option[2:].replace("-", "_")
        if name in tuples:
            given.setdefault(name, []).append(values)
        elif option.startswith("--") and len(values) > 1:
            given[name] = [[value] for value in values]
        else:
            rest += arguments[place:end]
        place = end
    for name in [name for name, values in given.items() if name in tuples and len(values) == 1]:
        rest += [f"--{name.replace('_', '-')}", *given.pop(name)[0]]
    return given, rest


def typed(parser: Parser, rest: list[str], name: str, values: list[str]) -> Any:
    """One value of an axis as the option takes it."""
    config, run, _, _ = parser([*rest, f"--{name.replace('_', '-')}", *values])
    from genjax.training.options import flat

    options = flat(config)
    return options[name] if name in options else getattr(run, name)


def evaluated(runs: list[Run], effort: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Each run's settings, and what it is measured by on the test images of its own data."""
    rows = []
    with Bar("evaluating", len(runs)) as bar:
        for number, run in enumerate(runs):
            rows.append(compatible(run, effort))
            bar.update(number + 1, "")
    return rows


def parameters_of(runs: list[Run]) -> dict[str, np.ndarray]:
    """All runs' parameters as plain arrays, `<name>_of_<row>`, rows as in results.jsonl."""
    arrays = {}
    for row, run in enumerate(runs):
        if run.model.arrays is not None and run.diverged is None:
            arrays |= {f"{name}_of_{row}": array for name, array in run.model.arrays(run.parameters).items()}
    return arrays


def tables_of(table: list[dict[str, Any]], names: list[str]) -> list[str]:
    """The settings as text: a table for each dataset and binarisation, whose scores do not compare."""
    kinds = dict.fromkeys((line["dataset"], line["binarisation"]) for line in table)
    lines = []
    for dataset, how in kinds:
        same = [
            {
                key: value
                for key, value in line.items()
                if key not in ("dataset", "binarisation") or (key in names and len(kinds) == 1)
            }
            for line in table
            if (line["dataset"], line["binarisation"]) == (dataset, how)
        ]
        lines += [f"{dataset}, binarisation {how}:"] if len(kinds) > 1 else []
        lines += lines_of(same)
    return lines


def draw(folder: Path, runs: list[Run], names: list[str]) -> list[Path]:
    """Curves with bands over seeds, and what the first seed of every setting makes of damaged test images; apart for
    every dataset and binarisation."""
    kinds = dict.fromkeys((run.settings.dataset, run.settings.binarisation) for run in runs)
    written = []
    for number, kind in enumerate(kinds):
        same = [run for run in runs if (run.settings.dataset, run.settings.binarisation) == kind]
        of_setting: dict[str, list[Run]] = {}
        for run in same:
            options = compatible(run, None)
            label = ", ".join(f"{name} {options.get(name)}" for name in names) or "all"
            of_setting.setdefault(label, []).append(run)
        end = "" if len(kinds) == 1 else f"-{number + 1}"
        title = folder.name if len(kinds) == 1 else f"{folder.name}, {Path(kind[0] or '').name}, binarisation {kind[1]}"
        metric = next(iter(shared_scores([run for run in same if run.entries])), None)
        if metric is not None:
            curves = {label: aligned([run.history for run in of], metric) for label, of in of_setting.items()}
            figure = grids.bands(curves, metric.replace("_", " "), f"{title}: mean and range over seeds")
            written.append(save(figure, folder / "figures" / f"curves{end}.png"))
        if same[0].model.reconstruct is not None:
            written.append(save(filled(of_setting, title), folder / "figures" / f"reconstructions{end}.png"))
    return written


def aligned(histories: list[dict[str, np.ndarray]], metric: str) -> grids.Curves:
    """A metric of several runs on common epochs, NaN where one was not measured."""
    epochs = np.unique(np.concatenate([history.get("epoch", np.zeros(0)) for history in histories]))
    values = np.full((len(histories), len(epochs)), np.nan)
    for row, history in enumerate(histories):
        if metric in history:
            values[row, np.searchsorted(epochs, history["epoch"])] = history[metric]
    return grids.Curves(epochs, values)


def filled(of_setting: dict[str, list[Run]], title: str) -> Any:
    """The lower halves of test images, filled in by the first seed of each setting."""
    first = next(iter(of_setting.values()))[0]
    height, width, channels = first.image_shape
    truth = np.asarray(first.fixed_test(SHOWN).x)
    missing = np.zeros((len(truth), height, width, channels), bool)
    missing[:, height // 2 :] = True
    missing = missing.reshape(len(truth), -1)
    rows = {
        label: members[0].reconstruct(truth, missing, sweeps=400, seed=members[0].settings.seed)
        for label, members in of_setting.items()
        if members[0].diverged is None
    }
    damaged = np.where(missing, np.nan, truth)
    return grids.reconstructions(
        truth, damaged, rows, first.image_shape, f"{title}: lower halves filled in, first seed"
    )
