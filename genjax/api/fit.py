"""`fit`: train a model, or go on with a run."""

import contextlib
import dataclasses
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
from filelock import FileLock

from genjax.api import folder as on_disk
from genjax.api.compilation import compiling, keep_compiled_programs
from genjax.api.prepared import (
    Prepared,
    Splits,
    as_dataset,
    as_long,
    begin,
    blank,
    completed,
    describe,
    prepare,
    read,
    refuse_large_state,
    same,
    stages_of,
    with_length,
)
from genjax.api.progress import Bar
from genjax.api.run import Run
from genjax.api.training import Hooks, Position, Recorder, best_of, going_on, newest, schedule_of, train
from genjax.data.places import with_absolute_paths
from genjax.data.record import Record
from genjax.errors import UserError
from genjax.training import early, loop, processes
from genjax.training.best import Tracker
from genjax.training.config import Checked, choices
from genjax.training.lock import hold, released_on_failure
from genjax.training.mesh import Devices, counted, home
from genjax.training.options import build, replaced
from genjax.training.settings import RunConfig
from genjax.training.stages import LAST
from genjax.typing import Model, Stage

OnChunk = Callable[[loop.Chunk], None]
SHOWN = ("pseudo_likelihood", "reconstruction_error", "elbo", "held_out_elbo", "error", "held_out_error")
SHOWN += ("free_energy_gap", "rmse", "held_out_rmse", "discriminator_loss", "generator_loss", "fooled")


def fit(
    model: Any,
    data: Any = None,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    seed: int | None = None,
    batch_size: int | None = None,
    binarisation: str | None = None,
    validation: Any = True,
    test: Any = None,
    start: Any = None,
    out: str | os.PathLike | None = None,
    devices: Devices = None,
    keep: Literal["best", "last"] | None = None,
    patience: int | None = None,
    on_divergence: Literal["stop", "rollback"] | None = None,
    on_chunk: OnChunk | Sequence[OnChunk] = (),
    progress: bool = True,
) -> Run:
    """Train a model, or go on with a run: exactly the steps asked for.

    - `model`: a config (`genjax.rbm(hidden=500)`, or one of your own with a `.model`), or a run to go on with.
    - `data`: a name that `genjax.data.load` knows, a `Dataset`, or an array of examples `(n, ...)` or a
      pair of them and their targets (as `Dataset.from_arrays` takes them); of a recommender a file of ratings, or
      `genjax.data.ratings.Ratings`. A run on a named set reads it again; one on arrays takes the same ones again, or
      none while it still has them.
    - `epochs` or `steps`: counted from the run's beginning; by default about 18,000 steps. More than a run was to do
      stretch its schedule, which is said.
    - `seed`: of everything random (0). `batch_size`: examples a step. `binarisation`: sampled, threshold or none (by
      default what the model takes). `validation`: True (the source's own, else a tenth), False, a share, or the split
      itself: a file, an array, a pair, a `Dataset`, of ratings `Ratings`. `test`: None (the source's own, else a fifth,
      of ratings a tenth), a share, or the split itself.
    - `start`: parameters to begin from, as for fine-tuning.
    - `out`: a folder that is kept as `genjax train` keeps it; an interrupted call with the same one goes on.
    - `devices`: how many of this machine's share each step, or "all"; by default one. What is learned is the same to
      rounding, and it may be another number when a run goes on.
    - `keep`: which parameters answer, the "best" on held-out examples where the last are worse by more than noise, or
      the "last"; a run goes on from its last ones. `patience`: epochs without a better measure after which it ends.
    - `on_divergence`: where training leaves the finite numbers, "stop" (the default), or "rollback": back to the last
      good state, and on at half the rate.
    - `on_chunk`: called with each `training.loop.Chunk`; one that raises `training.early.Stopped(chunk)` ends the run
      early, after another tenth of its steps, over which the rate falls. `progress`: whether a bar is shown.

    Ctrl-C ends after the chunk and returns the run so far. Arguments are left as they are; nothing is evaluated. Raises
    `UserError` before any work where the arguments do not go together, `Diverged` where training leaves the finite
    numbers.
    """
    counted(devices)
    if epochs is not None and steps is not None:
        raise UserError(f"`epochs` {epochs} and `steps` {steps} are both lengths of the run; give one of them.")
    splits = Splits(validation, test)
    calls = (on_chunk,) if callable(on_chunk) else tuple(on_chunk)
    length = {"epochs": epochs, "steps": steps}
    given = {"seed": seed, "batch_size": batch_size, "binarisation": binarisation}
    given |= {"keep": keep, "patience": patience, "on_divergence": on_divergence}
    given |= {} if isinstance(model, Run) else {"devices": devices}
    given = {name: value for name, value in given.items() if value is not None}
    if isinstance(model, Run):
        for name, value in given.items():
            if value != getattr(model.settings, name):
                was = getattr(model.settings, name)
                raise UserError(f"`{name}` {value} differs from the run's {was}; only `epochs` or `steps` may.")
        if start is not None:
            raise UserError("`start` begins a new run; give a model in place of the run, or leave it out.")
        for name, value in splits.named().items():
            if value != getattr(Splits(), name) and value != (was := getattr(model.settings, name)):
                raise UserError(f"`{name}` {value} differs from the run's {was}; leave it out.")
        training = again(model, data, length, out, splits, devices)
    else:
        config, run = settled(model, data, given | length, splits)
        source = source_of(run, config.model, data, splits)
        folder = None if out is None else Path(out)
        on_disk.refuse_place(None if out is None else os.fspath(out))
        if folder is not None and (folder / "config.json").exists():
            training = reopen(folder, config, run, source)
        else:
            training = new(config, run, source, folder, start)
    with interruption() as noted, bar(training, progress and processes.writes()) as shown:
        plain = [lambda chunk, stage, alarms, call=call: call(chunk) for call in calls]
        return training.finished(Hooks(say=_say, on_chunk=(*shown, *plain), ending=noted.is_set))


