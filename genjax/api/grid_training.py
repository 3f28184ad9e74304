"""Runs of a grid that are trained together: what each leaves as it learns, and what becomes of one that fails."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from genjax import random
from genjax.api.grid_folder import Keeper
from genjax.api.prepared import Prepared
from genjax.data.record import Record
from genjax.errors import UserError
from genjax.training import grid as side_by_side
from genjax.training import loop
from genjax.training.settings import RunConfig
from genjax.training.stages import LAST, key_of
from genjax.typing import Stage

FAILED = "failed: "  # before what an error said, in place of how a run diverged


class Member(NamedTuple):
    """One run of a grid, before it is trained."""

    config: Any
    run: RunConfig
    prepared: Prepared
    record: Record
    stages: tuple[Stage, ...]


def whole_or_halves(
    train: Callable[[Sequence[int]], list[Any]],
    rows: Sequence[int],
    halved: Callable[[Sequence[int]], bool] = lambda rows: False,
) -> list[tuple[Any, str | None]]:
    """What training runs together gives; where that fails, or once did (`halved`), each half by itself, down to the
    runs that cannot be. Raises `UserError` as `train` does: it concerns all."""
    if not halved(rows):
        try:
            return train(rows)
        except UserError:
            raise
        except Exception as error:
            if len(rows) == 1:
                lines = str(error).splitlines() or [""]
                return [(None, f"{FAILED}{type(error).__name__}: {lines[0]}")]
    half = len(rows) // 2
    return whole_or_halves(train, rows[:half], halved) + whole_or_halves(train, rows[half:], halved)


def refuse_all_failed(ended: dict[int, tuple[Any, str | None]]) -> None:
    """Raise `UserError` with what the first run died of where none could be trained."""
    reasons = [why or "" for _, why in ended.values()]
    if all(why.startswith(FAILED) for why in reasons):
        raise UserError(f"None of the {len(reasons)} runs could be trained; the first one {reasons[0]}.")


class Watch:
    """What is kept of runs that are trained together: entries as they learn, and each one's state at its end."""

    def __init__(
        self, members: Sequence[Member], entries: Sequence[list[dict[str, Any]]], keeper: Keeper | None = None
    ):
        self.members, self.entries, self.keeper = members, entries, keeper
        self.ends = [member.stages[-1].steps for member in members]
        self.kept: dict[int, Any] = {}
        self.diverged: dict[int, str] = {}
        self.done = [0] * len(members)  # steps of all stages

    def of_stage(self, number: int, steps_per_epoch: int) -> Callable[[side_by_side.GridChunk], None]:
        """What is called with each chunk of a stage."""
        stages = [member.stages[number] for member in self.members]
        befores = [sum(stage.steps for stage in member.stages[:number]) for member in self.members]

        def watch(chunk: side_by_side.GridChunk) -> None:
            length = len(next(iter(chunk.steps.values()))[0])
            for i, (stage, before) in enumerate(zip(stages, befores)):
                if stage.steps <= chunk.step - length:
                    continue  # it has ended, and others go on
                self.done[i] = before + chunk.step
                if i in self.diverged:
                    continue
                entry: dict[str, Any] = {"step": before + chunk.step, "epoch": (before + chunk.step) / steps_per_epoch}
                entry |= {} if stage.name == LAST else {"stage": stage.name}
                if (why := side_by_side.diverged(chunk, i)) is not None:
                    self.diverged[i] = why
                    self.write(i, entry | {"diverged": why})
                    continue
                self.entries[i].append(entry | {name: float(values[i]) for name, values in chunk.metrics.items()})
                self.write(i, self.entries[i][-1])
                if stage.name == LAST and chunk.step == stage.steps:
                    self.kept[i] = jax.tree.map(np.asarray, side_by_side.run_of(chunk.states, i))

        return watch

    def write(self, index: int, entry: dict[str, Any]) -> None:
        """A line of a run into the grid's folder, if it has one."""
        if self.keeper is not None:
            self.keeper.write(index, entry)

    def saved(self, states: Any) -> dict[str, Any]:
        """What a checkpoint holds: all states, and beside them, where lengths differ, those of runs that have ended."""
        if len(set(self.ends)) == 1:
            return {"states": states}
        rows = [self.kept.get(i, side_by_side.run_of(states, i)) for i in range(len(self.members))]
        return {"states": states, "kept": side_by_side.stacked(rows)}

    def resumed(self, saved: dict[str, Any], step: int, stage: Stage, before: int) -> Any:
        """The states of a checkpoint after a step of a stage; lines and ended runs as they were then."""
        assert self.keeper is not None
        for i, lines in enumerate(self.keeper.rewound(before + step)):
            self.entries[i][:] = [line for line in lines if "diverged" not in line]
            self.diverged |= {i: why for line in lines if (why := line.get("diverged")) is not None}  # noqa: B035
            over = stage.name == LAST and self.ends[i] <= step
            self.done[i] = before + min(step, self.ends[i] if stage.name == LAST else step)
            if over and i not in self.diverged and "kept" in saved:
                self.kept[i] = jax.tree.map(np.asarray, side_by_side.run_of(saved["kept"], i))
        return saved["states"]

    def save(self, stage: Stage, chunk: side_by_side.GridChunk, last: int) -> None:
        """A checkpoint where one is due, or the grid ends here: then raise `KeyboardInterrupt`."""
        if self.keeper is None:
            return
        ending = self.keeper.ending()
        if ending or self.keeper.pause.due or chunk.step == last:
            self.keeper.save(stage, chunk.step, self.saved(chunk.states))
        if ending:
            raise KeyboardInterrupt

    def progress(self) -> tuple[int, int]:
        """Steps and runs that are done."""
        lengths = (sum(stage.steps for stage in member.stages) for member in self.members)
        return sum(self.done), sum(done == length for done, length in zip(self.done, lengths))


