"""Sets prepared by TFDS: small ones that the test prepares byte by byte, and the real MNIST."""

import io
import json
import os
import struct

import numpy as np
import pytest
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image
from tensorflow_datasets.core.hashing import Hasher

from genjax.data import cache as caching
from genjax.data import load, prepared
from genjax.errors import UserError


def field(number, payload):
    """A length-delimited field of protobuf's wire format."""
    size, length = len(payload), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + payload


def example(**features):
    """A serialised tf.train.Example: bytes, or one small integer, by name."""
    content = b""
    for name, value in features.items():
        kind = field(1, field(1, value)) if isinstance(value, bytes) else field(3, field(1, bytes([value])))
        content += field(1, field(1, name.encode()) + field(2, kind))
    return field(1, content)


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "png")
    return out.getvalue()


def stored(split, records):
    """In the order in which TFDS, by its own hash, puts records whose keys are 0, 1, 2, ..."""
    hasher = Hasher(split)
    return [records[i] for i in sorted(range(len(records)), key=hasher.hash_key)]


def write_set(folder, splits, form="array_record", shape=(4, 5, 1)):
    """What TFDS leaves behind: `splits` maps a name to its records in stored order."""
    folder.mkdir(parents=True)
    for split, records in splits.items():
        path = folder / f"{folder.parent.name}-{split}.{form}-00000-of-00001"
        if form == "array_record":
            writer = ArrayRecordWriter(str(path), "group_size:1")
            for record in records:
                writer.write(record)
            writer.close()
        else:
            path.write_bytes(b"".join(struct.pack("<QI", len(r), 0) + r + bytes(4) for r in records))
    info = {
        "name": folder.parent.name,
        "version": folder.name,
        "fileFormat": form,
        "moduleName": "tensorflow_datasets.image_classification.mnist",
        "splits": [
            {
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                "name": split,
                "numBytes": str(sum(map(len, records))),
                "shardLengths": [str(len(records))],
            }
            for split, records in splits.items()
        ],
    }
    (folder / "dataset_info.json").write_text(json.dumps(info))
    prefix = "tensorflow_datasets.core.features."
    features = {
        "image": {
            "image": {"dtype": "uint8", "shape": {"dimensions": [str(n) for n in shape]}},
            "pythonClassName": f"{prefix}image_feature.Image",
        },
        "label": {"classLabel": {"numClasses": "3"}, "pythonClassName": f"{prefix}class_label_feature.ClassLabel"},
    }
    (folder / "features.json").write_text(
        json.dumps({"featuresDict": {"features": features}, "pythonClassName": f"{prefix}features_dict.FeaturesDict"})
    )
    return folder


def records_of(x, y):
    return [example(image=png(image), label=int(label)) for image, label in zip(x, y)]


def write_small(root, small_set, name="mnist", version="3.0.1", **kwargs):
    x, y, test_x, test_y = small_set
    splits = {"train": stored("train", records_of(x, y)), "test": stored("test", records_of(test_x, test_y))}
    return write_set(root / name / version, splits, **kwargs)


@pytest.mark.parametrize("form", ["array_record", "tfrecord"])
@pytest.mark.parametrize("below", ["", "tfds"])
def test_a_prepared_set_reads_as_its_idx_files(tmp_path, small_set, write_idx, form, below):
    write_small(tmp_path / below, small_set, form=form)
    write_idx(tmp_path / "idx")
    from_tfds, from_idx = load("mnist", tmp_path), load("mnist", tmp_path / "idx")
    assert from_tfds.source == "TFDS 3.0.1"
    for split in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(from_tfds, split), getattr(from_idx, split))
        np.testing.assert_array_equal(getattr(from_tfds.labels, split), getattr(from_idx.labels, split))


