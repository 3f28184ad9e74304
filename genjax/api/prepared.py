"""A run's data as its stages see them: read, split, binarised where they are evaluated, on the device."""

import dataclasses
import inspect
import os
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax import data, random
from genjax.data import Dataset, rating_splits, ratings
from genjax.data.binarisation import refuse_unbounded
from genjax.data.places import refuse_missing
from genjax.data.ratings import Ratings, SplitRatings
from genjax.data.record import Record, difference, of_images
from genjax.data.room import refuse_too_large
from genjax.errors import UserError
from genjax.training import folder as run_folder
from genjax.training import loop, sets, stages
from genjax.training.settings import RunConfig
from genjax.typing import Batch, Model, Stage

FIXED_DRAW = 20_240_229  # seed of the one binarisation by which validation and test images are evaluated
STEPS = 18_000  # default length of a run


class Prepared(NamedTuple):
    """Data as a run sees them."""

    dataset: Any  # a `Dataset`, or what the model's `read` gives
    training: loop.TrainingSet
    plan: loop.Plan
    settled: dict[str, Any]  # what the data decide of the algorithm


class Splits(NamedTuple):
    """What a call says of validation and test: the splits themselves, or what a run's options say of them."""

    validation: Any = True
    test: Any = None

    def named(self) -> dict[str, Any]:
        """What a run's options can say: no array and no Dataset."""
        said = {part: os.fspath(v) if isinstance(v, os.PathLike) else v for part, v in self._asdict().items()}
        return {part: v for part, v in said.items() if v is not None and isinstance(v, bool | float | int | str)}

    def given(self) -> dict[str, Any]:
        """The splits themselves."""
        return {part: v for part, v in self._asdict().items() if v is not None and part not in self.named()}


def read(run: RunConfig, model: Model, old: bool = False, splits: Splits = Splits()) -> Any:  # noqa: B008 (immutable)
    """A run's data by their name, split as it sees them, with other splits where they are given; `old` as a run did
    that keeps no record of them."""
    given = splits.given()
    if model.read is not None:
        return model.read(run, old, **given)
    assert run.dataset is not None
    own = {"validation": run.validation, "test": run.test} | given
    return data.load(run.dataset, run.data_dir, run.size, **own)


def describe(prepared: Prepared, model: Model) -> Record:
    """What a new run keeps of its data."""
    return dataclasses.replace((model.describe or of_images)(prepared.dataset), settled=prepared.settled)


def prepare(config: Any, run: RunConfig, dataset: Any) -> Prepared:
    """The data on the device. Raises `UserError` where they do not go with the model."""
    model: Model = config.model
    if model.prepare is not None:
        return Prepared(dataset, *model.prepare(config, run, dataset))
    refuse_unbounded(run.binarisation or "none", train=dataset.train, validation=dataset.validation, test=dataset.test)
    model.check(config, run, dataset)
    held_out = None
    mixed = dataset.mixed()  # the first 1,000 stand for all in learning curves
    if len(mixed.validation):
        target = jax.tree.map(lambda leaf: leaf[:1000], mixed.target("validation"))
        held_out = fixed(mixed.validation[:1000], target, run, FIXED_DRAW)
    training = sets.training_set(mixed.train, known(mixed.target("train")), held_out)
    return Prepared(dataset, training, plan_of(len(dataset.train), config, run), model.settle(config, dataset))


def known(target: Any) -> Any:
    """Targets as they are; class numbers of which none is known are no targets."""
    none = isinstance(target, np.ndarray) and target.dtype == np.int32 and not (target >= 0).any()
    return None if none else target


def fixed(x: np.ndarray, target: Any, run: RunConfig, seed: int) -> Batch:
    """Examples under the one fixed binarisation."""
    binarised = jnp.asarray(data.binarise_fixed(x, run.binarisation or "none", seed))
    return Batch(binarised, jax.tree.map(jnp.asarray, known(target)))


def plan_of(examples: int, config: Any, run: RunConfig) -> loop.Plan:
    """How a run on so many training examples is cut up."""
    images = getattr(config, "images_of_a_step", lambda batch_size, most: batch_size)(run.batch_size, examples)
    return loop.plan(examples, images, run.binarisation or "none")


def completed(config: Any, run: RunConfig) -> RunConfig:
    """The run's options, with the binarisation that the model takes where none is named."""
    return (
        run
        if run.binarisation is not None
        else dataclasses.replace(run, binarisation=config.model.binarisation(config))
    )


