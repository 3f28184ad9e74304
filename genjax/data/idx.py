"""IDX, the format of MNIST's own files: two zero bytes, a type, the number of axes, their lengths, the bytes."""

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from genjax.data.images import Images
from genjax.data.room import refuse_too_large
from genjax.errors import UserError

PLAIN = ("train", "t10k")
_UNSIGNED_BYTE = 0x08
_GZIP = b"\x1f\x8b"
_MORE = 2**16  # bytes too many that are counted


def wanted(begins: tuple[str, str] = PLAIN) -> dict[str, list[str]]:
    """The names under which each of the four files is looked for, the usual one first."""
    kinds = [(part, kind) for part in begins for kind in (("images", 3), ("labels", 1))]
    return {
        f"{part}-{kind}": [f"{part}-{kind}{dot}idx{axes}-ubyte{z}" for dot in "-." for z in (".gz", "")]
        for part, (kind, axes) in kinds
    }


def find(folder: Path, begins: tuple[str, str] = PLAIN) -> list[Path] | None:
    """The four files in this folder; None where there is none of them, `UserError` where some are missing."""
    found, missing = [], []
    for names in wanted(begins).values():
        path = next((folder / name for name in names if (folder / name).is_file()), None)
        (found if path else missing).append(path or names[0])
    if not found:
        return None
    if missing:
        raise UserError(
            f"`data_dir`: {folder} holds {found[0].name} but not {', '.join(missing)}; put all four IDX files there."
        )
    return found


def read_four(paths: list[Path]) -> Images:
    """Training images and labels, test images and labels, as `find` orders them."""
    train, train_labels, test, test_labels = (read(path, axes) for path, axes in zip(paths, (3, 1, 3, 1), strict=True))
    for images, labels, at in ((train, train_labels, 0), (test, test_labels, 2)):
        if len(images) != len(labels):
            raise UserError(
                f"`data_dir`: {paths[at]} holds {len(images)} images but {paths[at + 1].name} {len(labels)} labels; "
                "take both files from the same source."
            )
    if train.shape[1:] != test.shape[1:]:
        raise UserError(
            f"`data_dir`: the images of {paths[0]} are {_by(train.shape[1:])} pixels but those of {paths[2].name} "
            f"{_by(test.shape[1:])}; take all four files from the same source."
        )
    return Images(train[..., None], train_labels, test[..., None], test_labels, source="IDX")


def read(path: Path, axes: int) -> Shaped[np.ndarray, "..."]:
    """The uint8 array of one IDX file, packed by gzip or not; `UserError` where the bytes are not what they claim.

    No more is unpacked than the header claims, and nothing where that cannot be.
    """
    try:
        file = _opened(path)
        size = path.stat().st_size
    except OSError as error:
        raise UserError(
            f"`data_dir`: {path} cannot be read ({error.strerror or error}); check its permissions."
        ) from None
    with file:
        try:
            shape = _shape(file.read(4 + 4 * axes), path, axes)
            claimed = math.prod(shape)
            refuse_too_large(claimed, f"`data_dir`: {path}", "it is damaged, so fetch it again", size)
            content = file.read(claimed + _MORE)
        except (EOFError, OSError, zlib.error, struct.error):
            raise UserError(
                f"`data_dir`: {path} is cut short or damaged (gzip cannot unpack it); fetch it again."
            ) from None
    if len(content) != claimed:
        follow = f"{len(content)}" + (" or more" if len(content) == claimed + _MORE else "")
        raise UserError(
            f"`data_dir`: {path} says that it holds {_by(shape)} bytes, {claimed} in all, but {follow} follow its "
            "header; it is cut short or damaged, so fetch it again."
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def _shape(header: bytes, path: Path, axes: int) -> tuple[int, ...]:
    """The lengths of the axes that a header claims."""
    what = "images" if axes == 3 else "labels"
    magic, expected = header[:4], bytes([0, 0, _UNSIGNED_BYTE, axes])
    if magic != expected:
        begins = f"0x{magic.hex()}" if magic else "nothing at all"
        raise UserError(
            f"`data_dir`: {path} is not an IDX file of {what} (it begins with {begins}, such a file "
            f"with 0x{expected.hex()}); fetch it again or correct its name."
        )
    if len(header) < 4 + 4 * axes:
        raise UserError(f"`data_dir`: {path} ends inside its header; it is cut short, so fetch it again.")
    shape = struct.unpack(f">{axes}I", header[4:])
    if 0 in shape:
        raise UserError(f"`data_dir`: {path} says that it holds {_by(shape)} bytes; give a file that is not empty.")
    return shape


def _opened(path: Path) -> io.BufferedIOBase:
    """The file's content, unpacked where it is gzip by its own first bytes, whatever its name says."""
    with open(path, "rb") as file:
        packed = file.read(2) == _GZIP
    return gzip.open(path) if packed else open(path, "rb")


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