def test_the_highest_version_in_the_folder_of_tfds(tmp_path, small_set, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    for version in ("3.0.1", "3.0.10", "3.0.9"):
        write_small(tmp_path, small_set, version=version)
    (tmp_path / "mnist" / "4.0.0.incomplete").mkdir()
    assert load("mnist").source == "TFDS 3.0.10"


def test_a_coloured_set_that_genjax_does_not_know(tmp_path):
    x = np.random.default_rng(1).integers(0, 256, (20, 4, 5, 3), np.uint8)
    parts = {"train": (0, 12), "validation": (12, 16), "test": (16, 20)}
    splits = {part: records_of(x[a:b], np.arange(a, b)) for part, (a, b) in parts.items()}
    write_set(tmp_path / "birds" / "1.0.0", splits, shape=(4, 5, 3))
    data = load("birds", tmp_path)
    assert data.shape == (4, 5, 3)
    for part, (a, b) in parts.items():
        np.testing.assert_array_equal(getattr(data, part) * 255, x[a:b].reshape(b - a, 60))
        np.testing.assert_array_equal(getattr(data.labels, part), np.arange(a, b))


def test_validation_images_are_not_for_testing(tmp_path):
    x = np.random.default_rng(1).integers(0, 256, (20, 4, 5), np.uint8)
    splits = {
        part: records_of(x[a:b], np.arange(a, b) % 2) for part, a, b in (("train", 0, 15), ("validation", 15, 20))
    }
    write_set(tmp_path / "birds" / "1.0.0", splits)
    data = load("birds", tmp_path)
    np.testing.assert_array_equal(data.validation * 255, x[15:].reshape(5, 20))
    assert (len(data.train), len(data.test)) == (12, 3)


def test_decoded_once_and_never_stale(tmp_path, small_set, cache, monkeypatch):
    folder = write_small(tmp_path, small_set)
    decoded = []
    real_decode = prepared.decode
    monkeypatch.setattr(prepared, "decode", lambda *args: decoded.append(args) or real_decode(*args))
    first = load("mnist", tmp_path)
    assert len(decoded) == 2
    np.testing.assert_array_equal(load("mnist", tmp_path).train, first.train)
    assert len(decoded) == 2

    (kept,) = cache.glob("tfds-mnist-3.0.1-*.npz")
    for harm in (lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[:400] + bytes([b[400] ^ 1]) + b[401:]):
        kept.write_bytes(harm(kept.read_bytes()))
        before = len(decoded)
        np.testing.assert_array_equal(load("mnist", tmp_path).train, first.train)
        assert len(decoded) == before + 2

    record = next(folder.glob("*-test.*"))
    os.utime(record, ns=(1, 1))
    before = len(decoded)
    load("mnist", tmp_path)
    assert len(decoded) == before + 2
    assert not list(cache.glob(".*"))


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, small_set, monkeypatch):
    write_small(tmp_path, small_set)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "file" / "below"))
    assert load("mnist", tmp_path).shape == (4, 5, 1)


def test_where_the_cache_is(monkeypatch, tmp_path):
    assert caching.folder() == tmp_path / "cache"
    monkeypatch.delenv("GENJAX_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert caching.folder() == tmp_path / "xdg" / "genjax"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert caching.folder() == tmp_path / "home" / ".cache" / "genjax"


def cut(folder):
    path = next(folder.glob("*-test.*"))
    path.write_bytes(path.read_bytes()[:-70])


def absent(folder):
    next(folder.glob("*-test.*")).unlink()


def edit(name, old, new):
    def harm(folder):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return harm


@pytest.mark.parametrize("form", ["array_record", "tfrecord"])
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, "mnist-test.* is missing or damaged"),
        (absent, "mnist-test.* is missing or damaged"),
        (edit("dataset_info.json", '"30"', '"31"'), "30 examples where dataset_info.json says 31"),
        (edit("dataset_info.json", "{", "["), "cannot read"),
        (edit("features.json", '"image": {"image"', '"sound": {"image"'), "no feature called image"),
        (edit("features.json", "uint8", "uint16"), "not 8-bit grey or RGB"),
        (edit("dataset_info.json", '"train"', '"practice"'), "no split train"),
    ],
)
def test_a_damaged_set_is_one_sentence(tmp_path, small_set, form, harm, words):
    harm(write_small(tmp_path, small_set, form=form))
    with pytest.raises(UserError, match=words) as told:
        load("mnist", tmp_path)
    assert str(told.value).startswith("`data")
    assert "\n" not in str(told.value)


def test_images_that_cannot_be_decoded_or_stacked(tmp_path):
    good, wide = np.random.default_rng(2).integers(0, 256, (4, 5), np.uint8), np.zeros((4, 6), np.uint8)
    splits = {"train": [example(image=png(good)[:50], label=1)]}
    write_set(tmp_path / "bad" / "1.0.0", splits)
    with pytest.raises(UserError, match="cannot be decoded"):
        load("bad", tmp_path)
    write_set(tmp_path / "mixed" / "1.0.0", {"train": records_of([good, wide], [0, 1])})
    with pytest.raises(UserError, match="differ in size"):
        load("mixed", tmp_path)


@pytest.mark.slow
def test_real_mnist_test_split_equals_its_idx_files(real):
    folder = prepared.find(real / "tfds", "mnist")
    assert folder is not None
    images, labels = prepared.decode(folder, "test", by_index=True)
    data = load("mnist", real)
    assert data.source == "IDX"
    np.testing.assert_array_equal(images.reshape(10000, 784), np.rint(data.test * 255))
    np.testing.assert_array_equal(labels, data.labels.test)


@pytest.mark.slow
def test_real_mnist_equals_its_idx_files(real):
    from_tfds, from_idx = load("mnist", real / "tfds"), load("mnist", real)
    for split in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(from_tfds, split), getattr(from_idx, split))
        np.testing.assert_array_equal(getattr(from_tfds.labels, split), getattr(from_idx.labels, split))
