"""The one way through a run's stages, of `fit` and of `genjax train`: records, checkpoints, early stops, resuming."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from genjax import random
from genjax.api.prepared import Prepared, begin, blank
from genjax.errors import Diverged, UserError
from genjax.training import early, loop, processes, rollback
from genjax.training import folder as run_folder
from genjax.training.best import Kept, Tracker
from genjax.training.checkpoint import Checkpoints, Pause, any_saved, restore_newest
from genjax.training.mesh import mesh_of_all
from genjax.training.optimisers import Constant, is_finished
from genjax.training.options import flat
from genjax.training.rollback import RolledBack, halved
from genjax.training.settings import RunConfig
from genjax.training.stages import LAST, key_of
from genjax.typing import Hyper, Stage


class Position(NamedTuple):
    """Where a run stands: which stage, its state, and its steps done."""

    stage: int
    state: Any
    step: int


class Hooks(NamedTuple):
    """What is called as a run goes on; nothing of it changes the run.

    - `say(sentence)`: what a person should know.
    - `watch(chunk)`: numbers for the record, and alarms.
    - `on_chunk(chunk, stage, alarms)`: after each chunk is recorded.
    - `ending()`: whether the run should be saved and end after this chunk.
    """

    say: Callable[[str], None] = print
    watch: Callable[[loop.Chunk], tuple[dict[str, float], list[str]]] | None = None
    on_chunk: Sequence[Callable[[loop.Chunk, Stage, list[str]], None]] = ()
    ending: Callable[[], bool] = lambda: False


BEST = "best"  # where the checkpoints of the best states lie, beside those of the stages


class Ended(Exception):
    """The run ends after this chunk because `Hooks.ending` says so."""


class Recorder:
    """What a run leaves as it goes: entries in memory, and lines and checkpoints in its folder where it has one."""

    def __init__(self, folder: Path | None, entries: list[dict[str, Any]], decided: dict[str, Any]):
        self.folder, self.entries, self.decided = folder, entries, decided
        self.began = time.perf_counter() - (entries[-1].get("seconds", 0.0) if entries else 0.0)

    def write(self, entry: dict[str, Any]) -> None:
        """One more entry, with the seconds since the run's first step, times between two processes left out."""
        place = {name: entry.pop(name) for name in ("step", "epoch")}
        entry = place | {"seconds": round(time.perf_counter() - self.began, 3)} | entry
        self.entries.append(entry)
        if self.folder is not None:
            run_folder.append_metrics(self.folder, entry)

    def decide(self, **facts: Any) -> None:
        """Keep what was decided of the run, so that it ends alike when it is resumed."""
        self.decided |= facts
        if self.folder is not None:
            saved = run_folder.read_config(self.folder)
            run_folder.write_json(self.folder / "config.json", saved | {"decided": saved["decided"] | facts})


def train(
    run: RunConfig,
    prepared: Prepared,
    stages: tuple[Stage, ...],
    here: Position,
    recorder: Recorder,
    hooks: Hooks,
    tracker: Tracker,
    schedule: Any = None,
) -> tuple[Position, tuple[Stage, ...]]:
    """All that is left of a run: where it stands at its end, or where it was ended, and its stages as they were.

    `tracker` keeps what was best. `schedule` is that of the last stage's learning rate, which an early stop shortens.
    """
    number, state, step = here
    hooks = hooks._replace(ending=lambda ending=hooks.ending: bool(processes.most(ending())))  # all at the same chunk
    while True:
        before, stage = sum(stage.steps for stage in stages[:number]), stages[number]
        try:
            state, step = _stage(run, stage, prepared, state, step, before, recorder, hooks, tracker)
        except early.Stopped as stop:
            step = stop.chunk.step
            end, state = early.new_end(step, stage.steps), stop.chunk.state
            if end == stage.steps:  # there is no tenth left: it ends as it would have
                continue
            hooks.say(f"{stop}: ends at step {before + end}")
            state = early.shorten(state, schedule or Constant(), step, end)
            recorder.decide(stopped_early={"step": step, "total_steps": end})
            stages = (*stages[:number], stage._replace(steps=end), *stages[number + 1 :])
            continue
        except RolledBack as back:
            state, step = halved(back.state), back.step
            hooks.say(f"{back}: back to step {before + step}, and on at half the rate")
            past = recorder.decided.get("rolled_back", [])
            recorder.decide(rolled_back=[*past, {"stage": stage.name, "step": step}])
            continue
        if step < stage.steps or number + 1 == len(stages) or hooks.ending():
            return Position(number, state, step), stages
        number, step = number + 1, 0
        state = begin(prepared, stages[number], run, state)


