"""The classifier by which samples are measured: of the data's own labels, trained once, with a bar."""

import contextlib
from typing import Any

from genjax.api.progress import Bar
from genjax.data import Dataset
from genjax.evaluation.classes import has_classes
from genjax.evaluation.classifier import Classifier, length, train_classifier
from genjax.training import loop


def classifier_of(dataset: Dataset) -> Classifier | None:
    """The classifier of these data, from the cache where it was trained before; None where not all are labelled."""
    if not has_classes(dataset.labels.train):
        return None
    _, steps = length(len(dataset.train) + len(dataset.validation))
    shown: list[Any] = []
    with contextlib.ExitStack() as stack:

        def progress(chunk: loop.Chunk) -> None:
            if not shown:
                shown.append(stack.enter_context(Bar("training the classifier, once", steps)))
            shown[0].update(chunk.step)

        return train_classifier(dataset, progress=progress)
