"""Configs are frozen dataclasses: fields marked `rate` are traced numbers, those marked `choice` hold a value.

A choice is a frozen dataclass with a class attribute `kind`, its name; its fields are its own options, some of them
rates. Options have flat names: `RBMConfig(negative=Trajectory(rungs=20))` is `--negative trajectory --rungs 20`.
"""

import copy
import dataclasses
import inspect
import math
import re
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import (
    Any,
    Concatenate,
    NamedTuple,
    ParamSpec,
    Protocol,
    TypeVar,
    runtime_checkable,
)

import jax
import jax.numpy as jnp
from jax.core import Tracer

from genjax.errors import UserError
from genjax.typing import Algorithm, Example, Hyper

READ_IF_GIVEN = ("upper_rate", "averaged_from")
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


class Choice(NamedTuple):
    """What a field may hold: a value of one of these kinds, or an object from outside that `takes` accepts.

    The options of its values have `prefix` before their names.
    """

    kinds: tuple[type, ...]
    prefix: str
    takes: Callable[[Any], bool] | None

    def has(self, value: Any) -> bool:
        """Whether it is of one of the kinds; what only inherits one is from outside."""
        return type(value) in self.kinds

    def named(self, name: Any) -> type | None:
        """The kind of this name."""
        return next((kind for kind in self.kinds if kind_of(kind) == name), None)

    @property
    def names(self) -> str:
        """Of all kinds, for a sentence."""
        return either(map(kind_of, self.kinds))


def rate(default: float, doc: str = "", of_run: bool = False, constant: bool = False) -> Any:
    """A field whose value travels in `state.hyper`: a grid may vary it, and no value of it compiles again.

    - `of_run`: it is a share of the run, so that the run has to have an end where it is not 0.
    - `constant`: at its default it is not in `hyper`, unless given there, but a constant of the program.
    """
    metadata = {"rate": True, "doc": doc, "of_run": of_run, "constant": constant}
    return dataclasses.field(default=default, metadata=metadata)


def choice(default: Any, *kinds: type, prefix: str = "", takes: Callable[[Any], bool] | None = None) -> Any:
    """A field that holds a value of one of these kinds, or what `takes` accepts: an object from outside.

    `prefix` tells the options of its values from those of another field with the same kinds.
    """
    return dataclasses.field(default=default, metadata={"choice": Choice(kinds, prefix, takes)})


def choices(config: Any) -> Iterator[tuple[Any, Choice]]:
    """The fields of a config, or of its class, that hold a choice."""
    return ((f, f.metadata["choice"]) for f in dataclasses.fields(config) if "choice" in f.metadata)


def kind_of(value: Any) -> str:
    """The name of a choice's kind, or of what is from outside its repr."""
    return getattr(value, "kind", None) or repr(value)


def traced(value: Any, hyper: Hyper, prefix: str = "") -> Any:
    """A choice's value with the rates that `hyper` has for it; an object from outside without rates as it is."""
    own = {f.name: hyper[prefix + f.name] for f in _marked(value) if prefix + f.name in hyper}
    answer = copy.copy(value) if own else value
    for name, number in own.items():  # its limits were checked when it was made of plain numbers
        object.__setattr__(answer, name, number)
    return answer


def split(config: Config, total_steps: int) -> tuple[Config, Hyper]:
    """What shapes the program (the config with its rates at their defaults), and its rates as float32 scalars."""
    return static_part(config), completed(config, {"total_steps": float(total_steps)})


def static_part(config: Config) -> Config:
    """The config with its rates at their defaults, those of its choices too: what shapes the program."""
    changes: dict[str, Any] = {f.name: f.default for f in _marked(config)}
    for f, _ in choices(config):
        value = getattr(config, f.name)
        if dataclasses.is_dataclass(value) and (own := {g.name: g.default for g in _marked(value)}):
            changes[f.name] = dataclasses.replace(value, **own)  # type: ignore[type-var]
    return dataclasses.replace(config, **changes)  # type: ignore[type-var]


