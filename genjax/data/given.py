"""A caller's own arrays in memory: examples, what goes with them, and splits."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int64, Integer, Shaped

from genjax.data import shapes, values
from genjax.data.arrays import class_numbers
from genjax.data.classes import NONE
from genjax.data.images import Images
from genjax.data.stored import floats
from genjax.errors import UserError


class Given(NamedTuple):
    """Examples that a caller hands over, and their `y`: class numbers, another target, or None.

    `class_names` is what its labels 0, 1, ... are called where they come from a `Dataset`; () where the labels are the
    caller's own numbers.
    """

    x: Any
    y: Any = None
    class_names: tuple[str, ...] = ()
    scaled: bool = False
    """Whether the values of `x` are a `Dataset`'s, so that they need no rule."""


class Meant(NamedTuple):
    """What a `y` means: class numbers (-1 throughout where it is no class), or a target as it stands."""

    labels: Integer[np.ndarray, " examples"]
    target: Any = None


def pair(value: Any, argument: str) -> Given:
    """A split that is an array or a tuple (x, y). Raises `UserError` for other tuples."""
    if not isinstance(value, tuple):
        return Given(value)
    if len(value) != 2:
        raise UserError(f"`{argument}` is a tuple of {len(value)}; give an array of examples, or a pair (x, y).")
    return Given(*value)


def collect(x: Any, y: Any, test: Given | None, validation: Given | None) -> Images:
    """The caller's examples with the splits that are given, as a reader hands them over.

    New arrays, but for bytes mapped from a file for reading alone. Raises `UserError` that names the argument.
    """
    parts = {"`x`": Given(x, y)}
    parts |= {f"`{name}`": part for name, part in (("validation", validation), ("test", test)) if part is not None}
    first = shapes.plain(x, "`x`")
    shape, example_shape = shapes.image_shape(first.shape, "`x`"), first.shape[1:]
    flat = {name: shapes.rows(part.x, shape, example_shape, name) for name, part in parts.items()}
    if empty := [name for name, rows in flat.items() if not len(rows)]:
        raise UserError(f"{empty[0]} holds no examples; give 0 for none.")
    meant = {name: meaning(part, len(flat[name]), name) for name, part in parts.items()}
    _refuse_unlike({name: some.target for name, some in meant.items()})
    ready = {name: flat[name].copy() for name, part in parts.items() if part.scaled}
    ready |= own(values.scaled({name: rows for name, rows in flat.items() if name not in ready}))
    images = {name: rows.reshape(-1, *shape) for name, rows in alike(ready).items()}
    kept = [name for name in ("`x`", "`validation`") if name in parts]
    tested = meant.get("`test`", Meant(np.zeros(0, np.int64)))
    return Images(
        images["`x`"] if kept == ["`x`"] else np.concatenate([images[name] for name in kept]),
        np.concatenate([meant[name].labels for name in kept]),
        images.get("`test`"),
        tested.labels if test is not None else None,
        source="arrays",
        validation=len(flat["`validation`"]) if validation is not None else None,
        example_shape=example_shape,
        targets=joined(*(meant[name].target for name in kept)),
        test_targets=tested.target,
        chosen=validation is not None,
    )


def with_validation(images: Images, given: Given) -> Images:
    """A source's images with others for validation; its own validation images go back into training.

    Raises `UserError` where they do not fit the source's.
    """
    test = images.train[:0] if images.test is None else images.test
    chosen, labels, (train, test), white = _beside(given, images, (images.train, test), "`validation`")
    return images._replace(
        train=np.concatenate([train, chosen]),
        train_labels=np.concatenate([images.train_labels, labels]),
        test=None if images.test is None else test,
        validation=len(chosen),
        white=white,
        chosen=True,
    )


def with_test(images: Images, given: Given) -> Images:
    """A source's images with others to test with; its own test images are left out.

    Raises `UserError` where they do not fit the source's.
    """
    chosen, labels, (train,), white = _beside(given, images, (images.train,), "`test`")
    return images._replace(train=train, test=chosen, test_labels=labels, white=white)


def _beside(
    given: Given, images: Images, others: tuple[Any, ...], name: str
) -> tuple[Any, Int64[np.ndarray, " examples"], tuple[Any, ...], int | None]:
    """A caller's images and labels as a source has them, the source's own on the same scale, and what is white there.

    Raises `UserError` where they do not fit the source's.
    """
    height, width, channels = images.train.shape[1:]
    shape = (height, width, channels)
    flat = shapes.rows(given.x, shape, images.example_shape or shapes.usual(shape), name)
    if not len(flat):
        raise UserError(f"{name} holds no examples; give at least one, or leave it out.")
    chosen = values.scaled({name: flat}, bounded=True)[name].reshape(-1, *shape)
    white = images.white or values.white(*others)
    if chosen.dtype != np.uint8 or images.train.dtype != np.uint8 or white != 255:  # not the same bytes
        chosen = values.intensities(chosen, values.white(chosen)).reshape(-1, *shape)
        others = tuple(values.intensities(part, white).reshape(-1, *shape) for part in others)
        white = None
    labels, target = meaning(given, len(flat), name, images.class_names)
    if target is not None:
        raise UserError(f"{name}: its y is no array of integers; give class numbers, as the source numbers them.")
    return chosen, labels, others, white


