"""What every source becomes: `Dataset`; and the splitting that all sources share."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, Integer, Shaped

from genjax.errors import UserError

MNIST_TRAIN, MNIST_VALIDATION = 60_000, 5_000


class Labels(NamedTuple):
    """Class numbers, int32, one an image; -1 where the source has none."""

    train: Int32[np.ndarray, " train"]
    validation: Int32[np.ndarray, " validation"]
    test: Int32[np.ndarray, " test"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images as rows of intensities in [0, 1]; `shape` is (height, width, channels), pixels in that order.

    Validation is the end of the source's training images, so `train` then `validation` is their order;
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

    `validation` counts the rows at the end of `train` that the source itself calls validation.
    """

    train: Shaped[np.ndarray, "train height width channels"]
    train_labels: Integer[np.ndarray, " train"]
    test: Shaped[np.ndarray, "test height width channels"] | None
    test_labels: Integer[np.ndarray, " test"] | None
    source: str
    validation: int | None = None


def assemble(name: str, images: Images, licence: str) -> Dataset:
    """Splits and scales what a reader found; raises `UserError` where the images are too few to split."""
    train, train_labels, test, test_labels, source, validation = images
    if len(train) < (2 if test is not None else 3):
        raise UserError(
            f"--dataset {name}: {len(train)} image(s) cannot be split into training, validation and test; "
            "give at least three."
        )
    if test is None or test_labels is None:
        kept, held = held_out(train_labels)
        train, test = train[kept], train[held]
        train_labels, test_labels = train_labels[kept], train_labels[held]
    height, width, channels = train.shape[1:]
    first = len(train) - (validation or validation_size(len(train), (height, width)))
    x, labels = intensities(train), train_labels.astype(np.int32)
    return Dataset(
        name=name,
        train=x[:first],
        validation=x[first:],
        test=intensities(test),
        labels=Labels(labels[:first], labels[first:], test_labels.astype(np.int32)),
        shape=(height, width, channels),
        licence=licence,
        source=source,
    )


def validation_size(images: int, extent: tuple[int, int]) -> int:
    """How many of the last training images are validation: MNIST's 5,000, a tenth (at least one) elsewhere."""
    if images == MNIST_TRAIN and extent == (28, 28):
        return MNIST_VALIDATION
    return max(1, images // 10)


def held_out(
    labels: Integer[np.ndarray, " images"],
) -> tuple[Integer[np.ndarray, " train"], Integer[np.ndarray, " test"]]:
    """Rows to train on and a fifth (rounded up) to test on: seed 0, by class where every class has enough images.

    The rows come shuffled, so that the last tenth of a source in order of class is not one class.
    """
    from sklearn.model_selection import train_test_split  # slow to import, and most sources have a test split

    classes, counts = np.unique(labels, return_counts=True)
    test = -(-len(labels) // 5)
    stratify = len(classes) > 1 and counts.min() > 1 and len(classes) <= min(test, len(labels) - test)
    train_rows, test_rows = train_test_split(
        np.arange(len(labels)), test_size=test, random_state=0, stratify=labels if stratify else None
    )
    return np.asarray(train_rows), np.asarray(test_rows)


def intensities(images: Shaped[np.ndarray, "images height width channels"]) -> Float32[np.ndarray, "images pixels"]:
    """Flat rows in [0, 1]: uint8 divided by 255, floats as they are."""
    flat = images.reshape(len(images), int(np.prod(images.shape[1:])))
    if flat.dtype == np.uint8:
        return np.divide(flat, np.float32(255), dtype=np.float32)
    return flat.astype(np.float32, copy=False)
