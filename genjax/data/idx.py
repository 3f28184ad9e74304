"""IDX, the format of MNIST's own files: two zero bytes, a type, the number of axes, their lengths, the bytes."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from genjax.data.images import Images
from genjax.errors import UserError

PLAIN = ("train", "t10k")
_UNSIGNED_BYTE = 0x08
_GZIP = b"\x1f\x8b"


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
    """The uint8 array of one IDX file, packed by gzip or not; `UserError` where the bytes are not what they claim."""
    content = _bytes(path)
    what = "images" if axes == 3 else "labels"
    magic, expected = content[:4], bytes([0, 0, _UNSIGNED_BYTE, axes])
    if magic != expected:
        begins = f"0x{magic.hex()}" if magic else "nothing at all"
        raise UserError(
            f"`data_dir`: {path} is not an IDX file of {what} (it begins with {begins}, such a file "
            f"with 0x{expected.hex()}); fetch it again or correct its name."
        )
    header = 4 + 4 * axes
    if len(content) < header:
        raise UserError(f"`data_dir`: {path} ends inside its header; it is cut short, so fetch it again.")
    shape = struct.unpack(f">{axes}I", content[4:header])
    if 0 in shape:
        raise UserError(f"`data_dir`: {path} says that it holds {_by(shape)} bytes; give a file that is not empty.")
    if len(content) - header != math.prod(shape):
        raise UserError(
            f"`data_dir`: {path} says that it holds {_by(shape)} bytes, {math.prod(shape)} in all, but "
            f"{len(content) - header} follow its header; it is cut short or damaged, so fetch it again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _bytes(path: Path) -> bytes:
    """The file's content, unpacked where it is gzip by its own first bytes, whatever its name says."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"`data_dir`: {path} cannot be read ({error.strerror or error}); check its permissions."
        ) from None
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error, struct.error):
        raise UserError(
            f"`data_dir`: {path} is cut short or damaged (gzip cannot unpack it); fetch it again."
        ) from None


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
