"""Ratings of items by users: a file's columns, and their split into what is learned from and what is predicted.

A split holds one matrix `(users, items)` of levels for each purpose, with four kinds of entry:

- k = 1 ... K: the user rated the item, at level k (`values[k - 1]` is the rating as the file writes it);
- 0: no rating;
- -k: a rating at level k that is to be predicted from the user's positive entries;
- `WITHHELD`: a rating of which only is known that there is one.
"""

import contextlib
import csv
import itertools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int

from genjax.errors import UserError

ENCODINGS = ("utf-8-sig", "latin-1")
TITLES = {"movies.csv": ",", "u.item": "|"}
WITHHELD = -0.5
MOST_LEVELS = 50  # more distinct ratings than this are not levels but a column of something else
LARGEST = 10**9  # entries of one matrix: 4 GB
COLUMNS = ("user", "item", "rating", "timestamp")
ALSO_CALLED = {"movie": "item", "product": "item", "score": "rating", "time": "timestamp"}
REMEDY = "give a file with the columns user, item, rating and timestamp, separated by tabs or commas"


class Ratings(NamedTuple):
    """Rating n is that of item `items[n]` by user `users[n]` at level `levels[n]`, from 1 to `len(values)`.

    Users and items are counted from 0 in the order in which the file first names them; `user_ids` and `item_ids` are
    what it calls them, `values` the rating that each level stands for, evenly spaced.
    """

    users: Int[np.ndarray, " ratings"]
    items: Int[np.ndarray, " ratings"]
    levels: Int[np.ndarray, " ratings"]
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, eq=False, repr=False)
class SplitRatings:
    """Matrices of levels (see this module): ratings to train, to choose and to test with, and their names.

    The positive entries of all three are the same, those of training.
    """

    name: str
    train: Float32[np.ndarray, "users items"]
    validation: Float32[np.ndarray, "users items"]
    test: Float32[np.ndarray, "users items"]
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    values: tuple[float, ...]
    licence: str
    source: str
    chosen: bool = False
    """Whether a caller chose the ratings of a split, and they were not all drawn."""

    @property
    def shape(self) -> tuple[int, int]:
        """Users, items."""
        return (len(self.user_ids), len(self.item_ids))

    def all_known(self) -> Float32[np.ndarray, "users items"]:
        """Every rating of the three parts, as a known one."""
        return np.maximum(self.train, np.maximum(-self.validation, -self.test))

    def __repr__(self) -> str:
        users, items = self.shape
        validation, test = (int((x <= -1).sum()) for x in (self.validation, self.test))
        return (
            f"Ratings {self.name}: {int((self.train >= 1).sum()):,} train, {validation:,} validation, {test:,} test\n"
            f"  {users:,} users, {items:,} items, {self.values[0]:g} to {self.values[-1]:g}, licence: {self.licence}"
        )


def read(path: str | os.PathLike, argument: str = "dataset", least: int = 2) -> Ratings:
    """A file of user, item, rating and perhaps timestamp: MovieLens' u.data (tabs, no heading), or a CSV.

    A first line with a column called rating is a heading, and columns may then come in any order (userId, movieId,
    ... are understood); without one they are user, item, rating[, timestamp]. Ratings are multiples of 1 or of 1/2. The
    text is UTF-8, or else Latin-1, by which no two names become one.
    Raises `UserError` that names `argument` and line, for one that is cut short, not numeric or given twice, and where
    there are fewer than `least` levels.
    """
    place = f"`{argument}` {path}"
    try:
        for encoding in ENCODINGS:
            with open(path, encoding=encoding, newline="") as file, contextlib.suppress(UnicodeDecodeError):
                return _parse(file, place, least)
    except OSError as error:
        raise UserError(f"{place} cannot be read ({error.strerror or error}); {REMEDY}.") from None
    raise AssertionError("Latin-1 decodes everything")


