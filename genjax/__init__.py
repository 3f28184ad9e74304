"""Boltzmann machines and other generative models in JAX: train, sample, evaluate and compare.

    run = genjax.fit(genjax.rbm(hidden=500), "mnist", epochs=30)
    run.log_likelihood(), run.sample(16), run.plot.samples(), run.save("runs/mine")

Names are imported where they are first used (PEP 562): `import genjax` alone costs little beyond JAX.
"""

# ruff: noqa: F401, F403 (what is imported for type checkers alone is found by `__getattr__`)
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genjax import (
        algorithms,
        boltzmann,
        data,
        errors,
        evaluation,
        likelihood,
        networks,
        numerics,
        plots,
        pretrained,
        random,
        sampling,
        sklearn,
        training,
        transport,
        typing,
    )
    from genjax.api.compare import compare, paired
    from genjax.api.example import example
    from genjax.api.fit import fit
    from genjax.api.grid import grid
    from genjax.api.load import load
    from genjax.api.run import Run
    from genjax.boltzmann.machine import Machine
    from genjax.data import Dataset
    from genjax.errors import Diverged, UserError
    from genjax.models.table import *
    from genjax.typing import Algorithm, Batch, Estimate, Example, Model, Stage

__version__ = "0.1.0"

_PLACES = {
    "genjax.api.compare": ("compare", "paired"),
    "genjax.api.fit": ("fit",),
    "genjax.api.grid": ("grid",),
    "genjax.api.load": ("load",),
    "genjax.api.run": ("Run",),
    "genjax.boltzmann.machine": ("Machine",),
    "genjax.data": ("Dataset",),
    "genjax.errors": ("Diverged", "UserError"),
    "genjax.api.example": ("example",),
    "genjax.typing": ("Algorithm", "Batch", "Estimate", "Example", "Model", "Stage"),
}  # fmt: skip
_FOUND = {name: place for place, names in _PLACES.items() for name in names}
_FLOORS = (
    "algorithms", "boltzmann", "data", "errors", "evaluation", "likelihood", "networks", "numerics", "plots",
    "pretrained", "random", "sampling", "sklearn", "training", "transport", "typing",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    """A name of the front door, or a floor, imported where it is first used; a model is a row of its table."""
    if name in _FOUND:
        found = getattr(importlib.import_module(_FOUND[name]), name)
    elif name in _FLOORS:
        return importlib.import_module(f"genjax.{name}")
    elif name == "__all__":
        return [*_FOUND, *_FLOORS, *_models()]
    elif name.startswith("_") or name not in _models():
        raise AttributeError(f"module 'genjax' has no attribute {name!r}")
    else:
        found = _models()[name]
    globals()[name] = found
    return found


def _models() -> dict[str, Any]:
    return importlib.import_module("genjax.models.table").CONSTRUCTORS


def __dir__() -> list[str]:
    return sorted({*_FOUND, *_FLOORS, *_models(), *(name for name in globals() if name.startswith("__"))})
