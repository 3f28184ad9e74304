"""A folder of images: `train/` and `test/` if it has both, class subfolders if it has any."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from genjax.data.dataset import Images
from genjax.errors import UserError

SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"])
DEFAULT_SIZE = 28

Pixels = UInt8[np.ndarray, "height width"] | UInt8[np.ndarray, "height width 3"]


def read(folder: Path, size: int | None) -> Images:
    """All images below `folder`, 8 bits a channel: grey where every one is, RGB otherwise.

    They become `size` x `size`; without a size they keep their own where they agree, else 28 x 28. Labels number
    the subfolders in sorted order (-1 beside them or without any). The order is shuffled with a fixed seed,
    since files sorted by class would leave the last class alone in the validation set.
    """
    bases = [folder / "train", folder / "test"]
    if not all(base.is_dir() for base in bases):
        bases = [folder]
    files = [_shuffled(_files(base)) for base in bases]
    everything = [path for part in files for path in part]
    for base, part in zip(bases, files, strict=True):
        if not part:
            raise UserError(
                f"--dataset {base}: holds no images ({', '.join(sorted(SUFFIXES))}); give a folder that does, or "
                "IDX files by --data-dir and the set's name."
            )
    extent = _extent(everything, size)
    pixels = _stack([_decode(path, extent) for path in everything])
    classes = sorted(
        {name for base, part in zip(bases, files) for path in part if (name := _class(path, base)) is not None}
    )
    number: dict[str | None, int] = {name: index for index, name in enumerate(classes)} | {None: -1}
    labels = [np.array([number[_class(path, base)] for path in part], np.int32) for base, part in zip(bases, files)]
    train = len(files[0])
    if len(bases) == 1:
        return Images(pixels, labels[0], None, None, source="folder")
    return Images(pixels[:train], labels[0], pixels[train:], labels[1], source="folder")


def _files(base: Path) -> list[Path]:
    """In the order of their names, which no file system changes; hidden ones (`._1.png`) are not images."""
    return sorted(
        (
            path
            for path in base.rglob("*")
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
        ),
        key=lambda path: path.relative_to(base).as_posix(),
    )


def _shuffled(files: list[Path]) -> list[Path]:
    return [files[index] for index in np.random.default_rng(0).permutation(len(files))]


def _class(path: Path, base: Path) -> str | None:
    parts = path.relative_to(base).parts
    return parts[0] if len(parts) > 1 else None


def _extent(files: list[Path], size: int | None) -> tuple[int, int]:
    """(width, height), as PIL has it."""
    if size is not None:
        return size, size
    extents = set()
    for path in files:
        with _open(path) as image:  # its header only
            extents.add(image.size)
    return extents.pop() if len(extents) == 1 else (DEFAULT_SIZE, DEFAULT_SIZE)


def _open(path: Path) -> Image.Image:
    """The image, not yet decoded, turned as its camera says."""
    try:
        image = Image.open(path)
        ImageOps.exif_transpose(image, in_place=True)
    except Exception as error:  # PIL's decoders raise OSError, SyntaxError, struct.error, ...
        raise _unreadable(path, error) from None
    return image


def _decode(path: Path, extent: tuple[int, int]) -> Pixels:
    with _open(path) as image:
        try:
            image.load()
        except Exception as error:  # as above
            raise _unreadable(path, error) from None
        flat = _eight_bits(image, path)
        if flat.size != extent:
            flat = flat.resize(extent, Image.Resampling.LANCZOS)
    pixels = np.asarray(flat)
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        return pixels[..., 0]
    return pixels


def _eight_bits(image: Image.Image, path: Path) -> Image.Image:
    """Mode L or RGB; what is transparent lies on black."""
    if image.mode.startswith("I;16"):  # convert("L") would clip instead of scaling
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise UserError(
            f"--dataset: {path} has 32-bit pixels, whose largest value nobody knows; save it with 8 or 16 bits."
        )
    if image.has_transparency_data:
        colour = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), colour).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _stack(pixels: list[Pixels]) -> UInt8[np.ndarray, "images height width channels"]:
    if all(image.ndim == 2 for image in pixels):
        return np.stack(pixels)[..., None]
    return np.stack([np.repeat(image[..., None], 3, axis=-1) if image.ndim == 2 else image for image in pixels])


def _unreadable(path: Path, error: Exception) -> UserError:
    text = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
    why = "it is not an image" if "cannot identify" in text else text
    return UserError(f"--dataset: {path} cannot be read ({why}); repair or remove it.")
