"""What may be handed to `fit` and to a run."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import genjax
from tests.damage import matrices
from tests.damage.case import Case, Evil, Make

MORE: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "a number": lambda: 3,
    "a text": lambda: "nowhere at all",
    "an empty list": list,
    "rows of different lengths": lambda: [[0, 1], [1]],
    "a dictionary": lambda: {"x": [[0, 1]]},
    "a set": lambda: {1, 2},
    "a function": lambda: print,
    "objects": lambda: np.array([[Evil()] * 4] * 20, object),
    "a masked array of nothing": lambda: np.ma.masked_all((20, 4)),
    "three things": lambda: (np.eye(9), np.arange(9), 3),
    "labels of another length": lambda: (np.eye(9), np.arange(8)),
    "labels of NaN": lambda: (np.eye(9), np.full(9, np.nan)),
    "labels of texts": lambda: (np.eye(9), np.array(list("abcdefghi"))),
    "an array of 10^12 rows": lambda: np.broadcast_to(np.zeros(4, np.float32), (10**12, 4)),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "no steps": {"steps": 0},
    "steps of text": {"steps": "many"},
    "steps of NaN": {"steps": float("nan")},
    "a batch of -3": {"batch_size": -3},
    "a seed of text": {"seed": "x"},
    "a seed of 2^64": {"seed": 2**64},
    "an unknown binarisation": {"binarisation": "soft"},
    "an option that is none": {"epoch": 3},
    "a validation share of 2": {"validation": 2.0},
    "validation of another width": {"validation": np.zeros((5, 3))},
    "a start of text": {"start": "good"},
    "no devices": {"devices": 0},
    "a million devices": {"devices": 10**6},
    "a folder that is a file": {"out": "/dev/null"},
    "a name with a zero byte": {"out": "a\0b"},
}
SOUND = {"one image", "large integers", "negative numbers"}  # numbers are data for units of some type


def cases() -> Iterator[Case]:
    """All of them."""
    x = np.random.default_rng(0).integers(0, 256, (40, 4, 4), np.uint8)
    for name, array in matrices.wrong(x).items():
        yield Case(f"fit on {name}", fitted(lambda array=array: array), name not in SOUND)
    for name, make in MORE.items():
        yield Case(f"fit on {name}", fitted(make), greedy="10^12" in name)
    for name, given in OPTIONS.items():
        yield Case(f"fit with {name}", fitted(lambda: np.eye(20), **given))
    for name, question in QUESTIONS.items():
        yield Case(f"run.{name}", asked(question))


QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "score_samples of NaN": lambda run: run.score_samples(np.full((3, 64), np.nan)),
    "score_samples of another width": lambda run: run.score_samples(np.zeros((3, 5))),
    "score_samples of text": lambda run: run.score_samples("x"),
    "log_likelihood of nothing": lambda run: run.log_likelihood(np.zeros((0, 64))),
    "encode of texts": lambda run: run.encode(np.array([["a"] * 64])),
    "reconstruct of another missing": lambda run: run.reconstruct(np.zeros((3, 64)), np.zeros((2, 64), bool)),
    "sample of -1": lambda run: run.sample(-1),
    "sample of text": lambda run: run.sample("many"),
    "sample of a label": lambda run: run.sample(3, label=99),
    "sample of no sweeps": lambda run: run.sample(3, sweeps=-1),
    "sample of an unknown kernel": lambda run: run.sample(3, kernel="none"),
}


def fitted(make: Callable[[], Any], **given: Any) -> Make:
    """A call of `fit`."""
    options: dict[str, Any] = {"steps": 2, "progress": False} | given
    return lambda place: lambda: genjax.fit(genjax.rbm(hidden=2), make(), **options)


def asked(question: Callable[[Any], Any]) -> Make:
    """A question to the run that is whole."""

    def make(place: Path) -> Callable[[], Any]:
        return lambda: question(genjax.load(place / "good"))

    return make
