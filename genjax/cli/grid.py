"""`genjax grid MODEL --learning-rate 0.01 0.06 --hidden 10 20 --seeds 8`: a grid of settings and seeds.

Options with several values span the grid; an option that takes several values as one (--layers) is given once for each.
"""

import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genjax.api.compare import notes_of
from genjax.api.fit import check
from genjax.api.grid import members_of_line, train_members
from genjax.api.grid_figures import figures_of_grid
from genjax.api.grid_folder import opened, saved_arguments
from genjax.api.grid_results import SCORES, metrics_of, rows_of, summarise, tables_of, write
from genjax.api.progress import Bar
from genjax.cli.options import Parser, model_name, say, tuples
from genjax.data.places import absolute, own
from genjax.errors import Interrupted, UserError
from genjax.likelihood.estimate import plain
from genjax.models.table import MODELS
from genjax.plots.images import save
from genjax.signals import Noted
from genjax.training import folder as run_folder
from genjax.training.options import flat

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
    check(base, run, effort, options.out)
    members = members_of_line(base, run, options.seeds, values, [*effort])
    names = list(values)
    stem = Path(run.dataset or "").stem or "images"
    folder = Path(options.out) if options.out else run_folder.free_name(Path("runs") / f"grid-{name}-{stem}")
    if resume is None:
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
    write(folder, rows, runs)
    table = summarise(rows, names, (*SCORES, *metrics_of(runs)))
    drawn = figures_of_grid(runs, names, folder.name)
    figures = [str(save(figure, folder / "figures" / f"{stem}.png")) for stem, figure in drawn.items()]
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
    line = saved_arguments(Path(folder), name)
    if other := [option for option in rest if option.startswith("-") and option not in ("--devices", "--json")]:
        raise UserError(f"{other[0]} does not go with --resume {folder}; leave it out.")
    for option in ("--out", "--devices", "--json"):
        line = without(line, option) if option in ("--out", *rest) else line
    return [*line, *rest], Path(folder)


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
        is_path = (
            option in ("--dataset", "--data-dir", "--validation", "--test")
            and own(argument)
            and Path(argument).expanduser().exists()
        )
        made.append(absolute(argument) if is_path else argument)
    return made


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