def _parse(file: IO[str], place: str, least: int) -> Ratings:
    first = file.readline()
    separator, quoting = ("\t", csv.QUOTE_NONE) if "\t" in first else (",", csv.QUOTE_MINIMAL)
    rows = csv.reader(itertools.chain([first], file), delimiter=separator, quoting=quoting)
    users: dict[str, int] = {}
    items: dict[str, int] = {}
    lines: dict[tuple[int, int], int] = {}  # of each (user, item)
    ratings: list[float] = []
    where: dict[str, int] = {}
    width = 0
    try:
        for row in rows:
            at = f"{place}, line {rows.line_num}"
            if len(row) <= 1 and not "".join(row).strip():
                continue
            if not where:
                where, heading, width = _columns(row, at)
                if heading:
                    continue
            if len(row) != width:
                raise UserError(
                    f"{at}: {len(row)} column(s) where the first line has {width} ({_short(separator.join(row))}); "
                    "the file may be cut short there: correct or remove that line."
                )
            user, item = (row[where[name]].strip(" \t") for name in ("user", "item"))
            if not user or not item:
                raise UserError(f"{at}: the {'item' if user else 'user'} is empty; correct or remove that line.")
            pair = (users.setdefault(user, len(users)), items.setdefault(item, len(items)))
            if pair in lines:
                raise UserError(
                    f"{at}: user {user} has rated item {item} already, in line {lines[pair]}; keep one of the two."
                )
            lines[pair] = rows.line_num
            ratings.append(_number(row[where["rating"]], "rating", at))
            if "timestamp" in where:
                _number(row[where["timestamp"]], "timestamp", at)
    except csv.Error as error:
        raise UserError(f"{place}, line {rows.line_num}: {error}; {REMEDY}.") from None
    if not ratings:
        raise UserError(f"{place} holds no ratings; {REMEDY}.")
    levels, values = _levels(np.array(ratings), list(lines.values()), place, least)
    pairs = np.array(list(lines), np.int32)
    return Ratings(pairs[:, 0], pairs[:, 1], levels, tuple(users), tuple(items), values)


def _columns(row: list[str], at: str) -> tuple[dict[str, int], bool, int]:
    """Which column holds what, whether the row is a heading, and how many columns there are."""
    names = [field.strip().lower().removesuffix("id").rstrip("_ ") for field in row]
    names = [ALSO_CALLED.get(name, name) for name in names]
    if "rating" in names:
        where = {name: names.index(name) for name in COLUMNS if name in names}
        if missing := [name for name in COLUMNS[:3] if name not in where]:
            raise UserError(f"{at}: the heading {_short(','.join(row))} names no {missing[0]}; {REMEDY}.")
        return where, True, len(row)
    if len(row) not in (3, 4):
        raise UserError(f"{at}: {len(row)} column(s) ({_short(','.join(row))}) where 3 or 4 are needed; {REMEDY}.")
    return dict(zip(COLUMNS, range(len(row)))), False, len(row)


