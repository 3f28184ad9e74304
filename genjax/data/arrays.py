"""A person's own arrays: `.npz` with x_train, y_train, x_test, y_test, or a lone `.npy` of images."""

import math
import zipfile
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from genjax.data.dataset import Images
from genjax.errors import UserError

_ROUNDING = 1e-6
"""How far outside [0, 1] a float may lie, as resizing and averaging leave it."""


def read_npz(path: Path) -> Images:
    """The arrays of an `.npz`; without x_test a test set is held out later, without labels they are -1."""
    arrays = _load(path)
    if not isinstance(arrays, dict):
        raise UserError(f"--dataset {path}: it is a single array, not an .npz archive; rename it to .npy.")
    if "x_train" not in arrays:
        raise UserError(
            f"--dataset {path}: holds {', '.join(arrays) or 'nothing'} but no x_train; save it with x_train, y_train, "
            "x_test, y_test."
        )
    x = {key: _images(arrays[key], path, key) for key in ("x_train", "x_test") if key in arrays}
    if len({array.shape[1:] for array in x.values()}) > 1:
        raise UserError(
            f"--dataset {path}: x_train has shape {arrays['x_train'].shape} and x_test {arrays['x_test'].shape}; "
            "give both the same height, width and channels."
        )
    if len({array.dtype for array in x.values()}) > 1:
        raise UserError(
            f"--dataset {path}: x_train is {arrays['x_train'].dtype} and x_test {arrays['x_test'].dtype}; "
            "save both alike, as uint8 or as floats in [0, 1]."
        )
    x = _rescaled(x, path)
    y = {key: _labels(arrays.get(f"y{key[1:]}"), len(x[key]), path, f"y{key[1:]}") for key in x}
    return Images(x["x_train"], y["x_train"], x.get("x_test"), y.get("x_test"), source="npz")


def read_npy(path: Path) -> Images:
    """The images of a lone array; no labels, and a test set is held out later."""
    array = _load(path)
    if isinstance(array, dict):
        raise UserError(f"--dataset {path}: it is an .npz archive, not a single array; rename it to .npz.")
    x = _rescaled({"the array": _images(array, path, "the array")}, path)["the array"]
    return Images(x, np.full(len(x), -1, np.int32), None, None, source="npy")


def _load(path: Path) -> Shaped[np.ndarray, "..."] | dict[str, np.ndarray]:
    try:
        stored = np.load(path, allow_pickle=False)
        if isinstance(stored, np.ndarray):
            return stored
        with stored:
            return {key: stored[key] for key in stored.files}
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


def _rescaled(x: dict[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    """uint8 stays for `dataset.intensities`, unless it holds bits: then, as for floats, 1 is the largest intensity."""
    kind = next(iter(x.values())).dtype
    if kind.kind not in "buif":
        raise UserError(
            f"--dataset {path}: holds {kind}, not numbers; save the images as uint8 or as floats in [0, 1]."
        )
    if any(not np.isfinite(array).all() for array in x.values()):
        raise UserError(f"--dataset {path}: holds NaN or infinity; replace them by intensities in [0, 1].")
    low, high = (float(f([f(array) for array in x.values()])) for f in (np.min, np.max))
    if kind == np.uint8 and high > 1:
        return x
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise UserError(
            f"--dataset {path}: intensities ({kind}) run from {low:g} to {high:g}, not within [0, 1]; "
            f"{_remedy(kind, low, high)}."
        )
    return {key: np.clip(array.astype(np.float32), 0, 1) for key, array in x.items()}


def _remedy(kind: np.dtype, low: float, high: float) -> str:
    if low < 0:
        return f"rescale them, for instance (x - {low:g}) / {high - low:g}"
    if kind.kind in "ui" and high <= 255:
        return "save them as uint8 if 255 is white, or as floats divided by the value that is"
    return "divide them by the value that stands for white (255 for bytes)"


def _labels(array: Shaped[np.ndarray, "..."] | None, count: int, path: Path, key: str) -> Shaped[np.ndarray, " images"]:
    if array is None:
        return np.full(count, -1, np.int32)
    if array.shape not in ((count,), (count, 1)):
        raise UserError(
            f"--dataset {path}: {key} has shape {array.shape} beside {count} images; give one class number an image."
        )
    whole = array.reshape(count)
    limits = np.iinfo(np.int32)
    if whole.dtype.kind not in "biuf" or not (
        np.isfinite(whole).all()
        and (whole == np.floor(whole)).all()
        and whole.min() >= limits.min
        and whole.max() <= limits.max
    ):
        raise UserError(f"--dataset {path}: {key} ({array.dtype}) does not hold class numbers; save them as integers.")
    return whole.astype(np.int32)
