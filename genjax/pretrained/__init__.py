"""Machines that come with genjax, trained by it: `genjax.load("dbm-mnist")`, and on the command line by their name.

Each is a folder here that reads like a run's: config.json (as trained, and of what the arrays are), machine.npz in the
place of checkpoints, and evaluation.json, which was estimated AFTER rounding. `experiments/ship.py` makes them.
"""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from genjax.errors import UserError

HERE = Path(__file__).parent
FILES = ("config.json", "machine.npz", "evaluation.json")


def names() -> list[str]:
    """What there is."""
    return sorted(f.name for f in HERE.iterdir() if all((f / file).is_file() for file in FILES))


def known() -> str:
    """The names as part of a sentence."""
    return f"the machines that come with genjax are {', '.join(names())}" if names() else "no machine comes with genjax"


def folder(name: str) -> Path:
    """Where the machine of this name lies. Raises `UserError` where there is none."""
    if name not in names():
        raise UserError(f"{name} does not come with genjax: {known()}.")
    return HERE / name


def read(folder: Path, config: dict[str, Any]) -> dict[str, np.ndarray]:
    """The float16 arrays in such a folder (`boltzmann.arrays.layered` makes them a machine), checked against the
    sha256 in its config.json.

    Raises `UserError` where the file is missing or not the one that was shipped.
    """
    path = folder / "machine.npz"
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != config["shipped"]["sha256"]:
        raise UserError(f"{path} is damaged (its sha256 differs from config.json's); install genjax again.")
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
