"""From arguments to a dataclass by tyro, whose complaints become one sentence each."""

import contextlib
import dataclasses
import io
import itertools
import re
from typing import Any, TypeVar

import tyro

from genjax.errors import UserError, meant
from genjax.random import refuse_seed

Options = TypeVar("Options")
KINDS = {"int": "a whole number", "float": "a number"}
NOT_A_NUMBER = re.compile(r"Error parsing (\S+): (?:invalid literal for|could not convert string to) (\w+).*: '(.*)'")


def parse(kind: type[Options], arguments: list[str], program: str, default: Options | None = None) -> Options:
    """The options in `arguments`. Raises `UserError` with tyro's words, out of their box, where one is bad."""
    box = io.StringIO()
    try:
        with contextlib.redirect_stderr(box):
            named = (tyro.conf.OmitArgPrefixes,)
            parsed: Any = tyro.cli(kind, args=arguments, prog=program, default=default, config=named)  # type: ignore[arg-type]
        refuse_seed(getattr(parsed, "seed", None) or 0)
        return parsed
    except SystemExit as leaving:
        if not leaving.code:
            raise
    heading, *lines = [line.strip("│╭╮╰╯─- ") for line in box.getvalue().splitlines()]
    rest = itertools.dropwhile(lambda line: not line, lines)  # a rule may follow the heading
    message = " ".join(itertools.takewhile(bool, rest)) or heading
    raise UserError(_plainly(message.rstrip("."), kind, arguments, program))


def _plainly(message: str, kind: Any, arguments: list[str], program: str) -> str:
    """What tyro says of a bad line, as one sentence with its remedy."""
    if message.startswith("Unrecognized options: "):
        given = message.partition(": ")[2].split(", ")
        wrong = next((one for one in given if one.startswith("-")), None)
        if wrong is not None:
            close = meant(wrong, [f"--{name.replace('_', '-')}" for name in names_of(kind)])
            return f"{wrong} is no option of {program}{close if close != '.' else f'; see {program} --help.'}"
        option = next(
            (a for a in reversed(arguments[: (*arguments, given[0]).index(given[0])]) if a.startswith("-")), program
        )
        several = "; genjax grid takes several, and trains them all" if program.startswith("genjax train") else ""
        return f"{option} takes one value, and {given[0]} is one more{several}; see {program} --help."
    if message.startswith("Missing from") and " RUN " in message:
        return f"{program} RUN: name a run's folder, or a machine that comes with genjax (rbm-mnist, dbm-mnist)."
    if found := NOT_A_NUMBER.match(message):
        return f"{found[1]} {found[3]} is not {KINDS[found[2]]}; see {program} --help."
    return f"{message}; see {program} --help."


def names_of(kind: Any) -> list[str]:
    """The options of a dataclass, those of its groups among them."""
    fields = dataclasses.fields(kind)
    inner = [names_of(f.type) if dataclasses.is_dataclass(f.type) else [f.name] for f in fields]
    return [name for names in inner for name in names]
