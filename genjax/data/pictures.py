"""Image files as arrays of one size, 8 bits a channel."""

import contextlib
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from genjax.data.room import refuse_too_large
from genjax.errors import UserError

DEFAULT_SIZE = 28

Pixels = UInt8[np.ndarray, "height width"] | UInt8[np.ndarray, "height width 3"]


class Decoding(NamedTuple):
    """What is decided for all images of a set."""

    extent: tuple[int, int]
    """Width and height, as PIL has it."""
    wide: bool
    """Whether 16-bit images use their upper bits; if none does, they hold bytes."""
    background: int
    """The grey behind transparent pixels: black, or white where what is drawn on them is dark."""


def read(
    files: list[Path], size: int | None
) -> tuple[UInt8[np.ndarray, "images height width channels"], int | None, list[str]]:
    """The images, grey where every one is, RGB otherwise; what is white in them, if it is known; and notes.

    They become `size` x `size`; without a size they keep their own where they agree, else they become 28 x 28.
    """
    decoding, notes = _decoding(files, size)
    return _stack([_decode(path, decoding) for path in files]), 255 if decoding.wide else None, notes


def picture(path: Path, name: str) -> UInt8[np.ndarray, "height width 3"]:
    """One image in colour, of its own size. Raises `UserError` that begins with `name` where it is none."""
    try:
        image = read([path], None)[0][0]
    except UserError as error:
        raise UserError(str(error).replace("`dataset`", name)) from None
    return np.broadcast_to(image, (*image.shape[:2], 3))


def _decoding(files: list[Path], size: int | None) -> tuple[Decoding, list[str]]:
    if size is None:
        _refuse_many(files)
    extents, highest, ink, channels = set(), 0, [], 1
    for path in files:
        with _open(path) as image:  # its header only, where nothing else is needed
            extents.add(image.size)
            channels = max(channels, 1 if len(image.getbands()) == 1 and image.mode != "P" else 3)
            if image.mode.startswith("I;16"):
                highest = max(highest, int(np.asarray(_loaded(image, path)).max()))
            elif image.has_transparency_data:
                ink += _ink(_loaded(image, path))
    own = extents.pop() if len(extents) == 1 else (DEFAULT_SIZE, DEFAULT_SIZE)
    extent = own if size is None else (size, size)
    remedy = "give `size`, the side in pixels to which they are resized"
    refuse_too_large(len(files) * math.prod(extent) * channels, f"`dataset`: {len(files)} images", remedy)
    wide, dark = highest > 255, bool(ink) and float(np.mean(ink)) < 0.5
    notes = []
    if highest and not wide:
        notes.append(f"its 16-bit images hold values up to {highest} and are read as bytes, 255 being white.")
    if dark:
        notes.append("its transparent images show something dark, and are laid on white.")
    return Decoding(extent, wide, 255 if dark else 0), notes


def _refuse_many(files: list[Path]) -> None:
    """Raise `UserError` where images of one size do not fit into memory together: turning them as their camera says
    would decode each."""
    areas = set()
    for path in files:
        with contextlib.suppress(Exception), Image.open(path) as image:  # what cannot be read is refused later
            areas.add(image.width * image.height)
    if len(areas) == 1:
        remedy = "give `size`, the side in pixels to which they are resized"
        refuse_too_large(len(files) * areas.pop(), f"`dataset`: {len(files)} images", remedy)


def _ink(image: Image.Image) -> Sequence[float]:
    """The mean grey, from 0 to 1, of what an image shows on a transparent ground; none where nothing is transparent."""
    colour = image.convert("RGBA")
    alpha = np.asarray(colour.getchannel("A"), np.float64)
    if alpha.min() == 255 or not alpha.any():
        return []
    return [float(np.average(np.asarray(colour.convert("RGB").convert("L")), weights=alpha)) / 255]


def _open(path: Path) -> Image.Image:
    """The image, not yet decoded, turned as its camera says; of more than 90 million pixels none is read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path)
        ImageOps.exif_transpose(image, in_place=True)
    except Exception as error:  # PIL's decoders raise OSError, SyntaxError, struct.error, ...
        raise _unreadable(path, error) from None
    return image


def _loaded(image: Image.Image, path: Path) -> Image.Image:
    try:
        image.load()
    except Exception as error:  # as above
        raise _unreadable(path, error) from None
    return image


def _decode(path: Path, decoding: Decoding) -> Pixels:
    with _open(path) as image:
        flat = _eight_bits(_loaded(image, path), decoding, path)
        if flat.size != decoding.extent:
            flat = flat.resize(decoding.extent, Image.Resampling.LANCZOS)
    pixels = np.asarray(flat)
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        return pixels[..., 0]
    return pixels


def _eight_bits(image: Image.Image, decoding: Decoding, path: Path) -> Image.Image:
    """Mode L or RGB; what is transparent lies on the background."""
    if image.mode.startswith("I;16"):  # convert("L") would clip instead of scaling
        return Image.fromarray((np.asarray(image) >> (8 if decoding.wide else 0)).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise UserError(f"`dataset`: {path} has 32-bit pixels, so its white is unknown; save it with 8 or 16 bits.")
    if image.has_transparency_data:
        behind = Image.new("RGBA", image.size, (*[decoding.background] * 3, 255))
        return Image.alpha_composite(behind, image.convert("RGBA")).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _stack(pixels: list[Pixels]) -> UInt8[np.ndarray, "images height width channels"]:
    if all(image.ndim == 2 for image in pixels):
        return np.stack(pixels)[..., None]
    return np.stack([np.repeat(image[..., None], 3, axis=-1) if image.ndim == 2 else image for image in pixels])


def _unreadable(path: Path, error: Exception) -> UserError:
    text = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
    why = "it is not an image" if "cannot identify" in text else text
    return UserError(f"`dataset`: {path} cannot be read ({why}); repair or remove it.")
