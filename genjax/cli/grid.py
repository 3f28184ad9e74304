"""`genjax grid MODEL --learning-rate 0.01 0.06 --hidden 10 20 --seeds 8`: a grid of settings and seeds.

Options with several values span the grid; an option that takes several values as one (--layers) is given once for each.
"""

import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genjax import random
from genjax.api import folder as on_disk
from genjax.api.compare import lines_of, notes_of
from genjax.api.grid import (
    OF_A_RUN,
    OF_SINGLE_RUNS,
    SCORES,
    Member,
    members_of,
    metrics_of,
    parameters_of,
    rows_of,
    summarise,
    train_members,
)
from genjax.api.grid_figures import figures_of_grid
from genjax.api.grid_folder import opened
from genjax.api.progress import Bar
from genjax.api.run import Run
from genjax.cli.options import Parser, model_name, say, tuples
from genjax.data.places import absolute, own
from genjax.errors import Interrupted, UserError
from genjax.likelihood.estimate import finite, plain
from genjax.models.table import MODELS
from genjax.plots.images import save
from genjax.signals import Noted
from genjax.training import folder as run_folder
from genjax.training.mesh import counted
from genjax.training.options import flat
from genjax.training.settings import RunConfig

OF_TRAINING = ("temperatures", "ais_chains", "standard_error")
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
    resume: str | None = None
    """A grid's folder to go on with after an interruption: its own options rule; only --devices and --json go with
    it."""
    json: bool = False
    """Print one JSON object instead of sentences."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax grid`."""
    name = model_name("grid", arguments)
    kind = MODELS[name].config
    parser = Parser(kind, Options, f"genjax grid {name}", OF_TRAINING)
    parser.usual({"epochs": EPOCHS, "batch_size": BATCH, "temperatures": TEMPERATURES, "ais_chains": CHAINS})
    arguments, resume = again(name, arguments[1:])
    axes, rest = axes_of(arguments, tuples(kind))
    base, run, effort, options = parser(rest)
    values = {axis: [typed(parser, rest, axis, value) for value in given] for axis, given in axes.items()}
    refuse(run, options, {*values} & {*effort})
    counted(run.devices)
    if kind.model.effort is not None:
        kind.model.effort(**effort).check()
    members = members_of_line(base, run, options, values)
    names = list(values)
    stem = Path(run.dataset or "").stem or "images"
    folder = Path(options.out) if options.out else run_folder.free_name(Path("runs") / f"grid-{name}-{stem}")
    if resume is None:
        on_disk.refuse_place(options.out)
        run_folder.refuse_taken(folder)
    folder = resume or folder
    facts = {"axes": plain(values), "arguments": placed(arguments)}
    began = time.perf_counter()
    with Noted() as signals, opened(folder, members, options.common_batches, facts):
        say(f"{folder}: {len(members) // options.seeds} settings, {len(members)} runs")
        try:
            runs = train_members(
                members, options.common_batches, True, run.devices, folder, lambda: signals.number is not None
            )
        except KeyboardInterrupt:
            raise Interrupted(signals.number or signal.SIGINT) from None
    seconds = time.perf_counter() - began
    with Bar("evaluating", len(runs)) as bar:
        rows = rows_of(runs, effort if options.evaluate else None, bar.update)
    run_folder.write_lines(folder / "results.jsonl", [finite(row) for row in rows])
    run_folder.write_arrays(folder / "parameters.npz", parameters_of(runs))
    table = summarise(rows, names, (*SCORES, *metrics_of(runs)))
    figures = [str(path) for path in draw(folder, runs, names)]
    result = {"run": str(folder), "runs": len(rows), "training_seconds": round(seconds, 2), "settings": table}
    lines = [f"{folder}: {len(rows)} runs in {seconds:.0f} s", *tables_of(table, names), *notes_of(runs)]
    return result | {"figures": figures}, "\n".join([*lines, f"figures: {folder / 'figures'}"])


def again(name: str, arguments: list[str]) -> tuple[list[str], Path | None]:
    """The arguments of a grid; with --resume those that it began with, and its folder."""
    arguments = [part for argument in arguments for part in apart(argument)]
    if "--resume" not in arguments:
        return arguments, None
    place = arguments.index("--resume")
    folder, rest = "".join(arguments[place + 1 : place + 2]), arguments[:place] + arguments[place + 2 :]
    if not (Path(folder) / "config.json").exists():
        raise UserError(f"--resume {folder} is no grid's folder; name the folder of one.")
    saved = run_folder.read_config(Path(folder))
    begun = saved["decided"].get("arguments") if isinstance(saved.get("decided"), dict) else None
    if saved.get("model") != f"grid {name}" or not isinstance(begun, list):
        raise UserError(f"--resume {folder} holds no grid of {name} that can go on; name the folder of one.")
    if other := [option for option in rest if option.startswith("-") and option not in ("--devices", "--json")]:
        raise UserError(f"{other[0]} does not go with --resume {folder}; leave it out.")
    for option in ("--out", "--devices", "--json"):
        begun = without(begun, option) if option in ("--out", *rest) else begun
    return [*map(str, begun), *rest], Path(folder)


