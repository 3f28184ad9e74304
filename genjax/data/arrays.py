"""A person's own arrays: `.npz` with x and y of train, validation and test, or a lone `.npy` of images."""

import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

from genjax.data.dataset import Images
from genjax.errors import UserError

_ROUNDING = 1e-6
"""How far outside [0, 1] a float may lie, as resizing and averaging leave it."""
_LARGEST_LABEL = 10**15  # integers below it are exact as floats too


SPLITS = ("train", "validation", "test")
KEYS = tuple(f"{kind}_{split}" for split in SPLITS for kind in "xy")


def read_npz(path: Path) -> Images:
    """The arrays of an `.npz`; splits that it lacks are drawn later, labels that it lacks are -1.

    A note names the arrays that are not used.
    """
    stored, arrays = _load(path, KEYS)
    if not isinstance(arrays, dict):
        raise UserError(f"--dataset {path}: it is a single array, not an .npz archive; rename it to .npy.")
    if "x_train" not in arrays:
        raise UserError(
            f"--dataset {path}: holds {', '.join(stored) or 'nothing'} but no x_train; save it with x_train, y_train, "
            "x_test, y_test (and x_validation, y_validation)."
        )
    splits = [split for split in SPLITS if f"x_{split}" in arrays]
    x = {split: _images(arrays[f"x_{split}"], path, f"x_{split}") for split in splits}
    for split in splits[1:]:
        if x[split].shape[1:] != x["train"].shape[1:]:
            raise UserError(
                f"--dataset {path}: x_train has shape {arrays['x_train'].shape} and x_{split} "
                f"{arrays[f'x_{split}'].shape}; give both the same height, width and channels."
            )
    x = _rescaled(x, path)
    y = {split: _labels(arrays.get(f"y_{split}"), len(x[split]), path, f"y_{split}") for split in splits}
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
    )


def read_npy(path: Path) -> Images:
    """The images of a lone array; no labels, and a test set is held out later."""
    _, array = _load(path)
    if isinstance(array, dict):
        raise UserError(f"--dataset {path}: it is an .npz archive, not a single array; rename it to .npz.")
    x = _rescaled({"": _images(array, path, "the array")}, path)[""]
    return Images(x, np.full(len(x), -1, np.int32), None, None, source="npy")


def _unused(path: Path, keys: list[str]) -> str:
    what = f"its array {keys[0]} is" if len(keys) == 1 else f"its arrays {', '.join(keys)} are"
    return f"--dataset {path}: {what} not used; what is used is called {', '.join(KEYS)}, labels beside their images."


def _load(
    path: Path, wanted: Sequence[str] = ()
) -> tuple[list[str], Shaped[np.ndarray, "..."] | dict[str, Shaped[np.ndarray, "..."]]]:
    """A lone array; or of an archive the names of all arrays, and those of them that are wanted."""
    try:
        stored = np.load(path, allow_pickle=False)
        if isinstance(stored, np.ndarray):
            return [], stored
        with stored:
            return stored.files, {key: stored[key] for key in stored.files if key in wanted}
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error, MemoryError) as error:
        # ValueError is numpy's answer to Python objects, which could only be unpickled, and to what is no array
        why = getattr(error, "strerror", None) or "it is cut short, damaged, or holds Python objects"
        raise UserError(
            f"--dataset {path}: numpy cannot read it ({why}); save plain arrays of numbers with numpy.save "
            "or numpy.savez."
        ) from None


def _images(
    array: Shaped[np.ndarray, "..."], path: Path, key: str
) -> Shaped[np.ndarray, "images height width channels"]:
    """Brings (n, pixels), (n, h, w) or (n, h, w, c) to four axes; flat pixels are a square where they can be."""
    if array.ndim not in (2, 3, 4) or 0 in array.shape:
        raise UserError(
            f"--dataset {path}: {key} has shape {array.shape}; give (images, pixels), (images, height, width) or "
            "(images, height, width, channels), none of them 0."
        )
    if array.ndim == 2:
        pixels = array.shape[1]
        side = math.isqrt(pixels)
        height, width = (side, side) if side * side == pixels else (1, pixels)
        return array.reshape(len(array), height, width, 1)
    if array.ndim == 3:
        return array[..., None]
    if array.shape[-1] not in (1, 3):
        raise UserError(
            f"--dataset {path}: {key} has shape {array.shape}, so {array.shape[-1]} channels; "
            "give 1 (grey) or 3 (RGB) as the last axis."
        )
    return array


