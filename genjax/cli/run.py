"""A run that exists: its folder opened, its data read, its newest state restored."""

from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from genjax import data, random
from genjax.cli.families import FAMILIES, Family
from genjax.cli.options import RunConfig, restore
from genjax.errors import UserError
from genjax.training import folder as run_folder
from genjax.training import loop
from genjax.training.checkpoint import Checkpoints
from genjax.typing import Batch

FIXED_DRAW = 20_240_229  # seed of the one binarisation that validation and test images are judged by


class Prepared(NamedTuple):
    """Data as a run sees them."""

    dataset: Any  # a `Dataset` of images, or what the family's `prepare` reads
    training: loop.TrainingSet
    plan: loop.Plan
    settled: dict[str, Any]  # what the data settle of the algorithm


class Run(NamedTuple):
    """A trained model with all that its folder says of it."""

    folder: Path
    model: str
    family: Family
    config: RunConfig
    prepared: Prepared
    state: Any
    step: int


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
    plan = loop.plan(len(dataset.train), config.batch_size, config.binarisation)
    return Prepared(dataset, loop.TrainingSet(images, labels, held_out), plan, {})


def read_config(folder: Path) -> tuple[str, Family, RunConfig]:
    """The model's name, its family and its config. Raises `UserError` for a model that this version does not know."""
    saved = run_folder.read_config(folder)
    if saved.get("model") not in FAMILIES:
        raise UserError(f"{folder} holds a model {saved.get('model')!r}; known are {', '.join(FAMILIES)}.")
    family = FAMILIES[saved["model"]]
    return saved["model"], family, restore(family.config, saved, folder)


def initial_state(prepared: Prepared, family: Family, config: RunConfig) -> tuple[Any, Any, int]:
    """The algorithm, its state before the first step, and the number of steps of the whole run."""
    assert config.epochs is not None
    total = config.epochs * prepared.plan.steps_per_epoch
    algorithm, hyper = family.algorithm(config, total, **prepared.settled)
    key = random.key(config.seed, config.rng)
    return algorithm, loop.initial(key, algorithm, prepared.training, prepared.plan, hyper), total


def load(folder: Path) -> Run:
    """Open a run with its newest checkpoint. Raises `UserError` where any part is missing or damaged."""
    model, family, config = read_config(folder)
    prepared = prepare(config, family)
    _, like, _ = initial_state(prepared, family, config)
    state, step = restore_newest(folder, like)
    return Run(folder, model, family, config, prepared, state, step)


def restore_newest(folder: Path, like: Any) -> tuple[Any, int]:
    """The newest checkpoint's state and its step."""
    exists = (folder / "checkpoints").is_dir()
    checkpoints = Checkpoints(folder / "checkpoints") if exists else None
    step = checkpoints.latest() if checkpoints else None
    if checkpoints is None or step is None:
        raise UserError(f"{folder} has no checkpoint; train it again with genjax train.")
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
