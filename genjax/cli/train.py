"""`genjax train MODEL`: train, keep, judge and draw a model."""

import dataclasses
import os
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

from genjax import random
from genjax.cli import evaluate, pictures
from genjax.cli.families import FAMILIES
from genjax.cli.options import NOT_SAVED, RunConfig, at_least, parse, positive, say, unless_same
from genjax.cli.progress import Bar
from genjax.cli.run import Prepared, Run, initial_state, prepare, read_config, restore_newest
from genjax.data import catalog
from genjax.errors import Diverged, UserError
from genjax.training import early, loop
from genjax.training import folder as run_folder
from genjax.training.checkpoint import Checkpoints
from genjax.typing import Algorithm

STEPS = 18_000  # default length of a run
SHOWN = ("pseudo_likelihood", "reconstruction_error", "free_energy_gap", "rmse", "held_out_rmse")


class Interrupted(Exception):
    """A signal came; the state is saved."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


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
    first_step, folder = 0, None
    if config.resume is not None:
        folder = Path(config.resume)
        config = resumed(config, model, arguments[1:], folder)
    else:
        config = with_absolute_paths(config)
    check(config)
    prepared = prepare(config, family)
    if config.epochs is None:
        epochs = prepared.plan.parts * -(-STEPS // (prepared.plan.parts * prepared.plan.steps_per_epoch))
        config = dataclasses.replace(config, epochs=epochs)  # in whole chunks
    algorithm, state, total = initial_state(prepared, family, config)
    with Signals() as signals:  # from before the folder exists: what exists can be resumed
        if folder is None:
            folder = create(config, model, prepared.dataset.licence, prepared.plan)
        else:
            hyper = state.hyper
            state, first_step = restore_newest(folder, state)
            state = state._replace(hyper=hyper)  # a longer run's rates fall more slowly
            stopped = run_folder.read_config(folder).get("decided", {}).get("stopped_early")
            if stopped is not None:
                total = stopped["total_steps"]
                state = early.shorten(state, getattr(config, "schedule", "constant"), stopped["step"], total)
            lengthen(folder, config, first_step, total)
        say(f"{folder}: {model} on {config.dataset}, {len(prepared.dataset.train)} {family.examples}, {total} steps")
        began = time.perf_counter()
        try:
            state = run(folder, config, algorithm, prepared, state, total, first_step, signals)
        except early.Stopped as stop:
            total = early.new_end(stop.chunk.step, prepared.plan)
            say(f"the held-out gap is {stop.chunk.metrics['free_energy_gap']:.2f} nats: ends at step {total}")
            state = early.shorten(stop.chunk.state, getattr(config, "schedule", "constant"), stop.chunk.step, total)
            record_stop(folder, stop.chunk.step, total)
            state = run(folder, config, algorithm, prepared, state, total, stop.chunk.step, signals)
        seconds = time.perf_counter() - began
    done = Run(folder, model, family, config, prepared, state, total)
    result: dict[str, Any] = {"run": str(folder), "steps": total, "training_seconds": round(seconds, 2)}
    lines = [f"{folder}: {total} steps in {seconds:.0f} s"]
    if config.evaluate and family.evaluate is not None:
        effort = {"temperatures": config.temperatures, "chains": config.ais_chains, "precision": config.precision}
        judged = evaluate.judge(done, config.seed, **effort)
        result |= {"evaluation": judged}
        lines += evaluate.sentences(judged, family)
    result["figures"] = [str(path) for path in pictures.draw(done)]
    return result, "\n".join([*lines, f"figures: {folder / 'figures'}"])


def check(config: Any) -> None:
    """Refuse numbers outside their range, each by its option's name."""
    counts = ("epochs", "batch_size", "size", "hidden", "k", "k_end", "chains", "swap_every")
    counts += ("learning_rate", "stop_gap", "precision")
    positive(config, *[name for name in counts if hasattr(config, name)])
    at_least(config, 2, "temperatures", "ais_chains", *[name for name in ("rungs", "levels") if hasattr(config, name)])
    at_least(config, 0, "checkpoint_seconds", "weight_decay")
    for name, low, high in (("momentum", 0, 1), ("average", 0, 1)):
        value = getattr(config, name, 0)
        if not low <= value < high:
            raise UserError(f"--{name} {value} is out of range; give a number from {low} up to, not including, {high}.")
    if config.out == "":
        raise UserError("--out is empty; name a folder.")


