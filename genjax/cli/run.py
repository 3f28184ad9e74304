"""A run that exists, or a machine that comes with genjax: opened by its folder or its name, its data read if needed."""

import dataclasses
import inspect
import json
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax import data, pretrained, random
from genjax.cli.boltzmann import state_of
from genjax.cli.families import FAMILIES, Family
from genjax.cli.options import OpenOptions, RunConfig, restore, say
from genjax.cli.places import moved, refuse_missing
from genjax.data.record import Record, difference
from genjax.errors import DataWarning, UserError
from genjax.likelihood.estimate import LogZ
from genjax.likelihood.evaluate import from_numbers
from genjax.training import folder as run_folder
from genjax.training import loop, stages
from genjax.training.checkpoint import Checkpoints
from genjax.training.stages import Stage
from genjax.typing import Batch

FIXED_DRAW = 20_240_229  # seed of the one binarisation that validation and test images are judged by


class Prepared(NamedTuple):
    """Data as a run sees them."""

    dataset: Any  # a `Dataset` of images, or what the family's `prepare` reads
    training: loop.TrainingSet
    plan: loop.Plan
    settled: dict[str, Any]  # what the data settle of the algorithm
    watch: Any = None  # what the family's `watch` gives, while it trains


def parameters(state: Any) -> Any:
    """What of a state is learned."""
    return next(getattr(state, name) for name in ("parameters", "machine", "network") if hasattr(state, name))


@dataclass(frozen=True)
class Run:
    """A trained model with all that its folder says of it.

    `folder` is where figures and judgements go. `record` is what it keeps of its data,
    which are read only when they are needed. What is known (the shape of an image; log Z, forward and reverse) comes
    with a machine of genjax.
    """

    folder: Path
    model: str
    family: Family
    config: RunConfig
    state: Any
    step: int
    loaded: Prepared | None = None
    record: Record | None = None
    known_shape: tuple[int, ...] | None = None
    known_log_z: tuple[LogZ, LogZ | None] | None = None

    @cached_property
    def prepared(self) -> Prepared:
        """The data, read now where that was not needed to open the run. Raises `UserError` where they are others."""
        return self.loaded or reread(self.folder, self.config, self.family, self.record)

    @property
    def shape(self) -> Any:
        """Height, width and channels of an image."""
        return self.known_shape or (self.record or self.prepared.dataset).shape

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the data call class 0, 1, ..., as far as they do and are known without reading them."""
        known = self.record or (self.loaded and self.loaded.dataset)
        return known.class_names if known else ()


def read_images(config: RunConfig) -> data.Dataset:
    """The images of a run; what is to be known of them is said on standard error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        dataset = data.load(config.dataset, config.data_dir, config.size)
    for note in dataset.notes:
        say(note)
    return dataset if config.validation else dataset.without_validation()


def read(config: RunConfig, family: Family, old: bool = False) -> Any:
    """A run's data, split as it sees them; `old` as a run did that keeps no record of them."""
    if family.read is not None:
        return family.read(config, old)
    return read_images(config)


def reread(folder: Path, config: RunConfig, family: Family, record: Record | None) -> Prepared:
    """The data of a run that exists. Raises `UserError` where they are gone, or are not those it was trained on."""
    refuse_missing(config, folder)
    dataset = read(config, family, old=record is None)
    if record is None:
        return as_long(folder, prepare(config, family, dataset))
    other = difference(record, family.describe(dataset))
    if other is not None:
        raise UserError(
            f"--dataset {config.dataset}: these are not the data of {folder}: {other}; give --dataset or --data-dir "
            "with those that it was trained on, or train anew."
        )
    return prepare(config, family, dataset)


