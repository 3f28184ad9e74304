"""Configs as options: flat names for the command line and keywords, nested values in JSON.

`RBMConfig(negative=Trajectory(rungs=20))` is `build(RBMConfig, {"negative": "trajectory", "rungs": 20})`.
"""

import ast
import copy
import dataclasses
import inspect
import itertools
import linecache
import sys
import textwrap
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import UnionType
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from genjax.errors import UserError, meant
from genjax.training.config import Choice, choices, either, kind_of, refuse_huge

Config = TypeVar("Config")


class Option(NamedTuple):
    """One option of a config by its flat name.

    - `type`: of a choice the `Literal` of its kinds' names.
    - `of`: the kinds of a choice that have it, by name; None where it is the config's own.
    """

    name: str
    type: Any
    default: Any
    doc: str
    of: tuple[str, ...] | None


def options(kind: type) -> list[Option]:
    """All options of a config's class, those of each choice after the choice itself."""
    hints, docs, answer = get_type_hints(kind), field_docs(kind), []
    for f in dataclasses.fields(kind):
        if "choice" not in f.metadata:
            answer.append(Option(f.name, _type(f, hints), f.default, docs.get(f.name, ""), None))
            continue
        chosen: Choice = f.metadata["choice"]
        names: Any = tuple(map(kind_of, chosen.kinds))
        answer.append(Option(f.name, Literal[names], kind_of(f.default), docs.get(f.name, ""), None))
        own = dict.fromkeys(g.name for one in chosen.kinds for g in dataclasses.fields(one))
        answer.extend(_option_of(name, chosen, f.default) for name in own)
    return answer


def _option_of(name: str, chosen: Choice, default: Any) -> Option:
    """One option of a choice's values, of all kinds that have it."""
    types, docs, defaults = [], {}, {}
    for kind in chosen.kinds:
        for f in (f for f in dataclasses.fields(kind) if f.name == name):
            label = kind_of(kind)
            types.append(_type(f, get_type_hints(kind)))
            docs.setdefault(field_docs(kind).get(name, ""), []).append(label)
            usual = getattr(default, name) if type(default) is kind else f.default
            defaults.setdefault(usual, []).append(label)
    doc = " ".join(f"{d.rstrip('.')} ({', '.join(of)})." for d, of in docs.items())
    if len(defaults) > 1:
        doc += " By default " + ", ".join(f"{d} ({', '.join(of)})" for d, of in defaults.items()) + "."
    usual = getattr(default, name, next(iter(defaults)))
    of = tuple(kind_of(kind) for kind in chosen.kinds if any(f.name == name for f in dataclasses.fields(kind)))
    return Option(chosen.prefix + name, types[0], usual, doc, of)


def _type(field: Any, hints: dict[str, Any]) -> Any:
    return float if field.metadata.get("rate") else hints[field.name]


@lru_cache
def field_docs(kind: type) -> dict[str, str]:
    """The strings below a dataclass's fields, by name; nothing where its source is not at hand."""
    answer: dict[str, str] = {}
    for base in filter(dataclasses.is_dataclass, reversed(kind.__mro__)):
        for line, after in itertools.pairwise(_body(base)):
            text = getattr(getattr(after, "value", None), "value", None)
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and isinstance(text, str):
                answer[line.target.id] = " ".join(text.split())
    return answer


