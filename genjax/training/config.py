"""Configs are flat frozen dataclasses; fields marked `rate` are traced numbers, the others shape the program."""

import dataclasses
from typing import Any, TypeVar

import jax.numpy as jnp

from genjax.typing import Hyper

Config = TypeVar("Config")


def rate(default: float, doc: str = "") -> Any:
    """A field whose value travels in `state.hyper`: a grid may vary it, and no value of it compiles again."""
    return dataclasses.field(default=default, metadata={"rate": True, "doc": doc})


def split(config: Config, total_steps: int) -> tuple[Config, Hyper]:
    """What shapes the program (the config with its rates at their defaults), and its rates as float32 scalars."""
    rates = [f for f in dataclasses.fields(config) if f.metadata.get("rate")]  # type: ignore[arg-type]
    hyper = {f.name: jnp.asarray(getattr(config, f.name), jnp.float32) for f in rates}
    hyper["total_steps"] = jnp.asarray(total_steps, jnp.float32)
    static = dataclasses.replace(config, **{f.name: f.default for f in rates})  # type: ignore[type-var]
    return static, hyper


def part(config: Any, kind: type[Config]) -> Config:
    """The fields of `config` that a smaller config class has."""
    names = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: getattr(config, name) for name in names})