def with_absolute_paths(config: Any) -> Any:
    """The config with its files named so that the run can be opened from any folder."""
    changes = {}
    if config.data_dir is not None:
        changes["data_dir"] = os.path.abspath(os.path.expanduser(config.data_dir))
    if catalog.find(config.dataset) is None and config.dataset and os.path.exists(os.path.expanduser(config.dataset)):
        changes["dataset"] = os.path.abspath(os.path.expanduser(config.dataset))
    return dataclasses.replace(config, **changes)


def create(config: RunConfig, model: str, licence: str, plan: loop.Plan) -> Path:
    """A new run's folder."""
    name = Path(config.dataset).stem or "images"
    folder = run_folder.free_name(Path("runs") / f"{model}-{name}") if config.out is None else Path(config.out)
    return run_folder.create(folder, model, saved_fields(config), decided(plan), licence)


def saved_fields(config: RunConfig) -> dict[str, Any]:
    """What of the config goes into config.json."""
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in NOT_SAVED}


def decided(plan: loop.Plan) -> dict[str, Any]:
    """What was chosen once for the run, for the record."""
    cut = {"batch_size": plan.batch_size, "steps_per_epoch": plan.steps_per_epoch}
    return cut | {"chunk": plan.part * plan.parts, "dtype": "float32", "kernel": "xla"}


def resumed(given: RunConfig, model: str, arguments: list[str], folder: Path) -> RunConfig:
    """The saved config, with the new number of epochs if one was given; refuses any other difference."""
    if given.out is not None:
        raise UserError(f"--out {given.out} does not go with --resume {folder}; leave it out.")
    saved_model, family, saved = read_config(folder)
    if saved_model != model:
        raise UserError(f"--resume {folder} holds a run of {saved_model}, not {model}; use genjax train {saved_model}.")
    config = parse(family.config, arguments, f"genjax train {model}", saved)
    unless_same(config, saved, folder)
    return config


def lengthen(folder: Path, config: RunConfig, first_step: int, total: int) -> None:
    """Write the new length of a resumed run; refuse one shorter than what is done."""
    if total < first_step:
        raise UserError(f"--epochs {config.epochs} is less than the {first_step} steps that {folder} has done.")
    saved = run_folder.read_config(folder)
    run_folder.write_json(folder / "config.json", saved | {"epochs": config.epochs})
    run_folder.rewind_metrics(folder, first_step)


def run(
    folder: Path,
    config: RunConfig,
    algorithm: Algorithm,
    prepared: Prepared,
    state: Any,
    total: int,
    first_step: int,
    signals: Signals,
) -> Any:
    """Train with a progress bar, metrics and checkpoints; the last state. Raises `early.Stopped` where asked to."""
    checkpoints = Checkpoints(folder / "checkpoints")
    checkpoints.save(first_step, state)
    kept = time.perf_counter()
    may_stop = config.stop_gap is not None and "stopped_early" not in run_folder.read_config(folder).get("decided", {})
    with Bar("training", total) as bar:

        def record(chunk: loop.Chunk) -> None:
            nonlocal kept
            entry = {"step": chunk.step, "epoch": chunk.epoch, "seconds": round(chunk.seconds, 3)}
            run_folder.append_metrics(folder, entry | chunk.metrics)
            now = time.perf_counter()
            stop = may_stop and chunk.step < total and early.too_wide(chunk, config.stop_gap or 0.0)
            if chunk.step == total or signals.number or stop or now - kept >= config.checkpoint_seconds:
                checkpoints.save(chunk.step, chunk.state)
                kept = now
            speed = (chunk.step - first_step) / chunk.seconds
            notes = [f"{name} {chunk.metrics[name]:.4g}" for name in SHOWN if name in chunk.metrics]
            bar.update(chunk.step, f"epoch {chunk.epoch:.0f}  {speed:.0f} steps/s  " + "  ".join(notes))
            if signals.number:
                raise Interrupted(signals.number)
            if stop:
                raise early.Stopped(chunk)

        try:
            key = random.key(config.seed, config.rng)
            state = loop.train(key, algorithm, prepared.training, prepared.plan, state, total, first_step, [record])
        except Diverged as error:
            last = checkpoints.path(checkpoints.latest() or 0)
            raise Diverged(f"{error}; the last good checkpoint is {last}; train anew with a lower rate.") from None
        finally:
            checkpoints.close()
    return state


def record_stop(folder: Path, step: int, total: int) -> None:
    """Write into config.json where an early stop came, so that a resumed run ends there too."""
    saved = run_folder.read_config(folder)
    saved.setdefault("decided", {})["stopped_early"] = {"step": step, "total_steps": total}
    run_folder.write_json(folder / "config.json", saved)
