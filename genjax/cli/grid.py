"""`genjax grid MODEL --learning-rate 0.01 0.06 --hidden 10 20 --seeds 8`: a grid of settings and seeds.

Options with several values span the grid. Rates, hidden sizes and lengths share compiled programs (`training.grid`);
any other option that varies costs a program for each of its values.
"""

import dataclasses
import itertools
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import t

from genjax import data as datasets
from genjax import random
from genjax.algorithms.contrastive import ContrastiveConfig, contrastive, trained_machine
from genjax.algorithms.padding import cut, sliced
from genjax.boltzmann.machine import Machine
from genjax.boltzmann.path import uncoupled
from genjax.cli.boltzmann import RBMRun
from genjax.cli.families import FAMILIES
from genjax.cli.options import parse, say
from genjax.cli.progress import Bar
from genjax.cli.run import FIXED_DRAW, prepare
from genjax.cli.train import check, saved_fields, with_absolute_paths
from genjax.errors import UserError
from genjax.likelihood import ais
from genjax.likelihood.evaluate import log_densities
from genjax.likelihood.pseudo import pseudo_log_likelihood
from genjax.plots import grids
from genjax.plots.images import save
from genjax.sampling.inpainting import inpaint
from genjax.training import folder as run_folder
from genjax.training import grid
from genjax.training.config import part, split

TEMPERATURES, CHAINS = 1000, 100  # of each run's AIS


@dataclasses.dataclass(frozen=True, kw_only=True)
class GridRun(RBMRun):
    """Train a grid of restricted Boltzmann machines: give any option several values."""

    epochs: int | None = 10
    """Passes over the training images."""
    batch_size: int = 10
    """Images a step: as few as in scikit-learn, since the runs of a grid are short."""
    seeds: int = 1
    """Runs of each setting."""
    evaluate: bool = True
    """Estimate each run's log-likelihood at the end (AIS, 1000 temperatures, 100 chains)."""


