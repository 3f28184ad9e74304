"""IDX, .npz and .npy files."""

import gzip
import io
import pickle
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.damage.case import TRAIN, Case, Evil, Make, damages, file, folder

NPZ, NPY = [*TRAIN, "--dataset", "data.npz"], [*TRAIN, "--dataset", "data.npy"]
IDX = [*TRAIN, "--dataset", "mnist", "--data-dir", "data"]
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def cases() -> Iterator[Case]:
    """All of them."""
    x = np.random.default_rng(0).integers(0, 256, (40, 4, 4), np.uint8)
    yield from (Case(f"npz: {name}", file("data.npz", content, NPZ), False) for name, content in damages(npz(x)))
    yield from (Case(f"npy: {name}", file("data.npy", content, NPY), False) for name, content in damages(npy(x)))
    yield from (Case(f"npz with {name}", arrays_in(**given)) for name, given in wrong_arrays(x).items())
    yield from (Case(f"npy of {name}", file("data.npy", npy(array), NPY)) for name, array in wrong(x).items())
    yield from (Case(f"npy whose header says {text}", headed(text), greedy=True) for text in HEADERS)
    yield from (Case(f"npz whose member's header says {text}", member(text), greedy=True) for text in HEADERS)
    yield Case("npy with a pickle", file("data.npy", npy(np.array([Evil()] * 40, object), True), NPY))
    yield Case("npz with a pickle", arrays_in(x_train=np.array([Evil()] * 40, object)))
    yield Case("a pickle called .npy", file("data.npy", pickle.dumps(Evil()), NPY))
    yield Case("a pickle called .npz", file("data.npz", pickle.dumps(Evil()), NPZ))
    yield Case("npz that unpacks to 3 GB", bomb, greedy=True)
    yield Case("npz with a path out of it", file("data.npz", zipped({"../../x_train.npy": npy(x)}), NPZ))
    yield Case("npz whose member is no array", file("data.npz", zipped({"x_train.npy": b"hello"}), NPZ))
    yield Case("npz that is encrypted", file("data.npz", encrypted(zipped({"x_train.npy": npy(x)})), NPZ))
    yield from idx_cases(x)


def npy(array: np.ndarray, pickled: bool = False) -> bytes:
    """As numpy saves it."""
    box = io.BytesIO()
    np.save(box, array, allow_pickle=pickled)
    return box.getvalue()


def npz(x: np.ndarray) -> bytes:
    """Images and labels."""
    box = io.BytesIO()
    np.savez(box, x_train=x, y_train=np.arange(len(x)) % 3, x_test=x[:8], y_test=np.arange(8) % 3)
    return box.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    """An archive."""
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return box.getvalue()


