"""`genjax train MODEL`: train, keep, judge and draw a model."""

import dataclasses
import os
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import jax.numpy as jnp

from genjax import random
from genjax.cli import evaluate, pictures
from genjax.cli.families import FAMILIES, Family
from genjax.cli.options import NOT_SAVED, PLACES, RunConfig, at_least, parse, positive, say, unless_same
from genjax.cli.places import moved, with_absolute_paths
from genjax.cli.progress import Bar
from genjax.cli.run import (
    Prepared,
    Run,
    any_saved,
    begin,
    blank,
    parameters,
    prepare,
    read_config,
    record_of,
    reread,
    restore_newest,
    stages_of,
)
from genjax.cli.writing import in_any_case
from genjax.errors import Diverged, Interrupted, UserError
from genjax.networks.mlp import parameter_count
from genjax.training import early, loop
from genjax.training import folder as run_folder
from genjax.training.checkpoint import Checkpoints
from genjax.training.stages import LAST, Stage, key_of
from genjax.typing import Hyper

STEPS = 18_000  # default length of a run
SHOWN = ("pseudo_likelihood", "reconstruction_error", "elbo", "held_out_elbo", "error", "held_out_error")
SHOWN += ("free_energy_gap", "rmse", "held_out_rmse")
SHOWN += ("discriminator_loss", "generator_loss", "fooled")