class Outcome(NamedTuple):
    """One run: what it was, what became of it, its machine, and its curve `(epoch, pseudo-likelihood)`."""

    config: GridRun
    machine: Machine
    curve: list[tuple[float, float]]


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax grid`."""
    model = arguments[0] if arguments else ""
    if model != "rbm" and model not in ("-h", "--help"):
        raise UserError(f"genjax grid {model or '...'}: name a model that has grids: rbm.")
    axes, rest = axes_of(arguments[1:] if model == "rbm" else arguments)
    base = with_absolute_paths(parse(GridRun, rest, "genjax grid rbm"))
    values = {name: [typed(name, value) for value in given] for name, given in axes.items()}
    settings = [
        dataclasses.replace(base, **dict(zip(values, chosen))) for chosen in itertools.product(*values.values())
    ]
    for config in settings:
        check_grid(config)
    configs = [dataclasses.replace(c, seed=c.seed + s) for c in settings for s in range(c.seeds)]
    name = Path(base.dataset).stem or "images"
    folder = run_folder.free_name(Path("runs") / f"grid-rbm-{name}") if base.out is None else Path(base.out)
    prepared = prepare(base, FAMILIES["rbm"])
    run_folder.create(
        folder,
        "grid rbm",
        saved_fields(base),
        {"axes": values},
        prepared.dataset.licence,
    )
    say(f"{folder}: {len(settings)} settings, {len(configs)} runs, {len(prepared.dataset.train)} images")
    began = time.perf_counter()
    outcomes = train(configs, prepared.dataset)
    seconds = time.perf_counter() - began
    rows = judge(outcomes, prepared.dataset, base)
    with open(folder / "results.jsonl", "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    save_machines(folder / "machines.npz", outcomes)
    table = summarise(rows, list(values))
    pictures = draw(folder, outcomes, table, list(values), prepared.dataset)
    result = {"run": str(folder), "runs": len(rows), "training_seconds": round(seconds, 2), "settings": table}
    lines = [f"{folder}: {len(rows)} runs in {seconds:.0f} s", *lines_of(table, list(values))]
    return result | {"figures": [str(p) for p in pictures]}, "\n".join([*lines, f"figures: {folder / 'figures'}"])


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
    if config.resume is not None:
        raise UserError("genjax grid does not resume; start it again.")
    if config.hidden_type != "bernoulli" or config.negative not in ("pcd", "cd") or config.classes:
        raise UserError("genjax grid takes binary hidden units, --negative pcd or cd, and no --classes.")


def program_of(config: GridRun) -> GridRun:
    """The config without what one program holds side by side: equal for runs that train together."""
    rates = {f.name: f.default for f in dataclasses.fields(ContrastiveConfig) if f.metadata.get("rate")}
    return dataclasses.replace(config, **rates, hidden=1, epochs=1, seed=0)


def train(configs: Sequence[GridRun], dataset: datasets.Dataset) -> list[Outcome]:
    """All runs, in as few programs as their options allow; in the order of `configs`."""
    found: dict[int, Outcome] = {}
    groups: dict[GridRun, list[int]] = {}
    for index, config in enumerate(configs):
        groups.setdefault(program_of(config), []).append(index)
    total = sum(c.epochs or 0 for c in configs)
    with Bar("training", total) as bar:
        done = 0
        for members in groups.values():
            largest = max(configs[i].hidden for i in members)
            pixels = dataset.train.shape[1]
            chains = max(configs[members[0]].chains, configs[members[0]].batch_size)
            bytes_of_one = 4 * (4 * pixels * largest + chains * (pixels + largest))
            for indices in grid.split(members, bytes_of_one):
                for index, outcome in zip(indices, train_together([configs[i] for i in indices], dataset)):
                    found[index] = outcome
                done += sum(configs[i].epochs or 0 for i in indices)
                bar.update(done, f"{len(found)} of {len(configs)} runs")
    return [found[i] for i in range(len(configs))]


def train_together(configs: Sequence[GridRun], dataset: datasets.Dataset) -> list[Outcome]:
    """One program: runs padded to the largest machine and trained to the longest length, each kept when it is done.

    Where the rate is constant and nothing is averaged, runs that differ in length alone are one run and its snapshots.
    """
    prepared = prepare(configs[0], FAMILIES["rbm"])
    plan, data = prepared.plan, prepared.training
    widest, longest = max(c.hidden for c in configs), max(c.epochs or 1 for c in configs)
    one = dataclasses.replace(configs[0], hidden=widest)
    static, _ = split(part(one, ContrastiveConfig), 1)
    algorithm = contrastive(static)
    same = configs[0].schedule == "constant" and configs[0].average == 0
    distinct = list(dict.fromkeys(dataclasses.replace(c, epochs=longest) if same else c for c in configs))
    row = {c: distinct.index(dataclasses.replace(c, epochs=longest) if same else c) for c in configs}
    hypers = [split(part(c, ContrastiveConfig), (c.epochs or 1) * plan.steps_per_epoch)[1] for c in distinct]
    key = random.key(min(c.seed for c in configs), configs[0].rng)
    state = grid.initial(key, algorithm, data, plan, hypers, [c.seed for c in distinct])
    sizes = jnp.asarray([c.hidden for c in distinct])
    state = state._replace(runs=jax.jit(jax.vmap(cut))(state.runs, sizes))
    curves: list[list[tuple[float, float]]] = [[] for _ in distinct]
    kept: dict[GridRun, Machine] = {}

    def watch(chunk: grid.GridChunk) -> None:
        metric = chunk.metrics.get("held_out_pseudo_likelihood", chunk.metrics.get("pseudo_likelihood"))
        for index, curve in enumerate(curves):
            if metric is not None:
                curve.append((chunk.epoch, float(metric[index])))
        for config in configs:
            if config not in kept and chunk.step >= (config.epochs or 1) * plan.steps_per_epoch:
                machine = trained_machine(grid.run_of(chunk.states, row[config]))
                kept[config] = jax.tree.map(np.asarray, sliced(machine, config.hidden))

    grid.train(key, algorithm, data, one_epoch_chunks(plan), state, longest * plan.steps_per_epoch, [watch])
    return [Outcome(c, kept[c], [p for p in curves[row[c]] if p[0] <= (c.epochs or 1)]) for c in configs]


def one_epoch_chunks(plan: Any) -> Any:
    """The plan in chunks of at most an epoch, so that every whole epoch can be a run's end."""
    return plan._replace(parts=min(plan.parts, plan.steps_per_epoch // plan.part))


def judge(outcomes: Sequence[Outcome], dataset: datasets.Dataset, base: GridRun) -> list[dict[str, Any]]:
    """Each run's settings and scores on the test images, nats an image."""
    x = datasets.binarise_fixed(dataset.test, base.binarisation, FIXED_DRAW)
    train = datasets.binarise_fixed(dataset.train[:10_000], base.binarisation, FIXED_DRAW + 1)
    rows = []
    with Bar("evaluating", len(outcomes)) as bar:
        for number, (config, machine, _) in enumerate(outcomes):
            machine = jax.tree.map(jnp.asarray, machine)
            unit = machine.units[0]
            data, row = (unit.of_intensities(jnp.asarray(x)), None), {}
            if unit.states == 2:
                row["pseudo_log_likelihood"] = float(_pseudo(machine, (data[0][:1000], None)))
            if config.evaluate:
                start = uncoupled(machine, unit.of_intensities(jnp.asarray(train)))
                log_z = ais.log_z(random.key(config.seed), machine, start, TEMPERATURES, CHAINS)
                row["log_likelihood"] = float(log_densities(machine, data).mean() - log_z.mean)
                row["trusted"] = log_z.trusted
            finite = all(bool(np.all(np.isfinite(leaf))) for leaf in jax.tree.leaves(machine))
            rows.append({**saved_fields(config), **row, "diverged": not finite})
            bar.update(number + 1, "")
    return [{k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()} for row in rows]


@jax.jit
def _pseudo(machine: Machine, data: Any) -> jax.Array:
    return pseudo_log_likelihood(machine, data).mean()


def summarise(rows: list[dict[str, Any]], axes: list[str]) -> list[dict[str, Any]]:
    """A line a setting: mean over seeds of each score with its 95 % interval (Student's t)."""
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in axes), []).append(row)
    table = []
    for setting, members in groups.items():
        line: dict[str, Any] = dict(zip(axes, setting)) | {"seeds": len(members)}
        line["diverged"] = sum(row["diverged"] for row in members)
        for score in ("log_likelihood", "pseudo_log_likelihood"):
            values = np.array([row[score] for row in members if row.get(score) is not None])
            if len(values):
                error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else None
                half = None if error is None else t.ppf(0.975, len(values) - 1) * error
                line[score] = {"mean": float(values.mean()), "half_interval": None if half is None else float(half)}
        table.append(line)
    return table


def lines_of(table: list[dict[str, Any]], axes: list[str]) -> list[str]:
    """The table as text."""
    scores = [s for s in ("log_likelihood", "pseudo_log_likelihood") if any(s in line for line in table)]
    lines = ["".join(f"{name:>16}" for name in axes) + "".join(f"{s + ' (test)':>32}" for s in scores) + "  seeds"]
    for line in table:
        cells = "".join(f"{line[name]!s:>16}" for name in axes)
        for score in scores:
            cells += f"{text_of(line.get(score)):>32}"
        lines.append(f"{cells}  {line['seeds']}" + (f", {line['diverged']} diverged" if line["diverged"] else ""))
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
    for row, (_, machine, _) in enumerate(outcomes):
        arrays |= {
            f"weights_{row}": machine.weights[0],
            f"visible_{row}": machine.biases[0],
            f"hidden_{row}": machine.biases[1],
        }
    np.savez(path, **arrays)  # type: ignore[arg-type]


def draw(
    folder: Path, outcomes: Sequence[Outcome], table: list[dict[str, Any]], axes: list[str], dataset: datasets.Dataset
) -> list[Path]:
    """Curves with bands over seeds, and what the first seed of every setting makes of damaged test images."""
    labels = [", ".join(f"{name} {line[name]}" for name in axes) or "all" for line in table]
    of_setting: dict[str, list[Outcome]] = {label: [] for label in labels}
    for outcome in outcomes:
        of_setting[", ".join(f"{name} {getattr(outcome.config, name)}" for name in axes) or "all"].append(outcome)
    figure = grids.bands(
        {label: [o.curve for o in members] for label, members in of_setting.items()},
        "pseudo-log-likelihood of held-out images, one-pixel estimate (nats)",
        f"{folder.name}: mean and range over seeds",
    )
    written = [save(figure, folder / "figures" / "curves.png")]
    config = outcomes[0].config
    height, width, channels = dataset.shape
    truth = datasets.binarise_fixed(dataset.test[:8], config.binarisation, FIXED_DRAW)
    removed = np.zeros((len(truth), height, width, channels), bool)
    removed[:, height // 2 :] = True
    removed = removed.reshape(len(truth), -1)
    rows = {"original": truth, "damaged": np.where(removed, np.nan, truth)}
    for label, members in of_setting.items():
        rows[label] = filled(members[0], truth, removed)
    title = f"{folder.name}: lower halves filled in, first seed"
    written.append(save(grids.rows_of_images(rows, dataset.shape, title), folder / "figures" / "reconstructions.png"))
    return written


def filled(outcome: Outcome, truth: np.ndarray, removed: np.ndarray) -> np.ndarray:
    """Expected removed pixels of one run's machine."""
    machine = jax.tree.map(jnp.asarray, outcome.machine)
    unit = machine.units[0]
    hole = jnp.repeat(jnp.asarray(removed), unit.width, axis=-1)
    key = random.key(outcome.config.seed)
    expected = unit.intensities(inpaint(key, machine, unit.of_intensities(jnp.asarray(truth)), hole, 300, 100))
    return np.where(removed, np.asarray(expected), truth)
