"""Folders of images, single pictures, and sets prepared by TensorFlow Datasets."""

import io
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.damage.case import TRAIN, Case, damages, file, folder

FOLDER = [*TRAIN, "--dataset", "data"]
TRANSFER = ["transfer", "picture.png", "china", "--out", "run.png"]
PREPARED = [*TRAIN, "--dataset", "tiny", "--data-dir", "data"]


def cases() -> Iterator[Case]:
    """All of them."""
    for kind in ("png", "jpeg", "gif", "tiff", "bmp", "webp", "ppm"):
        content = picture(0, kind)
        for name, changed in damages(content):
            if kind == "png" or name in ("empty", "cut at 0.3", "bit 0", "noise"):
                yield Case(f"{kind}: {name}", folder(beside(f"z.{kind}", changed), FOLDER), False)
    yield from (Case(f"folder with {name}", folder(make, FOLDER)) for name, make in folders().items())
    yield Case("png of 60000 x 60000", folder(beside("z.png", claims(60_000, 60_000)), FOLDER), greedy=True)
    yield Case(
        "png of 13000 x 13000, a bomb", folder(beside("z.png", claims(13_000, 13_000, True)), FOLDER), greedy=True
    )
    yield Case("bmp of 2^31 x 2^31", folder(beside("z.bmp", bmp(2**31 - 1, 2**31 - 1)), FOLDER), greedy=True)
    yield Case("a thousand large images", folder(many_large, FOLDER), greedy=True)
    yield Case("picture that is none", file("picture.png", b"no picture", TRANSFER))
    yield Case("picture that is a bomb", file("picture.png", claims(13_000, 13_000, True), TRANSFER), greedy=True)
    yield from (Case(f"prepared set: {name}", folder(make, PREPARED)) for name, make in prepared().items())


def picture(seed: int, kind: str = "png", mode: str = "L", size: int = 6) -> bytes:
    """A small one."""
    shape = (size, size) if mode == "L" else (size, size, len(mode))
    box = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8), mode).save(box, kind)
    return box.getvalue()


def beside(name: str, content: bytes) -> Callable[[Path], None]:
    """A file among ten pictures that are whole."""

    def make(place: Path) -> None:
        for number in range(10):
            (place / f"{number}.png").write_bytes(picture(number))
        (place / name).write_bytes(content)

    return make


def chunk(name: bytes, content: bytes) -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def claims(width: int, height: int, filled: bool = False) -> bytes:
    """A PNG whose header claims a size; with pixels for all of it, or for none."""
    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0))
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(height)) if filled else b""
    body = chunk(b"IDAT", rows + packer.flush())
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


def bmp(width: int, height: int) -> bytes:
    """Whose header claims a size."""
    return (
        b"BM" + struct.pack("<IHHI", 1000, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, *[0] * 6)
    )


def many_large(place: Path) -> None:
    """Whose pixels together are 30 GB, though each of them would do."""
    content = claims(5500, 5500, True)
    (place / "first.png").write_bytes(content)
    for number in range(1000):
        (place / f"{number}.png").hardlink_to(place / "first.png")


def folders() -> dict[str, Callable[[Path], Any]]:
    """Folders that hold no set."""

    def circle(place: Path) -> None:
        (place / "inside").mkdir()
        (place / "inside" / "back").symlink_to(place)

    def dangling(place: Path) -> None:
        beside("a.png", picture(1))(place)
        (place / "z.png").symlink_to(place / "nowhere.png")

    def a_folder_called_png(place: Path) -> None:
        (place / "z.png").mkdir()

    def two_trains(place: Path) -> None:
        for name in ("train", "training"):
            (place / name).mkdir()
            (place / name / "1.png").write_bytes(picture(1))

    def test_alone(place: Path) -> None:
        (place / "test").mkdir()
        (place / "test" / "1.png").write_bytes(picture(1))

    def loose(place: Path) -> None:
        beside("a.png", picture(1))(place)
        (place / "class").mkdir()
        (place / "class" / "1.png").write_bytes(picture(1))

    return {
        "nothing": lambda place: None,
        "texts alone": lambda place: (place / "readme.txt").write_text("hello"),
        "one image": lambda place: (place / "1.png").write_bytes(picture(1)),
        "a circle of links": circle,
        "a link to nothing": dangling,
        "a folder called .png": a_folder_called_png,
        "two training sets": two_trains,
        "a test set alone": test_alone,
        "images beside classes": loose,
        "a text called .png": beside("z.png", b"hello"),
        "a program called .png": beside("z.png", b"#!/bin/sh\nmkdir executed\n"),
        "PostScript called .png": beside("z.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n"),
        "pixels of 32 bits": beside("z.tiff", wide()),
    }


def wide() -> bytes:
    """Floats, of which nobody knows what is white."""
    box = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).random((6, 6)).astype(np.float32)).save(box, "tiff")
    return box.getvalue()


def prepared() -> dict[str, Callable[[Path], Any]]:
    """Descriptions that lie, and one that names code of its own."""
    info = {"name": "tiny", "version": "1.0.0", "fileFormat": "array_record", "splits": [{"name": "train"}]}

    def described(info: Any, features: Any) -> Callable[[Path], None]:
        def make(place: Path) -> None:
            inside = place / "tiny" / "1.0.0"
            inside.mkdir(parents=True)
            (inside / "dataset_info.json").write_text(info if isinstance(info, str) else json.dumps(info))
            (inside / "features.json").write_text(features if isinstance(features, str) else json.dumps(features))
            # what a folder on the path of Python could hold
            (place.parent / "evil_features.py").write_text("import os\nos.mkdir('imported')\n")

        return make

    named = {"pythonClassName": "evil_features.Features", "featuresDict": {"features": {}}}
    inner = {"pythonClassName": "evil_features.Image", "image": {"shape": {"dimensions": ["4", "4", "1"]}}}
    usual = {"pythonClassName": "tensorflow_datasets.core.features.features_dict.FeaturesDict"}
    return {
        "no JSON": described("{", "{"),
        "nothing in it": described({}, {}),
        "features that are code of its own": described(info, named),
        "a feature that is code of its own": described(info, usual | {"featuresDict": {"features": {"image": inner}}}),
        "nested 100000 deep": described(info, "[" * 100_000),
        "no features": described(info, usual | {"featuresDict": {"features": {}}}),
    }
