"""Ratings that are split by who has them: shares of a file, or files of their own for validation and test."""

import os
import warnings
from typing import Any

import numpy as np
from jaxtyping import Int

from genjax.data import ratings, splits
from genjax.data.ratings import Ratings, SplitRatings
from genjax.errors import DataWarning, UserError

USUAL = 0.1  # share of all ratings for either purpose


def load(
    name: str, data_dir: str | None = None, validation: Any = True, by_line: bool = False, test: Any = None
) -> SplitRatings:
    """The split of a file of ratings, relative to `data_dir` if given: the same for its lines in any order.

    `validation` and `test` are those of `assembled`. `by_line`: the split that earlier versions made, which depends on
    that order. Raises `UserError`.
    """
    whole = ratings.read(ratings.find(name, data_dir))
    return assembled(whole if by_line else ratings.ordered(whole), name, validation, test, data_dir)


def assembled(
    whole: Ratings, name: str = "ratings", validation: Any = True, test: Any = None, data_dir: str | None = None
) -> SplitRatings:
    """Ratings with the splits that are asked for.

    - `validation`: True, a tenth of all ratings; False, none; a share; or the split itself: `Ratings`, or a file.
    - `test`: None, a tenth; a share; or the split itself.

    What is predicted of users and items that only a split knows is said in a `DataWarning`. Raises `UserError` where a
    split does not go with the others.
    """
    parts = {
        argument: _asked(value, argument, data_dir)
        for argument, value in (("validation", validation), ("test", True if test is None else test))
    }
    shares = {argument: 0.0 if isinstance(part, Ratings) else part for argument, part in parts.items()}
    own = {argument: part for argument, part in parts.items() if isinstance(part, Ratings)}
    if not own:
        return ratings.split(whole, name, 0, shares["validation"], shares["test"])
    for argument, other in own.items():
        if (said := unknown(whole, other, argument)) is not None:
            warnings.warn(said, DataWarning, stacklevel=2)
    together, given = joined(whole, own, name)
    return ratings.split(together, name, 0, shares["validation"], shares["test"], given)


def _asked(value: Any, argument: str, data_dir: str | None) -> float | Ratings:
    """A share, or ratings in an order that does not depend on their lines."""
    if isinstance(value, Ratings):
        return ratings.ordered(value)
    if isinstance(value, str | os.PathLike):
        path = ratings.find(os.fspath(value), data_dir, argument)
        return ratings.ordered(ratings.read(path, argument, least=1))
    if not np.isscalar(value):
        raise UserError(
            f"`{argument}` {value}: of ratings it is a share, a file of ratings, or `Ratings`; give 0.1 for a tenth."
        )
    return splits.share(value, argument, USUAL)


def joined(
    whole: Ratings, others: dict[str, Ratings], name: str
) -> tuple[Ratings, dict[str, Int[np.ndarray, " ratings"]]]:
    """All ratings as one, on the scale of the first, and which of them are the others', by their argument.

    Users and items of the others alone come after the first's, sorted. Raises `UserError` for a rating that is none of
    the scale, one that is there twice, and for others that have no user or no item in common with the first.
    """
    new = [sorted({i for o in others.values() for i in ids(o)} - {*ids(whole)}) for ids in (_users, _items)]
    names = ((*whole.user_ids, *new[0]), (*whole.item_ids, *new[1]))
    place = [{one: number for number, one in enumerate(of)} for of in names]
    columns, rows, first = [whole[:3]], {}, len(whole.levels)
    seen = dict.fromkeys(zip(whole.users.tolist(), whole.items.tolist()), f"`dataset` {name}")
    for argument, other in others.items():
        _refuse_strangers(whole, other, argument, name)
        _refuse_others_values(whole, other, argument, name)
        users = np.array([place[0][user] for user in other.user_ids], np.int32)[other.users]
        items = np.array([place[1][item] for item in other.item_ids], np.int32)[other.items]
        for user, item in zip(users.tolist(), items.tolist()):
            if (user, item) in seen:
                raise UserError(
                    f"`{argument}`: user {names[0][user]} has rated item {names[1][item]} there and in "
                    f"{seen[user, item]}; leave it out of one of them, as what is asked must not be learned."
                )
            seen[user, item] = f"`{argument}`"
        levels = np.array([whole.values.index(value) + 1 if value in whole.values else 0 for value in other.values])
        columns.append((users, items, levels.astype(np.int32)[other.levels - 1]))
        rows[argument] = np.arange(first, first + len(users))
        first += len(users)
    users, items, levels = (np.concatenate(of) for of in zip(*columns))
    return Ratings(users, items, levels, *names, whole.values), rows


def _users(whole: Ratings) -> tuple[str, ...]:
    return whole.user_ids


def _items(whole: Ratings) -> tuple[str, ...]:
    return whole.item_ids


def _refuse_strangers(whole: Ratings, other: Ratings, argument: str, name: str) -> None:
    """Raise `UserError` where all users, or all items, of the other ratings are unknown: they are called otherwise."""
    for what, ids in (("users", _users), ("items", _items)):
        if not {*ids(whole)} & {*ids(other)}:
            raise UserError(
                f"`{argument}`: none of its {len(ids(other))} {what} (such as {ids(other)[0]}) is in `dataset` {name} "
                f"(such as {ids(whole)[0]}); give ratings that call {what} as it does."
            )


def _refuse_others_values(whole: Ratings, other: Ratings, argument: str, name: str) -> None:
    """Raise `UserError` for a rating that is none of those that can be learned."""
    for user, item, level in zip(other.users, other.items, other.levels):
        if (value := other.values[level - 1]) not in whole.values:
            low, high, step = whole.values[0], whole.values[-1], whole.values[1] - whole.values[0]
            raise UserError(
                f"`{argument}`: user {other.user_ids[user]} has rated item {other.item_ids[item]} with {value:g}, and "
                f"the ratings of `dataset` {name} go from {low:g} to {high:g} in steps of {step:g}; correct that "
                "rating."
            )


def unknown(whole: Ratings, other: Ratings, argument: str) -> str | None:
    """What to say of users and items of whom there is nothing to learn from; None where there are none."""
    parts = []
    for what, ids in (("users", _users), ("items", _items)):
        if new := sorted({*ids(other)} - {*ids(whole)}):
            parts.append(f"{len(new)} {what} ({', '.join(new[:3])}{', ...' if len(new) > 3 else ''})")
    if not parts:
        return None
    return f"`{argument}`: {' and '.join(parts)} are in it alone; they are predicted by what others have in common."