def _stage(
    run: RunConfig,
    stage: Stage,
    prepared: Prepared,
    state: Any,
    first_step: int,
    before: int,
    recorder: Recorder,
    hooks: Hooks,
    tracker: Tracker,
) -> tuple[Any, int]:
    """One stage with its record and checkpoints; its last state and step. Metrics count the steps `before` too.

    Raises `early.Stopped` where it is to be shortened; where it diverges `RolledBack` to the last chunk recorded, if
    that is wanted, else `Diverged` with the last good checkpoint.
    """
    checkpoints = None if recorder.folder is None else Checkpoints(recorder.folder / "checkpoints", stage.name)
    if checkpoints is not None:
        checkpoints.save(first_step, state)
    pause, total, last = Pause(run.checkpoint_seconds), stage.steps, (state, first_step)
    may_roll_back = run.on_divergence == "rollback" and rollback.possible(
        recorder.decided.get("rolled_back", []), state
    )
    good = (loop.copied(state), first_step) if may_roll_back else last  # `last` is given away with the next chunk
    may_stop = stage.name == LAST and "stopped_early" not in recorder.decided
    each = prepared.plan.steps_per_epoch

    def record(chunk: loop.Chunk) -> None:
        nonlocal last, good
        numbers, alarms = ({}, []) if hooks.watch is None or stage.name != LAST else hooks.watch(chunk)
        if stage.name == LAST:
            numbers = numbers | tracker.follow(chunk, before, total)
            worse = (judged := tracker.judgement()) is not None and judged.worse
            alarms = [*alarms, f"over-fitting since epoch {tracker.best_step / each:.0f}"] if worse else alarms
        for step, metrics in logged(chunk, run.log_every):
            entry: dict[str, Any] = {"step": before + step, "epoch": (before + step) / prepared.plan.steps_per_epoch}
            entry |= {} if stage.name == LAST else {"stage": stage.name}
            recorder.write(entry | metrics | (numbers if step == chunk.step else {}))
        stop = may_stop and early.new_end(chunk.step, total) < total and too_long(run, recorder.entries, tracker, each)
        ending, last = hooks.ending(), (chunk.state, chunk.step)
        due = chunk.step == total or ending or stop or pause.due
        if checkpoints is not None and due:
            with pause.over():
                save_best(recorder.folder, tracker.kept, before + chunk.step)
                checkpoints.save(chunk.step, chunk.state)
        good = (loop.copied(chunk.state), chunk.step) if may_roll_back else last
        for call in hooks.on_chunk:
            call(chunk, stage, alarms)
        if ending or hooks.ending():  # also where Ctrl-C came after the checkpoint
            raise Ended
        if stop:
            raise early.Stopped(chunk, stop)

    try:
        key = key_of(random.key(run.seed, run.rng), stage)
        data, plan = prepared.training, prepared.plan
        mesh = mesh_of_all(run.devices)
        return loop.train(key, stage.algorithm, data, plan, state, total, first_step, [record], mesh), total
    except (Ended, KeyboardInterrupt):
        if any(leaf.is_deleted() for leaf in jax.tree.leaves(last[0]) if isinstance(leaf, jax.Array)):
            raise  # within a chunk, which was given the buffers: there is no state to return
        if checkpoints is not None and last[1] > first_step:
            save_best(recorder.folder, tracker.kept, before + last[1])
            checkpoints.save(last[1], last[0])
        return last
    except early.Stopped as stop:  # a caller's own stop comes after the checkpoint of its chunk would have been due
        if checkpoints is not None:
            save_best(recorder.folder, tracker.kept, before + stop.chunk.step)
            checkpoints.save(stop.chunk.step, stop.chunk.state)
        raise
    except Diverged as error:
        if may_roll_back:
            raise RolledBack(str(error), *good) from None
        kept_at = None if checkpoints is None else checkpoints.path(checkpoints.latest() or 0)
        where = "" if kept_at is None else f"; the last good checkpoint is {kept_at}"
        raise Diverged(f"{error}{where}; train anew with a lower rate.") from None
    finally:
        if checkpoints is not None:
            checkpoints.close()


def too_long(run: RunConfig, entries: list[dict[str, Any]], tracker: Tracker, steps_per_epoch: int) -> str:
    """Why a run is to end before its steps; nothing where it is not. Entries are those so far."""
    gaps = [entry["free_energy_gap"] for entry in entries if "free_energy_gap" in entry and "stage" not in entry]
    if run.stop_gap is not None and early.too_wide(gaps, run.stop_gap):
        return f"the held-out gap is {gaps[-1]:.2f} nats"
    if run.patience is not None and processes.most(tracker.waited()) >= run.patience * steps_per_epoch:
        assert tracker.measure is not None
        return f"no better {tracker.measure.metric} since step {tracker.best_step}"
    return ""


def save_best(folder: Path | None, kept: Kept | None, step: int) -> None:
    """Write the best state after so many steps of the run, where it is not the last one, which is written anyway."""
    if folder is None or kept is None or kept.step == step:
        return
    checkpoints = Checkpoints(folder / "checkpoints", BEST)
    checkpoints.save(*kept)
    checkpoints.close()


def best_of(folder: Path, tracker: Tracker, here: Position, before: int, like: Any) -> Kept | None:
    """The best state of the run in a folder that stands `here`, which may be the last one; None where it kept none."""
    if tracker.best_step and tracker.best_step == before + here.step:
        return Kept(tracker.best_step, here.state)
    if not tracker.best_step or not any_saved(folder, BEST):
        return None
    checkpoints = Checkpoints(folder / "checkpoints", BEST)
    found = tracker.best_step in checkpoints.steps()
    kept = Kept(tracker.best_step, checkpoints.restore(tracker.best_step, like)) if found else None
    checkpoints.close()
    return kept


