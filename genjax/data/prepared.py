"""Sets that TensorFlow Datasets has prepared on disk, read without TensorFlow and decoded once."""

import contextlib
import hashlib
import io
import json
import logging
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from genjax.data import cache
from genjax.data.images import Images
from genjax.errors import UserError

# tensorflow_datasets takes most of a second to import: only decoding, which a start with a warm cache skips, does so.

_INFO = "dataset_info.json"
_CLASS = ("pythonClassName", "python_class_name", "type")  # which names that of a feature
_log = logging.getLogger(__name__)


def roots() -> list[Path]:
    """Where prepared sets lie when nobody says where: TFDS's own folder, then the one that `genjax` prepares in."""
    default = os.environ.get("TFDS_DATA_DIR") or os.path.join("~", "tensorflow_datasets")
    return [Path(default).expanduser(), cache.folder() / "tfds"]


def find(root: Path, name: str) -> Path | None:
    """`root/<name>/<version>` with the highest version that is complete, or None; `name` may hold a configuration."""
    folder = root / name
    if not folder.is_dir():
        return None
    versions = [
        path for path in folder.iterdir() if re.fullmatch(r"\d+\.\d+\.\d+", path.name) and (path / _INFO).is_file()
    ]
    return max(versions, key=lambda path: [int(part) for part in path.name.split(".")], default=None)


def read(folder: Path, name: str, by_index: bool) -> Images:
    """All splits of the prepared set in `folder` (`<name>/<version>`), from the cache after the first time.

    With `by_index` the images come in the order of the set's own files (see `decode`), as IDX would give them.
    """
    key = f"tfds-{name.replace('/', '_')}-{folder.name}-{_fingerprint(folder, by_index)}"
    arrays = cache.remembered(key, lambda: _decode_all(folder, name, by_index))
    images, labels = arrays["train"], arrays["train_labels"]
    test, test_labels = arrays.get("test"), arrays.get("test_labels")
    validation = arrays.get("validation")
    if validation is not None:
        images = np.concatenate([images, validation])
        labels = np.concatenate([labels, arrays["validation_labels"]])
    count = None if validation is None else len(validation)
    return Images(images, labels, test, test_labels, f"TFDS {folder.name}", validation=count)


def decode(
    folder: Path, split: str, by_index: bool
) -> tuple[UInt8[np.ndarray, "images height width channels"], Int[np.ndarray, " images"]]:
    """Images and labels (-1 without a feature `label`) of one split.

    TFDS stores examples in the order of the md5 of split and key. Where the keys are 0, 1, 2, ... (`by_index`), that
    order is undone: then "the last 5,000 images" are the same ones whichever way the set was read.
    """
    import tensorflow_datasets as tfds

    info = _info(folder)
    features: Any = info.features
    image = features["image"]
    mode = {1: "L", 3: "RGB"}.get(image.shape[-1])
    if mode is None or image.np_dtype != np.uint8:
        raise UserError(
            f"`dataset`: the images of {folder} are {np.dtype(image.np_dtype)} of shape {image.shape}, "
            "not 8-bit grey or RGB; export them as an .npz file and give that."
        )
    skip = {"image": tfds.decode.SkipDecoding()}  # PIL on the bytes takes half the time of the feature's own way
    images, labels = [], []
    for record in _records(folder, info, split):
        example = features.deserialize_example_np(record, decoders=skip)
        images.append(_pixels(example["image"], mode, folder))
        labels.append(int(example["label"]) if "label" in features else -1)
    if len({pixels.shape for pixels in images}) != 1:
        raise UserError(
            f"`dataset`: the images of {folder} differ in size or are none; export them as a folder of images and give "
            "that with `size`."
        )
    order = np.arange(len(images))
    if by_index and not info.disable_shuffling:
        order = np.argsort(stored_order(split, len(images)))
    return np.stack(images)[order], np.asarray(labels, np.int32)[order]


def stored_order(split: str, count: int) -> Int[np.ndarray, " images"]:
    """For each place in a prepared split, the index of the example that TFDS put there."""

    def digest(index: int) -> bytes:
        return hashlib.md5(f"{split}{index}".encode(), usedforsecurity=False).digest()

    return np.asarray(sorted(range(count), key=digest))


def _decode_all(folder: Path, name: str, by_index: bool) -> cache.Arrays:
    _log.info("decoding %s, once", folder)
    info, arrays = _info(folder), {}
    if "train" not in info.splits:
        raise UserError(
            f"`dataset` {name}: {folder} holds no split train, only {', '.join(info.splits) or 'none'}; "
            "prepare the set again."
        )
    for split in ("train", "validation", "test"):
        if split in info.splits:
            arrays[split], arrays[f"{split}_labels"] = decode(folder, split, by_index)
    return arrays


