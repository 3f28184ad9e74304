"""From what a source calls its classes to 0, 1, 2, ... and names."""

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Int32, Integer

from genjax.errors import UserError

NONE = -1
"""The label of an image without one."""


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """By their values where all are numbers, so that 10 comes after 9; in the order of the alphabet otherwise."""
    names = sorted(set(names))
    numbers = all(re.fullmatch(r"[+-]?\d+(\.\d+)?", name, re.ASCII) for name in names)
    return tuple(sorted(names, key=Fraction) if numbers else names)


def numbered(
    train: Integer[np.ndarray, " train"],
    test: Integer[np.ndarray, " test"] | None,
    validation: int,
    names: tuple[str, ...],
    place: str,
    chosen: bool = False,
) -> tuple[Int32[np.ndarray, " train"], Int32[np.ndarray, " test"] | None, tuple[str, ...], list[str]]:
    """The same labels as 0 to n - 1, the names of the n classes, and notes; the last `validation` of `train` are that.

    A class is what occurs in any of the splits. Without `names` (then the labels are numbers already) each is called
    as the source numbers it. Raises `UserError` where some images of a split have a label and others have none, or
    where training and validation images differ in that; validation images that a caller has `chosen` may lack labels.
    """
    parts = [train[: len(train) - validation], train[len(train) - validation :], train[:0] if test is None else test]
    for labels in parts:
        if 0 < np.count_nonzero(labels == NONE) < len(labels):
            raise UserError(
                f"{place}: labels run from {labels.min()} to {labels.max()}, and {NONE} means that an image has no "
                "label; number the classes 0, 1, 2, ..., or leave all labels out."
            )
    if validation and labelled(parts[0]) != labelled(parts[1]) and not (chosen and labelled(parts[0])):
        some, others = ("training", "validation") if labelled(parts[0]) else ("validation", "training")
        raise UserError(f"{place}: {some} images are labelled and {others} images are not; label both or neither.")
    numbers = np.unique(np.concatenate(parts))
    numbers = numbers[numbers != NONE]
    if names:
        return train.astype(np.int32), None if test is None else test.astype(np.int32), names, []
    names = tuple(str(label) for label in numbers.tolist())
    notes = []
    if len(numbers) and numbers[-1] != len(numbers) - 1:
        notes.append(f"{place}: its labels {few(names)} are classes 0 to {len(names) - 1}, in this order.")
    lookup = [
        np.where(part == NONE, NONE, np.searchsorted(numbers, part)).astype(np.int32) for part in (train, parts[2])
    ]
    return lookup[0], None if test is None else lookup[1], names, notes


def labelled(labels: Integer[np.ndarray, " images"]) -> bool:
    """Whether the images of a split have labels."""
    return bool(len(labels) and labels[0] != NONE)


def gaps(
    train: Int32[np.ndarray, " train"],
    validation: Int32[np.ndarray, " validation"],
    test: Int32[np.ndarray, " test"],
    names: tuple[str, ...],
    place: str,
) -> list[str]:
    """What to say of labelled training images where a class is missing among them, or test images have no labels."""
    notes = []
    if labelled(train):
        there = np.bincount(train, minlength=len(names)) > 0
        if absent := [name for name, present in zip(names, there, strict=True) if not present]:
            notes.append(f"{place}: no training image is of class {few(absent)}, so nothing is learned of it.")
        if len(names) == 1:
            notes.append(f"{place}: all images are of one class, {names[0]}.")
        if len(test) and not labelled(test):
            notes.append(f"{place}: its test images have no labels, so accuracy on them is unknown.")
    return notes


def number_of(text: str, names: tuple[str, ...]) -> int | None:
    """Which class is called so, or None."""
    return names.index(text) if text in names else None


def few(names: Sequence[str]) -> str:
    """The names in a sentence: all of at most six, else the first three and the last."""
    return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:3])} ... {names[-1]}"
