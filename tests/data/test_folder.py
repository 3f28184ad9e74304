"""Folders of images that the test draws."""

import numpy as np
import pytest
from PIL import Image

from genjax.data import load
from genjax.errors import DataWarning, UserError

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
    with pytest.raises(UserError, match="`size` 0"):
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
    with pytest.raises(UserError, match=r"`dataset` .*holds no images .*\.png"):
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


def write(folder, tree):
    """Draws images at these paths; returns which path each row of pixels is from."""
    rows = {}
    for path in tree:
        rows[(draw(folder / path, (6, 5)).ravel() / np.float32(255)).tobytes()] = path
    return rows


def found(data, rows):
    """The paths in each split."""
    return {part: [rows[row.tobytes()] for row in getattr(data, part)] for part in ("train", "validation", "test")}


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", None),
        ("train", None, "test"),
        ("Train", None, "Test"),
        ("training", None, "testing"),
        ("train", "val", "test"),
        ("TRAINING", "Validation", "TESTING"),
        ("train", "valid", "test"),
        ("training_set", None, "test_set"),
        ("train-images", "dev", None),
        ("train", None, None),
    ],
)
@pytest.mark.parametrize("classes", [("ant", "bee"), ("",)])
@pytest.mark.parametrize("below", ["", "archive/"])
def test_folders_of_splits_by_any_usual_name(tmp_path, train, validation, test, classes, below):
    counts = {train: 20, validation: 6, test: 4}
    tree = [f"{below}{part}/{c}/{i}.png" for part, n in counts.items() if part for c in classes for i in range(n)]
    rows = write(tmp_path, tree)
    data = load(str(tmp_path))
    parts = found(data, rows)
    assert data.class_names == tuple(name for name in classes if name)
    of = {split: {path.removeprefix(below).split("/")[0] for path in paths} for split, paths in parts.items()}
    assert of == {"train": {train}, "validation": {validation or train}, "test": {test or train}}
    assert sorted(path for part in parts.values() for path in part) == sorted(rows.values())
    for split, paths in parts.items():
        names = [path.removeprefix(below).split("/")[1] for path in paths]
        numbers = [classes.index(name) for name in names] if classes != ("",) else [-1] * len(names)
        assert list(getattr(data.labels, split)) == numbers
    if validation:
        assert len(data.validation) == 6 * len(classes)


def test_hidden_folders_and_litter_are_skipped(tmp_path):
    hidden = [".ipynb_checkpoints/1.png", "__MACOSX/ant/1.png", "__MACOSX/bee/._1.png", "ant/.thumbs/2.png"]
    rows = write(tmp_path / ".cache", [f"{kind}/{i}.png" for kind in ("ant", "bee") for i in range(8)] + hidden)
    data = load(str(tmp_path / ".cache"))  # the set itself may lie in such a folder
    assert data.class_names == ("ant", "bee")
    assert sum(map(len, found(data, rows).values())) == 16
    for split, paths in found(data, rows).items():
        assert [path.split("/")[0] for path in paths] == [data.class_names[n] for n in getattr(data.labels, split)]


def test_a_checkpoint_folder_beside_splits_is_no_class(tmp_path):
    tree = [f"{part}/{kind}/{i}.png" for part in ("train", "test") for kind in ("0", "1") for i in range(5)]
    write(tmp_path, [*tree, ".ipynb_checkpoints/1.png", "train/.ipynb_checkpoints/1.png"])
    data = load(str(tmp_path))
    assert (data.class_names, data.notes) == (("0", "1"), ())


def test_numbered_classes_stand_in_numeric_order(tmp_path):
    rows = write(tmp_path, [f"{kind}/{i}.png" for kind in range(12) for i in range(5)])
    data = load(str(tmp_path))
    assert data.class_names == tuple(map(str, range(12)))
    for split, paths in found(data, rows).items():
        assert [int(path.split("/")[0]) for path in paths] == list(getattr(data.labels, split))


