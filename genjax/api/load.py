"""`load`: a run from its folder, or a machine that comes with genjax."""

import json
import os
from pathlib import Path
from typing import Any

from genjax import pretrained
from genjax.api import folder as on_disk
from genjax.api.prepared import blank, describe, outline, reread, stages_of
from genjax.api.run import Run
from genjax.api.training import best_of, newest
from genjax.boltzmann.arrays import layered
from genjax.data.places import relocated
from genjax.errors import UserError
from genjax.likelihood.estimate import both_from_numbers
from genjax.training import folder as run_folder
from genjax.training.best import Tracker
from genjax.training.checkpoint import any_saved


def load(
    folder: str | os.PathLike,
    *,
    data_dir: str | None = None,
    dataset: str | None = None,
    model: Any = None,
    **given: Any,
) -> Run:
    """Open a run with its newest checkpoint, or a machine that comes with genjax where `folder` is only its name.

    No training data are read until a question needs them. `dataset` and `data_dir` say where they are now, if
    elsewhere. `model` is a config (or the class of one) of your own, where the run's model is not one of genjax;
    `given` are objects from outside that its config was made with, by their options' names. Raises `UserError` where
    any part is missing or damaged.
    """
    path = Path(folder)
    if str(folder) in pretrained.names() and not path.exists():
        return shipped(str(folder), data_dir, dataset)
    if not path.exists():
        raise UserError(f"{path} is not a run folder: make one with genjax train ({pretrained.known()}).")
    saved = on_disk.read(path, model, given)
    run = relocated(saved.run, data_dir, dataset)
    if saved.record is None:
        prepared = loaded = reread(path, saved.config, run, None)
        record = describe(prepared, saved.config.model)
    else:
        prepared, loaded, record = outline(saved.record, saved.config, run, path), None, saved.record
    stages = stages_of(saved.config, run, prepared)
    if not any(any_saved(path, stage.name) for stage in stages):
        raise UserError(f"{path} has no checkpoint of {stages[-1].name}; go on with `resume`, or train it again.")
    here = newest(path, run, prepared, stages)
    before = sum(stage.steps for stage in stages[: here.stage])
    entries = on_disk.entries_until(path, before + here.step)
    tracker = Tracker(saved.config.model.measures, saved.config, entries)
    best = best_of(path, tracker, here, before, blank(prepared, stages[-1], run))
    return Run(
        saved.config,
        run,
        record,
        here.state,
        here.step,
        stages[here.stage].name,
        folder=path,
        loaded=loaded,
        entries=entries,
        decided=saved.decided,
        best=best,
    )


def shipped(name: str, data_dir: str | None = None, dataset: str | None = None) -> Run:
    """A machine that comes with genjax, as a run whose own folder is under runs/pretrained, apart from trained ones."""
    folder = pretrained.folder(name)
    saved = on_disk.read(folder)
    content = run_folder.read_config(folder)
    about, config, arrays = content["shipped"], saved.config, pretrained.read(folder, content)
    assert saved.record is not None
    return Run(
        config,
        relocated(saved.run, data_dir, dataset),
        saved.record,
        step=about["step"],
        folder=Path("runs") / "pretrained" / name,
        kept_parameters=layered(arrays, config.visible_type, config.hidden_type, config.classes),
        known_log_z=both_from_numbers(json.loads((folder / "evaluation.json").read_text())["log_z"]),
    )
