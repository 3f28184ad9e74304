"""A run that exists, or a machine that comes with genjax: opened by its folder or its name, its data read if needed."""

import dataclasses
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from genjax import data, pretrained, random
from genjax.cli.boltzmann import state_of
from genjax.cli.families import FAMILIES, Family
from genjax.cli.options import RunConfig, restore, say
from genjax.errors import UserError
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

    `folder` is where figures and judgements go. What is known (the shape of an image; log Z, forward and reverse) comes
    with a machine of genjax.
    """

    folder: Path
    model: str
    family: Family
    config: RunConfig
    state: Any
    step: int
    loaded: Prepared | None = None
    known_shape: tuple[int, ...] | None = None
    known_log_z: tuple[LogZ, LogZ | None] | None = None

    @cached_property
    def prepared(self) -> Prepared:
        """The data, read now where that was not needed to open the run."""
        return self.loaded or prepare(self.config, self.family)

    @property
    def shape(self) -> Any:
        """Height, width and channels of an image."""
        return self.known_shape or self.prepared.dataset.shape


def prepare(config: RunConfig, family: Family) -> Prepared:
    """Read a run's data and put them on the device."""
    if family.prepare is not None:
        return Prepared(*family.prepare(config))
    dataset = data.load(config.dataset, config.data_dir, config.size)
    if not config.validation:
        dataset = dataset.without_validation()
    if family.check is not None:
        family.check(config, dataset)
    held_out = None
    if len(dataset.validation):
        x = data.binarise_fixed(dataset.validation[:1000], config.binarisation, FIXED_DRAW)
        held_out = Batch(jnp.asarray(x), jnp.asarray(dataset.labels.validation[:1000]))
    images, labels = jnp.asarray(dataset.train), jnp.asarray(dataset.labels.train)
    size = config.images_of_a_step(config.batch_size, len(dataset.train))
    plan = loop.plan(len(dataset.train), size, config.binarisation)
    settled = {} if family.settle is None else family.settle(config, dataset)
    return Prepared(dataset, loop.TrainingSet(images, labels, held_out), plan, settled)


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


def blank(prepared: Prepared, stage: Stage, config: RunConfig) -> Any:
    """A state of the stage's shapes, to restore into."""
    return begin(prepared, stage._replace(handover=None), config)


def load(folder: Path, data_dir: str | None = None) -> Run:
    """Open a run with its newest checkpoint, or a machine that comes with genjax where `folder` is only its name.

    `data_dir` is where its data lie now. Raises `UserError` where any part is missing or damaged.
    """
    if str(folder) in pretrained.names():
        if not folder.exists():
            return shipped(pretrained.folder(str(folder)), data_dir)
        say(f"{folder} is the folder here, not the machine of that name that comes with genjax")
    if not folder.exists():
        raise UserError(f"{folder} is not a run folder: make one with genjax train ({pretrained.known()}).")
    model, family, config = read_config(folder)
    config = config if data_dir is None else dataclasses.replace(config, data_dir=data_dir)
    prepared = prepare(config, family)
    last = stages_of(prepared, family, config)[-1]
    state, step = restore_newest(folder, blank(prepared, last, config))
    return Run(folder, model, family, config, state, step, prepared)


def shipped(folder: Path, data_dir: str | None = None) -> Run:
    """A machine that comes with genjax, as a run whose own folder is under runs/pretrained, apart from trained ones."""
    saved = run_folder.read_config(folder)
    model, about = saved["model"], saved["shipped"]
    family = FAMILIES[model]
    config = restore(family.config, dataclasses.asdict(family.config()) | saved, folder)  # fields may be newer than it
    return Run(
        folder=Path("runs") / "pretrained" / folder.name,
        model=model,
        family=family,
        config=dataclasses.replace(config, data_dir=data_dir),
        state=state_of(pretrained.read(folder, saved), about["step"]),
        step=about["step"],
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