def _body(kind: Any) -> list[ast.stmt]:
    """What stands in a class: of a module's own from its file, which is read once for all of them, where Python would
    read it for each; of others, as in a notebook, as Python finds it."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if file is not None and (body := _bodies(file).get(kind.__qualname__)):
        return body
    try:
        (parsed,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return []
    return getattr(parsed, "body", [])


@lru_cache
def _bodies(file: str) -> dict[str, list[ast.stmt]]:
    try:
        parsed = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return {}
    return {node.name: node.body for node in parsed.body if isinstance(node, ast.ClassDef)}


def build(kind: type[Config], given: Mapping[str, Any]) -> Config:
    """The config with these options by their flat names; a choice is a value of its, its name, or from outside.

    A lone number is taken where a field is a tuple. The names of all that was given go to the config's `check_given`,
    where it has one, and are kept for `given_names`. Raises `UserError` for a name that is no option, a value of
    another type, and an option that none of the chosen values has.
    """
    known = {option.name: option for option in options(kind)}
    for name in given:
        if name not in known:
            raise UserError(f"`{name}` is no option of {kind.__name__}{_meant(name, known)}")
    values: dict[str, Any] = {n: _fitting(n, v, known[n].type) for n, v in given.items() if _is_plain(kind, n)}
    used = set(values)
    for f, chosen in choices(kind):
        value = _value_of(f, chosen, given.get(f.name, f.default))
        own = {g.name for g in dataclasses.fields(value)} if chosen.has(value) else set()
        mine = {name for name in own if chosen.prefix + name in given}
        settings = {n: _fitting(p, given[p], known[p].type) for n in mine for p in [chosen.prefix + n]}
        values[f.name] = dataclasses.replace(value, **settings) if settings else value
        used |= {f.name, *(chosen.prefix + name for name in mine)}
    for name in given:
        if name not in used:
            field = next(f for f, chosen in choices(kind) if name in _options_of(chosen))
            now = kind_of(values[field.name])
            raise UserError(
                f"`{name}` {_shown(given[name])} has no effect with `{field.name}` {now}; it belongs to "
                f"{either(known[name].of or ())}."
            )
    config: Any = kind(**values)
    if hasattr(config, "check_given"):
        config.check_given(set(given))
    return with_given(config, given)


GIVEN = "_given"
"""No field of a config: two that were asked for in other words are the same."""


def with_given(config: Config, names: Iterable[str]) -> Config:
    """The same config, which knows that these options were asked for by whoever made it."""
    answer = copy.copy(config)
    object.__setattr__(answer, GIVEN, frozenset(names))
    return answer


def given_names(config: Any) -> frozenset[str]:
    """The options that somebody asked for, at their defaults or not; of a config that was not made by `build` those
    that are not at their defaults."""
    if (names := getattr(config, GIVEN, None)) is not None:
        return names
    usual = {option.name: option.default for option in options(type(config))}
    return frozenset(name for name, value in flat(config).items() if name not in usual or value != usual[name])


def _options_of(chosen: Choice) -> set[str]:
    return {chosen.prefix + g.name for one in chosen.kinds for g in dataclasses.fields(one)}


def _is_plain(kind: Any, name: str) -> bool:
    return any(f.name == name and "choice" not in f.metadata for f in dataclasses.fields(kind))


def _meant(name: str, known: Mapping[str, Any]) -> str:
    close = meant(name, [f"`{one}`" for one in known])
    return close if close != "." else f"; it has {', '.join(known)}."


def _value_of(field: Any, chosen: Choice, given: Any) -> Any:
    """What a name stands for (the default's kind: the default); anything else as it is."""
    if not isinstance(given, str):
        return given
    if chosen.has(field.default) and given == kind_of(field.default):
        return field.default
    kind = chosen.named(given)
    if kind is None:
        raise UserError(f"`{field.name}` {given} is unknown; choose {chosen.names}.")
    return kind()


def _fitting(name: str, value: Any, hint: Any) -> Any:
    """The value as a field of this type takes it: a lone number as a tuple, whole numbers as float. Or `UserError`."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if get_origin(hint) is tuple:
        value = tuple(value) if isinstance(value, list | tuple) else (value,)
    elif isinstance(value, int) and not isinstance(value, bool) and hint is float:
        value = float(value)
    if not fits(value, hint):
        wanted = either(map(str, get_args(hint))) if get_origin(hint) is Literal else getattr(hint, "__name__", hint)
        raise UserError(f"`{name}` {_shown(value)} is of another type; give {wanted}.")
    for number in value if isinstance(value, tuple) else (value,):
        refuse_huge(name, number)
    return value


def fits(value: Any, hint: Any) -> bool:
    """Whether a field of this type takes the value; numbers count as float, and no bool as a number."""
    if hint is Any:
        return True
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        if not isinstance(value, tuple):
            return False
        if kinds[-1:] != (...,):
            return len(value) == len(kinds) and all(map(fits, value, kinds))
        return all(fits(one, kinds[0]) for one in value)
    if get_origin(hint) in (Union, UnionType):
        return any(fits(value, one) for one in get_args(hint))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def flat(config: Any) -> dict[str, Any]:
    """Every option's value by its flat name; a choice by the name of its kind, an object from outside as it is."""
    answer: dict[str, Any] = {}
    for f in dataclasses.fields(config):
        value = getattr(config, f.name)
        chosen: Choice | None = f.metadata.get("choice")
        if chosen is None or not chosen.has(value):
            answer[f.name] = value
            continue
        answer[f.name] = kind_of(value)
        answer |= {chosen.prefix + g.name: getattr(value, g.name) for g in dataclasses.fields(value)}
    return answer


OUTSIDE = "outside"
"""The `kind` in JSON of an object from outside, of which a file can hold the repr alone."""


def to_json(config: Any) -> dict[str, Any]:
    """The config as JSON holds it: a choice as `{"kind": ..., **fields}`, an object from outside by its repr."""
    answer: dict[str, Any] = {}
    for f in dataclasses.fields(config):
        value, chosen = getattr(config, f.name), f.metadata.get("choice")
        if chosen is None:
            answer[f.name] = list(value) if isinstance(value, tuple) else value
        elif chosen.has(value):
            answer[f.name] = {"kind": kind_of(value)} | to_json(value)
        else:
            answer[f.name] = {"kind": OUTSIDE, "repr": repr(value)}
    return answer


def from_json(kind: type[Config], saved: Mapping[str, Any], given: Mapping[str, Any] = {}) -> Config:
    """The config that `to_json` wrote, or the first format: choices by name, options of all their kinds beside them.

    Other names in `saved` are left alone, and fields that it lacks are at their defaults: they may be newer than it.
    `given` has again the objects from outside, by field. Raises `UserError` where one of them is missing, and where a
    value is of another type.
    """
    values, hints = {}, get_type_hints(kind)
    for f in dataclasses.fields(kind):  # type: ignore[arg-type]
        if f.name not in saved and f.default is dataclasses.MISSING:
            raise UserError(f"it lacks {f.name}; restore it from a copy.")
        if f.name not in saved:
            continue
        value, chosen = saved[f.name], f.metadata.get("choice")
        if f.name in given and not (isinstance(value, dict) and value.get("kind") == OUTSIDE):
            raise UserError(f"`{f.name}` of this run is not an object from outside; leave it out.")
        if chosen is None:
            values[f.name] = _saved(f.name, value, _type(f, hints))
        elif f.name in given:
            values[f.name] = given[f.name]
        else:
            values[f.name] = _chosen(f.name, chosen, value, saved)
    return kind(**values)


def _chosen(name: str, chosen: Choice, value: Any, saved: Mapping[str, Any]) -> Any:
    """A choice from JSON. Options that the first format does not have, or has without their prefix, it knew so."""
    if isinstance(value, dict) and value.get("kind") == OUTSIDE:
        raise UserError(
            f"`{name}` of this run was {value.get('repr')}, an object from outside; give it again: `{name}=...`."
        )
    written = isinstance(value, dict)
    kind: Any = chosen.named(value.get("kind") if isinstance(value, dict) else value)
    if kind is None:
        raise UserError(f"it has {name} = {value!r}; restore it from a copy.")
    hints, settings = get_type_hints(kind), {}
    for f in dataclasses.fields(kind):
        places = [(value, f.name)] if written else [(saved, chosen.prefix + f.name), (saved, f.name)]
        for where, key in places:
            if key in where:
                settings[f.name] = _saved(key, where[key], _type(f, hints))
                break
    return kind(**settings)


def _saved(name: str, value: Any, hint: Any) -> Any:
    value = tuple(value) if isinstance(value, list) else value
    if not fits(value, hint):
        raise UserError(f"it has {name} = {value!r}; restore it from a copy.")
    return value


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def replaced(config: Config, given: Mapping[str, Any]) -> Config:
    """The config with these options changed, by their flat names; a choice named as it is keeps its own options.

    What stands at its default counts as not given.
    """
    fields = dataclasses.fields(config)  # type: ignore[arg-type]
    own: dict[str, Any] = {f.name: getattr(config, f.name) for f in fields}
    usual = {f.name for f in fields if f.default is not dataclasses.MISSING and own[f.name] == f.default}
    for f, _ in choices(config):
        if isinstance(given.get(f.name), str) and given[f.name] == kind_of(own[f.name]):
            given = {name: value for name, value in given.items() if name != f.name}
    return build(type(config), {name: own[name] for name in own if name not in usual} | dict(given))
