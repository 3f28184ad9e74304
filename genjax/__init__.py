"""Boltzmann machines and other generative models in JAX: train, sample, judge and compare."""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genjax import (
        algorithms,
        boltzmann,
        cli,
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
        typing,
    )

__version__ = "0.1.0"
__all__ = [
    "algorithms",
    "boltzmann",
    "cli",
    "data",
    "errors",
    "evaluation",
    "likelihood",
    "networks",
    "plots",
    "pretrained",
    "random",
    "sampling",
    "training",
    "typing",
]


def __getattr__(name: str) -> ModuleType:
    """A submodule, imported where it is first used (PEP 562): `import genjax` alone costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'genjax' has no attribute {name!r}")
    return importlib.import_module(f"genjax.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
