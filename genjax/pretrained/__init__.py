"""Machines that come with genjax, trained by it: `machine("dbm-mnist")`, and on the command line by their name.

Each is a folder here that reads like a run's: config.json (as trained, and of what the arrays are), machine.npz in the
place of checkpoints, and evaluation.json, which was estimated AFTER rounding. `experiments/ship.py` makes them.
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from genjax.boltzmann.arrays import from_arrays
from genjax.boltzmann.machine import Machine
from genjax.boltzmann.units import Label, unit_type
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


def machine(name: str) -> Machine:
    """The machine of this name, or a `UserError` that says which names there are."""
    here = folder(name)
    return read(here, json.loads((here / "config.json").read_text()))


def read(folder: Path, config: dict[str, Any]) -> Machine:
    """The machine in such a folder, float16 made float32, its file checked against the sha256 in its config.json.

    Raises `UserError` where the file is missing or not the one that was shipped.
    """
    path = folder / "machine.npz"
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != config["shipped"]["sha256"]:
        raise UserError(f"{path} is damaged (its sha256 differs from config.json's); install genjax again.")
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    visible, hidden = (unit_type(config[f"{layer}_type"], config["levels"]) for layer in ("visible", "hidden"))
    depth = sum(name.startswith("bias_") for name in arrays)
    labels = (Label(config["classes"]),) if config["classes"] else ()
    return from_arrays(arrays, (visible, *(hidden,) * (depth - 1 - len(labels)), *labels))
