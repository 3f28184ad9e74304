"""Boltzmann machines and other generative models in JAX: train, sample, evaluate and compare.

    run = genjax.fit(genjax.rbm(hidden=500), "mnist", epochs=30)
    run.log_likelihood(), run.sample(16), run.plot.samples(), run.save("runs/mine")

Names are imported where they are first used (PEP 562): `import genjax` alone costs little beyond JAX.
"""

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
        plots,
        pretrained,
        random,
        sampling,
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
    from genjax.models.front import (
        ae,
        autoencoder,
        cvae,
        dae,
        dbm,
        dbn,
        gan,
        iwae,
        rbm,
        recommender,
        sae,
        vae,
    )
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
    "genjax.models.front": (
        "ae", "autoencoder", "cvae", "dae", "dbm", "dbn", "gan", "iwae", "rbm", "recommender", "sae", "vae",
    ),
    "genjax.api.example": ("example",),
    "genjax.typing": ("Algorithm", "Batch", "Estimate", "Example", "Model", "Stage"),
}  # fmt: skip
_FOUND = {name: place for place, names in _PLACES.items() for name in names}
_FLOORS = (
    "algorithms", "boltzmann", "data", "errors", "evaluation", "likelihood", "networks", "plots", "pretrained",
    "random", "sampling", "training", "transport", "typing",
)  # fmt: skip
__all__ = [  # noqa: RUF022
    "Algorithm", "Batch", "Dataset", "Diverged", "Estimate", "Example", "Machine", "Model", "Run", "Stage",
    "UserError", "ae", "autoencoder", "compare", "cvae", "dae", "dbm", "dbn", "example", "fit", "gan", "grid", "iwae",
    "load", "paired", "rbm", "recommender", "sae", "vae", "algorithms", "boltzmann", "data", "errors", "evaluation",
    "likelihood", "networks", "plots", "pretrained", "random", "sampling", "training", "transport", "typing",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """A name of the front door, or a floor, imported where it is first used."""
    if name in _FOUND:
        found = getattr(importlib.import_module(_FOUND[name]), name)
        globals()[name] = found
        return found
    if name in _FLOORS:
        return importlib.import_module(f"genjax.{name}")
    raise AttributeError(f"module 'genjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
