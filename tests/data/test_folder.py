"""Folders of images that the test draws."""

import numpy as np
import pytest
from PIL import Image

from genjax.data import load
from genjax.errors import UserError

RNG = np.random.default_rng(5)


def draw(path, extent=(9, 7), mode="L"):
    """Writes an image of (width, height) and returns its pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (extent[1], extent[0]) if mode == "L" else (extent[1], extent[0], len(mode))
    pixels = RNG.integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels, mode if mode == "RGBA" else None).save(path)
    return pixels


def test_a_flat_folder_keeps_its_size(tmp_path):
    drawn = [draw(tmp_path / "all" / f"{i}.png") for i in range(20)]
    (tmp_path / "all" / "notes.txt").write_text("not an image")
    (tmp_path / "all" / "._0.png").write_text("nor is this")
    data = load(str(tmp_path / "all"))
    assert (data.name, data.source, data.shape) == ("all", "folder", (7, 9, 1))
    assert (len(data.train), len(data.validation), len(data.test)) == (15, 1, 4)
    rows = np.concatenate([data.train, data.validation, data.test])
    assert {row.tobytes() for row in rows} == {(p.ravel() / np.float32(255)).tobytes() for p in drawn}
    assert set(data.labels.train) == {-1}


def test_subfolders_are_classes_and_train_and_test_are_kept(tmp_path):
    drawn = {}
    for part, count in (("train", 12), ("test", 4)):
        for i in range(count):
            kind = ("bee", "ant", "cat")[i % 3]
            drawn[draw(tmp_path / part / kind / f"{i}.bmp").tobytes()] = (part, ("ant", "bee", "cat").index(kind))
    data = load(str(tmp_path))
    assert (len(data.train), len(data.validation), len(data.test)) == (11, 1, 4)
    whole = data.without_validation()
    for part in ("train", "test"):
        for row, label in zip(getattr(whole, part), getattr(whole.labels, part)):
            assert drawn[np.rint(row * 255).astype(np.uint8).tobytes()] == (part, label)
    assert len(set(whole.labels.train[:6])) > 1  # files in order of class would leave one class to validation


def test_sizes_that_differ_become_28_unless_told(tmp_path):
    for i in range(5):
        draw(tmp_path / f"{i}.png", (10 + i, 12))
    assert load(str(tmp_path)).shape == (28, 28, 1)
    assert load(str(tmp_path), size=16).shape == (16, 16, 1)
    with pytest.raises(UserError, match="--size 0"):
        load(str(tmp_path), size=0)


def test_resizing_is_averaging(tmp_path):
    for i in range(4):
        Image.fromarray(np.full((64, 64), 50 * i, np.uint8)).save(tmp_path / f"{i}.png")
    data = load(str(tmp_path), size=8)
    rows = np.concatenate([data.train, data.validation, data.test])
    assert sorted(np.rint(rows.mean(1) * 255)) == [0, 50, 100, 150]


def test_one_coloured_image_makes_all_coloured(tmp_path):
    for i in range(4):
        draw(tmp_path / f"{i}.png")
    grey = draw(tmp_path / "4.png")
    Image.fromarray(np.repeat(grey[..., None], 3, -1)).save(tmp_path / "4.png")
    assert load(str(tmp_path)).shape == (7, 9, 1)
    coloured = draw(tmp_path / "5.png", mode="RGB")
    data = load(str(tmp_path))
    assert data.shape == (7, 9, 3)
    rows = np.concatenate([data.train, data.validation, data.test])
    assert (coloured.ravel() / np.float32(255)).tobytes() in {row.tobytes() for row in rows}


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(np.full((3, 3), 128 * 257, np.uint16)), 128),
        (Image.new("RGBA", (3, 3), (255, 255, 255, 0)), 0),
        (Image.new("LA", (3, 3), (200, 255)), 200),
        (Image.new("1", (3, 3), 1), 255),
        (Image.new("P", (3, 3), 0), 0),
    ],
    ids=["16-bit", "transparent", "grey-alpha", "bits", "palette"],
)
def test_modes(tmp_path, image, expected):
    for i in range(3):
        image.save(tmp_path / f"{i}.png")
    data = load(str(tmp_path))
    assert data.shape == (3, 3, 1)
    np.testing.assert_array_equal(np.rint(data.train * 255), expected)


def test_what_cannot_be_used_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"--dataset .*holds no images .*\.png"):
        load(str(tmp_path))
    for i in range(4):
        draw(tmp_path / f"{i}.png", (30, 30))
    (tmp_path / "bad.png").write_text("no image")
    with pytest.raises(UserError, match=r"bad\.png cannot be read \(it is not an image\)"):
        load(str(tmp_path))
    (tmp_path / "bad.png").write_bytes((tmp_path / "0.png").read_bytes()[:300])
    with pytest.raises(UserError, match=r"bad\.png cannot be read"):
        load(str(tmp_path))
    (tmp_path / "bad.png").unlink()
    Image.fromarray(np.zeros((30, 30), np.float32)).save(tmp_path / "deep.tif")
    with pytest.raises(UserError, match=r"deep\.tif has 32-bit pixels"):
        load(str(tmp_path))
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    with pytest.raises(UserError, match="train: holds no images"):
        load(str(tmp_path))