def apart(argument: str) -> list[str]:
    """--option=value as two arguments."""
    option, sign, value = argument.partition("=")
    return [option, value] if sign and option.startswith("--") else [argument]


def without(arguments: list[str], option: str) -> list[str]:
    """The arguments without an option and its value."""
    if option not in arguments:
        return arguments
    place = arguments.index(option)
    end = place + 1
    while end < len(arguments) and not arguments[end].startswith("--"):
        end += 1
    return arguments[:place] + arguments[end:]


def placed(arguments: list[str]) -> list[str]:
    """The arguments with a person's own data named as they are found from anywhere."""
    option, made = "", []
    for argument in arguments:
        option = argument if argument.startswith("--") else option
        is_path = option in ("--dataset", "--data-dir") and own(argument) and Path(argument).expanduser().exists()
        made.append(absolute(argument) if is_path else argument)
    return made


def members_of_line(base: Any, run: RunConfig, options: Options, values: dict[str, list[Any]]) -> list[Member]:
    """All runs of the grid. Raises `UserError` where a setting does not go with its data."""
    of_run = {name: value for name in OF_A_RUN if (value := getattr(run, name)) is not None}
    of_run.pop("epochs" if "steps" in values or run.steps is not None else "steps", None)
    data, validation = values.get("dataset", [run.dataset]), values.get("validation", run.validation)
    own = {name: value for name, value in values.items() if name not in ("dataset", "validation")}
    seeds = range(run.seed, run.seed + options.seeds)
    rest = {name: value for name, value in of_run.items() if name not in own}
    return members_of(base, data, list(seeds), validation, own | rest)


def refuse(run: RunConfig, options: Options, of_estimates: set[str]) -> None:
    """Raise `UserError` for seeds that are none, and for options that a grid does not have, or does not vary."""
    if options.seeds < 1:
        raise UserError(f"--seeds {options.seeds} is not positive; give the number of runs of each setting.")
    random.refuse_seed(run.seed)
    if run.seed + options.seeds - 1 > random.LARGEST_SEED:
        raise UserError(f"--seed {run.seed} with --seeds {options.seeds} goes beyond {random.LARGEST_SEED}.")
    for name in OF_SINGLE_RUNS:
        if getattr(run, name) != getattr(RunConfig(), name):
            raise UserError(f"`{name}` {getattr(run, name)} is of single runs; leave it out.")
    for name in sorted(of_estimates):
        raise UserError(f"`{name}` is of the estimate, which is the same for all runs of a grid; give one value.")


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
    config, run, effort, own = parser([*rest, f"--{name.replace('_', '-')}", *values])
    options = vars(own) | effort | vars(run) | flat(config)
    return options[name]


def tables_of(table: list[dict[str, Any]], names: list[str]) -> list[str]:
    """The settings as text: a table for each dataset and binarisation, whose scores do not compare."""
    kinds = dict.fromkeys((line["dataset"], line["binarisation"]) for line in table)
    lines = []
    for kind in kinds:
        same = [line for line in table if (line["dataset"], line["binarisation"]) == kind]
        shown = [name for name in names if len(kinds) == 1 or name not in ("dataset", "binarisation")]
        lines += [f"{kind[0]}, binarisation {kind[1]}:"] if len(kinds) > 1 else []
        lines += lines_of([row_of(line, shown) for line in same])
    return lines


def row_of(line: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """A setting as a person reads it: its axes, its scores, and what is wrong with some of its runs."""
    scores = {f"{name} (test)" if name in SCORES else name: value for name, value in line.items() if is_score(value)}
    notes = [f"{line['diverged']} diverged"] if line["diverged"] else []
    notes += [f"{line['not_trusted']} NOT TO BE TRUSTED"] if line["not_trusted"] else []
    return {name: line[name] for name in names} | scores | {"seeds": line["seeds"], "": ", ".join(notes)}


def is_score(value: Any) -> bool:
    """Whether this is a mean with its interval."""
    return isinstance(value, dict) and "half_interval" in value


def draw(folder: Path, runs: list[Run], names: list[str]) -> list[Path]:
    """The grid's figures, in its folder."""
    figures = figures_of_grid(runs, names, folder.name)
    return [save(figure, folder / "figures" / f"{stem}.png") for stem, figure in figures.items()]