def with_length(run: RunConfig, plan: loop.Plan) -> RunConfig:
    """The run's options, with the default length where none is given: about `STEPS` steps, in whole chunks."""
    if run.epochs is not None or run.steps is not None:
        return run
    together = max(1, plan.chunk // plan.steps_per_epoch)
    return dataclasses.replace(run, epochs=together * -(-STEPS // (together * plan.steps_per_epoch)))


def stages_of(config: Any, run: RunConfig, prepared: Prepared) -> tuple[Stage, ...]:
    """What the run does, one algorithm after another; most have one."""
    each = prepared.plan.steps_per_epoch
    steps = run.steps if run.steps is not None else (run.epochs or 0) * each
    return config.model.stages(config, steps, each, **prepared.settled)


def begin(prepared: Prepared, stage: Stage, run: RunConfig, before: Any = None) -> Any:
    """A stage's state before its first step. Raises `UserError` where it would not fit into memory."""
    refuse_large_state(prepared, stage, run)
    return stages.begin(random.key(run.seed, run.rng), stage, prepared.training, prepared.plan, before)


def refuse_large_state(prepared: Prepared, stage: Stage, run: RunConfig) -> None:
    """Raise `UserError` where a stage's state would not fit into memory."""
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(blank(prepared, stage, run)))
    refuse_too_large(size, f"The state of {stage.name}", "give fewer units, or fewer chains")


def blank(prepared: Prepared, stage: Stage, run: RunConfig) -> Any:
    """A state of the stage's shapes, to restore into; needs no data but their shapes."""

    def first(training: loop.TrainingSet) -> Any:
        example = loop.example(training, prepared.plan)
        return stage.algorithm.init(random.key(run.seed, run.rng), example, stage.hyper)

    return jax.eval_shape(first, prepared.training)


def outline(record: Record, config: Any, run: RunConfig, folder: Path) -> Prepared:
    """What a run's data say of its states, without the data: shapes stand for arrays.

    Raises `UserError` where the record is not of this model.
    """
    rows, columns = record.examples
    x, labels = jax.ShapeDtypeStruct((rows, columns), jnp.float32), jax.ShapeDtypeStruct((rows,), jnp.int32)
    plan = plan_of(rows, config, run)
    prepared = Prepared(None, loop.TrainingSet(x, labels, None), plan, record.settled)  # type: ignore[arg-type]
    try:
        inspect.signature(config.model.stages).bind(config, 1, 1, **record.settled)
        blank(prepared, stages_of(config, run, prepared)[-1], run)
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        text = f"{folder / 'config.json'} has data that its model cannot have; restore it from a copy."
        raise UserError(text) from error
    return prepared


def reread(folder: Path, config: Any, run: RunConfig, record: Record | None) -> Prepared:
    """The data of a run that exists, by their name. Raises `UserError` where they are gone, or are other ones."""
    if run.dataset is None:
        raise UserError(f"{folder} was trained on arrays, which it does not keep; give them again as `data`.")
    refuse_missing(run, folder)
    dataset = read(run, config.model, old=record is None)
    if record is None:
        return as_long(folder, prepare(config, run, dataset))
    return same(folder, config, run, record, dataset)


def same(folder: Path | None, config: Any, run: RunConfig, record: Record, dataset: Any) -> Prepared:
    """These data, if they are the run's. Raises `UserError` where they are not."""
    model: Model = config.model
    other = difference(record, (model.describe or of_images)(dataset))
    if other is not None:
        raise UserError(
            f"`dataset` {run.dataset or 'of arrays'}: these are not the data of {folder or 'this run'}: {other}; give "
            "`dataset` or `data_dir` with those that it was trained on, or begin from its parameters: "
            "genjax.fit(model, other, start=run.parameters)."
        )
    return prepare(config, run, dataset)


def as_long(folder: Path, prepared: Prepared) -> Prepared:
    """The data of a run that keeps no record of them. Raises `UserError` where an epoch has other steps than it had."""
    saved = run_folder.read_config(folder) if (folder / "config.json").exists() else {}
    steps = saved.get("decided", {}).get("steps_per_epoch", prepared.plan.steps_per_epoch)
    if steps != prepared.plan.steps_per_epoch:
        raise UserError(
            f"These are not the data of {folder}: an epoch of theirs has {prepared.plan.steps_per_epoch} steps, where "
            f"config.json says {steps}; give those that it was trained on with `dataset` or `data_dir`."
        )
    return prepared


def as_dataset(given: Any, splits: Splits, whole: bool = False) -> Dataset | SplitRatings:
    """A `Dataset`, examples or a pair of examples and targets, or ratings, with the splits that are asked for (of a
    name see `read`); what is split as it is. Of `whole` examples nothing is set aside that is not asked for."""
    validation, test = splits
    if isinstance(given, Ratings):
        return rating_splits.assembled(ratings.ordered(given), "ratings", validation, test)
    if isinstance(given, SplitRatings | Dataset):
        of = "Dataset.from_arrays" if isinstance(given, Dataset) else "genjax.data.rating_splits.assembled"
        for part, value in (("validation", not isinstance(validation, bool)), ("test", test is not None)):
            if value:
                raise UserError(f"`{part}`: these data have their own {part} split; give it to {of}.")
        return given.without_validation() if isinstance(given, Dataset) and not validation else given
    for part, value in splits._asdict().items():
        if isinstance(value, str | os.PathLike):
            raise UserError(f"`{part}` {value}: a file goes with data by name; give the arrays that it holds.")
    usual = 0.0 if whole else 0.1
    share = {True: usual, False: 0}.get(validation, validation) if isinstance(validation, bool) else validation
    tested = (0.0 if whole else 0.2) if test is None else test
    x, y = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
    return Dataset.from_arrays(x, y, test=tested, validation=share)