class Signals:
    """While open, SIGINT and SIGTERM are noted and answered at the end of the chunk; a second SIGINT ends at once."""

    def __enter__(self) -> "Signals":
        self.number: int | None = None
        self.before = {number: signal.signal(number, self.note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handler: remember the signal."""
        if self.number is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number
        say("saving at the end of this chunk ...")


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax train` with what stands behind it; returns the result as numbers and as sentences."""
    model = arguments[0] if arguments else ""
    if model in ("-h", "--help"):
        print(f"usage: genjax train MODEL ...   MODEL: {', '.join(FAMILIES)}; each takes --help")
        raise SystemExit(0)
    if model not in FAMILIES:
        raise UserError(f"genjax train {model or '...'}: name a model, one of {', '.join(FAMILIES)}.")
    family = FAMILIES[model]
    config = parse(family.config, arguments[1:], f"genjax train {model}")
    folder = None
    if config.resume is not None:
        folder = Path(config.resume)
        config = resumed(config, model, arguments[1:], folder)
    else:
        config = with_absolute_paths(config)
    check(config)
    record = None if folder is None else run_folder.read_record(folder)
    prepared = prepare(config, family) if folder is None else reread(folder, config, family, record)
    if config.epochs is None:
        config = dataclasses.replace(config, epochs=default_epochs(prepared.plan))
    if family.watch is not None:
        prepared = prepared._replace(watch=family.watch(config, prepared.dataset))
    stages = stages_of(prepared, family, config)
    if config.stop_gap is not None:
        early.refuse_without_gap(stages[-1], prepared.training, prepared.plan)
    here = Position(0, begin(prepared, stages[0], config), 0)
    with Signals() as signals:  # from before the folder exists: what exists can be resumed
        if folder is None:
            folder = create(config, model, family, prepared)
        else:
            here, stages = found(folder, config, prepared, stages, here)
        total = sum(stage.steps for stage in stages)
        size = f"{parameter_count(parameters(here.state))} parameters"
        many = f"{len(prepared.dataset.train)} {family.examples}"
        say(f"{folder}: {model} on {config.dataset}, {many}, {size}, {total} steps")
        began = time.perf_counter()
        state, total = run_stages(folder, config, prepared, stages, here, signals)
        seconds = time.perf_counter() - began
    done = Run(folder, model, family, config, state, stages[-1].steps, prepared)
    result: dict[str, Any] = {"run": str(folder), "steps": total, "training_seconds": round(seconds, 2)}
    lines = [f"{folder}: {total} steps in {seconds:.0f} s"]
    if config.evaluate and family.evaluate is not None:
        effort = {"temperatures": config.temperatures, "chains": config.ais_chains, "precision": config.precision}
        judged = evaluate.measure(done, config.seed, **effort)
        result |= {"evaluation": judged}
        lines += evaluate.sentences(judged, family)
    with in_any_case(result, "\n".join(lines)):
        if "evaluation" in result:
            evaluate.write(done, result["evaluation"])
        result["figures"] = [str(path) for path in pictures.draw(done)]
    return result, "\n".join([*lines, f"figures: {folder / 'figures'}"])


def default_epochs(plan: loop.Plan) -> int:
    """As many as make about `STEPS` steps, in whole chunks."""
    together = max(1, plan.chunk // plan.steps_per_epoch)
    return together * -(-STEPS // (together * plan.steps_per_epoch))


def check(config: Any) -> None:
    """Refuse numbers outside their range, each by its option's name."""
    counts = ("epochs", "batch_size", "size", "stop_gap", "precision", "log_every", "pretraining_rate")
    positive(config, *[name for name in counts if hasattr(config, name)])
    at_least(config, 2, "temperatures", "ais_chains")
    at_least(config, 0, "checkpoint_seconds", *[name for name in ("pretraining",) if hasattr(config, name)])
    if config.out == "":
        raise UserError("--out is empty; name a folder.")
    if not is_text(os.path.abspath(config.out or "runs")):
        raise UserError(f"--out {config.out or 'runs'} is in a folder whose name is not UTF-8; choose another one.")
    config.check()


def is_text(path: str) -> bool:
    """Whether checkpoints can be written there: their library takes no bytes that are not UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def create(config: RunConfig, model: str, family: Family, prepared: Prepared) -> Path:
    """A new run's folder."""
    name = Path(config.dataset).stem or "images"
    folder = run_folder.free_name(Path("runs") / f"{model}-{name}") if config.out is None else Path(config.out)
    fields, licence = saved_fields(config), prepared.dataset.licence
    return run_folder.create(folder, model, fields, decided(prepared.plan), licence, record_of(prepared, family))


def saved_fields(config: RunConfig) -> dict[str, Any]:
    """What of the config goes into config.json."""
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in NOT_SAVED}


def decided(plan: loop.Plan) -> dict[str, Any]:
    """What was chosen once for the run, for the record."""
    cut = {"batch_size": plan.batch_size, "steps_per_epoch": plan.steps_per_epoch}
    return cut | {"chunk": plan.chunk, "dtype": "float32", "kernel": "xla"}


def resumed(given: RunConfig, model: str, arguments: list[str], folder: Path) -> RunConfig:
    """The saved config, with the new number of epochs and the new places of data that were given; refuses any other
    difference."""
    if given.out is not None:
        raise UserError(f"--out {given.out} does not go with --resume {folder}; leave it out.")
    saved_model, family, saved = read_config(folder)
    if saved_model != model:
        raise UserError(f"--resume {folder} holds a run of {saved_model}, not {model}; use genjax train {saved_model}.")
    config = parse(family.config, arguments, f"genjax train {model}", saved)
    unless_same(config, saved, folder)
    places = {name: getattr(config, name) for name in PLACES if getattr(config, name) != getattr(saved, name)}
    config = dataclasses.replace(config, **{name: getattr(saved, name) for name in PLACES})
    return with_absolute_paths(moved(config, **places)) if places else config


class Position(NamedTuple):
    """Where a run stands: which stage, its state, and its steps done."""

    stage: int
    state: Any
    step: int


def found(
    folder: Path, config: RunConfig, prepared: Prepared, stages: tuple[Stage, ...], first: Position
) -> tuple[Position, tuple[Stage, ...]]:
    """Where a resumed run stands, and its stages with the length that it now has."""
    begun = [i for i, stage in enumerate(stages) if any_saved(folder, stage.name)]
    number = max(begun, default=0)
    stage, state, step = stages[number], first.state, 0  # a run that was killed before it saved anything begins anew
    if begun:
        like = first.state if number == 0 else blank(prepared, stage, config)
        state, step = restore_newest(folder, like, stage.name)
    saved = run_folder.read_config(folder)
    lengthened = longer_since(config, saved, step if number == len(stages) - 1 else 0)
    state = state._replace(hyper=stage.hyper | lengthened)  # a longer run's rates fall more slowly
    stopped = saved.get("decided", {}).get("stopped_early")
    if stopped is not None and number == len(stages) - 1:
        stage = stage._replace(steps=stopped["total_steps"])
        state = early.shorten(state, getattr(config, "schedule", "constant"), stopped["step"], stage.steps)
    stages = (*stages[:number], stage, *stages[number + 1 :])
    if step > stage.steps:
        raise UserError(f"--epochs {config.epochs} is less than the {step} steps that {folder} has done.")
    places = {name: getattr(config, name) for name in PLACES}
    saved["decided"] = saved.get("decided", {}) | {name: int(step) for name, step in lengthened.items()}
    run_folder.write_json(folder / "config.json", saved | {"epochs": config.epochs} | places)
    run_folder.rewind_metrics(folder, step + sum(stage.steps for stage in stages[:number]))
    return Position(number, state, step), stages


def longer_since(config: RunConfig, saved: dict[str, Any], step: int) -> Hyper:
    """Since when a run's last stage is longer than it once was to be, as a rate: nothing from before is averaged.

    Says so where it becomes longer now, at this step of the stage.
    """
    fields = {field.name: field for field in dataclasses.fields(config)}
    averaged = "average" in fields and not fields["average"].metadata.get("rate")  # of a GAN it is a rate of decay
    schedule, average = getattr(config, "schedule", "constant"), getattr(config, "average", 0.0) if averaged else 0.0
    before, now = saved["epochs"], config.epochs or 0
    since = step if now > before else saved.get("decided", {}).get("averaged_from", 0)
    if not since or (schedule == "constant" and not average):
        return {}  # as if it had been to be as long from the start
    if now > before:
        rate = "" if schedule == "constant" else f"the learning rate jumps to that of {now} epochs at this point"
        mean = "the average over the end of the run begins anew" if average else ""
        what = " and ".join(part for part in (rate, mean) if part)
        say(f"{now} epochs in place of {before}: {what}, so this is not the run that {now} epochs at once would be")
    return {"averaged_from": jnp.asarray(since, jnp.float32)} if average else {}


def run_stages(
    folder: Path,
    config: RunConfig,
    prepared: Prepared,
    stages: tuple[Stage, ...],
    here: Position,
    signals: Signals,
) -> tuple[Any, int]:
    """All that is left of a run: its last state, and the steps of all stages."""
    number, state, step = here
    clock = Clock(folder)
    while True:
        before = sum(stage.steps for stage in stages[:number])
        stage = stages[number]
        try:
            state = run(folder, config, stage, prepared, state, step, before, signals, clock)
        except early.Stopped as stop:
            end = early.new_end(stop.chunk.step, stage.steps)
            say(f"the held-out gap is {stop.chunk.metrics['free_energy_gap']:.2f} nats: ends at step {before + end}")
            state = early.shorten(stop.chunk.state, getattr(config, "schedule", "constant"), stop.chunk.step, end)
            record_stop(folder, stop.chunk.step, end)
            stage = stage._replace(steps=end)
            state = run(folder, config, stage, prepared, state, stop.chunk.step, before, signals, clock)
        if number + 1 == len(stages):
            return state, before + stage.steps
        number, step = number + 1, 0
        state = begin(prepared, stages[number], config, state)


class Clock:
    """Seconds of training, which count on over stages and where a run was resumed."""

    def __init__(self, folder: Path):
        entries = run_folder.read_metrics(folder)
        self.began = time.perf_counter() - (entries[-1].get("seconds", 0.0) if entries else 0.0)

    def seconds(self) -> float:
        """Since the run's first step, the time between two processes left out."""
        return time.perf_counter() - self.began


def run(
    folder: Path,
    config: RunConfig,
    stage: Stage,
    prepared: Prepared,
    state: Any,
    first_step: int,
    before: int,
    signals: Signals,
    clock: Clock,
) -> Any:
    """One stage with a progress bar, metrics and checkpoints; its last state. Metrics count the steps `before` too.

    Raises `early.Stopped` where asked to.
    """
    checkpoints = Checkpoints(folder / "checkpoints", stage.name)
    checkpoints.save(first_step, state)
    kept, total = time.perf_counter(), stage.steps
    may_stop = config.stop_gap is not None and stage.name == LAST
    may_stop = may_stop and "stopped_early" not in run_folder.read_config(folder).get("decided", {})
    with Bar("training" if stage.name == LAST else f"training {stage.name}", total, first_step) as bar:

        def record(chunk: loop.Chunk) -> None:
            nonlocal kept
            seen, alarms = ({}, []) if prepared.watch is None else prepared.watch(chunk)
            for step, metrics in logged(chunk, getattr(config, "log_every", None)):
                epoch = (before + step) / prepared.plan.steps_per_epoch
                entry = {"step": before + step, "epoch": epoch, "seconds": round(clock.seconds(), 3)}
                entry |= {} if stage.name == LAST else {"stage": stage.name}
                run_folder.append_metrics(folder, entry | metrics | (seen if step == chunk.step else {}))
            now = time.perf_counter()
            stop = (
                may_stop and early.new_end(chunk.step, total) < total and early.too_wide(chunk, config.stop_gap or 0.0)
            )
            if chunk.step == total or signals.number or stop or now - kept >= config.checkpoint_seconds:
                checkpoints.save(chunk.step, chunk.state)
                kept = now
            speed = (chunk.step - first_step) / chunk.seconds
            notes = [f"ALARM: {', '.join(alarms)}"] if alarms else []  # first: a narrow terminal cuts off the end
            notes += [f"epoch {chunk.epoch:.0f}", f"{speed:.0f} steps/s"]
            notes += [f"{name} {chunk.metrics[name]:.4g}" for name in SHOWN if name in chunk.metrics]
            bar.update(chunk.step, "  ".join(notes))
            if signals.number:
                raise Interrupted(signals.number)
            if stop:
                raise early.Stopped(chunk)

        try:
            key = key_of(random.key(config.seed, config.rng), stage)
            data, plan = prepared.training, prepared.plan
            state = loop.train(key, stage.algorithm, data, plan, state, total, first_step, [record])
        except Diverged as error:
            last = checkpoints.path(checkpoints.latest() or 0)
            raise Diverged(f"{error}; the last good checkpoint is {last}; train anew with a lower rate.") from None
        finally:
            checkpoints.close()
    return state


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


def record_stop(folder: Path, step: int, total: int) -> None:
    """Write into config.json where an early stop came, so that a resumed run ends there too."""
    saved = run_folder.read_config(folder)
    saved.setdefault("decided", {})["stopped_early"] = {"step": step, "total_steps": total}
    run_folder.write_json(folder / "config.json", saved)