def _rescaled(
    x: dict[str, Shaped[np.ndarray, "_ height width channels"]], path: Path
) -> dict[str, Shaped[np.ndarray, "_ height width channels"]]:
    """Bytes stay for `values.intensities`; bits of any type and floats become float32, where 1 is the largest."""
    kinds = {f"x_{split}" if split else "the array": array.dtype for split, array in x.items()}
    for name, kind in kinds.items():
        if kind.kind not in "buif":
            raise UserError(
                f"--dataset {path}: {name} holds {kind}, not numbers; save the images as uint8 or as floats in [0, 1]."
            )
    if any(not np.isfinite(array).all() for array in x.values()):
        raise UserError(f"--dataset {path}: holds NaN or infinity; replace them by intensities in [0, 1].")
    low, high = (float(f([f(array) for array in x.values()])) for f in (np.min, np.max))
    of_bytes = [array.dtype == np.uint8 and array.max() > 1 for array in x.values()]
    if any(of_bytes) and all(kind == np.uint8 for kind in kinds.values()):
        return x
    if any(of_bytes):
        said = " and ".join(f"{name} {kind}" for name, kind in kinds.items()).replace(" ", " is ", 1)
        raise UserError(f"--dataset {path}: {said}; save all alike, as uint8 or as floats in [0, 1].")
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        kind = " and ".join(sorted({str(kind) for kind in kinds.values()}))
        raise UserError(
            f"--dataset {path}: intensities ({kind}) run from {low:g} to {high:g}, not within [0, 1]; "
            f"{_remedy(next(iter(kinds.values())), low, high)}."
        )
    return {split: np.clip(array.astype(np.float32), 0, 1) for split, array in x.items()}


def _remedy(kind: np.dtype, low: float, high: float) -> str:
    if low < 0:
        return f"rescale them, for instance {_formula(low, high)}"
    if kind.kind in "ui" and high <= 255:
        return "save them as uint8 if 255 is white, or as floats divided by the value that is"
    return "divide them by the value that stands for white (255 for bytes)"


def _formula(low: float, high: float) -> str:
    """Which brings a negative `low` to 0 and `high` to 1, with as few digits as will do."""
    for digits in (6, 9, 17):
        add, divide = f"{-low:.{digits}g}", f"{high - low:.{digits}g}"
        ends = ((value + float(add)) / float(divide) for value in (low, high))
        if divide != "0" and all(-_ROUNDING <= end <= 1 + _ROUNDING for end in ends):
            break
    return f"(x + {add}) / {divide}"


def _labels(array: Shaped[np.ndarray, "..."] | None, count: int, path: Path, key: str) -> Int64[np.ndarray, " images"]:
    if array is None:
        return np.full(count, -1, np.int64)
    if array.shape not in ((count,), (count, 1)):
        raise UserError(
            f"--dataset {path}: {key} has shape {array.shape} beside {count} images; give one class number an image."
        )
    whole = array.reshape(count)
    if whole.dtype.kind not in "biuf" or not (np.isfinite(whole).all() and (whole == np.floor(whole)).all()):
        raise UserError(f"--dataset {path}: {key} ({array.dtype}) does not hold class numbers; save them as integers.")
    if np.abs(whole.astype(np.float64)).max() >= _LARGEST_LABEL:
        raise UserError(
            f"--dataset {path}: {key} holds numbers of more than 15 digits; number the classes 0, 1, 2, ..."
        )
    return whole.astype(np.int64)