def together(
    members: Sequence[Member],
    entries: Sequence[list[dict[str, Any]]],
    batches: Any = None,
    shown: Callable[[int, int], None] = lambda steps, runs: None,
    mesh: Mesh | None = None,
    keeper: Keeper | None = None,
) -> list[tuple[Any, str | None]]:
    """Train runs in one program, stage by stage; each one's last state, and how it diverged if it did.

    Runs are padded to the largest machine and trained to the longest length, each kept when it is done. `batches` is
    the key by which all draw theirs, None for each its own; `shown` is told how many steps and runs are done. On a
    `mesh` they are split over its devices. With a `keeper` they go on from what it has.
    """
    plan, data = members[0].prepared.plan, members[0].prepared.training
    if len({member.stages[-1].steps for member in members}) > 1:
        plan = plan._replace(chunk=min(plan.chunk, plan.steps_per_epoch))
    keys = side_by_side.stacked([random.key(member.run.seed, member.run.rng) for member in members])
    padding, sizes = members[0].config.model.padding, [getattr(member.config, "hidden", 0) for member in members]
    padding = padding if len(set(sizes)) > 1 else None
    watch, states = Watch(members, entries, keeper), None
    for lines in entries:
        lines.clear()  # of a training in one program with more runs, which failed
    newest = None if keeper is None else keeper.newest(members[0].stages)
    if keeper is not None and newest is None:
        keeper.rewound(-1)
    for number, stage in enumerate(members[0].stages):
        if newest is not None and number < newest:
            continue
        stages = [member.stages[number] for member in members]
        own = jax.vmap(lambda key, stage=stage: key_of(key, stage))(keys)
        shared = None if batches is None else key_of(batches, stage)
        if padding is not None:
            states, algorithm = beginnings(own, members, stages, max(sizes), padding.pad)
        else:
            states, algorithm = begin(own, stages, data, plan, states), stage.algorithm
        ends, first = sorted(one.steps for one in stages), 0
        if keeper is not None and number == newest:
            saved, first = keeper.restore(stage, watch.saved(states))
            states = watch.resumed(saved, first, stage, sum(one.steps for one in members[0].stages[:number]))
        calls = [watch.of_stage(number, plan.steps_per_epoch), lambda chunk: shown(*watch.progress())]
        calls.append(lambda chunk, stage=stage, last=ends[-1]: watch.save(stage, chunk, last))
        states = side_by_side.train(own, algorithm, data, plan, states, ends[-1], calls, ends, shared, mesh, first)
    made = []
    for i, size in enumerate(sizes):
        state = watch.kept.get(i, jax.tree.map(np.asarray, side_by_side.run_of(states, i)))
        state = jax.tree.map(jnp.asarray, state)
        made.append((state if padding is None else padding.unpad(state, size), watch.diverged.get(i)))
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
