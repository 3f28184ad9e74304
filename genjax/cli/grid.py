"""`genjax grid MODEL --learning-rate 0.01 0.06 --hidden 10 20 --seeds 8`: a grid of settings and seeds.

Options with several values span the grid. Rates, hidden sizes and lengths share compiled programs (`training.grid`);
any other option that varies costs a program for each of its values.
"""

import dataclasses
import itertools
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import t
from tyro.conf import Fixed, Suppress

from genjax import data as datasets
from genjax import random
from genjax.algorithms.contrastive import ContrastiveConfig, contrastive, trained_machine
from genjax.algorithms.padding import padded, sliced
from genjax.boltzmann.machine import Machine
from genjax.boltzmann.path import uncoupled
from genjax.cli.boltzmann import RBMRun
from genjax.cli.families import FAMILIES
from genjax.cli.options import parse, say
from genjax.cli.progress import Bar
from genjax.cli.run import FIXED_DRAW, Prepared, prepare
from genjax.cli.train import check, saved_fields, with_absolute_paths
from genjax.errors import UserError
from genjax.likelihood import ais
from genjax.likelihood.estimate import LogZ, refute
from genjax.likelihood.evaluate import distinct, log_densities
from genjax.likelihood.pseudo import pseudo_log_likelihood
from genjax.likelihood.schedule import pilot, to_precision
from genjax.plots import grids
from genjax.plots.images import save
from genjax.sampling.inpainting import inpaint
from genjax.training import folder as run_folder
from genjax.training import grid
from genjax.training.config import part, split

DATA = ("dataset", "data_dir", "size", "validation", "binarisation", "batch_size")  # options that say what is read
UNUSED = ("stop_gap", "checkpoint_seconds", "seeds")  # of a run of a grid, and so not recorded


@dataclasses.dataclass(frozen=True, kw_only=True)
class GridRun(RBMRun):
    """Train a grid of restricted Boltzmann machines: give any option several values."""

    epochs: int = 10
    """Passes over the training images."""
    batch_size: int = 10
    """Images a step: as few as in scikit-learn, since the runs of a grid are short."""
    seeds: int = 1
    """Runs of each setting, from --seed on; each is the run that `genjax train` makes of its seed."""
    evaluate: bool = True
    """Estimate each run's log-likelihood at the end."""
    temperatures: int = 1000
    """Temperatures of annealed importance sampling."""
    ais_chains: int = 100
    """Chains of annealed importance sampling."""
    stop_gap: Suppress[Fixed[float | None]] = None
    resume: Suppress[Fixed[str | None]] = None
    checkpoint_seconds: Suppress[Fixed[float]] = 15.0


class Outcome(NamedTuple):
    """One run: what it was, what became of it, its machine, its curve `(epoch, pseudo-likelihood)`, and how it
    diverged, if it did."""

    config: GridRun
    machine: Machine
    curve: list[tuple[float, float]]
    diverged: str | None


