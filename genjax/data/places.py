"""Where a run's data are: named so that they are found from any folder, and found again where they have moved."""

import dataclasses
import os
from pathlib import Path
from typing import Any

from genjax.data import catalog
from genjax.errors import UserError

SPLITS = ("validation", "test")  # options that may name a file of their own


def with_absolute_paths(config: Any) -> Any:
    """The config with its files named so that the run can be opened from any folder."""
    changes = {}
    if config.data_dir is not None:
        changes["data_dir"] = absolute(config.data_dir)
    if own(config.dataset):
        inside = Path(config.data_dir or "").expanduser() / config.dataset
        if os.path.exists(os.path.expanduser(config.dataset)):
            changes["dataset"] = absolute(config.dataset)
        elif inside.is_file():  # a folder there may be a set that is known by its name alone
            changes["dataset"] = absolute(inside)
    for split in SPLITS:
        if isinstance(name := getattr(config, split), str):
            for place in (Path(name).expanduser(), Path(config.data_dir or "").expanduser() / name):
                if place.is_file():
                    changes[split] = absolute(place)
                    break
    return dataclasses.replace(config, **changes)


def absolute(path: str | Path) -> str:
    """Seen from the root; ~ is the home folder."""
    return os.path.abspath(os.path.expanduser(path))


def own(dataset: str) -> bool:
    """Whether it is a person's own file or folder, or may be, rather than a set known by name."""
    return bool(dataset) and catalog.find(dataset) is None


def relocated(config: Any, data_dir: str | None = None, dataset: str | None = None) -> Any:
    """The config of a run whose data are elsewhere now, as `data_dir` and `dataset` say (None: where they were).

    A file of one's own is looked for in the new folder by its name. Raises `UserError` where it is not there. Files of
    splits that are no longer where they were are looked for there, too, or else beside a new `dataset`.
    """
    if dataset is not None:
        there = os.path.exists(os.path.expanduser(dataset))
        folder = None if data_dir is None and there else data_dir or config.data_dir
        config = _with_splits_in(data_dir or os.path.dirname(os.path.expanduser(dataset)), config)
        return with_absolute_paths(dataclasses.replace(config, dataset=dataset, data_dir=folder))
    if data_dir is None:
        return config
    config = _with_splits_in(data_dir, config)
    if own(config.dataset):
        name = os.path.basename(config.dataset) if os.path.isabs(config.dataset) else config.dataset
        found = Path(data_dir).expanduser() / name
        if found.is_file() or (found.exists() and os.path.isabs(config.dataset)):
            config = dataclasses.replace(config, dataset=absolute(found))
        elif os.path.isabs(config.dataset):
            raise UserError(
                f"`data_dir` {data_dir}: {name}, on which the run was trained, is not there; give the folder that "
                "holds it, or its new place with `dataset`."
            )
    return dataclasses.replace(config, data_dir=data_dir)


def _with_splits_in(folder: str, config: Any) -> Any:
    """The config with files of splits in this folder where they are gone."""
    gone = {split: name for split in SPLITS if isinstance(name := getattr(config, split), str)}
    moved = {split: Path(folder).expanduser() / os.path.basename(name) for split, name in gone.items()}
    found = {
        split: absolute(path) for split, path in moved.items() if path.is_file() and not Path(gone[split]).exists()
    }
    return dataclasses.replace(config, **found)


class Missing(UserError):
    """A run's data are not where they were."""


def refuse_missing(config: Any, folder: Path, purpose: str = "", splits: tuple[str, ...] = SPLITS) -> None:
    """Raise `Missing` where a run's data are no longer where they were; `purpose` says what they are needed for, and
    `splits` which of those with files of their own are."""
    remedy = "give `dataset` or `data_dir` with the place where they are now"
    for option in ("data_dir", "dataset", *splits):
        place = getattr(config, option)
        if isinstance(place, str) and os.path.isabs(place) and not os.path.exists(place):
            why = f"the data of {folder} are needed{purpose}"
            raise Missing(f"`{option}` {place}: nothing is there, and {why}; {remedy}.")
