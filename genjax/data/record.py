"""What a run keeps of its data, so that it needs them seldom, and knows whether others are in their place.

Of images: shape, counts, names of the classes, mean of the training images, and checksums of contents, order and
labels. Of ratings: counts, the names of users and items, and a checksum that does not depend on the order of the lines.
"""

import json
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float32, Shaped

from genjax.data import classes, shapes, stored
from genjax.data.checksum import checksum, of_rows
from genjax.data.dataset import PARTS, Dataset
from genjax.data.ratings import SplitRatings
from genjax.errors import UserError

SHOWN = 3  # names in a sentence
MEAN = "mean.npy"
"""The file beside `config.json` that holds `Record.mean`."""
LATER = ("example_shape", "classes", "labelled")  # fields that records of format 1 lack
APART = ("names", "mean")  # fields with a file of their own


@dataclass(frozen=True, repr=False)
class Record:
    """The data of a run as it was trained on them.

    - `what`: of what the counts are, images or ratings.
    - `shape`: height, width and channels of an image; how many users and items have rated and been rated.
    - `counts`: in each of `PARTS`.
    - `unordered`: checksum of the contents, whatever their order; `ordered`: of contents, order and split; `labels`;
      `labelled`: of examples each with its label, whatever their order.
    - `brightness`: mean intensity of the training images; `mean`: of each value, `(values,)`, in a file of its own.
    - `settled`: keyword arguments of the model that depend on the data.
    - `names`: of users and items; they have a file of their own, whose checksum is `named`.
    - `example_shape`: of one example as it was given; `classes`: how many there are, 0 without labels.

    `mean`, `example_shape`, `classes` and `labelled` are None in records of earlier versions, and of ratings.
    """

    what: str
    shape: tuple[int, ...]
    counts: dict[str, int]
    unordered: str
    ordered: str
    labels: str
    class_names: tuple[str, ...]
    brightness: float | None
    settled: dict[str, Any]
    names: dict[str, tuple[str, ...]]
    named: str
    example_shape: tuple[int, ...] | None = None
    classes: int | None = None
    labelled: str | None = None
    mean: Float32[np.ndarray, " values"] | None = field(default=None, compare=False)

    @property
    def examples(self) -> tuple[int, int]:
        """Rows and columns of the training set: images and pixels, or users and items, or items and users."""
        if self.what == "ratings":
            users, items = self.shape
            return (users, items) if self.settled.get("rows", users) == users else (items, users)
        return self.counts["train"], math.prod(self.shape)

    @property
    def example(self) -> tuple[int, ...]:
        """The shape of one example, also where an earlier version did not keep it: (height, width) of a grey image."""
        return self.example_shape or shapes.usual(self._image())

    def flatten(self, x: Any, name: str = "`x`", finite: bool = True) -> Float32[np.ndarray, "examples values"]:
        """Examples, flat or shaped, as new float32 rows `(n, values)` (`shapes.flatten`). Raises `UserError`."""
        return shapes.flatten(x, self._image(), self.example, name, finite)

    def shaped(self, x: Any) -> Shaped[np.ndarray, "..."]:
        """`(..., values)` as `(..., *example)`."""
        return shapes.shaped(x, self.example)

    def _image(self) -> tuple[int, int, int]:
        if self.what != "images":
            raise UserError("A run on ratings has no images; ask it for the ratings of a user.")
        height, width, channels = self.shape
        return height, width, channels

    def __repr__(self) -> str:
        of = f"of shape {self.example}" if self.what == "images" else f"by {_by(self.shape)} users and items"
        lines = [f"Record of {_spelled(self)} {of}"]
        if self.class_names:
            lines.append(f"  {len(self.class_names)} classes: {classes.few(self.class_names)}")
        return "\n".join(lines)


