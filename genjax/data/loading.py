"""`load`: from what a person names to a `Dataset`, by the first reader that finds it."""

import os
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from genjax.data import arrays, catalog, fetch, folder, given, idx, prepared
from genjax.data.cache import remembered
from genjax.data.catalog import Entry
from genjax.data.dataset import Dataset, assemble, split_of
from genjax.data.given import Given
from genjax.data.images import Images
from genjax.data.splits import Shares, for_testing
from genjax.errors import DataWarning, UserError, meant

FORMS = (
    "an .npz file (x_train, y_train, x_validation, y_validation, x_test, y_test), an .npy file, a folder of images, or "
    "with `data_dir` a set that lies there as IDX files or prepared by TensorFlow Datasets"
)


def load(
    name: str | os.PathLike = "digits",
    data_dir: str | os.PathLike | None = None,
    size: int | None = None,
    validation: Any = True,
    seed: int = 0,
    test: Any = None,
) -> Dataset:
    """Images of a known set (`genjax.data.catalog`), of a file or of a folder, split three ways.

    - `data_dir`: is searched for IDX files (itself and `<name>` in it) and then for a prepared TFDS set (itself and
      `tfds` in it), and nothing is fetched; without it, a known set is read from where TFDS keeps its sets, or fetched
      once.
    - `size`: the side in pixels to which a folder's images are resized.
    - `validation`: True, the source's own or else a tenth (of mnist and its like the last 5,000); False, none, these
      images go back into training; a share of the training images; or the split itself, instead of the source's: an
      array, a pair (x, y) with classes as the source numbers them, a `Dataset`, or an .npy or .npz file of these.
    - `test`: None, the source's own or else a fifth; a share, where it has none of its own; or the split itself,
      instead of the source's, as of `validation`.
    - `seed`: of what is drawn; the test images of a known set do not depend on it.

    Raises `UserError`. What a person should know of the data is in `Dataset.notes`, each of which is a `DataWarning`
    too.
    """
    try:
        data = _load(os.fspath(name), data_dir, size, validation, seed, test)
    except OSError as error:  # a folder on the way that may not be entered, a disk that fails
        raise UserError(
            f"`dataset` {name}: {error.filename or 'a file'} cannot be read ({error.strerror or error}); "
            "check the path and its permissions."
        ) from None
    for note in data.notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    return data


def _load(
    name: str, data_dir: str | os.PathLike | None, size: int | None, validation: Any, seed: int, test: Any
) -> Dataset:
    place = None if data_dir is None else Path(data_dir).expanduser()
    if place is not None and not place.is_dir():
        raise UserError(f"`data_dir` {data_dir}: there is no such folder; give the one that holds the data.")
    wanted = _asked(validation, place, "validation", 0.1)  # refused before anything is read
    tested = _asked(True if test is None else test, place, "test", Shares().test)
    called, images, entry = _read(name, place, size)
    custom, licence = (None, "see source") if entry is None else (entry.validation, entry.licence)
    if isinstance(tested, Given):
        images = given.with_test(images, tested)
    elif test is not None and images.test is not None:
        raise UserError(f"`test` {test}: `dataset` {name} has test images of its own; leave it out, or give a file.")
    shares = Shares(seed=seed) if isinstance(tested, Given) else Shares(tested, seed=seed)
    if isinstance(wanted, Given):
        return assemble(called, given.with_validation(images, wanted), licence, custom, shares)
    if isinstance(validation, bool | np.bool_) or not wanted:
        data = assemble(called, images, licence, custom, shares)
        return data if wanted else data.without_validation()
    pooled = images._replace(validation=None)
    return assemble(called, pooled, licence, custom, shares._replace(validation=wanted))


def _asked(value: Any, place: Path | None, argument: str, usual: float) -> float | Given:
    """A share, or the split itself."""
    if not isinstance(value, str | os.PathLike):
        return split_of(value, argument, usual)
    path = _path(os.fspath(value), place)
    if path is None or path.suffix.lower() not in (".npz", ".npy"):
        why = "there is no such file" if path is None else "it is neither"
        raise UserError(f"`{argument}` {value}: {why}; give an .npz (x_{argument}, y_{argument}) or .npy file.")
    return Given(*arrays.read_pair(path, argument))


def _read(name: str, place: Path | None, size: int | None) -> tuple[str, Images, Entry | None]:
    """What the data are called, the images, and what is known of them."""
    entry = catalog.find(name)
    path = None if entry else _path(name, place)
    if size is not None and (size < 1 or path is None or not path.is_dir()):
        raise UserError(
            f"`size` {size}: it is the side in pixels, at least 1, to which a folder of images is resized, and "
            f"`dataset` {name} is resized to it only if it is such a folder; leave it out or change it."
        )
    if entry is not None:
        return name, _known(entry, place), entry
    if place is not None and (images := _prepared_or_idx(name, place)):
        return name, images, None
    if path is None:
        raise _unknown(name, place)
    return path.resolve().stem if path.is_file() else path.resolve().name, _own(path, size), None