def as_long(folder: Path, prepared: Prepared) -> Prepared:
    """The data of a run that keeps no record of them. Raises `UserError` where an epoch has other steps than it had."""
    saved = run_folder.read_config(folder) if (folder / "config.json").exists() else {}
    steps = saved.get("decided", {}).get("steps_per_epoch", prepared.plan.steps_per_epoch)
    if steps != prepared.plan.steps_per_epoch:
        raise UserError(
            f"These are not the data of {folder}: an epoch of theirs has {prepared.plan.steps_per_epoch} steps, where "
            f"config.json says {steps}; give those that it was trained on with --dataset or --data-dir."
        )
    return prepared


def prepare(config: RunConfig, family: Family, dataset: Any = None) -> Prepared:
    """A run's data, read unless they are given, on the device."""
    dataset = read(config, family) if dataset is None else dataset
    if family.prepare is not None:
        return Prepared(dataset, *family.prepare(config, dataset))
    if family.check is not None:
        family.check(config, dataset)
    held_out = None
    mixed = dataset.mixed()  # the first 1,000 stand for all in learning curves
    if len(mixed.validation):
        x = data.binarise_fixed(mixed.validation[:1000], config.binarisation, FIXED_DRAW)
        held_out = Batch(jnp.asarray(x), jnp.asarray(mixed.labels.validation[:1000]))
    images, labels = jnp.asarray(mixed.train), jnp.asarray(mixed.labels.train)
    settled = {} if family.settle is None else family.settle(config, dataset)
    return Prepared(dataset, loop.TrainingSet(images, labels, held_out), plan_of(len(dataset.train), config), settled)


def plan_of(examples: int, config: RunConfig) -> loop.Plan:
    """How a run on so many training examples is cut up."""
    return loop.plan(examples, config.images_of_a_step(config.batch_size, examples), config.binarisation)


def record_of(prepared: Prepared, family: Family) -> Record:
    """What a new run keeps of its data."""
    return family.describe(prepared.dataset)._replace(settled=prepared.settled)


def read_config(folder: Path) -> tuple[str, Family, RunConfig]:
    """The model's name, its family and its config. Raises `UserError` for a model that this version does not know."""
    saved = run_folder.read_config(folder)
    if saved.get("model") not in FAMILIES:
        raise UserError(f"{folder} holds a model {saved.get('model')!r}; known are {', '.join(FAMILIES)}.")
    family = FAMILIES[saved["model"]]
    return saved["model"], family, restore(family.config, saved, folder)


def stages_of(prepared: Prepared, family: Family, config: RunConfig) -> tuple[Stage, ...]:
    """What the run does, one algorithm after another; most have one."""
    assert config.epochs is not None
    each = prepared.plan.steps_per_epoch
    if family.stages is not None:
        return family.stages(config, each, **prepared.settled)
    assert family.algorithm is not None
    total = config.epochs * each
    return (Stage(stages.LAST, *family.algorithm(config, total, **prepared.settled), total),)


def begin(prepared: Prepared, stage: Stage, config: RunConfig, before: Any = None) -> Any:
    """A stage's state before its first step."""
    return stages.begin(random.key(config.seed, config.rng), stage, prepared.training, prepared.plan, before)


def outline(record: Record, family: Family, config: RunConfig, folder: Path) -> Prepared:
    """What a run's data say of its states, without the data: shapes stand for arrays.

    Raises `UserError` where the record is not of this model.
    """
    rows, columns = record.examples
    images, labels = jax.ShapeDtypeStruct((rows, columns), jnp.float32), jax.ShapeDtypeStruct((rows,), jnp.int32)
    prepared = Prepared(None, loop.TrainingSet(images, labels, None), plan_of(rows, config), record.settled)  # type: ignore[arg-type]
    try:
        inspect.signature(family.stages or family.algorithm or stages_of).bind(config, 1, **record.settled)
        blank(prepared, stages_of(prepared, family, config)[-1], config)
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        text = f"{folder / 'config.json'} has data that its model cannot have; restore it from a copy."
        raise UserError(text) from error
    return prepared


