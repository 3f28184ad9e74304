"""Configs are flat frozen dataclasses; fields marked `rate` are traced numbers, the others shape the program."""

import dataclasses
import inspect
import math
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
from jax.core import Tracer

from genjax.errors import UserError
from genjax.typing import Algorithm, Example, Hyper

READ_IF_GIVEN = ("second_moment", "upper_rate", "averaged_from")
"""Rates that an algorithm may be given though its config has no field for them."""


@runtime_checkable
class Checked(Protocol):
    """A config that knows its own limits."""

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        ...


Config = TypeVar("Config")
Known = TypeVar("Known", bound=Checked)
Rest = ParamSpec("Rest")


def rate(default: float, doc: str = "", of_run: bool = False) -> Any:
    """A field whose value travels in `state.hyper`: a grid may vary it, and no value of it compiles again.

    `of_run`: it is a share of the run, so that the run has to have an end where it is not 0.
    """
    return dataclasses.field(default=default, metadata={"rate": True, "doc": doc, "of_run": of_run})


def split(config: Config, total_steps: int) -> tuple[Config, Hyper]:
    """What shapes the program (the config with its rates at their defaults), and its rates as float32 scalars."""
    return static_part(config), completed(config, {"total_steps": total_steps})


def static_part(config: Config) -> Config:
    """The config with its rates at their defaults: what shapes the program."""
    return dataclasses.replace(config, **{f.name: f.default for f in _rates(config)})  # type: ignore[type-var]


def completed(config: Any, hyper: Any) -> Hyper:
    """All rates as float32 scalars: what `hyper` lacks is the config's.

    Without `total_steps` a run has no end: its learning rate stays where it begins, and no average begins. Raises
    `UserError` for a name that is no rate of this config.
    """
    own = {f.name: getattr(config, f.name) for f in _rates(config)} | {"total_steps": math.inf}
    for f in _rates(config):
        if "total_steps" not in hyper and f.metadata["of_run"] and own[f.name]:
            raise UserError(f"`{f.name}` {own[f.name]} is a share of the run; give `total_steps`, too.")
    for name in hyper:
        if name not in own and name not in READ_IF_GIVEN:
            raise UserError(f"`{name}` is no rate of {type(config).__name__}; it has {', '.join(own)}.")
    return {name: jnp.asarray(value, jnp.float32) for name, value in (own | dict(hyper)).items()}


def _rates(config: Any) -> list[Any]:
    return [f for f in dataclasses.fields(config) if f.metadata.get("rate")]


def part(config: Any, kind: type[Config]) -> Config:
    """The fields of `config` that a smaller config class has."""
    names = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: getattr(config, name) for name in names})


def factory(make: Callable[Concatenate[Known, Rest], Algorithm]) -> Callable[Concatenate[Known, Rest], Algorithm]:
    """A factory of algorithms, `make(config, ...)`, that is asked once for each static part of a config.

    Configs that differ in rates alone share `step` and `observe`, the same objects, so that nothing compiles again;
    what `hyper` lacks at `init` is the config's. The config is checked when the factory is called, and the example when
    `init` is called with one that is not traced.
    """
    programs, signature = lru_cache(maxsize=256)(make), inspect.signature(make)  # type: ignore[arg-type]

    @lru_cache(maxsize=1000)
    def made(config: Any, *rest: Any) -> Algorithm:
        config.check()
        algorithm: Algorithm = programs(static_part(config), *rest)

        def init(key: Any, example: Example, hyper: Any = {}) -> Any:  # noqa: B006
            if not any(isinstance(x, Tracer) for x in jax.tree.leaves(example.batch)):
                algorithm.check(example.batch)
            return algorithm.init(key, example, completed(config, hyper))

        return algorithm._replace(init=init)

    @wraps(make)
    def called(config: Known, *args: Rest.args, **kwargs: Rest.kwargs) -> Algorithm:
        given = signature.bind(config, *args, **kwargs)
        given.apply_defaults()
        return made(*given.args)

    return called


def positive(config: Any, *names: str) -> None:
    """Raise `UserError` for the first of these fields that is not finite and positive."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UserError(f"`{name}` {value} is not positive; give a finite number above 0.")


def at_least(config: Any, least: int, *names: str) -> None:
    """Raise `UserError` for the first of these fields that is not finite and at least `least`."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not (math.isfinite(value) and value >= least):
            raise UserError(f"`{name}` {value} is out of range; give a finite number of at least {least}.")


def shares(config: Any, *names: str) -> None:
    """Raise `UserError` for the first of these fields that is not in [0, 1)."""
    for name in names:
        value = getattr(config, name)
        if not 0 <= value < 1:
            raise UserError(f"`{name}` {value} is out of range; give a number from 0 up to, not including, 1.")


def sizes(config: Any, *names: str, least: int = 0) -> None:
    """Raise `UserError` for the first of these fields that has fewer than `least` layers, or one without a unit."""
    for name in names:
        values = getattr(config, name)
        if len(values) < least:
            given = f"{' '.join(map(str, values))} is too few" if values else "is empty"
            raise UserError(f"`{name}` {given}; give the units of at least {least} layer{'s' if least > 1 else ''}.")
        if values and min(values) < 1:
            raise UserError(f"`{name}` {' '.join(map(str, values))}: every layer needs at least one unit.")