Sources = dict[GridRun, Prepared]
"""What is read for each `source_of` the runs."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax grid`."""
    model = arguments[0] if arguments else ""
    if model != "rbm" and model not in ("-h", "--help"):
        raise UserError(f"genjax grid {model or '...'}: name a model that has grids: rbm.")
    axes, rest = axes_of(arguments[1:] if model == "rbm" else arguments)
    base = parse(GridRun, rest, "genjax grid rbm")
    values = {name: [typed(name, value) for value in given] for name, given in axes.items()}
    settings = [
        with_absolute_paths(dataclasses.replace(base, **dict(zip(values, chosen))))
        for chosen in itertools.product(*values.values())
    ]
    for config in settings:
        check_grid(config)
    configs = [dataclasses.replace(c, seed=c.seed + s) for c in settings for s in range(c.seeds)]
    sources = read(settings)
    name = Path(settings[0].dataset).stem or "images"
    folder = run_folder.free_name(Path("runs") / f"grid-rbm-{name}") if base.out is None else Path(base.out)
    licences = ", ".join(dict.fromkeys(source.dataset.licence for source in sources.values()))
    run_folder.create(folder, "grid rbm", saved_fields(settings[0]), {"axes": values}, licences)
    images = " or ".join(dict.fromkeys(str(len(source.dataset.train)) for source in sources.values()))
    say(f"{folder}: {len(settings)} settings, {len(configs)} runs, {images} images")
    began = time.perf_counter()
    outcomes = train(configs, sources)
    seconds = time.perf_counter() - began
    rows = judge(outcomes, sources)
    with open(folder / "results.jsonl", "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    save_machines(folder / "machines.npz", outcomes)
    table = summarise(rows, list(values))
    pictures = draw(folder, outcomes, list(values), sources)
    result = {"run": str(folder), "runs": len(rows), "training_seconds": round(seconds, 2), "settings": table}
    lines = [f"{folder}: {len(rows)} runs in {seconds:.0f} s", *tables_of(table, list(values))]
    return result | {"figures": [str(p) for p in pictures]}, "\n".join([*lines, f"figures: {folder / 'figures'}"])


def source_of(config: GridRun) -> GridRun:
    """The options that say what is read, and nothing else: equal for runs on the same data."""
    return GridRun(**{name: getattr(config, name) for name in DATA})


def read(settings: Iterable[GridRun]) -> Sources:
    """What the settings learn from. Raises `UserError` where one of them does not go with its data."""
    family, sources = FAMILIES["rbm"], {}
    for config in settings:
        if (source := source_of(config)) not in sources:
            sources[source] = prepare(config, family)
        elif family.check is not None:
            family.check(config, sources[source].dataset)
    return sources


def axes_of(arguments: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Options with several values, by field name, and the arguments without them."""
    axes: dict[str, list[str]] = {}
    rest: list[str] = []
    place = 0
    while place < len(arguments):
        end = place + 1
        while end < len(arguments) and not arguments[end].startswith("--"):
            end += 1
        if end - place > 2 and arguments[place].startswith("--"):
            axes[arguments[place][2:].replace("-", "_")] = arguments[place + 1 : end]
        else:
            rest += arguments[place:end]
        place = end
    return axes, rest


def typed(name: str, value: str) -> Any:
    """One value of an axis as the option takes it."""
    option = f"--{name.replace('_', '-')}"
    return getattr(parse(GridRun, [option, value], "genjax grid rbm"), name)


def check_grid(config: GridRun) -> None:
    """Refuse what a grid cannot vary or pad."""
    check(config)
    if config.seeds < 1:
        raise UserError(f"--seeds {config.seeds} is not positive; give the number of runs of each setting.")
    if config.seed + config.seeds - 1 > random.LARGEST_SEED:
        raise UserError(f"--seed {config.seed} with --seeds {config.seeds} goes beyond {random.LARGEST_SEED}.")
    if config.hidden_type != "bernoulli" or config.negative not in ("pcd", "cd") or config.classes:
        raise UserError("genjax grid takes binary hidden units, --negative pcd or cd, and no --classes.")


def program_of(config: GridRun) -> GridRun:
    """The config without what one program holds side by side: equal for runs that train together.

    Machines of several sizes share a program where noise is indexed by its unit, so that padding leaves it as it is.
    """
    same: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(ContrastiveConfig) if f.metadata.get("rate")}
    same |= {name: getattr(GridRun(), name) for name in ("epochs", "seed", "seeds", "evaluate", "out", "json")}
    same |= {name: getattr(GridRun(), name) for name in ("temperatures", "ais_chains", "precision")}
    return dataclasses.replace(config, **same, hidden=1 if config.rng == "counter" else config.hidden)


def train(configs: Sequence[GridRun], sources: Sources) -> list[Outcome]:
    """All runs, in as few programs as their options allow; in the order of `configs`."""
    found: dict[int, Outcome] = {}
    groups: dict[GridRun, list[int]] = {}
    for index, config in enumerate(configs):
        groups.setdefault(program_of(config), []).append(index)
    total = sum(c.epochs for c in configs)
    with Bar("training", total) as bar:
        done = 0
        for members in groups.values():
            source = sources[source_of(configs[members[0]])]
            largest = max(configs[i].hidden for i in members)
            pixels, batch = source.dataset.train.shape[1], source.plan.batch_size
            chains = max(configs[members[0]].chains, batch)
            shown = (batch + 1000) * pixels  # those of a step, and those observed
            bytes_of_one = 4 * (4 * pixels * largest + chains * (pixels + largest) + shown)
            for indices in grid.split(members, bytes_of_one):
                for index, outcome in zip(indices, train_together([configs[i] for i in indices], source)):
                    found[index] = outcome
                done += sum(configs[i].epochs for i in indices)
                bar.update(done, f"{len(found)} of {len(configs)} runs")
    return [found[i] for i in range(len(configs))]


def train_together(configs: Sequence[GridRun], source: Prepared) -> list[Outcome]:
    """One program: runs padded to the largest machine and trained to the longest length, each kept when it is done.

    Where the rate is constant and nothing is averaged, runs that differ in length alone are one run and its snapshots.
    """
    plan, data = source.plan._replace(chunk=min(source.plan.chunk, source.plan.steps_per_epoch)), source.training
    longest = max(c.epochs for c in configs)
    same = configs[0].schedule == "constant" and configs[0].average == 0
    distinct = list(dict.fromkeys(dataclasses.replace(c, epochs=longest) if same else c for c in configs))
    row = {c: distinct.index(dataclasses.replace(c, epochs=longest) if same else c) for c in configs}
    steps = {c: c.epochs * plan.steps_per_epoch for c in [*configs, *distinct]}
    curves: list[list[tuple[float, float]]] = [[] for _ in distinct]
    broken: dict[int, str] = {}
    kept: dict[GridRun, Outcome] = {}

    def watch(chunk: grid.GridChunk) -> None:
        metric = chunk.metrics.get("held_out_pseudo_likelihood", chunk.metrics.get("pseudo_likelihood"))
        for index, curve in enumerate(curves):
            if index not in broken and (said := grid.diverged(chunk, index)) is not None:
                broken[index] = said
            if metric is not None and index not in broken:
                curve.append((chunk.epoch, float(metric[index])))
        for config in configs:
            if config not in kept and chunk.step >= steps[config]:
                machine = sliced(trained_machine(grid.run_of(chunk.states, row[config])), config.hidden)
                curve, said = list(curves[row[config]]), broken.get(row[config])
                kept[config] = Outcome(config, jax.tree.map(np.asarray, machine), curve, said)

    keys = grid.stacked([random.key(c.seed, c.rng) for c in distinct])
    widest = max(c.hidden for c in configs)
    states, algorithm = beginnings(keys, distinct, widest, source, steps)
    grid.train(keys, algorithm, data, plan, states, max(steps.values()), [watch], sorted(steps.values()))
    return [kept[c] for c in configs]


def beginnings(
    keys: Any, configs: Sequence[GridRun], widest: int, source: Prepared, steps: dict[GridRun, int]
) -> tuple[Any, Any]:
    """The runs' states before their first steps, each drawn at its own size, then padded; and the padded algorithm."""
    found: dict[int, Any] = {}
    for hidden in dict.fromkeys(c.hidden for c in configs):
        rows = [index for index, c in enumerate(configs) if c.hidden == hidden]
        algorithm = contrastive(split(part(configs[rows[0]], ContrastiveConfig), 1)[0])
        hypers = [split(part(configs[row], ContrastiveConfig), steps[configs[row]])[1] for row in rows]
        states = grid.initial(keys[np.asarray(rows)], algorithm, source.training, source.plan, hypers)
        states = jax.jit(jax.vmap(lambda state: padded(state, widest)))(states)
        found |= {row: grid.run_of(states, number) for number, row in enumerate(rows)}
    one = dataclasses.replace(configs[0], hidden=widest)
    return grid.stacked([found[row] for row in range(len(configs))]), contrastive(
        split(part(one, ContrastiveConfig), 1)[0]
    )


def judge(outcomes: Sequence[Outcome], sources: Sources) -> list[dict[str, Any]]:
    """Each run's settings, and its scores on the test images of its own data, nats an image."""
    rows = []
    with Bar("evaluating", len(outcomes)) as bar:
        for number, outcome in enumerate(outcomes):
            config = outcome.config
            row = {name: value for name, value in saved_fields(config).items() if name not in UNUSED}
            row |= {"diverged": outcome.diverged is not None}
            if outcome.diverged is not None:
                row |= {"reason": outcome.diverged, "pseudo_log_likelihood": None}
                row |= {"log_likelihood": None, "trusted": None} if config.evaluate else {}
            else:
                row |= scores(outcome, sources[source_of(config)].dataset)
            rows.append(row)
            bar.update(number + 1, "")
    return rows


def scores(outcome: Outcome, dataset: datasets.Dataset) -> dict[str, Any]:
    """Pseudo-log-likelihood of the first 1,000 test images, and, where asked for, the log-likelihood of all."""
    config, machine = outcome.config, jax.tree.map(jnp.asarray, outcome.machine)
    unit, how, row = machine.units[0], config.binarisation, {}
    test = (unit.of_intensities(jnp.asarray(datasets.binarise_fixed(dataset.test, how, FIXED_DRAW))), None)
    if unit.states == 2:
        row["pseudo_log_likelihood"] = float(_pseudo(machine, (test[0][:1000], None)))
    if config.evaluate:
        train = datasets.binarise_fixed(dataset.train[:10_000], how, FIXED_DRAW + 1)
        base = uncoupled(machine, unit.of_intensities(jnp.asarray(train)))
        log_z, densities = estimated_log_z(machine, base, config), log_densities(machine, test)
        told_apart = distinct(machine, test)
        log_z = refute(log_z, densities[told_apart]) if len(told_apart) else log_z
        row |= {"log_likelihood": float(densities.mean() - log_z.mean), "trusted": log_z.trusted}
    return row


def estimated_log_z(machine: Machine, base: Machine, config: GridRun) -> LogZ:
    """By AIS, with the effort that the config asks for."""
    key = random.key(config.seed, config.rng)
    if config.precision is None:
        return ais.log_z(key, machine, base, config.temperatures, config.ais_chains)
    run, note = to_precision(key, (base, machine), config.precision, pilot(key, (base, machine)))
    log_z = ais.forward_log_z(run)
    return log_z._replace(reason=log_z.reason + note)


@jax.jit
def _pseudo(machine: Machine, data: Any) -> jax.Array:
    return pseudo_log_likelihood(machine, data).mean()


def summarise(rows: list[dict[str, Any]], axes: list[str]) -> list[dict[str, Any]]:
    """A line a setting: mean over seeds of each score with its 95 % interval (Student's t).

    Every line says on which data and under which binarisation: scores of two of them do not compare.
    """
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in axes), []).append(row)
    table = []
    for setting, members in groups.items():
        line: dict[str, Any] = {"dataset": members[0]["dataset"], "binarisation": members[0]["binarisation"]}
        line |= dict(zip(axes, setting)) | {"seeds": len(members)}
        line["diverged"] = sum(row["diverged"] for row in members)
        line["not_trusted"] = sum(row.get("trusted") is False for row in members)
        for score in ("log_likelihood", "pseudo_log_likelihood"):
            values = np.array([row[score] for row in members if row.get(score) is not None])
            if len(values):
                error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else None
                half = None if error is None else t.ppf(0.975, len(values) - 1) * error
                line[score] = {"mean": float(values.mean()), "half_interval": None if half is None else float(half)}
        table.append(line)
    return table