def encrypted(content: bytes) -> bytes:
    """With the flag that says so, in both places."""
    changed = bytearray(content)
    changed[6] |= 1
    changed[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


def arrays_in(**given: Any) -> Make:
    """An .npz of these."""
    box = io.BytesIO()
    np.savez(box, allow_pickle=True, **given)
    return file("data.npz", box.getvalue(), NPZ)


def wrong(x: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays that are no images."""
    floats = x / 255
    return {
        "no axis": np.array(3.0),
        "one axis": np.arange(5.0),
        "no images": x[:0],
        "no pixels": x[:, :0],
        "one image": x[:1],
        "five axes": x[:, None, None],
        "seven channels": np.zeros((40, 4, 4, 7)),
        "NaN": np.where(x > 250, np.nan, floats),
        "infinity": np.where(x > 250, np.inf, floats),
        "numbers beyond float32": floats * 1e300,
        "negative numbers": floats - 0.5,
        "large integers": x.astype(np.int64) * 10**9,
        "complex numbers": floats.astype(complex),
        "texts": x.astype(str),
        "bytes": x.astype("S3"),
        "dates": x.astype("datetime64[s]"),
        "records": np.zeros(40, [("a", "u1"), ("b", "f4")]),
        "nothing but raw bytes": np.zeros(40, "V8"),
    }


def wrong_arrays(x: np.ndarray) -> dict[str, dict[str, Any]]:
    """Arrays that do not go together."""
    y = np.arange(40) % 3
    return {
        "no images": {"y_train": y},
        "other names": {"images": x, "labels": y},
        "too few labels": {"x_train": x, "y_train": y[:-1]},
        "labels of two axes": {"x_train": x, "y_train": np.eye(3)[y]},
        "labels of texts": {"x_train": x, "y_train": y.astype(str)},
        "labels that are no whole numbers": {"x_train": x, "y_train": y + 0.5},
        "labels of NaN": {"x_train": x, "y_train": y * np.nan},
        "labels of 19 digits": {"x_train": x, "y_train": y + 10**18},
        "a test set of another size": {"x_train": x, "x_test": x[:, :3]},
        "an empty test set": {"x_train": x, "x_test": x[:0]},
        "bytes beside floats": {"x_train": x, "x_test": x[:9] / 255},
        "a test set of NaN": {"x_train": x / 255, "x_test": x[:9] * np.nan},
        "images that are a number": {"x_train": 3},
    }


HEADERS = (
    "{'descr': '|u1', 'fortran_order': False, 'shape': (2147483648, 28, 28)}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 784)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-5, 4)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (True, 4.5)}",
    "{'descr': '<U99999999', 'fortran_order': False, 'shape': (40, 16)}",
    "{'descr': '|O', 'fortran_order': False, 'shape': (40, 16)}",
    "{'descr': [('a', '<f8', (1000000, 1000000))], 'fortran_order': False, 'shape': (9,)}",
    "{'descr': '|u1', 'shape': (40, 16)}",
    "__import__('os').mkdir('evaluated')",
    "[" * 5000,
    "{'descr': '|u1', 'fortran_order': False, 'shape': (" + "9" * 4000 + ",)}",
)


def header(text: str) -> bytes:
    """An .npy file with this header and 640 bytes."""
    padded = text.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + bytes(640)


def headed(text: str) -> Make:
    """That file alone."""
    return file("data.npy", header(text), NPY)


def member(text: str) -> Make:
    """That file in an archive."""
    return file("data.npz", zipped({"x_train.npy": header(text)}), NPZ)


def bomb(place: Path) -> list[str]:
    """Three gigabytes of zeros in an archive of three megabytes."""
    with (
        zipfile.ZipFile(place / "data.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x_train.npy", "w", force_zip64=True) as inside,
    ):
        text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (3000000, 1000)}".ljust(117) + b"\n"
        inside.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)
        for _ in range(3000):
            inside.write(bytes(10**6))
    return NPZ


def idx(array: np.ndarray, magic: bytes | None = None, shape: tuple[int, ...] | None = None) -> bytes:
    """The format of MNIST's own files."""
    shape = array.shape if shape is None else shape
    begins = bytes([0, 0, 8, array.ndim]) if magic is None else magic
    return begins + struct.pack(f">{len(shape)}I", *shape) + array.tobytes()


def four(x: np.ndarray, changed: dict[str, bytes | None], ending: str = "") -> Make:
    """The four files, some of them otherwise or not at all."""

    def make(place: Path) -> None:
        labels = (np.arange(len(x)) % 3).astype(np.uint8)
        for name, array in zip(FILES, (x, labels, x[:8], labels[:8])):
            content = changed.get(name, gzip.compress(idx(array)) if ending else idx(array))
            if content is not None:
                (place / (name + ending)).write_bytes(content)

    return folder(make, IDX)


def idx_cases(x: np.ndarray) -> Iterator[Case]:
    """Files that lie about what they hold, packed and not."""
    images, labels = FILES[:2]
    for name, content in damages(idx(x)):
        yield Case(f"idx images: {name}", four(x, {images: content}), False)
    for name, content in damages(gzip.compress(idx(x))):
        yield Case(f"idx.gz images: {name}", four(x, {images: content}, ".gz"), False)
    lies: dict[str, dict[str, bytes | None]] = {
        "2^31 images": {images: idx(x, shape=(2**31, 28, 28))},
        "2^32 - 1 of all": {images: idx(x, shape=(2**32 - 1,) * 3)},
        "no images": {images: idx(x, shape=(0, 4, 4))},
        "images of no pixels": {images: idx(x, shape=(40, 0, 4))},
        "one image too many": {images: idx(x, shape=(41, 4, 4))},
        "floats": {images: idx(x, magic=bytes([0, 0, 13, 3]))},
        "two axes": {images: idx(x, magic=bytes([0, 0, 8, 2]))},
        "255 axes": {images: idx(x, magic=bytes([0, 0, 8, 255]))},
        "labels for images": {images: idx(np.zeros(40, np.uint8))},
        "too few labels": {labels: idx(np.zeros(39, np.uint8))},
        "a missing file": {labels: None},
        "a folder's worth of nothing": dict.fromkeys(FILES),
    }
    yield from (Case(f"idx that claims {name}", four(x, changed), greedy=True) for name, changed in lies.items())
    claim = gzip.compress(idx(x, shape=(2**31, 28, 28)))
    yield Case("idx.gz that claims 2^31 images", four(x, {images: claim}, ".gz"), greedy=True)
    yield Case("idx.gz that unpacks to 3 GB", gzip_bomb(x), greedy=True)
    twice = gzip.compress(gzip.compress(idx(x)))
    yield Case("idx.gz packed twice", four(x, {images: twice}, ".gz"))


def gzip_bomb(x: np.ndarray) -> Make:
    """Three gigabytes of zeros in three megabytes, which are what the header claims."""
    make = four(x, {}, ".gz")

    def made(place: Path) -> Any:
        arguments = make(place)
        with gzip.open(place / "data" / (FILES[0] + ".gz"), "wb") as packed:
            packed.write(bytes([0, 0, 8, 3]) + struct.pack(">3I", 3_000_000, 25, 40))
            for _ in range(3000):
                packed.write(bytes(10**6))
        return arguments

    return made