def blank(prepared: Prepared, stage: Stage, config: RunConfig) -> Any:
    """A state of the stage's shapes, to restore into; needs no data but their shapes."""

    def first(images: loop.TrainingSet) -> Any:
        example = loop.example(images, prepared.plan)
        return stage.algorithm.init(random.key(config.seed, config.rng), example, stage.hyper)

    return jax.eval_shape(first, prepared.training)


def opened(options: OpenOptions) -> Run:
    """The run that a command names, its data where its options say."""
    return load(Path(options.run), options.data_dir, options.dataset)


def load(folder: Path, data_dir: str | None = None, dataset: str | None = None) -> Run:
    """Open a run with its newest checkpoint, or a machine that comes with genjax where `folder` is only its name.

    `data_dir` and `dataset` say where its data are now, if elsewhere. They are read here only for a run that keeps no
    record of them. Raises `UserError` where any part is missing or damaged.
    """
    if str(folder) in pretrained.names():
        if not folder.exists():
            return shipped(pretrained.folder(str(folder)), data_dir, dataset)
        say(f"{folder} is the folder here, not the machine of that name that comes with genjax")
    if not folder.exists():
        raise UserError(f"{folder} is not a run folder: make one with genjax train ({pretrained.known()}).")
    model, family, config = read_config(folder)
    config, record = moved(config, data_dir, dataset), run_folder.read_record(folder)
    if record is None:
        prepared = loaded = reread(folder, config, family, None)
    else:
        prepared, loaded = outline(record, family, config, folder), None
    last = stages_of(prepared, family, config)[-1]
    state, step = restore_newest(folder, blank(prepared, last, config))
    return Run(folder, model, family, config, state, step, loaded, record)


def shipped(folder: Path, data_dir: str | None = None, dataset: str | None = None) -> Run:
    """A machine that comes with genjax, as a run whose own folder is under runs/pretrained, apart from trained ones."""
    saved = run_folder.read_config(folder)
    model, about = saved["model"], saved["shipped"]
    family = FAMILIES[model]
    config = restore(family.config, dataclasses.asdict(family.config()) | saved, folder)  # fields may be newer than it
    return Run(
        folder=Path("runs") / "pretrained" / folder.name,
        model=model,
        family=family,
        config=moved(config, data_dir, dataset),
        state=state_of(pretrained.read(folder, saved), about["step"]),
        step=about["step"],
        record=run_folder.read_record(folder),
        known_shape=tuple(about["shape"]),
        known_log_z=from_numbers(json.loads((folder / "evaluation.json").read_text())["log_z"]),
    )


def any_saved(folder: Path, stage: str) -> bool:
    """Whether a stage has a checkpoint: its folder alone may be what a killed process left."""
    return any(path.name.isdigit() for path in (folder / "checkpoints" / stage).glob("*"))


def restore_newest(folder: Path, like: Any, stage: str = stages.LAST) -> tuple[Any, int]:
    """The newest checkpoint's state and its step. Raises `UserError` where the stage has none."""
    exists = (folder / "checkpoints" / stage).is_dir()
    checkpoints = Checkpoints(folder / "checkpoints", stage) if exists else None
    step = checkpoints.latest() if checkpoints else None
    if checkpoints is None or step is None:
        raise UserError(f"{folder} has no checkpoint of {stage}; go on with --resume, or train it again.")
    state = checkpoints.restore(step, like)
    checkpoints.close()
    return state, step


def fixed_splits(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Training and test images under the one fixed binarisation."""
    how = run.config.binarisation
    dataset = run.prepared.dataset
    return data.binarise_fixed(dataset.train, how, FIXED_DRAW + 1), data.binarise_fixed(dataset.test, how, FIXED_DRAW)


def fixed_batches(run: Run) -> tuple[Batch, Batch]:
    """The same with their labels."""
    labels = getattr(run.prepared.dataset, "labels", None)
    parts = zip(fixed_splits(run), (None, None) if labels is None else (labels.train, labels.test))
    train, test = (Batch(jnp.asarray(x), jnp.zeros(len(x), int) if y is None else jnp.asarray(y)) for x, y in parts)
    return train, test
