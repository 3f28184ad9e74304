"""`grid`: settings times seeds, trained side by side in as few programs as their options allow."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax import random
from genjax.algorithms.negative import CD, PCD
from genjax.api import folder as on_disk
from genjax.api.compare import interval_of, last, settings_of, shared_scores
from genjax.api.compilation import keep_compiled_programs
from genjax.api.fit import settled
from genjax.api.prepared import Prepared, as_dataset, describe, prepare, read, stages_of, with_length
from genjax.api.progress import Bar
from genjax.api.run import Run
from genjax.boltzmann.machine import Machine
from genjax.boltzmann.units import BERNOULLI
from genjax.errors import UserError
from genjax.evaluation.likelihood import pseudo, report
from genjax.training import grid as side_by_side
from genjax.training import loop
from genjax.training.config import static_part
from genjax.training.optimisers import Direction
from genjax.training.options import replaced
from genjax.training.settings import RunConfig
from genjax.training.stages import LAST, key_of
from genjax.typing import Batch, Stage

NOT_OF_A_GRID = ("stop_gap", "checkpoint_seconds", "log_every")
OF_A_RUN = ("epochs", "steps", "batch_size", "binarisation")


class Member(NamedTuple):
    """One run of a grid, before it is trained."""

    config: Any
    run: RunConfig
    prepared: Prepared
    stages: tuple[Stage, ...]


def grid(
    model: Any,
    data: Any,
    *,
    seeds: int | Sequence[int] = 8,
    common_batches: bool = False,
    validation: Any = True,
    progress: bool = True,
    **options: Any,
) -> list[Run]:
    """Train every setting with every seed; the runs, settings in the order of their axes, seeds within a setting.

    `options` are the model's and those of `fit` (`epochs`, `steps`, `batch_size`, `binarisation`). A list or array is
    an axis, a tuple a value: `learning_rate=[0.01, 0.06], layers=[(64, 32), (128, 64)]`. `seeds=8` is 0 to 7, a sequence
    those. Each run is the one that `fit` makes of its seed: its own batches, binarisation and noise; with
    `common_batches` all seeds share order and binarisation, which is faster, but intervals over them say less. A run
    that diverges leaves the others alone, and its `diverged` says so. Raises `UserError` before any work.
    """
    keep_compiled_programs()
    members = members_of(model, data, seeds, validation, options)
    entries: list[list[dict[str, Any]]] = [[] for _ in members]
    diverged: list[str | None] = [None] * len(members)
    states: list[Any] = [None] * len(members)
    total = sum(stage.steps for member in members for stage in member.stages)
    with Bar("training", total) if progress else _quiet() as bar:
        done = 0
        for group in groups_of(members):
            for indices in side_by_side.split(group, bytes_of(members[group[-1]])):
                some = [members[i] for i in indices]
                made = together(some, common_batches, [entries[i] for i in indices])
                for i, (state, said) in zip(indices, made):
                    states[i], diverged[i] = state, said
                done += sum(stage.steps for member in some for stage in member.stages)
                bar.update(done, f"{sum(s is not None for s in states)} of {len(members)} runs")
    return [
        Run(
            member.config,
            member.run,
            describe(member.prepared, member.config.model),
            states[i],
            member.stages[-1].steps,
            loaded=member.prepared,
            entries=entries[i],
            decided=on_disk.decided(member.prepared.plan),
            licence=getattr(member.prepared.dataset, "licence", "see source"),
            diverged=diverged[i],
        )
        for i, member in enumerate(members)
    ]


def members_of(model: Any, data: Any, seeds: Any, validation: Any, options: dict[str, Any]) -> list[Member]:
    """All runs, checked. Raises `UserError` where an option is unknown or a setting goes with no data."""
    numbers = list(range(seeds)) if isinstance(seeds, int) else [int(seed) for seed in seeds]
    if not numbers:
        raise UserError(f"`seeds` {seeds} are none; give the number of runs of each setting, or the seeds.")
    if "seed" in options:
        raise UserError(f"`seed` {options['seed']}: a grid takes `seeds`, how many or which.")
    axes = {name: _values(name, value) for name, value in options.items()}
    members, sources = [], {}
    base = model() if isinstance(model, type) else model
    for chosen in itertools.product(*axes.values()):
        setting = dict(zip(axes, chosen))
        of_run = {name: value for name, value in setting.items() if name in OF_A_RUN}
        config = replaced(base, {name: value for name, value in setting.items() if name not in OF_A_RUN})
        config, run = settled(config, data, of_run, validation)
        source = (run.dataset, run.data_dir, run.size, repr(run.validation))
        if source not in sources:
            sources[source] = read(run, config.model) if run.dataset is not None else as_dataset(data, validation)
        prepared = prepare(config, run, sources[source])
        run = with_length(run, prepared.plan)
        for seed in numbers:
            random.key(seed)  # refuses seeds out of range
            own = dataclasses.replace(run, seed=seed)
            members.append(Member(config, own, prepared, stages_of(config, own, prepared)))
    return members


def _values(name: str, value: Any) -> list[Any]:
    """The values of an axis; of anything else but a list or an array the only one."""
    if isinstance(value, np.ndarray | jax.Array) and np.ndim(value) == 1:
        value = np.asarray(value).tolist()
    if isinstance(value, list) and not value:
        raise UserError(f"`{name}` is an empty axis; give values.")
    return value if isinstance(value, list) else [value]


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
    if member.config.model.padding is not None and paddable(config) and member.run.rng == "counter":
        config = dataclasses.replace(config, hidden=1)
    lengths = tuple(stage.steps for stage in member.stages[:-1])
    return config, member.prepared.plan, id(member.prepared.dataset), member.run.rng, lengths


def paddable(config: Any) -> bool:
    """Whether hidden units may be added that are never on: binary ones, whose chains are plain arrays."""
    plain = isinstance(config.negative, PCD | CD)
    return config.hidden_type == BERNOULLI and plain and not config.classes and isinstance(config.optimiser, Direction)


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


def together(
    members: Sequence[Member], common_batches: bool, entries: Sequence[list[dict[str, Any]]]
) -> list[tuple[Any, str | None]]:
    """Train runs in one program, stage by stage; each one's last state, and how it diverged if it did.

    Runs are padded to the largest machine and trained to the longest length, each kept when it is done.
    """
    first = members[0]
    plan, data = first.prepared.plan, first.prepared.training
    plan = (
        plan._replace(chunk=min(plan.chunk, plan.steps_per_epoch)) if len({m.run.epochs for m in members}) > 1 else plan
    )
    keys = side_by_side.stacked([random.key(m.run.seed, m.run.rng) for m in members])
    pad, unpad = first.config.model.padding or (None, None)
    sizes = [getattr(m.config, "hidden", 0) for m in members]
    padded = len(set(sizes)) > 1
    said: dict[int, str] = {}
    states: Any = None
    kept: dict[int, Any] = {}
    before = 0
    for number, stage in enumerate(first.stages):
        stages = [member.stages[number] for member in members]
        own = jax.vmap(lambda key, stage=stage: key_of(key, stage))(keys)
        if padded and pad is not None:
            states, algorithm = beginnings(own, members, stages, max(sizes), pad)
        else:
            states, algorithm = begin(own, stages, data, plan, states), stage.algorithm
        ends = [one.steps for one in stages]

        def watch(
            chunk: side_by_side.GridChunk, stage: Stage = stage, ends: list[int] = ends, before: int = before
        ) -> None:
            for i in range(len(members)):
                done = ends[i] <= chunk.step - len(next(iter(chunk.steps.values()))[i])
                if done or i in said:
                    continue
                if (why := side_by_side.diverged(chunk, i)) is not None:
                    said[i] = why
                    continue
                entry = {"step": before + chunk.step, "epoch": (before + chunk.step) / plan.steps_per_epoch}
                entry |= {} if stage.name == LAST else {"stage": stage.name}
                entries[i].append(entry | {name: float(values[i]) for name, values in chunk.metrics.items()})
                if stage.name == LAST and chunk.step == ends[i]:
                    kept[i] = jax.tree.map(np.asarray, side_by_side.run_of(chunk.states, i))

        batches = own[0] if common_batches else None
        states = side_by_side.train(own, algorithm, data, plan, states, max(ends), [watch], sorted(ends), batches)
        before += stage.steps
    made = []
    for i in range(len(members)):
        state = kept.get(i, jax.tree.map(np.asarray, side_by_side.run_of(states, i)))
        state = jax.tree.map(jnp.asarray, state)
        made.append((unpad(state, sizes[i]) if padded and unpad is not None else state, said.get(i)))
    return made


def begin(keys: Any, stages: Sequence[Stage], data: loop.TrainingSet, plan: loop.Plan, before: Any) -> Any:
    """The states of all runs before the first step of a stage."""
    handover, hypers = stages[0].handover, [stage.hyper for stage in stages]
    if handover is None or before is None:
        return side_by_side.initial(keys, stages[0].algorithm, data, plan, hypers)
    loop.check(stages[0].algorithm, data, plan)
    inits = jax.vmap(lambda key: random.subkey(key, "init"))(keys)
    example = loop.example(data, plan)
    first: Callable[..., Any] = jax.jit(jax.vmap(handover, (0, 0, None, 0)))
    return first(inits, before, example, side_by_side.stacked(hypers))


def beginnings(
    keys: Any, members: Sequence[Member], stages: Sequence[Stage], widest: int, pad: Callable[..., Any]
) -> tuple[Any, Any]:
    """The runs' states before their first steps, each drawn at its own size, then padded; and the padded algorithm."""
    states: dict[int, Any] = {}
    sizes = [member.config.hidden for member in members]
    data, plan = members[0].prepared.training, members[0].prepared.plan
    for hidden in dict.fromkeys(sizes):
        rows = [index for index, size in enumerate(sizes) if size == hidden]
        some = side_by_side.initial(
            keys[np.asarray(rows)], stages[rows[0]].algorithm, data, plan, [stages[row].hyper for row in rows]
        )
        some = jax.jit(jax.vmap(lambda state: pad(state, widest)))(some)
        states |= {row: side_by_side.run_of(some, number) for number, row in enumerate(rows)}
    largest = members[int(np.argmax(sizes))]
    return side_by_side.stacked([states[row] for row in range(len(members))]), largest.stages[-1].algorithm


