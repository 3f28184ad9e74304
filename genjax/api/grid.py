"""`grid`: settings times seeds, trained side by side in as few programs as their options allow."""

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from genjax import random
from genjax.api import folder as on_disk
from genjax.api.compilation import compiling, keep_compiled_programs
from genjax.api.fit import interruption, settled, source_of
from genjax.api.grid_folder import Keeper, opened, was_halved
from genjax.api.grid_training import Member, refuse_all_failed, together, whole_or_halves
from genjax.api.prepared import Prepared, Splits, describe, prepare, stages_of, with_length
from genjax.api.progress import Bar
from genjax.api.run import Run
from genjax.data import Dataset
from genjax.data.record import Record
from genjax.errors import UserError
from genjax.training import grid as side_by_side
from genjax.training import loop
from genjax.training.config import static_part
from genjax.training.mesh import Devices, counted, mesh_of
from genjax.training.options import replaced
from genjax.training.sets import on_device
from genjax.training.settings import OF_SINGLE_RUNS, RunConfig

OF_A_RUN = ("epochs", "steps", "batch_size", "binarisation", "data_dir", "size", "rng", "checkpoint_seconds")


def grid(
    model: Any,
    data: Any,
    *,
    seeds: int | Sequence[int] = 8,
    common_batches: bool = False,
    validation: Any = True,
    out: str | os.PathLike | None = None,
    devices: Devices = None,
    progress: bool = True,
    **options: Any,
) -> list[Run]:
    """Train every setting with every seed; the runs, settings in the order of their axes, seeds within a setting.

    `options` are the model's and those of `fit` (`epochs`, `steps`, `batch_size`, `binarisation`). A list or array is
    an axis, a tuple a value: `learning_rate=[0.01, 0.06], layers=[(64, 32), (128, 64)]`; `data` is an axis too, the
    first one, where it is a list of names or Datasets. `seeds=8` is 0 to 7, a sequence those. Each run is the one that
    `fit` makes of its seed: its own batches, binarisation and noise; with `common_batches` all share order and
    binarisation, which is faster, but intervals over seeds say less. With `out`, a folder, an interrupted call with the
    same one goes on where it was (Ctrl-C ends at the end of a chunk). The runs are split over all of this machine's
    devices unless `devices` gives a number; more than there are runs split their batches too. A run that diverges,
    or fails, leaves the others alone, and its `diverged` says so. Raises `UserError` before any work.
    """
    counted(devices)
    members = members_of(model, data, seeds, validation, options)
    if out is None:
        return train_members(members, common_batches, progress, devices)
    on_disk.refuse_place(os.fspath(out))
    with interruption() as noted, opened(Path(out), members, common_batches):
        return train_members(members, common_batches, progress, devices, Path(out), noted.is_set)


def members_of(model: Any, data: Any, seeds: Any, validation: Any, options: dict[str, Any]) -> list[Member]:
    """All runs, checked. Raises `UserError` where an option is unknown or a setting does not go with its data."""
    numbers = _seeds(seeds)
    if "seed" in options:
        raise UserError(f"`seed` {options['seed']}: a grid takes `seeds`, how many or which.")
    axes: dict[str, list[Any]] = {"data": data if _is_axis(data) else [data]}
    axes |= {name: _values(name, value) for name, value in options.items()}
    axes["validation"] = _values("validation", validation) if isinstance(validation, list) else [validation]
    members, sources, base = [], Sources(), model() if isinstance(model, type) else model
    for chosen in itertools.product(*axes.values()):
        setting = dict(zip(axes, chosen))
        source, splits = setting.pop("data"), Splits(setting.pop("validation"), setting.pop("test", None))
        of_run = {name: setting.pop(name) for name in OF_A_RUN if name in setting}
        config, run = settled(replaced(base, setting), source, of_run, splits)
        prepared, record = sources.prepared(config, run, source, splits)
        run = with_length(run, prepared.plan)
        for seed in numbers:
            own = dataclasses.replace(run, seed=seed)
            members.append(Member(config, own, prepared, record, stages_of(config, own, prepared)))
    return members