def logged(chunk: loop.Chunk, every: int | None) -> list[tuple[int, dict[str, float]]]:
    """The lines that a chunk leaves, each with the step that it ends at: means over `every` steps, or over all.

    What is observed once a chunk stands in the last.
    """
    if every is None:
        return [(chunk.step, chunk.metrics)]
    length = len(next(iter(chunk.steps.values())))
    ends = [*range(every, length, every), length]
    lines = []
    for first, end in zip([0, *ends], ends):
        means = {name: float(values[first:end].mean()) for name, values in chunk.steps.items()}
        lines.append((chunk.step - length + end, chunk.metrics | means if end == length else means))
    return lines


def newest(
    folder: Path, run: RunConfig, prepared: Prepared, stages: tuple[Stage, ...], going_on: bool = False
) -> Position:
    """Where the run in a folder stands; at its beginning where it was killed before it saved anything."""
    number = max((i for i, stage in enumerate(stages) if any_saved(folder, stage.name)), default=None)
    if number is None:
        return Position(0, begin(prepared, stages[0], run), 0)
    like = blank(prepared, stages[number], run)
    return Position(number, *restore_newest(folder, like, stages[number].name, going_on))


def going_on(
    name: str,
    config: Any,
    run: RunConfig,
    before: RunConfig,
    here: Position,
    stages: tuple[Stage, ...],
    decided: dict[str, Any],
    say: Callable[[str], None],
) -> tuple[Position, tuple[Stage, ...], dict[str, Any]]:
    """The position and the stages of a run that goes on with the length that it now has, and what is decided of it.

    `before` are its options as they were. Raises `UserError` where it has done more than it should do in all.
    """
    stage, is_last = stages[here.stage], here.stage == len(stages) - 1
    lengthened = longer_since(config, run, before, decided, here.step if is_last else 0, say)
    rates = here.state.hyper | stage.hyper  # with those that the algorithm itself has added: none becomes a constant
    state = here.state._replace(hyper=rates | lengthened)  # a longer run's rates fall more slowly
    back = rollback.before(decided.get("rolled_back", []), [one.name for one in stages], here.stage, here.step)
    state = halved(state, sum(one["stage"] == stage.name for one in back))
    decided = decided | ({"rolled_back": back} if "rolled_back" in decided else {})
    if is_last and decided.get("stopped_early", {}).get("step", 0) > here.step:  # it will be again
        decided = {name: value for name, value in decided.items() if name != "stopped_early"}
    stopped = decided.get("stopped_early")
    if stopped is not None and is_last:
        stage = stage._replace(steps=stopped["total_steps"])
        state = early.shorten(state, schedule_of(config), stopped["step"], stage.steps)
    if here.step > stage.steps:
        given = f"`steps` {run.steps}" if run.steps is not None else f"`epochs` {run.epochs}"
        raise UserError(f"{given} is less than the {here.step} steps that {name} has done; give more.")
    stages = (*stages[: here.stage], stage, *stages[here.stage + 1 :])
    return here._replace(state=state), stages, decided | {key: int(value) for key, value in lengthened.items()}


def schedule_of(config: Any) -> Any:
    """How the learning rate of a model falls, as far as its config says."""
    return getattr(config, "schedule", None) or Constant()


def length(run: RunConfig, steps_per_epoch: int) -> int:
    """Steps of a run's last stage."""
    return run.steps if run.steps is not None else (run.epochs or 0) * steps_per_epoch


def longer_since(
    config: Any, run: RunConfig, before: RunConfig, decided: dict[str, Any], step: int, say: Callable[[str], None]
) -> Hyper:
    """Since when a run's last stage is longer than it once was to be, as a rate: nothing from before is averaged.

    Says so where it becomes longer now, at this step of the stage.
    """
    options = flat(config)
    decays = any(f.name == "average" and f.metadata.get("rate") for f in dataclasses.fields(config))
    average = 0.0 if decays else options.get("average", 0.0)
    given = is_finished(getattr(config, "optimiser", None))  # it has its own rate, and no schedule
    schedule = "constant" if given else options.get("schedule", "constant")
    each = decided.get("steps_per_epoch", 1)
    longer = length(run, each) > length(before, each)
    since = step if longer else decided.get("averaged_from", 0)
    if not since or (schedule == "constant" and not average):
        return {}  # as if it had been to be as long from the start
    if longer:
        now, then = (f"{r.steps} steps" if r.steps is not None else f"{r.epochs} epochs" for r in (run, before))
        rate = "" if schedule == "constant" else f"the learning rate jumps to that of {now} at this point"
        mean = "the average over the end of the run begins anew" if average else ""
        what = " and ".join(part for part in (rate, mean) if part)
        say(f"{now} in place of {then}: {what}, so this is not the run that {now} at once would be")
    return {"averaged_from": jnp.asarray(since, jnp.float32)} if average else {}