def tables_of(table: list[dict[str, Any]], axes: list[str]) -> list[str]:
    """The settings as text: a table for each dataset and binarisation."""
    kinds = dict.fromkeys((line["dataset"], line["binarisation"]) for line in table)
    lines = []
    for dataset, how in kinds:
        same = [line for line in table if (line["dataset"], line["binarisation"]) == (dataset, how)]
        lines += [f"{dataset}, binarisation {how}:"] if len(kinds) > 1 else []
        lines += lines_of(same, [name for name in axes if len(kinds) == 1 or name not in ("dataset", "binarisation")])
    return lines


def lines_of(table: list[dict[str, Any]], axes: list[str]) -> list[str]:
    """One table as text."""
    scores = [s for s in ("log_likelihood", "pseudo_log_likelihood") if any(s in line for line in table)]
    lines = ["".join(f"{name:>16}" for name in axes) + "".join(f"{s + ' (test)':>32}" for s in scores) + "  seeds"]
    for line in table:
        cells = "".join(f"{line[name]!s:>16}" for name in axes)
        for score in scores:
            cells += f"{text_of(line.get(score)):>32}"
        notes = f", {line['diverged']} diverged" if line["diverged"] else ""
        notes += f", {line['not_trusted']} NOT TO BE TRUSTED" if line["not_trusted"] else ""
        lines.append(f"{cells}  {line['seeds']}{notes}")
    return lines