def _known(entry: Entry, place: Path | None) -> Images:
    if entry.tfds is None:
        if place is not None:
            raise UserError(
                f"`data_dir` {place}: `dataset` {entry.name} comes with scikit-learn and reads no folder; leave out "
                "`data_dir` or name another set."
            )
        return _digits()
    images = _in_folder(entry, place) if place else _on_this_machine(entry)
    return _upright(images) if entry.transposed else images


def _digits() -> Images:
    """With its test split, which is always the same: scikit-learn, which is slow to import, holds one and draws the
    other, once."""

    def make() -> dict[str, np.ndarray]:
        from sklearn.datasets import load_digits

        bunch: Any = load_digits()
        x, labels = bunch.images.astype(np.uint8)[..., None], bunch.target.astype(np.int32)
        stay, aside = for_testing(labels, Shares().test)
        return {"train": x[stay], "train_labels": labels[stay], "test": x[aside], "test_labels": labels[aside]}

    kept = remembered(f"digits-scikit-learn-{version('scikit-learn')}", make)
    x, test = ((kept[part] / 16).astype(np.float32) for part in ("train", "test"))
    return Images(x, kept["train_labels"], test, kept["test_labels"], "scikit-learn")


def _in_folder(entry: Entry, place: Path) -> Images:
    """The set where a person says that it lies, or a sentence that lists what was searched for."""
    assert entry.tfds is not None
    tried = []
    if entry.idx is not None:
        for where in (place / entry.name, place):
            if paths := idx.find(where, entry.idx):
                return idx.read_four(paths)
        names = ", ".join(names[0] for names in idx.wanted(entry.idx).values())
        tried.append(f"{names} (or without .gz) in it and in {entry.name}/")
    for root in (place, place / "tfds"):
        if found := prepared.find(root, entry.tfds):
            return prepared.read(found, entry.tfds, by_index=entry.idx is not None)
    tried.append(f"{entry.tfds}/<version>/dataset_info.json of TensorFlow Datasets in it and in tfds/")
    raise UserError(
        f"`data_dir` {place}: `dataset` {entry.name} is not there; searched for {'; and '.join(tried)}; "
        "put one of these there or correct the folder."
    )


def _on_this_machine(entry: Entry) -> Images:
    """The set where TFDS or an earlier fetch left it, else from the network."""
    assert entry.tfds is not None
    by_index = entry.idx is not None
    for root in prepared.roots():
        if found := prepared.find(root, entry.tfds):
            return prepared.read(found, entry.tfds, by_index)
    if entry.idx is not None:
        return fetch.read_fetched(entry)
    return prepared.read(fetch.prepare(entry.name, entry.tfds), entry.tfds, by_index)


def _upright(images: Images) -> Images:
    test = None if images.test is None else images.test.swapaxes(1, 2)
    return images._replace(train=images.train.swapaxes(1, 2), test=test)


def _path(name: str, place: Path | None) -> Path | None:
    """The file or folder that the name is, seen from here or else from the data folder."""
    if not name:
        return None
    here = Path(name).expanduser()
    candidates = [here] if place is None else [here, place / name]
    return next((path for path in candidates if path.exists()), None)


def _prepared_or_idx(name: str, place: Path) -> Images | None:
    """A set that genjax does not know, by its name in the data folder."""
    if Path(name).is_absolute() or not name.strip("./"):
        return None
    if paths := idx.find(place / name):
        return idx.read_four(paths)
    for root in (place, place / "tfds"):
        if found := prepared.find(root, name):
            return prepared.read(found, name, by_index=False)
    return None


def _own(path: Path, size: int | None) -> Images:
    if path.is_dir():
        return folder.read(path, size)
    match path.suffix.lower():
        case ".npz":
            return arrays.read_npz(path)
        case ".npy":
            return arrays.read_npy(path)
    raise UserError(f"`dataset` {path}: genjax cannot read such a file; give {FORMS}.")


def _unknown(name: str, place: Path | None) -> UserError:
    if Path(name).suffix.lower() in (".npz", ".npy") or len(Path(name).parts) > 1:
        return UserError(f"`dataset` {name}: there is no such file or folder; correct the path.")
    names = [entry.name for entry in catalog.CATALOG]
    known = ", ".join(names)
    where = "" if place is None else f" and `data_dir` {place} holds nothing of that name"
    return UserError(f"`dataset` {name}: not one of {known}{where}; choose one, or give {FORMS}{meant(name, names)}")