def _number(text: str, what: str, at: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{at}: the {what} {_short(text)} is not a number; correct or remove that line.")
    return value


def _levels(
    ratings: Float[np.ndarray, " ratings"], lines: list[int], place: str, least: int
) -> tuple[Int[np.ndarray, " ratings"], tuple[float, ...]]:
    """Ratings as levels 1 to K, and what each level stands for: steps of 1, or 1/2, from 1 (1/2) or below."""
    step = 1.0 if np.all(ratings % 1.0 == 0) else 0.5
    if (bad := ratings % step != 0).any():
        first = int(bad.argmax())
        raise UserError(
            f"{place}, line {lines[first]}: the rating {ratings[first]:g} is not a multiple of 1/2; "
            "round the ratings to whole or half steps."
        )
    low = min(step, ratings.min())
    count = (ratings.max() - low) / step + 1
    if count > MOST_LEVELS:
        first = int(np.abs(ratings - np.median(ratings)).argmax())
        raise UserError(
            f"{place}, line {lines[first]}: with a rating of {ratings[first]:g} there would be {count:.0f} levels, and "
            f"at most {MOST_LEVELS} are possible; check the order of the columns, or give a coarser scale."
        )
    if count < least:
        raise UserError(f"{place}: every rating is {low:g}, from which nothing can be predicted; give graded ratings.")
    values = tuple(float(low + step * level) for level in range(round(count)))
    return np.rint((ratings - low) / step + 1).astype(np.int32), values


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def ordered(ratings: Ratings) -> Ratings:
    """The same ratings whatever the order of their lines: users, items and ratings by name (numbers by their value)."""
    users, items = _places(ratings.user_ids), _places(ratings.item_ids)
    rows, columns = users[ratings.users], items[ratings.items]
    order = np.lexsort((columns, rows))
    return Ratings(
        rows[order], columns[order], ratings.levels[order],
        _sorted(ratings.user_ids), _sorted(ratings.item_ids), ratings.values,
    )  # fmt: skip


def _sorted(names: tuple[str, ...]) -> tuple[str, ...]:
    numbers = all(name.isascii() and name.isdecimal() for name in names)
    return tuple(sorted(names, key=_by_value) if numbers else sorted(names))


def _by_value(name: str) -> tuple[int, str, str]:
    """In the order of the numbers, of which Python makes none of more than 4300 digits."""
    digits = name.lstrip("0")
    return len(digits), digits, name


def _places(names: tuple[str, ...]) -> Int[np.ndarray, " names"]:
    place = {name: number for number, name in enumerate(_sorted(names))}
    return np.array([place[name] for name in names], np.int32)


def row(
    ratings: Ratings, user: str, item_ids: tuple[str, ...], values: tuple[float, ...], place: str
) -> Float32[np.ndarray, "1 items"]:
    """What a user has rated of these items, as levels of these values (0: not); other items are left out.

    Raises `UserError` for a rating that is none of the values.
    """
    column = {item: number for number, item in enumerate(item_ids)}
    level = {value: float(number) for number, value in enumerate(values, 1)}
    found = np.zeros((1, len(item_ids)), np.float32)
    for rating in np.flatnonzero(ratings.users == ratings.user_ids.index(user)):
        item, value = ratings.item_ids[ratings.items[rating]], ratings.values[ratings.levels[rating] - 1]
        if value not in level:
            raise UserError(
                f"`dataset` {place}: user {user} has rated item {item} with {value:g}, and the run knows ratings from "
                f"{values[0]:g} to {values[-1]:g} in steps of {values[1] - values[0]:g}; correct that rating."
            )
        if item in column:
            found[0, column[item]] = level[value]
    return found


def matrix(
    ratings: Ratings, user_ids: tuple[str, ...], item_ids: tuple[str, ...], values: tuple[float, ...], place: str
) -> Float32[np.ndarray, "users items"]:
    """`row` of each of these users; of users of whom there is nothing an empty one."""
    here = set(ratings.user_ids)
    empty = np.zeros((1, len(item_ids)), np.float32)
    return np.concatenate([row(ratings, u, item_ids, values, place) if u in here else empty for u in user_ids])


def split(
    ratings: Ratings,
    name: str = "ratings",
    seed: int = 0,
    validation: float = 0.1,
    test: float = 0.1,
    given: Mapping[str, Int[np.ndarray, " ratings"]] = {},
) -> SplitRatings:
    """Hold out these shares of all ratings at random, such that each user and each item keeps one to learn from.

    `given` has the last ratings, by their numbers, where they are a split themselves, also of users and items of whom
    nothing is learned; nothing is drawn for it. Raises `UserError` where no rating can be held out, or where the matrix
    would not fit into memory.
    """
    shape, total = (len(ratings.user_ids), len(ratings.item_ids)), len(ratings.levels)
    total -= sum(map(len, given.values()))
    if shape[0] * shape[1] > LARGEST:
        raise UserError(
            f"`dataset` {name}: {shape[0]} users times {shape[1]} items are too many for one matrix of at most "
            f"{LARGEST:.0e} entries; leave out the users and items with the fewest ratings."
        )
    order = np.random.default_rng(seed).permutation(total)
    free = np.ones(total, bool)
    for column in (ratings.users[:total], ratings.items[:total]):
        free[order[np.unique(column[order], return_index=True)[1]]] = False
    free = order[free[order]]
    if not len(free) and "test" not in given:
        raise UserError(
            f"`dataset` {name}: of {total} rating(s) none can be held out such that each user and each item keeps one "
            "to learn from; give more ratings of each."
        )
    tested = 0 if "test" in given else min(max(1, round(test * total)), len(free))
    chosen = 0 if "validation" in given else min(round(validation * total), len(free) - tested)
    held = {"test": free[:tested], "validation": free[tested : tested + chosen], **given}
    train = np.zeros(shape, np.float32)
    train[ratings.users, ratings.items] = ratings.levels
    for rows in held.values():
        train[ratings.users[rows], ratings.items[rows]] = WITHHELD
    parts = {}
    for part, rows in held.items():
        parts[part] = train.copy()
        parts[part][ratings.users[rows], ratings.items[rows]] = -ratings.levels[rows]
    return SplitRatings(
        name=name, train=train, **parts, user_ids=ratings.user_ids, item_ids=ratings.item_ids, values=ratings.values,
        licence="see source", source=name, chosen=bool(given),
    )  # fmt: skip


def find(name: str, data_dir: str | None = None, argument: str = "dataset") -> Path:
    """A file of ratings, relative to `data_dir` if given. Raises `UserError` where there is no such file."""
    path = Path(data_dir or "").expanduser() / Path(name).expanduser()
    if not path.is_file():
        raise UserError(f"`{argument}` {name}: there is no such file of ratings; {REMEDY}.")
    return path


def titles(path: Path) -> dict[str, str]:
    """What MovieLens calls its items, by name: of `movies.csv` or `u.item` beside a file of ratings; none elsewhere.

    Raises `UserError` for a file that cannot be read.
    """
    found = next((path.parent / name for name in TITLES if (path.parent / name).is_file()), None)
    if found is None:
        return {}
    try:
        content = found.read_bytes()
    except OSError as error:
        raise UserError(f"`dataset`: {found} beside it cannot be read ({error.strerror or error}).") from None
    try:
        text = content.decode(ENCODINGS[0])
    except UnicodeDecodeError:
        text = content.decode(ENCODINGS[1])
    quoting = csv.QUOTE_MINIMAL if TITLES[found.name] == "," else csv.QUOTE_NONE
    rows = csv.reader(text.splitlines(), delimiter=TITLES[found.name], quoting=quoting)
    return {row[0].strip(): row[1].strip() for row in rows if len(row) > 1}