def text_of(score: dict[str, Any] | None) -> str:
    """A mean with its interval."""
    if score is None:
        return "diverged"
    half = "" if score["half_interval"] is None else f" +- {score['half_interval']:.2f}"
    return f"{score['mean']:.2f}{half}"


def save_machines(path: Path, outcomes: Sequence[Outcome]) -> None:
    """All machines as plain arrays, `weights_<row>` and so on, rows as in results.jsonl."""
    arrays: dict[str, np.ndarray] = {}
    for row, machine in enumerate(outcome.machine for outcome in outcomes):
        arrays |= {
            f"weights_{row}": machine.weights[0],
            f"visible_{row}": machine.biases[0],
            f"hidden_{row}": machine.biases[1],
        }
    np.savez(path, **arrays)  # type: ignore[arg-type]


def draw(folder: Path, outcomes: Sequence[Outcome], axes: list[str], sources: Sources) -> list[Path]:
    """Curves with bands over seeds, and what the first seed of every setting makes of damaged test images; apart for
    every dataset and binarisation."""
    kinds = dict.fromkeys((o.config.dataset, o.config.binarisation) for o in outcomes)
    written = []
    for number, kind in enumerate(kinds):
        same = [o for o in outcomes if (o.config.dataset, o.config.binarisation) == kind]
        of_setting: dict[str, list[Outcome]] = {}
        for outcome in same:
            label = ", ".join(f"{name} {getattr(outcome.config, name)}" for name in axes) or "all"
            of_setting.setdefault(label, []).append(outcome)
        end = "" if len(kinds) == 1 else f"-{number + 1}"
        title = folder.name if len(kinds) == 1 else f"{folder.name}, {Path(kind[0]).name}, binarisation {kind[1]}"
        curves = {label: [o.curve for o in members] for label, members in of_setting.items()}
        label = "pseudo-log-likelihood of held-out images, one-pixel estimate (nats)"
        figure = grids.bands(curves, label, f"{title}: mean and range over seeds")
        written.append(save(figure, folder / "figures" / f"curves{end}.png"))
        first = same[0].config
        dataset = sources[source_of(first)].dataset
        height, width, channels = dataset.shape
        truth = datasets.binarise_fixed(dataset.test[:8], first.binarisation, FIXED_DRAW)
        removed = np.zeros((len(truth), height, width, channels), bool)
        removed[:, height // 2 :] = True
        removed = removed.reshape(len(truth), -1)
        rows = {"original": truth, "damaged": np.where(removed, np.nan, truth)}
        for label, members in of_setting.items():
            if members[0].diverged is None:
                rows[label] = filled(members[0], truth, removed)
        figure = grids.rows_of_images(rows, dataset.shape, f"{title}: lower halves filled in, first seed")
        written.append(save(figure, folder / "figures" / f"reconstructions{end}.png"))
    return written


def filled(outcome: Outcome, truth: np.ndarray, removed: np.ndarray) -> np.ndarray:
    """Expected removed pixels of one run's machine."""
    machine = jax.tree.map(jnp.asarray, outcome.machine)
    unit = machine.units[0]
    hole = jnp.repeat(jnp.asarray(removed), unit.width, axis=-1)
    key = random.key(outcome.config.seed, outcome.config.rng)
    expected = unit.intensities(inpaint(key, machine, unit.of_intensities(jnp.asarray(truth)), hole, 300, 100))
    return np.where(removed, np.asarray(expected), truth)