def completed(config: Any, hyper: Any) -> Hyper:
    """All rates as float32 scalars: what `hyper` lacks is the config's.

    Without `total_steps` a run has no end: its learning rate stays where it begins, and no average begins. Raises
    `UserError` for a name that is no rate of this config.
    """
    known = {name: (f, value) for name, f, value in _rates(config)}
    for name, (f, value) in known.items():
        if "total_steps" not in hyper and f.metadata["of_run"] and value:
            raise UserError(f"`{name}` {value} is a share of the run; give `total_steps`, too.")
    for name in hyper:
        if name not in (*known, "total_steps", *READ_IF_GIVEN):
            raise UserError(
                f"`{name}` is no rate of {type(config).__name__}; it has {', '.join((*known, 'total_steps'))}."
            )
    own = {n: v for n, (f, v) in known.items() if not (f.metadata["constant"] and v == f.default)}
    return {n: jnp.asarray(v, jnp.float32) for n, v in (own | {"total_steps": math.inf} | dict(hyper)).items()}


def _marked(config: Any) -> list[Any]:
    """The fields that are rates."""
    if not dataclasses.is_dataclass(config):
        return []
    return [f for f in dataclasses.fields(config) if f.metadata.get("rate")]


def _rates(config: Any) -> Iterator[tuple[str, Any, Any]]:
    """Flat name, field and value of every rate, those of its choices too."""
    yield from ((f.name, f, getattr(config, f.name)) for f in _marked(config))
    for f, chosen in choices(config):
        value = getattr(config, f.name)
        yield from ((chosen.prefix + g.name, g, getattr(value, g.name)) for g in _marked(value))


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
        check_choices(config)
        given = signature.bind(config, *args, **kwargs)
        given.apply_defaults()
        return made(*given.args)

    return called


def check_choices(config: Any) -> None:
    """Raise `UserError` where a field holds no choice of its, or a value that is out of its own range."""
    for f, chosen in choices(config):
        value = getattr(config, f.name)
        if not chosen.has(value) and not (chosen.takes and chosen.takes(value)):
            raise UserError(
                f"`{f.name}` {value!r} is none of its values; give {either(k.__name__ for k in chosen.kinds)}"
                f"{', or an object of your own' if chosen.takes else ''}."
            )
        try:
            hash(value)
        except TypeError as error:
            raise UserError(
                f"`{f.name}` {value!r} cannot be hashed, and programs are kept by it; make it a frozen dataclass of "
                "numbers, names and tuples."
            ) from error
        try:
            if isinstance(value, Checked):
                value.check()
        except UserError as error:
            raise UserError(_prefixed(str(error), value, chosen.prefix)) from error


def _prefixed(text: str, value: Any, prefix: str) -> str:
    names = "|".join(f.name for f in dataclasses.fields(value)) if dataclasses.is_dataclass(value) else ""
    return re.sub(f"`({names})`", rf"`{prefix}\1`", text) if prefix and names else text


def either(names: Any) -> str:
    """Names as a sentence has them: a, b or c."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


LARGEST = 2**31 - 1


def refuse_huge(name: str, value: Any) -> None:
    """Raise `UserError` for a whole number beyond those of the arrays and loops that it is to count."""
    if isinstance(value, int) and abs(value) > LARGEST:
        shown = value if abs(value) < 10**20 else f"of {math.log10(abs(value)):.0f} digits"
        raise UserError(f"`{name}` {shown} is out of range; give at most {LARGEST}.")


def whole_number(name: str, value: Any, least: int = 1) -> None:
    """Raise `UserError` for an argument that is no whole number of at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise UserError(f"`{name}` {value} is not positive; give a whole number of at least {least}.")
    refuse_huge(name, int(value))


def positive(config: Any, *names: str) -> None:
    """Raise `UserError` for the first of these fields that is not finite and positive."""
    for name in names:
        value = getattr(config, name)
        refuse_huge(name, value)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UserError(f"`{name}` {value} is not positive; give a finite number above 0.")


def at_least(config: Any, least: int, *names: str) -> None:
    """Raise `UserError` for the first of these fields that is not finite and at least `least`."""
    for name in names:
        value = getattr(config, name)
        refuse_huge(name, value)
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
        for value in values:
            refuse_huge(name, value)
        if len(values) < least:
            given = f"{' '.join(map(str, values))} is too few" if values else "is empty"
            raise UserError(f"`{name}` {given}; give the units of at least {least} layer{'s' if least > 1 else ''}.")
        if values and min(values) < 1:
            raise UserError(f"`{name}` {' '.join(map(str, values))}: every layer needs at least one unit.")
