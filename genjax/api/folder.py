"""A run on disk: its folder made, read, and written anew by `Run.save`."""

import dataclasses
import os
import shutil
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from genjax.api.training import BEST, save_best
from genjax.data.places import relocated, with_absolute_paths
from genjax.data.record import Record
from genjax.errors import UserError
from genjax.models.table import MODELS
from genjax.training import folder as run_folder
from genjax.training import loop
from genjax.training.checkpoint import Checkpoints, any_saved
from genjax.training.lock import hold, released_on_failure
from genjax.training.options import flat, from_json, to_json
from genjax.training.settings import RunConfig

PLACES = ("dataset", "data_dir")  # of data that may have moved
MAY_DIFFER = ("epochs", "steps", "checkpoint_seconds", "devices", "on_divergence")  # of a run that goes on


class Saved(NamedTuple):
    """What a run's folder says of it."""

    config: Any
    run: RunConfig
    decided: dict[str, Any]
    record: Record | None


def decided(plan: loop.Plan) -> dict[str, Any]:
    """What is chosen once for a run, for the record."""
    cut = {"batch_size": plan.batch_size, "steps_per_epoch": plan.steps_per_epoch}
    return cut | {"chunk": plan.chunk, "dtype": "float32", "kernel": "xla", "identity": uuid.uuid4().hex}


def content(config: Any, run: RunConfig) -> dict[str, Any]:
    """What of model and run goes into config.json."""
    return {"config": to_json(config), "run": dataclasses.asdict(run)}


def refuse_place(out: str | None) -> None:
    """Raise `UserError` where no run can be kept: the library of checkpoints takes no names that are not UTF-8."""
    if out == "":
        raise UserError("`out` is empty; name a folder.")
    if "\0" in (out or ""):
        raise UserError(f"`out` {out!r} holds a zero byte; name another folder.")
    try:
        os.path.abspath(out or "runs").encode()
    except UnicodeEncodeError:
        raise UserError(f"`out` {out or 'runs'} is in a folder whose name is not UTF-8; choose another one.") from None


def create(folder: Path, config: Any, run: RunConfig, facts: dict[str, Any], licence: str, record: Record) -> FileLock:
    """A new run's folder, held for who trains it. Raises `UserError` where it exists or cannot be written."""
    lock = claimed(folder)
    with released_on_failure(lock):
        run_folder.create(folder, config.model.name, content(config, run), facts, licence, record)
    return lock


def claimed(folder: Path) -> FileLock:
    """The lock of a folder where nothing is yet. Raises `UserError` where something is, or it cannot be written."""
    run_folder.refuse_taken(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"`out` {folder} cannot be written ({error.strerror}); name a folder that can.") from None
    return hold(folder)


def create_grid(folder: Path, config: Any, members: Sequence[Any], facts: dict[str, Any]) -> None:
    """A grid's folder, before its members are trained. Raises `UserError` where it exists or cannot be written."""
    licences = ", ".join(dict.fromkeys(getattr(m.prepared.dataset, "licence", "see source") for m in members))
    run_folder.create(folder, f"grid {config.model.name}", content(config, members[0].run), facts, licences)


def read(folder: Path, own: Any = None, given: dict[str, Any] | None = None) -> Saved:
    """What a run's folder says; `own` is a config, or the class of one, whose model has no row in the table, and
    `given` the objects from outside that its config was made with.

    Raises `UserError` for a model that is not known here, and for files that are damaged.
    """
    saved = run_folder.read_config(folder)
    name = saved.get("model")
    model = MODELS.get(str(name))
    kind = None if model is None else model.config
    if own is not None:
        kind = own if isinstance(own, type) else type(own)
        model = (own() if isinstance(own, type) else own).model
        if model.name != name:
            raise UserError(f"{folder} holds a run of {name}, not {model.name}; open it as what it is.")
    if kind is None or model is None:
        known = ", ".join(MODELS)
        raise UserError(f"{folder} holds a model {name!r}; known are {known}: for one of your own give `model`.")
    old, path = saved["format"] == 1, folder / "config.json"
    of_model, of_run = (saved if old else saved.get(part) for part in ("config", "run"))
    if not isinstance(of_model, dict) or not isinstance(of_run, dict) or not isinstance(saved.get("decided", {}), dict):
        raise UserError(f"{path} lacks config, run or what was decided; restore it from a copy.")
    try:
        run = from_json(RunConfig, dataclasses.asdict(RunConfig()) | dict(model.defaults) | of_run)
        run.check()
        config = from_json(kind, of_model, given or {})
    except (UserError, TypeError, ValueError) as error:
        raise UserError(f"{path}: {error}") from None
    if run.epochs is None and run.steps is None:
        raise UserError(f"{path} has epochs = None and no steps; restore it from a copy.")
    return Saved(config, run, saved.get("decided", {}), run_folder.read_record(folder))