class _quiet:
    """A bar that shows nothing."""

    def __enter__(self) -> "_quiet":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, done: float, note: str = "") -> None:
        """Nothing."""


def compatible(run: Run, effort: dict[str, Any] | None) -> dict[str, Any]:
    """One run as a row of plain numbers: its settings, how it diverged if it did, and, with an `effort`, its scores on
    the test examples of its own data."""
    row = {name: value for name, value in settings_of(run).items() if name not in ("data", *NOT_OF_A_GRID)}
    row |= {"seed": run.settings.seed, "diverged": run.diverged is not None}
    if run.diverged is not None:
        row["reason"] = run.diverged
    if effort is None:
        return row
    if run.model.answer is None:
        score = last(run, shared_scores([run])[0]) if shared_scores([run]) else None
        return row | {"score": score, "trusted": None if run.diverged is None else False}
    row |= {name: effort[name] for name in effort}
    if run.diverged is not None:
        return row | {"log_likelihood": None, "trusted": None, "pseudo_log_likelihood": None}
    test = run.fixed_test()
    found, _ = report(run.answer(run.settings.seed, effort), test, test, run.refute)
    answer = found["log_likelihood"]["test"]
    row |= {"log_likelihood": answer.mean, "trusted": answer.trusted}
    if run.has_chains and (one := pseudo_of(run, test)) is not None:
        row["pseudo_log_likelihood"] = one
    return row


def pseudo_of(run: Run, test: Batch) -> float | None:
    """The exact pseudo-log-likelihood of the first 1,000 test examples; None where the model has none."""
    if not isinstance(run.parameters, Machine):
        return None
    found = pseudo(jax.random.key(0), run.parameters, test)
    return None if found is None else found["exact"].mean


def summarise(rows: Sequence[dict[str, Any]], axes: Sequence[str]) -> list[dict[str, Any]]:
    """A line a setting: mean over seeds of each score with its 95 % interval (Student's t).

    Every line says on which data and under which binarisation: scores of two of them do not compare.
    """
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(repr(row.get(name)) for name in axes), []).append(row)
    table = []
    for members in groups.values():
        line: dict[str, Any] = {"dataset": members[0]["dataset"], "binarisation": members[0]["binarisation"]}
        line |= {name: members[0].get(name) for name in axes} | {"seeds": len(members)}
        line["diverged"] = sum(row["diverged"] for row in members)
        line["not_trusted"] = sum(row.get("trusted") is False for row in members)
        for score in ("log_likelihood", "pseudo_log_likelihood", "score"):
            if any(score in row for row in members):
                line[score] = interval_of([row.get(score) for row in members])
        table.append(line)
    return table
