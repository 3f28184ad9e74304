"""What a reader of any source hands over, before it is split and scaled."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Integer, Shaped


class Images(NamedTuple):
    """Images as the source holds them: uint8, or float32; `test` is None where the source has no such split.

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
    """What stands for intensity 1, where the values do not say (`values.white`)."""
    example_shape: tuple[int, ...] = ()
    """The shape of one example in the source; () for (height, width), with channels if there are several."""
    targets: Any = None
    """What is to be predicted where it is no class: a pytree of arrays whose rows are those of `train`."""
    test_targets: Any = None
    chosen: bool = False
    """Whether a caller chose the validation images, which may then be without labels where training has some."""