def members_of_line(
    base: Any, run: RunConfig, seeds: int, values: dict[str, list[Any]], of_estimates: Sequence[str] = ()
) -> list[Member]:
    """The runs of a grid around a run's options: `seeds` of each setting, counted from its seed, and several `values`
    of some options. Raises `UserError` for seeds that are none, for options that a grid does not have or, those of the
    estimate, does not vary, and where a setting does not go with its data."""
    if seeds < 1:
        raise UserError(f"`seeds` {seeds} is not positive; give the number of runs of each setting.")
    random.refuse_seed(run.seed)
    if run.seed + seeds - 1 > random.LARGEST_SEED:
        raise UserError(f"`seed` {run.seed} with `seeds` {seeds} goes beyond {random.LARGEST_SEED}.")
    for name in OF_SINGLE_RUNS:
        if getattr(run, name) != getattr(RunConfig(), name):
            raise UserError(f"`{name}` {getattr(run, name)} is of single runs; leave it out.")
    for name in sorted({*values} & {*of_estimates}):
        raise UserError(f"`{name}` is of the estimate, which is the same for all runs of a grid; give one value.")
    of_run = {name: value for name in OF_A_RUN if (value := getattr(run, name)) is not None}
    of_run.pop("epochs" if "steps" in values or run.steps is not None else "steps", None)
    data, validation = values.get("dataset", [run.dataset]), values.get("validation", run.validation)
    of_run |= {} if run.test is None else {"test": run.test}
    own = {name: value for name, value in values.items() if name not in ("dataset", "validation")}
    rest = {name: value for name, value in of_run.items() if name not in own}
    numbers = range(run.seed, run.seed + seeds)
    return members_of(base, data, numbers, validation, own | rest)


class Sources:
    """The data of all settings: read once, and one array on the device for settings that are shown the same."""

    def __init__(self) -> None:
        self.read: dict[Any, Any] = {}
        self.records: dict[Any, Record] = {}
        self.training: dict[Any, loop.TrainingSet] = {}

    def prepared(self, config: Any, run: RunConfig, data: Any, splits: Splits) -> tuple[Prepared, Record]:
        """A setting's data and their record. Raises `UserError` where the two do not go together."""
        own = repr(run.validation), repr(run.test), id(data) if run.dataset is None else None
        source = run.dataset, run.data_dir, run.size, *own
        if source not in self.read:
            self.read[source] = source_of(run, config.model, data, splits)
        prepared = prepare(config, run, self.read[source])
        if source not in self.records:
            self.records[source] = describe(prepared, config.model)
        shared = source, run.binarisation
        if shared not in self.training:
            self.training[shared] = on_device(prepared.training)  # each run draws batches of its own
        training = self.training[shared]
        record = dataclasses.replace(self.records[source], settled=prepared.settled)
        return prepared._replace(training=training), record


def _seeds(seeds: int | Sequence[int]) -> list[int]:
    numbers = list(range(seeds)) if isinstance(seeds, int) else [int(seed) for seed in seeds]
    if not numbers:
        raise UserError(f"`seeds` {seeds} are none; give the number of runs of each setting, or the seeds.")
    for number in numbers:
        random.key(number)  # refuses seeds out of range
    return numbers


def _is_axis(data: Any) -> bool:
    """Whether data are several sets: a list of names or Datasets."""
    return isinstance(data, list) and bool(data) and all(isinstance(one, str | os.PathLike | Dataset) for one in data)


def _values(name: str, value: Any) -> list[Any]:
    """The values of an axis; of anything else but a list or an array the only one."""
    if isinstance(value, np.ndarray | jax.Array) and np.ndim(value) == 1:
        value = np.asarray(value).tolist()
    if isinstance(value, list) and not value:
        raise UserError(f"`{name}` is an empty axis; give values.")
    return value if isinstance(value, list) else [value]


