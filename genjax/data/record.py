"""What a run keeps of its data, so that it needs them seldom, and knows whether others are in their place.

Of images: shape, counts, names of the classes, mean brightness, and checksums of contents, order and labels. Of
ratings: counts, the names of users and items, and a checksum that does not depend on the order of the lines.
"""

import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from genjax.data.checksum import checksum, of_rows
from genjax.data.dataset import Dataset
from genjax.data.ratings import SplitRatings

SPLITS = ("train", "validation", "test")
SHOWN = 3  # names in a sentence


class Record(NamedTuple):
    """The data of a run as it saw them.

    - `what`: of what the counts are, images or ratings.
    - `shape`: height, width and channels of an image; how many users and items have rated and been rated.
    - `counts`: in each of `SPLITS`.
    - `unordered`: checksum of the contents, whatever their order; `ordered`: of contents, order and split; `labels`.
    - `brightness`: mean intensity of the training images.
    - `settled`: what the data settle of the model (see `cli.families.Family.settle`).
    - `names`: of users and items; they have a file of their own, whose checksum is `named`.
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

    @property
    def examples(self) -> tuple[int, int]:
        """Rows and columns of the training set: images and pixels, or users and items."""
        rows, columns = (self.counts["train"], math.prod(self.shape)) if self.what == "images" else self.shape
        return rows, columns


def of_images(dataset: Dataset) -> Record:
    """Record of a dataset, split as the run sees it."""
    parts = {part: getattr(dataset, part) for part in SPLITS}
    rows = {part: of_rows(x) for part, x in parts.items()}
    counts = {part: len(x) for part, x in parts.items()}
    height, width, channels = map(int, dataset.shape)
    header = f"{(height, width, channels)} {counts}"
    return Record(
        what="images",
        shape=(height, width, channels),
        counts=counts,
        unordered=checksum(header, np.sort(np.concatenate(list(rows.values())))),
        ordered=checksum(header, *rows.values()),
        labels=checksum(header, *dataset.labels),
        class_names=tuple(getattr(dataset, "class_names", ())),
        brightness=float(dataset.train.mean(dtype=np.float64)),
        settled={},
        names={},
        named="",
    )


def of_ratings(data: SplitRatings) -> Record:
    """Record of ratings: who rated what, and how."""
    known = data.all_known()
    users, items = np.nonzero(known)
    by_name = sorted(zip((data.user_ids[u] for u in users), (data.item_ids[i] for i in items), _values(data, known)))
    counts = {part: int((getattr(data, part) <= -1).sum()) for part in ("validation", "test")}
    names = {"users": data.user_ids, "items": data.item_ids}
    return Record(
        what="ratings",
        shape=data.shape,
        counts={"train": int((data.train >= 1).sum())} | counts,
        unordered=checksum(json.dumps(by_name)),
        ordered="",
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
    """What of the data is not as the run saw it, as part of a sentence; None where they are the same."""
    named = [part for kind in kept.names for part in _strangers(kind, kept.names[kind], now.names.get(kind, ()))]
    if named:
        return ", ".join(named)
    if kept.what == "images" and kept.shape != now.shape:
        return f"images of {_by(now.shape)} where the run saw {_by(kept.shape)} (height, width, channels)"
    if kept.counts != now.counts:
        return f"{_spelled(now)} where the run saw {_spelled(kept)}"
    if kept.unordered != now.unordered:
        return f"as many {kept.what}, but not the same ones"
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
    """The record without the names that have a file of their own."""
    return {name: value for name, value in record._asdict().items() if name != "names"}


def from_json(saved: Any, names: Any = None) -> Record:
    """The record that `to_json` and a file of names hold. Raises ValueError where they cannot."""
    fields = set(Record._fields) - {"names"}
    if not isinstance(saved, dict) or set(saved) != fields:
        raise ValueError(f"it must be an object with {', '.join(sorted(fields))}")
    for name in ("what", "unordered", "ordered", "labels", "named"):
        if not isinstance(saved[name], str):
            raise ValueError(f"{name} {saved[name]!r} is no text")
    rank, counts = {"images": 3, "ratings": 2}.get(saved["what"]), saved["counts"]
    shape = _list("shape", saved["shape"], _whole)
    if len(shape) != rank or min(shape) < 1:
        raise ValueError(f"shape {list(shape)} is not one of {saved['what']}")
    if not isinstance(counts, dict) or set(counts) != set(SPLITS) or not all(map(_whole, counts.values())):
        raise ValueError(f"counts {counts!r} are not of train, validation and test")
    if not counts["train"]:
        raise ValueError("counts know no training data")
    kept = Record(**saved, names=_names(names, saved["named"], shape) if saved["what"] == "ratings" else {})
    class_names = _list("class_names", saved["class_names"], lambda name: isinstance(name, str))
    return kept._replace(shape=shape, class_names=class_names, settled=_settled(saved["settled"]))


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
        name: value if _whole(value) else _list(name, value, lambda number: type(number) in (int, float))
        for name, value in values.items()
    }


def _names(names: Any, expected: str, shape: tuple[int, ...]) -> dict[str, tuple[str, ...]]:
    if not isinstance(names, dict) or set(names) != {"users", "items"}:
        raise ValueError("there are no names of users and items")
    found = {kind: _list(kind, some, lambda name: isinstance(name, str)) for kind, some in names.items()}
    if checksum_of_names(found) != expected or (len(found["users"]), len(found["items"])) != shape:
        raise ValueError("the names are not those of its users and items")
    return found
