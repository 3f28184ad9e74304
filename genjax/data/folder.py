"""A folder of images: which file is of which split and of which class."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from genjax.data import classes, pictures
from genjax.data.images import Images
from genjax.errors import UserError

SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"])
UNREAD = frozenset(
    [".avif", ".heic", ".heif", ".j2k", ".jfif", ".jp2", ".jpe", ".npy", ".npz", ".pbm", ".pnm", ".svg", ".tga", ".zip"]
)
"""Files that hold images, too, and are not read: they are counted. Others (lists, texts) are not counted."""
LITTER = frozenset(["__macosx", "__pycache__", "@eadir", "$recycle.bin", "lost+found", "system volume information"])
NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""What folders of splits are called, in any case, and perhaps with one of ENDINGS."""
ENDINGS = ("", "set", "data", "images", "split")
DEEPEST = 4  # folders, one in another, that are searched for those of splits


class Files(NamedTuple):
    """The image files below a folder, and how many files of each suffix in UNREAD."""

    images: list[Path]
    unread: Counter[str]


def read(folder: Path, size: int | None) -> Images:
    """All images below `folder`, 8 bits a channel: grey where every one is, RGB otherwise.

    Where it holds the folders of splits (NAMES), those are the splits. Within a split, or the whole, a subfolder is a
    class. They become `size` x `size`; without a size they keep their own where they agree, else 28 x 28. The order is
    shuffled with a fixed seed. Raises `UserError`.
    """
    folder = _inmost(folder)
    bases, notes = _splits(folder)
    parts = {split: _images(base) for split, base in bases.items()}
    for split, base in bases.items():
        if not parts[split].images:
            raise UserError(
                f"`dataset` {base}: holds no images ({', '.join(sorted(SUFFIXES))}); give a folder that does, or "
                "IDX files by `data_dir` and the set's name."
            )
    files = {split: _shuffled(part.images) for split, part in parts.items()}
    labelled = {split: [_class(path, bases[split]) for path in part] for split, part in files.items()}
    _refuse_loose(files, labelled)
    names = _class_names(labelled)
    number = {name: index for index, name in enumerate(names)} | {"": classes.NONE}
    labels = {split: np.array([number[name] for name in part], np.int32) for split, part in labelled.items()}
    pixels, white, more = pictures.read([path for part in files.values() for path in part], size)
    if unread := sum((part.unread for part in parts.values()), Counter()):
        notes.append(f"{unread.total()} files ({', '.join(sorted(unread))}) are not read; save them as .png.")
    of_training = sum(len(labels.get(split, ())) for split in ("train", "validation"))
    return Images(
        pixels[:of_training],
        np.concatenate([labels[split] for split in ("train", "validation") if split in labels]),
        pixels[of_training:] if "test" in labels else None,
        labels.get("test"),
        source="folder",
        validation=len(labels["validation"]) if "validation" in labels else None,
        class_names=names,
        notes=tuple(f"`dataset` {folder}: {note}" for note in (*notes, *more)),
        shuffled=True,
        white=white,
    )


def _inmost(folder: Path) -> Path:
    """Below folders that hold nothing but one other, the one that holds splits; the folder itself where none does."""
    place = folder
    for _ in range(DEEPEST):
        inside = _subfolders(place)
        if any(_split_of(path.name) == "train" for path in inside):
            return place
        if len(inside) != 1 or _loose(place):
            break
        place = inside[0]
    return folder


def _splits(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The folder of each split, training first, and notes; the folder itself as training where it has no splits.

    A folder `train` beside others, none of which is a split, is a class as they are, unless it holds classes itself.
    """
    found: dict[str, list[Path]] = {split: [] for split in NAMES}
    others = []
    for path in _subfolders(folder):
        found[split].append(path) if (split := _split_of(path.name)) else others.append(path)
    for paths in found.values():
        if len(paths) > 1:
            named = " and ".join(path.name for path in paths)
            raise UserError(f"`dataset` {folder}: {named} are folders of the same split; leave one of them there.")
    bases = {split: paths[0] for split, paths in found.items() if paths}
    if not bases:
        return {"train": folder}, []
    if "train" not in bases:
        there = " and ".join(path.name for path in bases.values())
        raise UserError(
            f"`dataset` {folder}: holds {there} but no folder train; put the training images there, or rename "
            "what is a class and no split."
        )
    others = [path for path in others if _images(path).images]
    named = ", ".join(path.name for path in others)
    if others and len(bases) == 1 and not _subfolders(bases["train"]):
        note = f"{bases['train'].name} is read as a class beside {named}, since no folder is called test or val."
        return {"train": folder}, [note]
    loose = _loose(folder)
    named = [f"{path.name}/" for path in others] + ([f"{len(loose)} images"] if loose else [])
    beside = " and ".join(path.name for path in bases.values())
    return bases, [f"{', '.join(named)} beside {beside} are not read."] if named else []


def _split_of(name: str) -> str | None:
    """Which split a folder of this name holds, if any."""
    plain = name.casefold().replace("_", "").replace("-", "").replace(" ", "")
    return next((split for split, usual in NAMES.items() if plain in {u + e for u in usual for e in ENDINGS}), None)


def _visible(folder: Path) -> list[Path]:
    """What lies there by name, without hidden files (`._1.png`) and folders (`.ipynb_checkpoints`) and litter."""
    return sorted(
        path for path in folder.iterdir() if not path.name.startswith(".") and path.name.lower() not in LITTER
    )


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.is_dir()]


def _loose(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.suffix.lower() in SUFFIXES and path.is_file()]


def _images(base: Path) -> Files:
    """In the order of their names, which no file system changes; links are followed, but never in a circle."""
    images, unread = [], Counter()
    for path in _files(base, frozenset([base.resolve()])):
        suffix = path.suffix.lower()
        if suffix in SUFFIXES:
            images.append(path)
        elif suffix in UNREAD:
            unread[suffix] += 1
    return Files(sorted(images, key=lambda path: path.relative_to(base).as_posix()), unread)


def _files(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    for path in _visible(folder):
        if path.is_file() or (path.is_symlink() and not path.exists()):  # a link to nothing is refused when it is read
            yield path
        elif not path.is_dir():
            continue
        elif (real := path.resolve()) not in above:
            yield from _files(path, above | {real})


def _shuffled(files: list[Path]) -> list[Path]:
    return [files[index] for index in np.random.default_rng(0).permutation(len(files))]


def _class(path: Path, base: Path) -> str:
    """The subfolder that it lies in; empty outside of any."""
    parts = path.relative_to(base).parts
    return parts[0] if len(parts) > 1 else ""


def _refuse_loose(files: dict[str, list[Path]], labelled: dict[str, list[str]]) -> None:
    for split, part in labelled.items():
        if "" in part and any(part):
            path = files[split][part.index("")]
            raise UserError(
                f"`dataset`: {path} lies beside the folders of classes ({max(part)}, ...) and so has no class; move it "
                "into one or away."
            )


def _class_names(labelled: dict[str, list[str]]) -> tuple[str, ...]:
    """All that occur, in order. Raises `UserError` where two splits write one name in different cases."""
    each = [set(part) - {""} for part in labelled.values()]
    names = classes.in_order(set().union(*each))
    plain: dict[str, str] = {}
    for name in names:
        other = plain.setdefault(name.casefold(), name)
        if other != name and not any({name, other} <= part for part in each):
            raise UserError(f"`dataset`: the folders of classes {other} and {name} differ in case alone; rename one.")
    return names