def test_a_class_that_one_split_lacks(tmp_path):
    tree = [f"train/{kind}/{i}.png" for kind in ("ant", "cat") for i in range(6)]
    rows = write(tmp_path, [*tree, "test/cat/1.png", "test/dog/1.png"])
    with pytest.warns(DataWarning, match="no training image is of class dog"):
        data = load(str(tmp_path))
    assert data.class_names == ("ant", "cat", "dog")
    assert sorted(zip(found(data, rows)["test"], data.labels.test)) == [("test/cat/1.png", 1), ("test/dog/1.png", 2)]


def test_a_class_called_train(tmp_path):
    write(tmp_path, [f"{kind}/{i}.png" for kind in ("train", "bus", "tram") for i in range(5)])
    with pytest.warns(DataWarning, match="train is read as a class beside bus, tram"):
        assert load(str(tmp_path)).class_names == ("bus", "train", "tram")


def test_what_lies_beside_splits_is_named(tmp_path):
    tree = [f"{part}/{i}.png" for part in ("train", "test", "extra") for i in range(5)]
    write(tmp_path, [*tree, "sheet.png"])
    with pytest.warns(DataWarning, match=r"extra/, 1 images beside train and test are not read"):
        data = load(str(tmp_path))
    assert (len(data.train) + len(data.validation), len(data.test)) == (5, 5)


def test_files_of_other_kinds_are_counted(tmp_path):
    write(tmp_path, [f"{i}.png" for i in range(5)])
    for name in ("a.jfif", "b.JFIF", "c.svg", "list.txt"):
        (tmp_path / name).write_text("")
    with pytest.warns(DataWarning, match=r"3 files \(.jfif, .svg\) are not read"):
        load(str(tmp_path))


def test_links_are_followed_but_not_in_circles(tmp_path):
    rows = write(tmp_path / "real", [f"ant/{i}.png" for i in range(4)] + [f"other/{i}.png" for i in range(4)])
    (tmp_path / "linked" / "bee").mkdir(parents=True)
    (tmp_path / "linked" / "ant").symlink_to(tmp_path / "real" / "ant")
    for i in range(4):
        (tmp_path / "linked" / "bee" / f"{i}.png").symlink_to(tmp_path / "real" / "other" / f"{i}.png")
    (tmp_path / "linked" / "bee" / "circle").symlink_to(tmp_path / "linked")
    data = load(str(tmp_path / "linked"))
    paths = found(data, rows)
    assert data.class_names == ("ant", "bee")
    assert {path.split("/")[0] for part in paths.values() for path in part} == {"ant", "other"}
    (tmp_path / "loop" / "in").mkdir(parents=True)
    (tmp_path / "loop" / "in" / "it").symlink_to(tmp_path / "loop")
    with pytest.raises(UserError, match="holds no images"):
        load(str(tmp_path / "loop"))
    (tmp_path / "linked" / "bee" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(UserError, match=r"gone\.png cannot be read"):
        load(str(tmp_path / "linked"))


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (["test/ant/1.png", "test/bee/1.png"], "holds test but no folder train"),
        (["cat/1.png", "dog/1.png", "test/1.png"], "holds test but no folder train"),
        (["train/1.png", "Training/2.png", "test/3.png"], "(Training and train|train and Training) are folders of the"),
        (["ant/1.png", "bee/2.png", "sheet.png"], "sheet.png lies beside the folders of classes"),
        (["train/Cat/1.png", "train/Dog/1.png", "test/cat/3.png"], "Cat and cat differ in case alone"),
        (["train/ant/1.png", "train/ant/2.png", "val/1.png"], "training images are labelled and validation images"),
    ],
)
def test_folders_that_say_two_things_are_one_sentence(tmp_path, tree, words):
    write(tmp_path, tree)
    with pytest.raises(UserError, match=words) as told:
        load(str(tmp_path))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_an_empty_folder_of_a_split_is_one_sentence(tmp_path, part):
    for name in ("train", "val", "test"):
        (tmp_path / name).mkdir()
        if name != part:
            write(tmp_path, [f"{name}/{i}.png" for i in range(3)])
    with pytest.raises(UserError, match=f"{part}: holds no images"):
        load(str(tmp_path))