def train_members(
    members: Sequence[Member],
    common_batches: bool = False,
    progress: bool = True,
    devices: Devices = None,
    folder: Path | None = None,
    ending: Callable[[], bool] = lambda: False,
) -> list[Run]:
    """All runs, in as few programs as their options allow, in the order of `members`, on so many devices (`grid`).

    In a `folder` they go on from what is there. Raises `KeyboardInterrupt` after the chunk at which `ending` says so.
    """
    keep_compiled_programs()
    entries: list[list[dict[str, Any]]] = [[] for _ in members]
    ended: dict[int, tuple[Any, str | None]] = {}
    total = sum(stage.steps for member in members for stage in member.stages)
    batches = random.key(members[0].run.seed, members[0].run.rng) if common_batches else None
    with Bar("training", total, note=compiling(devices, "all")) if progress else contextlib.nullcontext() as bar:
        done = 0
        for group in groups_of(members):
            for indices in side_by_side.split(group, bytes_of(members[group[-1]])):

                def shown(steps: int, runs: int, before: int = done, earlier: int = len(ended)) -> None:
                    if bar is not None:
                        bar.update(before + steps, f"{earlier + runs} of {len(members)} runs")

                def train(rows: Sequence[int], shown: Callable[[int, int], None] = shown) -> list[Any]:
                    some = [members[i] for i in rows]
                    keeper = None if folder is None else Keeper(folder, rows, ending, some[0].run.checkpoint_seconds)
                    mesh = mesh_of(devices, min(counted(None, "all"), len(some)), len(some))
                    return together(some, [entries[i] for i in rows], batches, shown, mesh, keeper)

                halved = (lambda rows: False) if folder is None else partial(was_halved, folder)
                ended |= zip(indices, whole_or_halves(train, indices, halved))
                done += sum(stage.steps for i in indices for stage in members[i].stages)
    refuse_all_failed(ended)
    shared = {"common_batches": True} if common_batches else {}
    return [
        Run(
            member.config,
            member.run,
            member.record,
            ended[i][0],
            member.stages[-1].steps,
            loaded=member.prepared,
            entries=entries[i],
            decided=on_disk.decided(member.prepared.plan) | shared,
            licence=getattr(member.prepared.dataset, "licence", "see source"),
            diverged=ended[i][1],
        )
        for i, member in enumerate(members)
    ]


def groups_of(members: Sequence[Member]) -> Iterator[list[int]]:
    """Indices of members that one program holds side by side, sizes that can be padded rising."""
    groups: dict[Any, list[int]] = {}
    for index, member in enumerate(members):
        groups.setdefault(program_of(member), []).append(index)
    for group in groups.values():
        yield sorted(group, key=lambda i: getattr(members[i].config, "hidden", 0))


def program_of(member: Member) -> Any:
    """What has to be equal for runs to share a program.

    Machines of several sizes share one where their model can be padded and noise is indexed by its unit.
    """
    config = static_part(member.config)
    padding = member.config.model.padding
    if padding is not None and padding.possible(config) and member.run.rng == "counter":
        config = dataclasses.replace(config, hidden=1)
    lengths = tuple(stage.steps for stage in member.stages[:-1])
    return config, member.prepared.plan, id(member.prepared.training.x), member.run.rng, lengths


def bytes_of(member: Member) -> int:
    """What one run's state and a step's examples take."""
    shapes = jax.eval_shape(
        lambda: member.stages[-1].algorithm.init(
            jax.random.key(0), loop.example(member.prepared.training, member.prepared.plan), member.stages[-1].hyper
        )
    )
    state = sum(int(np.prod(leaf.shape)) * 4 for leaf in jax.tree.leaves(shapes))
    values = member.prepared.training.x.shape[1]
    return state + 4 * (member.prepared.plan.batch_size + 1000) * values
