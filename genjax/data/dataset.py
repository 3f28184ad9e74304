"""What every source becomes: a `Dataset`, with the splits, the scale and the classes that all sources share."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, Integer, Shaped

from genjax.data import classes, splits, values
from genjax.errors import UserError


class Labels(NamedTuple):
    """Class numbers from 0, int32, one an image; -1 throughout a split that the source does not label."""

    train: Int32[np.ndarray, " train"]
    validation: Int32[np.ndarray, " validation"]
    test: Int32[np.ndarray, " test"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images as rows of intensities in [0, 1]; `shape` is (height, width, channels), pixels in that order.

    `source` says what was read and `licence` on what terms, for the record of a run.
    """

    name: str
    train: Float32[np.ndarray, "train pixels"]
    validation: Float32[np.ndarray, "validation pixels"]
    test: Float32[np.ndarray, "test pixels"]
    labels: Labels
    shape: tuple[int, int, int]
    licence: str
    source: str
    class_names: tuple[str, ...] = ()
    """What the source calls class 0, 1, ...; empty where nothing is labelled."""
    notes: tuple[str, ...] = ()
    """What a person should know of the data: what was left out, changed or looks wrong; one sentence each."""
    shuffled: bool = True
    """Whether training and validation images stand in random order; else in the source's, which may be by class."""

    @property
    def classes(self) -> int:
        """How many classes there are in all splits; 0 without labels."""
        return 1 + max((int(labels.max()) for labels in self.labels if len(labels)), default=-1)

    def mixed(self) -> "Dataset":
        """The same data in random order (seed 0), for whoever takes the first few; as they are if they are shuffled."""
        if self.shuffled:
            return self
        first, second = (np.random.default_rng(0).permutation(len(x)) for x in (self.train, self.validation))
        labels = self.labels
        return replace(
            self,
            train=self.train[first],
            validation=self.validation[second],
            labels=Labels(labels.train[first], labels.validation[second], labels.test),
            shuffled=True,
        )

    def without_validation(self) -> "Dataset":
        """The same data with the validation images back at the end of `train`, where nothing selects on them."""
        labels = self.labels
        return replace(
            self,
            train=np.concatenate([self.train, self.validation]),
            validation=self.validation[:0],
            labels=Labels(np.concatenate([labels.train, labels.validation]), labels.validation[:0], labels.test),
        )


class Images(NamedTuple):
    """What a reader hands over: uint8, or float32 in [0, 1]; `test` None where the source has no such split.

    `validation` counts the rows at the end of `train` that the source itself calls validation. Labels are whatever
    numbers the source has, or with `class_names` the places of their names there; -1 without a label.
    """

    train: Shaped[np.ndarray, "train height width channels"]
    train_labels: Integer[np.ndarray, " train"]
    test: Shaped[np.ndarray, "test height width channels"] | None
    test_labels: Integer[np.ndarray, " test"] | None
    source: str
    validation: int | None = None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    shuffled: bool = False
    white: int | None = None
    """What stands for intensity 1, where the values do not tell (`values.white`)."""


class Rows(NamedTuple):
    """Which of the images that come for training are what; `test` is empty where the source brings test images."""

    train: Integer[np.ndarray, " train"]
    validation: Integer[np.ndarray, " validation"]
    test: Integer[np.ndarray, " test"]


def assemble(name: str, images: Images, licence: str, custom: int | None = None) -> Dataset:
    """Splits, scales and numbers what a reader found.

    Without a split of its own a source gives a fifth of its training images for testing (`splits.held_out`) and a
    tenth for validation (`splits.for_validation`, where `custom` is how many last ones are so by custom). Raises
    `UserError` where the images are too few to split, or labelled in part.
    """
    place, x = f"--dataset {name}", images.train
    labels, test_labels, names, notes = classes.numbered(
        images.train_labels, images.test_labels, images.validation or 0, images.class_names, place
    )
    rows = _rows(images, labels, custom, place)
    test = x[rows.test] if images.test is None else images.test
    every = Labels(
        labels[rows.train], labels[rows.validation], labels[rows.test] if test_labels is None else test_labels
    )
    if images.test is None and custom is None:
        notes.append(f"{place}: no test images; {len(test)} of {len(x)} images are set aside for testing.")
    notes += classes.gaps(*every, names, place)
    white = images.white or values.white(x, test)
    parts = [values.intensities(part, white) for part in (x[rows.train], x[rows.validation], test)]
    for which, part in (("training", parts[0]), ("test", parts[2])):
        notes += [f"{place}: {doubt}" for doubt in values.doubts(part, which)]
    height, width, channels = x.shape[1:]
    return Dataset(
        name,
        *parts,
        labels=every,
        shape=(height, width, channels),
        licence=licence,
        source=images.source,
        class_names=names,
        notes=(*images.notes, *notes),
        shuffled=images.shuffled or not images.validation,
    )


def _rows(images: Images, labels: Int32[np.ndarray, " images"], custom: int | None, place: str) -> Rows:
    count = len(labels) - (images.validation or 0)
    needed = 1 + (not images.validation) + (images.test is None)
    if count < needed:
        raise UserError(
            f"{place}: {count} image(s) cannot be split into training, validation and test; give at least "
            f"{('one', 'two', 'three')[needed - 1]}."
        )
    train, validation, test = np.arange(count), np.arange(count, len(labels)), np.arange(0)
    if images.test is None:
        train, test = splits.held_out(labels[:count], -(-count // 5))
    if not images.validation:
        kept, aside = splits.for_validation(labels[train], custom)
        train, validation = train[kept], train[aside]
    return Rows(train, validation, test)