def test_letters_in_both_cases_are_classes(tmp_path):
    write(tmp_path, [f"{part}/{name}/{i}.png" for part in ("train", "test") for name in "aA" for i in range(3)])
    assert load(str(tmp_path)).class_names == ("A", "a")


def test_one_class_alone(tmp_path):
    write(tmp_path, [f"ant/{i}.png" for i in range(6)])
    with pytest.warns(DataWarning, match="all images are of one class, ant"):
        data = load(str(tmp_path))
    assert (data.class_names, set(data.labels.train)) == (("ant",), {0})


def ink(path, colour, ground=(255, 255, 255, 0), at=2):
    image = Image.new("RGBA", (6, 6), ground)
    image.putpixel((at, 3), (*colour, 255))
    image.save(path)


@pytest.mark.parametrize(("colour", "pixel"), [((0, 0, 0), 0), ((0, 0, 200), 0), ((255, 255, 255), 255)])
def test_ink_on_transparency_lies_on_what_it_differs_from(tmp_path, colour, pixel):
    for i in range(5):
        ink(tmp_path / f"{i}.png", colour, (*colour, 0), at=i)
    data = load(str(tmp_path))
    ground = 255 - pixel
    rows = np.concatenate([data.train, data.validation, data.test]).reshape(5, 6, 6, -1) * 255
    assert (rows == ground).all(-1).sum() == 5 * 35
    assert {tuple(np.rint(row.reshape(36, -1)[np.abs(row - ground).sum(-1).argmax()])) for row in rows} in (
        {colour},
        {colour[:1]},
    )
    assert any("laid on white" in note for note in data.notes) == (ground == 255)
    assert not any("blank" in note or "every pixel" in note for note in data.notes)


def test_the_ground_is_the_same_for_the_whole_set(tmp_path):
    for i in range(5):
        ink(tmp_path / f"{i}.png", (0, 0, 0), at=i)
    ink(tmp_path / "5.png", (255, 255, 255))
    Image.new("L", (6, 6), 255).save(tmp_path / "6.png")
    data = load(str(tmp_path))
    rows = np.concatenate([data.train, data.validation, data.test])
    assert sorted((rows == 1).sum(1)) == [35] * 5 + [36] * 2


@pytest.mark.parametrize(("top", "shift"), [(255, 0), (16, 0), (1, 0), (256, 8), (65535, 8)])
def test_sixteen_bits_that_hold_bytes(tmp_path, top, shift):
    drawn = []
    for i in range(5):
        pixels = RNG.integers(0, top + 1, (5, 6)).astype(np.uint16)
        pixels[0, 0] = top if i == 3 else 0
        drawn.append(pixels)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    data = load(str(tmp_path))
    rows = np.concatenate([data.train, data.validation, data.test])
    white = np.float32(1 if top == 1 else 255)
    assert {row.tobytes() for row in rows} == {((p >> shift).ravel() / white).tobytes() for p in drawn}
    assert any(f"values up to {top} and are read as bytes" in note for note in data.notes) == (shift == 0)
    assert any("nearly black" in note for note in data.notes) == (top in (16, 256))


def test_files_of_own_splits_do_not_stand_in_order_of_class(tmp_path):
    """Whoever takes the first few has all classes."""
    write(tmp_path, [f"{part}/{c}/{i}.png" for part in ("train", "val", "test") for c in "abc" for i in range(12)])
    data = load(str(tmp_path))
    for labels in data.labels:
        assert len(labels) == 36
        assert set(labels[:12]) == {0, 1, 2}


def test_a_class_is_the_outermost_folder(tmp_path):
    rows = write(tmp_path, [f"{c}/{below}/{i}.png" for c in ("ant", "bee") for below in ("x", "y") for i in range(9)])
    data = load(str(tmp_path))
    assert data.class_names == ("ant", "bee")
    for split, paths in found(data, rows).items():
        assert [data.class_names[label] for label in getattr(data.labels, split)] == [path[:3] for path in paths]