def keep(folder: Path, **facts: Any) -> None:
    """Write more into a run's config.json."""
    run_folder.write_json(folder / "config.json", run_folder.read_config(folder) | facts)


def at_end(folder: Path) -> dict[str, Any]:
    """How the command line evaluates a run at its end, by its options' names."""
    saved = run_folder.read_config(folder)
    if saved["format"] > 1:
        return saved.get("at_end", {})
    names = {name: name for name in ("evaluate", "temperatures", "ais_chains")} | {"standard_error": "precision"}
    return {name: saved[old] for name, old in names.items() if old in saved}


def unless_same(folder: Path, new: tuple[Any, RunConfig], saved: tuple[Any, RunConfig]) -> None:
    """Raise `UserError` for the first option in which a run that goes on may not differ from its own and does."""
    may = {*MAY_DIFFER, *PLACES}
    for now, then in zip(new, saved):
        ours, theirs = flat(now), flat(then)
        for name in ours:
            if name not in may and ours[name] != theirs.get(name):
                raise UserError(
                    f"`{name}` {ours[name]} differs from {theirs.get(name)} in {folder}; only `epochs` and `devices` "
                    "may differ, and `dataset` and `data_dir` where the data have moved; name another folder for "
                    "another run."
                )


def with_new_places(folder: Path, new: tuple[Any, RunConfig], saved: Saved) -> RunConfig:
    """The options of a run that goes on where its data are now. Raises `UserError` where another one differs."""
    config, run = new
    places = {place: value for place in PLACES if (value := getattr(run, place)) != getattr(saved.run, place)}
    run = dataclasses.replace(run, **{place: getattr(saved.run, place) for place in PLACES})
    unless_same(folder, (config, run), (saved.config, saved.run))
    return with_absolute_paths(relocated(run, **places)) if places else run


def lengthen(folder: Path, config: Any, run: RunConfig, facts: dict[str, Any]) -> None:
    """Write the length and the places of data that a run now has into its config.json; the format rises with it."""
    saved, end = run_folder.read_config(folder), at_end(folder)
    kept = {name: saved[name] for name in ("model", "data") if name in saved}
    whole = {"format": run_folder.FORMAT, **kept, **content(config, run), "decided": facts, "at_end": end}
    run_folder.write_json(folder / "config.json", whole)


def entries_until(folder: Path, step: int) -> list[dict[str, Any]]:
    """The entries of a run up to a step."""
    return [entry for entry in run_folder.read_metrics(folder) if entry["step"] <= step]


def rewind(folder: Path, step: int) -> None:
    """Drop what a run has recorded and kept after a step, as it writes it again when it goes on."""
    run_folder.rewind_metrics(folder, step)
    if any_saved(folder, BEST):
        checkpoints = Checkpoints(folder / "checkpoints", BEST)
        checkpoints.drop_after(step)
        checkpoints.close()


def save(run: Any, folder: Path) -> None:
    """Write a run as `genjax train` does. Raises `UserError` where the folder holds something else."""
    if folder.exists() and not _holds(run, folder):
        raise UserError(f"{folder} exists and does not hold this run; name another folder.")
    if (folder / "config.json").exists():
        hold(folder).release()  # refuses while it is trained
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        inner = temporary / "run"
        create(inner, run.config, run.settings, run.decided, run.licence, run.record).release()
        for entry in run.entries:
            run_folder.append_metrics(inner, entry)
        if run.state is not None:
            checkpoints = Checkpoints(inner / "checkpoints", run.stage)
            checkpoints.save(run.step, run.state)
            checkpoints.close()
            save_best(inner, run.best, run.entries[-1]["step"] if run.entries else 0)
        for name in ("evaluation.json", "figures"):
            if run.folder is not None and (run.folder / name).exists() and run.folder != folder:
                copy = shutil.copytree if (run.folder / name).is_dir() else shutil.copy2
                copy(run.folder / name, inner / name)
        _replace(inner, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _holds(run: Any, folder: Path) -> bool:
    if not any(folder.iterdir()) if folder.is_dir() else False:
        return True
    if run.folder is not None and folder.resolve() == run.folder.resolve():
        return True
    try:
        saved = run_folder.read_config(folder)
    except UserError:
        return False
    return run.identity is not None and saved.get("decided", {}).get("identity") == run.identity


def _replace(new: Path, folder: Path) -> None:
    """Put a folder in the place of another one."""
    if not folder.exists():
        os.rename(new, folder)
        return
    old = new.parent / "old"
    for name in ("evaluation.json", "figures", "coverage.json"):
        if (folder / name).exists() and not (new / name).exists():
            os.rename(folder / name, new / name)
    os.rename(folder, old)
    os.rename(new, folder)
