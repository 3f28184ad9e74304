"""A person's own arrays: `.npz` with x and y of train, validation and test, or a lone `.npy` of images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

from genjax.data import shapes, values
from genjax.data.images import Images
from genjax.data.room import refuse_too_large
from genjax.errors import UserError

_LARGEST_LABEL = 10**15  # integers below it are exact as floats too


SPLITS = ("train", "validation", "test")
KEYS = tuple(f"{kind}_{split}" for split in SPLITS for kind in "xy")


def read_npz(path: Path) -> Images:
    """The arrays of an `.npz`; splits that it lacks are drawn later, labels that it lacks are -1.

    A note names the arrays that are not used.
    """
    stored, arrays = _load(path, KEYS)
    if not isinstance(arrays, dict):
        raise UserError(f"`dataset` {path}: it is a single array, not an .npz archive; rename it to .npy.")
    if "x_train" not in arrays:
        raise UserError(
            f"`dataset` {path}: holds {', '.join(stored) or 'nothing'} but no x_train; save it with x_train, y_train, "
            "x_test, y_test (and x_validation, y_validation)."
        )
    splits = [split for split in SPLITS if f"x_{split}" in arrays]
    x = {split: _four_axes(arrays[f"x_{split}"], path, f"x_{split}") for split in splits}
    for split in splits[1:]:
        if x[split].shape[1:] != x["train"].shape[1:]:
            raise UserError(
                f"`dataset` {path}: x_train has shape {arrays['x_train'].shape} and x_{split} "
                f"{arrays[f'x_{split}'].shape}; give both the same height, width and channels."
            )
    named = values.scaled({f"x_{split}": x[split] for split in splits}, _place(path), bounded=True)
    x = {split: named[f"x_{split}"] for split in splits}
    y = {split: class_numbers(arrays.get(f"y_{split}"), len(x[split]), f"{_place(path)}y_{split}") for split in splits}
    unused = [key for key in stored if key not in KEYS or key[2:] not in splits]
    known = [split for split in ("train", "validation") if split in splits]
    return Images(
        np.concatenate([x[split] for split in known]),
        np.concatenate([y[split] for split in known]),
        x.get("test"),
        y.get("test"),
        source="npz",
        validation=len(x["validation"]) if "validation" in x else None,
        notes=(_unused(path, unused),) if unused else (),
        example_shape=arrays["x_train"].shape[1:],
    )


def read_npy(path: Path) -> Images:
    """The images of a lone array; no labels, and a test set is held out later."""
    _, array = _load(path)
    if isinstance(array, dict):
        raise UserError(f"`dataset` {path}: it is an .npz archive, not a single array; rename it to .npz.")
    name = "the array"
    x = values.scaled({name: _four_axes(array, path, name)}, _place(path), bounded=True)[name]
    return Images(x, np.full(len(x), -1, np.int32), None, None, source="npy", example_shape=array.shape[1:])


def read_pair(
    path: Path, split: str = "validation"
) -> tuple[Shaped[np.ndarray, "..."], Shaped[np.ndarray, "..."] | None]:
    """Images and labels (or None) of one split in a file of its own: x and y of an `.npz`, or an `.npy` of images.

    In an `.npz` they are called x_validation and y_validation (or as the `split` is), or x and y.
    """
    stored, arrays = _load(path, (*KEYS, "x", "y"))
    if not isinstance(arrays, dict):
        return arrays, None
    for ending in (f"_{split}", ""):
        if f"x{ending}" in arrays:
            return arrays[f"x{ending}"], arrays.get(f"y{ending}")
    raise UserError(
        f"{path}: holds {', '.join(stored) or 'nothing'} but no x_{split}; save it with x_{split} and "
        f"y_{split}, or give an .npy of images."
    )


def _place(path: Path) -> str:
    return f"`dataset` {path}: "


def _four_axes(
    array: Shaped[np.ndarray, "..."], path: Path, key: str
) -> Shaped[np.ndarray, "images height width channels"]:
    return array.reshape(len(array) if array.ndim else 0, *shapes.image_shape(array.shape, _place(path) + key))


def _unused(path: Path, keys: list[str]) -> str:
    what = f"its array {keys[0]} is" if len(keys) == 1 else f"its arrays {', '.join(keys)} are"
    return f"`dataset` {path}: {what} not used; what is used is called {', '.join(KEYS)}, labels beside their images."


MAPPED = 2**28
"""Bytes from which on a lone array stays in its file, and is read as it is needed."""


def _load(
    path: Path, wanted: Sequence[str] = ()
) -> tuple[list[str], Shaped[np.ndarray, "..."] | dict[str, Shaped[np.ndarray, "..."]]]:
    """A lone array; or of an archive the names of all arrays, and those of them that are wanted.

    A large array is mapped: its file is not to change as long as it is used, or what is read is what stands there then.
    """
    try:
        stored = np.load(path, mmap_mode="r" if path.stat().st_size >= MAPPED else None, allow_pickle=False)
        if isinstance(stored, np.ndarray):
            return [], stored
        with stored:
            unpacked = sum(member.file_size for member in stored.zip.infolist())
            refuse_too_large(unpacked, f"`dataset` {path}", "save fewer images in it", path.stat().st_size)
            arrays = {key: stored[key] for key in stored.files if key in wanted}
        if all(isinstance(array, np.ndarray) for array in arrays.values()):
            return stored.files, arrays
        raise ValueError("a member that is no array is read as bytes")
    except UserError:
        raise
    except Exception as error:  # whatever numpy, zipfile, zlib and Python's parser raise on damage; ValueError is
        # numpy's answer to Python objects, which could only be unpickled
        why = getattr(error, "strerror", None) or "it is cut short, damaged, or holds Python objects"
        raise UserError(
            f"`dataset` {path}: numpy cannot read it ({why}); save plain arrays of numbers with numpy.save "
            "or numpy.savez."
        ) from None


def class_numbers(array: Shaped[np.ndarray, "..."] | None, count: int, name: str) -> Int64[np.ndarray, " images"]:
    """The labels of so many examples, -1 without any. Raises `UserError` that begins with `name` for other values."""
    if array is None:
        return np.full(count, -1, np.int64)
    if array.shape not in ((count,), (count, 1)):
        raise UserError(f"{name} has shape {array.shape} beside {count} images; give one class number an image.")
    whole = array.reshape(count)
    if whole.dtype.kind not in "biuf" or not (np.isfinite(whole).all() and (whole == np.floor(whole)).all()):
        raise UserError(f"{name} ({array.dtype}) does not hold class numbers; give integers.")
    if np.abs(whole.astype(np.float64)).max() >= _LARGEST_LABEL:
        raise UserError(f"{name} holds numbers of more than 15 digits; number the classes 0, 1, 2, ...")
    return whole.astype(np.int64)