def of_images(dataset: Dataset) -> Record:
    """Record of a dataset, split as the run is trained on it; `mean` is that of the intensities."""
    parts = {part: getattr(dataset, part) for part in PARTS}
    rows = {part: of_rows(x) for part, x in parts.items()}
    counts = {part: len(x) for part, x in parts.items()}
    height, width, channels = map(int, dataset.shape)
    header = f"{(height, width, channels)} {counts}"
    targets = [] if dataset.targets is None else jax.tree.leaves(tuple(dataset.targets))
    target = "".join(f" {leaf.dtype}{leaf.shape[1:]}" for leaf in targets)
    return Record(
        what="images",
        shape=(height, width, channels),
        counts=counts,
        unordered=checksum(header, np.sort(np.concatenate(list(rows.values())))),
        ordered=checksum(header, *rows.values()),
        labels=checksum(header + target, *dataset.labels, *targets),
        class_names=dataset.class_names,
        brightness=stored.brightness(dataset.train),
        settled={},
        names={},
        named="",
        example_shape=tuple(map(int, dataset.example_shape)),
        classes=dataset.classes,
        labelled=_labelled(header, dataset, np.concatenate(list(rows.values()))),
        mean=stored.mean(dataset.train),
    )


def _labelled(header: str, dataset: Dataset, rows: np.ndarray) -> str:
    """Checksum of the examples with their labels, whatever their order."""
    columns = [rows, np.concatenate(list(dataset.labels)).astype(np.int64).view(np.uint64)]
    if dataset.targets is not None:
        for leaves in zip(*map(jax.tree.leaves, dataset.targets)):
            leaf = np.concatenate(leaves)
            columns.append(of_rows(leaf.reshape(len(leaf), -1)))
    table = np.stack(columns, 1)
    return checksum(header, table[np.lexsort(table.T[::-1])])


def of_ratings(data: SplitRatings) -> Record:
    """Record of ratings: who rated what, and how."""
    known = data.all_known()
    users, items = np.nonzero(known)
    by_name = sorted(zip((data.user_ids[u] for u in users), (data.item_ids[i] for i in items), _values(data, known)))
    asked = {part: getattr(data, part) <= -1 for part in ("validation", "test")}
    counts = {part: int(where.sum()) for part, where in asked.items()}
    names = {"users": data.user_ids, "items": data.item_ids}
    return Record(
        what="ratings",
        shape=data.shape,
        counts={"train": int((data.train >= 1).sum())} | counts,
        unordered=checksum(json.dumps(by_name)),
        ordered=checksum("asked", *map(np.flatnonzero, asked.values())) if data.chosen else "",
        labels="",
        class_names=(),
        brightness=None,
        settled={},
        names=names,
        named=checksum_of_names(names),
    )


def _values(data: SplitRatings, known: np.ndarray) -> list[float]:
    return np.asarray(data.values)[known[np.nonzero(known)].astype(int) - 1].tolist()


def checksum_of_names(names: dict[str, Any]) -> str:
    """Of the names of users and items in their order."""
    return checksum(json.dumps({kind: list(some) for kind, some in names.items()}))


def difference(kept: Record, now: Record) -> str | None:
    """How the data differ from those of the run, as part of a sentence; None where they are the same."""
    named = [part for kind in kept.names for part in _strangers(kind, kept.names[kind], now.names.get(kind, ()))]
    if named:
        return ", ".join(named)
    if kept.what == "images" and kept.shape != now.shape:
        return f"images of {_by(now.shape)} where the run had {_by(kept.shape)} (height, width, channels)"
    if kept.counts != now.counts:
        return f"{_spelled(now)} where the run had {_spelled(kept)}"
    if kept.unordered != now.unordered:
        return f"as many {kept.what}, but not the same ones"
    if kept.labelled and now.labelled and kept.labelled != now.labelled:
        return f"the same {kept.what} with other labels"
    if kept.ordered != now.ordered:
        return f"the same {kept.what} in another order, so that others are held out"
    return f"the same {kept.what} with other labels" if kept.labels != now.labels else None


def _strangers(kind: str, kept: tuple[str, ...], now: tuple[str, ...]) -> list[str]:
    new, gone = sorted(set(now) - set(kept)), sorted(set(kept) - set(now))
    return [
        f"{len(names)} {which} {kind} ({listed(names)})" for which, names in (("new", new), ("missing", gone)) if names
    ]


def listed(names: list[str]) -> str:
    """The first few names."""
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _spelled(record: Record) -> str:
    parts = ", ".join(f"{count} {part}" for part, count in record.counts.items())
    return f"{sum(record.counts.values())} {record.what} ({parts})"