@dataclasses.dataclass
class Training:
    """A run that is about to be trained: all checks are done, and its folder, if it has one, is made."""

    run: Run
    prepared: Prepared
    stages: tuple[Stage, ...]
    here: Position
    tracker: Tracker
    lock: FileLock | None = None  # of the run's folder

    def finished(self, hooks: Hooks) -> Run:
        """The run after all that is left of it, or as far as it came; its folder is another process's to train then."""
        run = self.run
        recorder = Recorder(run.folder if processes.writes() else None, run.entries, run.decided)
        schedule = schedule_of(run.config)
        try:
            there, stages = train(
                run.settings, self.prepared, self.stages, self.here, recorder, hooks, self.tracker, schedule
            )
        finally:
            if self.lock is not None:
                self.lock.release()
        last = {"state": home(there.state), "step": there.step, "stage": stages[there.stage].name}
        return dataclasses.replace(run, **last, best=self.tracker.kept)

    @property
    def total(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def steps_of(self, made: Run) -> int:
        """Those that were done where all are: fewer of a run that has stopped early."""
        stopped = made.decided.get("stopped_early")
        return self.total if stopped is None else self.total - self.stages[-1].steps + stopped["total_steps"]


def check(config: Any, run: RunConfig, effort: dict[str, Any], out: str | None = None) -> None:
    """Refuse what would only be found later: of a run's options, its model's, its estimate's, and of its folder."""
    run.check()
    config.check()
    if config.model.effort is not None:
        config.model.effort(**effort).check()
    on_disk.refuse_place(out)
    counted(run.devices)


def settled(model: Any, data: Any, given: dict[str, Any], splits: Splits) -> tuple[Any, RunConfig]:
    """The model's config and the run's options. Raises `UserError` where one of them is none."""
    config = model() if isinstance(model, type) else model
    if not hasattr(config, "model"):
        raise UserError(f"`model` {config!r} is no model; give a config, such as genjax.rbm(hidden=500).")
    if data is None:
        raise UserError('`data` is missing; give a name such as "digits", a genjax.Dataset, or an array of examples.')
    own = {name: value for name, value in given.items() if value is not None}
    plain = dict(config.model.defaults)
    if "steps" in own:
        plain.pop("epochs", None)
    own |= {"dataset": os.fspath(data) if isinstance(data, str | os.PathLike) else None}
    run = build(RunConfig, plain | own | splits.named())
    run = completed(config, run if run.dataset is None else with_absolute_paths(run))
    run.check()
    if isinstance(config, Checked):
        config.check()
    return config, run


def source_of(run: RunConfig, model: Model, data: Any, splits: Splits) -> Any:
    """The data that a call names or gives, split."""
    if run.dataset is None:
        return as_dataset(data, splits, model.whole)
    return read(run, model, splits=splits)


def new(config: Any, run: RunConfig, source: Any, folder: Path | None = None, start: Any = None) -> Training:
    """A new run on these data, from its first step or from given parameters."""
    keep_compiled_programs()
    counted(run.devices)
    config, follows = followed(config, source) if start is None else (config, None)
    prepared = prepare(config, run, source)
    run = with_length(run, prepared.plan)
    stages = stages_of(config, run, prepared)
    if run.stop_gap is not None:
        early.refuse_without_gap(stages[-1], prepared.training, prepared.plan)
    if start is not None:
        if config.model.begin is None:
            raise UserError(f"`start`: a {config.model.name} does not say how to begin from parameters; leave it out.")
        stages = (stages[-1]._replace(handover=None),)
    for stage in stages[1:]:  # before hours go into the first
        refuse_large_state(prepared, stage, run)
    state = begin(prepared, stages[0], run)
    if start is not None:
        try:
            fresh, state = state, config.model.begin(state, start)
        except (TypeError, AttributeError) as error:
            raise UserError(f"`start` holds no parameters of a {config.model.name}; give `run.parameters`.") from error
        refuse_other_shapes(fresh, state)
    record, facts = describe(prepared, config.model), on_disk.decided(prepared.plan)
    facts |= {} if follows is None else {"follows": follows}
    licence = getattr(prepared.dataset, "licence", "see source")
    refuse_other_processes(config, run, record, 0)
    lock = None
    if folder is not None and processes.writes():
        lock = on_disk.create(folder, config, run, facts, licence, record)
    made = Run(config, run, record, state, 0, stages[0].name, folder, prepared, decided=facts, licence=licence)
    return Training(made, prepared, stages, Position(0, state, 0), Tracker(config.model.measures, config), lock)


def followed(config: Any, source: Any) -> tuple[Any, str | None]:
    """The config with defaults that follow its data, and a sentence that says what they are."""
    return (config, None) if config.model.follow is None else config.model.follow(config, source)


def refuse_other_processes(config: Any, run: RunConfig, record: Record | None, step: int) -> None:
    """Raise `UserError` where one of several processes is about to make another run. All have read the run's folder
    when the first comes out of here, and may then write into it."""
    options = config, dataclasses.replace(run, **dict.fromkeys(on_disk.PLACES))
    processes.refuse_others(options=options, data=record, steps=step)


def refuse_other_shapes(fresh: Any, state: Any) -> None:
    """Raise `UserError` where parameters to begin from are not of the model's shapes."""
    ours, theirs = (jax.tree.map(lambda x: x.shape, tree) for tree in (fresh, state))
    if ours != theirs:
        raise UserError("`start` holds parameters of other sizes than the model has; give the model their sizes.")


def again(old: Run, data: Any, length: dict[str, Any], out: Any, splits: Splits, devices: Devices = None) -> Training:
    """A run that goes on, as a new one: the old one stays what it was."""
    keep_compiled_programs()
    if old.state is None:
        raise UserError(
            "`model`: this machine comes without the state of its training; begin a run from its parameters: "
            "genjax.fit(model, data, start=run.parameters)."
        )
    run = old.settings
    if any(value is not None for value in length.values()):
        run = replaced(run, length)
    if devices is not None:
        run = dataclasses.replace(run, devices=devices)
    run.check()
    counted(run.devices)
    prepared = data_again(old, data, splits)
    stages = stages_of(old.config, run, prepared)
    number = next(number for number, stage in enumerate(stages) if stage.name == old.stage)
    here = Position(number, old.state, old.step)
    here, stages, facts = going_on(old.name, old.config, run, old.settings, here, stages, dict(old.decided), _say)
    refuse_other_processes(old.config, run, old.record, here.step)
    folder = old.folder if out is None else Path(out)
    made = dataclasses.replace(
        old, settings=run, state=here.state, folder=folder, loaded=prepared, entries=list(old.entries), decided=facts
    )
    tracker = Tracker(old.model.measures, old.config, made.entries, old.best)
    if folder is None or not processes.writes():
        return Training(made, prepared, stages, here, tracker)
    if folder != old.folder:
        on_disk.save(made, folder)
    lock = hold(folder)
    with released_on_failure(lock):
        if folder == old.folder:
            on_disk.lengthen(folder, old.config, run, facts)
    return Training(made, prepared, stages, here, tracker, lock)


def data_again(old: Run, data: Any, splits: Splits) -> Prepared:
    """The run's data: those that it has, or reads again, or is given again. Raises `UserError` for other ones."""
    if data is None:
        return old.prepared
    run, own = old.settings, Splits(old.settings.validation, old.settings.test)
    place = os.fspath(data) if isinstance(data, str | os.PathLike) else None
    run = dataclasses.replace(run, dataset=place)
    run = run if place is None else with_absolute_paths(run)
    return same(
        old.folder,
        old.config,
        old.settings,
        old.record,
        source_of(run, old.model, data, own._replace(**splits.given())),
    )


def reopen(folder: Path, config: Any, run: RunConfig, source: Any) -> Training:
    """The run in a folder goes on. Raises `UserError` where it is of another model, other options or other data."""
    config, _ = followed(config, source)
    saved = on_disk.read(folder, config, _outside(config))
    on_disk.unless_same(folder, (config, run), (saved.config, saved.run))
    length = {} if run.epochs is None and run.steps is None else {"epochs": run.epochs, "steps": run.steps}
    length |= {"on_divergence": run.on_divergence} | ({} if run.devices is None else {"devices": run.devices})
    return resume(folder, saved, dataclasses.replace(saved.run, **length), source)


def resume(folder: Path, saved: on_disk.Saved, run: RunConfig, source: Any) -> Training:
    """The run in a folder, as it is saved there, goes on with these options on its data."""
    keep_compiled_programs()
    counted(run.devices)
    config, record = saved.config, saved.record
    if record is None:
        prepared = as_long(folder, prepare(config, run, source))
    else:
        prepared = same(folder, config, run, record, source)
    record = record or describe(prepared, config.model)
    stages, writes = stages_of(config, run, prepared), processes.writes()
    lock = hold(folder) if writes else None
    with released_on_failure(lock):
        here = newest(folder, run, prepared, stages, going_on=True)
        here, stages, facts = going_on(str(folder), config, run, saved.run, here, stages, dict(saved.decided), _say)
        before = sum(stage.steps for stage in stages[: here.stage])
        entries = on_disk.entries_until(folder, before + here.step)
        tracker = Tracker(config.model.measures, config, entries)
        tracker.kept = best_of(folder, tracker, here, before, blank(prepared, stages[-1], run))
        refuse_other_processes(config, run, record, here.step)
        if writes:
            on_disk.lengthen(folder, config, run, facts)
            on_disk.rewind(folder, before + here.step)
    made = Run(config, run, record, here.state, here.step, stages[here.stage].name, folder, prepared, entries, facts)
    return Training(made, prepared, stages, here, tracker, lock)


def _outside(config: Any) -> dict[str, Any]:
    """Objects from outside that the config holds, to be given again, as the folder cannot hold them."""
    return {
        f.name: value for f, chosen in choices(config) if not isinstance(value := getattr(config, f.name), chosen.kinds)
    }


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


@contextlib.contextmanager
def interruption() -> Iterator[threading.Event]:
    """While open, Ctrl-C is noted and answered at the end of the chunk; a second one ends at once.

    In a thread other than the main one, or where somebody else has taken the signal, nothing is changed.
    """
    noted = threading.Event()
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield noted
        return

    def note(number: int, frame: Any) -> None:
        if noted.is_set():
            raise KeyboardInterrupt
        noted.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def bar(training: Training, wanted: bool = True) -> Iterator[tuple[Callable[..., None], ...]]:
    """A progress bar over all stages, as a hook; none where it is not wanted."""
    if not wanted:
        yield ()
        return
    stages = training.stages
    before = {stage.name: sum(s.steps for s in stages[:number]) for number, stage in enumerate(stages)}
    first = before[stages[training.here.stage].name] + training.here.step
    with Bar("training", training.total, first, note=compiling(training.run.settings.devices)) as shown:

        def update(chunk: loop.Chunk, stage: Stage, alarms: list[str]) -> None:
            notes = [f"ALARM: {', '.join(alarms)}"] if alarms else []  # first: a narrow terminal cuts off the end
            notes += [] if stage.name == LAST else [stage.name]
            begun = training.here.step if stage.name == stages[training.here.stage].name else 0
            notes += [f"epoch {chunk.epoch:.0f}", f"{(chunk.step - begun) / chunk.seconds:.0f} steps/s"]
            notes += [f"{name} {chunk.metrics[name]:.4g}" for name in SHOWN if name in chunk.metrics]
            shown.update(before[stage.name] + chunk.step, "  ".join(notes))

        yield (update,)