def own(scaled: values.Arrays) -> values.Arrays:
    """The same by `values.scaled`, copied where they are a caller's, who may change them."""
    small = {name for name, rows in scaled.items() if rows.dtype in values.SMALL}
    return {name: rows.copy() if name in small and not mapped(rows) else rows for name, rows in scaled.items()}


def mapped(array: Shaped[np.ndarray, "..."]) -> bool:
    """Whether it lies in a file that it was opened to read (`numpy.load(..., mmap_mode="r")`)."""
    base: Any = array
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    return isinstance(base, np.memmap) and not array.flags.writeable


def alike(ready: values.Arrays) -> values.Arrays:
    """The same by `values.scaled`, as floats where they are not of one type: bytes beside the values of a `Dataset`."""
    return ready if len({rows.dtype for rows in ready.values()}) == 1 else {n: floats(x) for n, x in ready.items()}


def meaning(given: Given, count: int, name: str, known: tuple[str, ...] = ()) -> Meant:
    """What goes with so many examples: integers are classes, floats and pytrees a target (copied).

    Where the source calls its classes by name (`known`), labels are places in these names.
    """
    name = "`y`" if name == "`x`" else f"{name}: its y"
    if given.y is None:
        return Meant(np.full(count, NONE, np.int64))
    array = _array(given.y, name)
    if array is not None and array.dtype.kind in "biu":
        return Meant(_numbers(class_numbers(array, count, name), given.class_names, known, name))
    if array is not None and array.dtype.kind != "f":
        raise UserError(
            f"{name} holds {array.dtype}, not numbers; give integers for classes (numpy.unique(y, return_inverse=True) "
            "numbers them), or floats for another target."
        )
    for leaf in jax.tree.leaves(given.y if array is None else array):
        shape = np.shape(leaf)
        if not shape or shape[0] != count or np.asarray(leaf).dtype.kind not in "biuf":
            raise UserError(
                f"{name} has an array of shape {shape} ({np.asarray(leaf).dtype}) beside {count} examples; give "
                "numbers with a row for each example."
            )
        if not np.isfinite(leaf).all():
            raise UserError(f"{name} holds NaN or infinity; replace them by numbers.")
    copied = jax.tree.map(lambda leaf: np.array(leaf), given.y if array is None else array)
    return Meant(np.full(count, NONE, np.int64), copied)


def _array(y: Any, name: str) -> Shaped[np.ndarray, "..."] | None:
    """The lone array that `y` is, or a list of numbers; None for a pytree of several arrays."""
    if isinstance(y, list):
        nested = any(isinstance(part, dict | tuple) or getattr(part, "ndim", 0) for part in y)
        return None if nested else shapes.plain(y, name)
    return shapes.plain(y, name) if jax.tree.structure(y) == jax.tree.structure(0) else None


def _numbers(
    labels: Int64[np.ndarray, " examples"], names: tuple[str, ...], known: tuple[str, ...], name: str
) -> Int64[np.ndarray, " examples"]:
    """Labels as the source numbers them: places in the names it knows, or the numbers that its classes are called."""
    if names:
        strangers = [word for word in names if (word not in known if known else not _whole(word))]
        if strangers:
            whose = f"the source has {', '.join(known)}" if known else "the others are called by numbers"
            raise UserError(f"{name} has a class called {strangers[0]}, and {whose}; give the pair (x, y) instead.")
        numbers = np.array([known.index(word) if known else int(word) for word in names])
        return np.where(labels == NONE, NONE, numbers[labels])
    if known and labels.max() >= len(known):
        raise UserError(
            f"{name} runs to {labels.max()}, and the source has {len(known)} classes; number them 0 to "
            f"{len(known) - 1} ({', '.join(known)})."
        )
    return labels


def _whole(word: str) -> bool:
    return word.removeprefix("-").isdecimal()


def _refuse_unlike(targets: dict[str, Any]) -> None:
    """Targets of all splits must be alike but for their number of rows."""
    form = {
        name: (jax.tree.structure(target), [leaf.shape[1:] for leaf in jax.tree.leaves(target)])
        for name, target in targets.items()
    }
    for name, other in form.items():
        if other != form["`x`"]:
            raise UserError(
                f"{name}: its y is not like `y`, which is {_spelled(targets['`x`'])}; give a pair (x, y) with such a y "
                f"(here it is {_spelled(targets[name])})."
            )


def _spelled(target: Any) -> str:
    if target is None:
        return "classes or nothing"
    shapes = [f"(n{''.join(f', {side}' for side in leaf.shape[1:])})" for leaf in jax.tree.leaves(target)]
    return f"a target of {' and '.join(shapes)}"


def joined(*targets: Any) -> Any:
    """Rows of all, one after another; None where there are no targets."""
    return None if targets[0] is None else jax.tree.map(lambda *leaves: np.concatenate(leaves), *targets)