def to_json(record: Record) -> dict[str, Any]:
    """The record without the names and the mean, which have files of their own."""
    return {part.name: getattr(record, part.name) for part in fields(record) if part.name not in APART}


def from_json(saved: Any, names: Any = None) -> Record:
    """The record that `to_json` and a file of names hold, without its mean. Raises ValueError where they cannot."""
    known = {part.name for part in fields(Record)} - set(APART)
    if not isinstance(saved, dict) or not known - set(LATER) <= set(saved) <= known:
        raise ValueError(f"it must be an object with {', '.join(sorted(known))}")
    for name in ("what", "unordered", "ordered", "labels", "named"):
        if not isinstance(saved[name], str):
            raise ValueError(f"{name} {saved[name]!r} is no text")
    rank, counts = {"images": 3, "ratings": 2}.get(saved["what"]), saved["counts"]
    shape = _list("shape", saved["shape"], _whole)
    if len(shape) != rank or min(shape) < 1:
        raise ValueError(f"shape {list(shape)} is not one of {saved['what']}")
    if not isinstance(counts, dict) or set(counts) != set(PARTS) or not all(map(_whole, counts.values())):
        raise ValueError(f"counts {counts!r} are not of train, validation and test")
    if not counts["train"]:
        raise ValueError("counts know no training data")
    whole = {**dict.fromkeys(LATER), **saved}
    if whole["example_shape"] is not None:
        whole["example_shape"] = _list("example_shape", whole["example_shape"], _whole)
        if math.prod(whole["example_shape"]) != math.prod(shape):
            raise ValueError(f"example_shape {saved['example_shape']} does not hold the values of {list(shape)}")
    if whole["classes"] is not None and not _whole(whole["classes"]):
        raise ValueError(f"classes {whole['classes']!r} is no count")
    if not isinstance(whole["labelled"], str | None):
        raise ValueError(f"labelled {whole['labelled']!r} is no text")
    if saved["brightness"] is not None and type(saved["brightness"]) not in (int, float):
        raise ValueError(f"brightness {saved['brightness']!r} is no number")
    whole["class_names"] = _list("class_names", saved["class_names"], lambda name: isinstance(name, str))
    whole["names"] = _names(names, saved["named"], shape) if saved["what"] == "ratings" else {}
    return Record(**{**whole, "shape": shape, "settled": _settled(saved["settled"])})


def write_mean(folder: Path, record: Record) -> None:
    """Write the record's mean, if it has one, to a run's folder. Raises OSError."""
    if record.mean is not None:
        np.save(folder / MEAN, record.mean, allow_pickle=False)


def read_mean(folder: Path, record: Record) -> Record:
    """The record with the mean of a run's folder; as it is where the run keeps none. Raises ValueError or OSError."""
    try:
        mean = np.load(folder / MEAN, allow_pickle=False)
    except FileNotFoundError:
        return record
    except (EOFError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{MEAN} cannot be read: {error}") from None
    size = math.prod(record.shape)
    if not isinstance(mean, np.ndarray) or mean.dtype != np.float32 or mean.shape != (size,):
        raise ValueError(f"{MEAN} does not hold {size} float32 numbers")
    if not np.isfinite(mean).all():
        raise ValueError(f"{MEAN} holds NaN or infinity")
    return replace(record, mean=mean)


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _list(name: str, values: Any, allowed: Callable[[Any], bool]) -> tuple:
    if not isinstance(values, list) or not all(map(allowed, values)):
        raise ValueError(f"{name} is {values!r}")
    return tuple(values)


def _settled(values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise ValueError(f"settled is {values!r}")
    return {
        name: value
        if _whole(value) or isinstance(value, bool | str)
        else _list(name, value, lambda number: type(number) in (int, float))
        for name, value in values.items()
    }


def _names(names: Any, expected: str, shape: tuple[int, ...]) -> dict[str, tuple[str, ...]]:
    if not isinstance(names, dict) or set(names) != {"users", "items"}:
        raise ValueError("there are no names of users and items")
    found = {kind: _list(kind, some, lambda name: isinstance(name, str)) for kind, some in names.items()}
    if checksum_of_names(found) != expected or (len(found["users"]), len(found["items"])) != shape:
        raise ValueError("the names are not those of its users and items")
    return found