def _info(folder: Path) -> Any:
    """TFDS's own description of the folder."""
    import tensorflow_datasets as tfds

    _refuse_code(folder)
    try:
        info = tfds.builder_from_directory(folder).info
        known = "image" in info.features  # pyright: ignore[reportOperatorIssue]
    except Exception as error:  # whatever parsers of JSON, protobuf and TFDS raise on a damaged description
        raise UserError(
            f"`data_dir`: TensorFlow Datasets cannot read {folder} ({_first_line(error)}); prepare the set again."
        ) from None
    if not known:
        raise UserError(f"`dataset`: {folder} has no feature called image; genjax reads sets of images only.")
    return info


def _refuse_code(folder: Path) -> None:
    """Raise `UserError` where the features are not TFDS's own: it would import whatever module the file names."""
    try:
        parts: list[Any] = [(folder / "features.json").read_text()]
    except (OSError, ValueError):
        return  # TFDS says what is wrong
    while parts:
        part = parts.pop()
        if isinstance(part, str) and part.lstrip().startswith("{"):  # the file, and what TFDS once nested as text
            with contextlib.suppress(ValueError, RecursionError):
                part = json.loads(part)
        if isinstance(part, list):
            parts += part
        if not isinstance(part, dict):
            continue
        parts += part.values()
        for name in map(part.get, _CLASS):
            if isinstance(name, str) and "." in name and not name.startswith("tensorflow_datasets.core.features."):
                raise UserError(f"`data_dir`: {folder} has features of the class {name}; export them as an .npz file.")


def _records(folder: Path, info: Any, split: str) -> Iterator[bytes]:
    """The serialised examples of a split in stored order, as many as its description says."""
    readers = {"array_record": _array_records, "tfrecord": _tf_records}
    reader = readers.get(info.file_format.value)
    if reader is None:
        raise UserError(
            f"`data_dir`: {folder} is prepared as {info.file_format.value}, which genjax cannot read; "
            "prepare it with file_format='array_record'."
        )
    for path, count in zip(info.splits[split].filepaths, info.splits[split].shard_lengths, strict=True):
        try:
            records = reader(Path(path))
        except Exception as error:  # array_record raises RuntimeError, ValueError and more
            raise UserError(
                f"`data_dir`: {path} is missing or damaged ({_first_line(error)}); prepare the set again."
            ) from None
        if len(records) != count:
            raise UserError(
                f"`data_dir`: {path} holds {len(records)} examples where dataset_info.json says {count}; "
                "prepare the set again."
            )
        yield from records


def _array_records(path: Path) -> list[bytes]:
    from array_record.python import array_record_module  # pyright: ignore[reportAttributeAccessIssue] # compiled

    if not path.is_file():  # the reader itself finds out late
        raise FileNotFoundError("no such file")
    reader = array_record_module.ArrayRecordReader(str(path))
    try:
        return list(reader.read_all()) if reader.num_records() else []
    finally:
        reader.close()


def _tf_records(path: Path) -> list[bytes]:
    """TFRecord: length (8 bytes), its CRC (4), the record, its CRC (4); the PNG inside has a CRC that is checked."""
    content, records, at = path.read_bytes(), [], 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        if at + 16 + length > len(content):
            raise ValueError("cut short")
        records.append(content[at + 12 : at + 12 + length])
        at += 16 + length
    return records


def _pixels(encoded: bytes, mode: str, folder: Path) -> UInt8[np.ndarray, "height width channels"]:
    from PIL import Image

    try:
        image = np.asarray(Image.open(io.BytesIO(encoded)).convert(mode))
    except Exception as error:  # PIL's decoders raise OSError, SyntaxError, struct.error, ...
        raise UserError(
            f"`data_dir`: {folder} holds an image that cannot be decoded ({_first_line(error)}); prepare the set again."
        ) from None
    return image if image.ndim == 3 else image[..., None]


def _fingerprint(folder: Path, by_index: bool) -> str:
    """Changes when the prepared files do: the descriptions by content, the records by name, size and time."""
    digest = hashlib.sha256(f"1 {by_index}".encode())  # 1: the layout of the cached arrays
    for path in sorted(folder.iterdir()):
        stat = path.stat()
        digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns} ".encode())
        if path.suffix == ".json":
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
