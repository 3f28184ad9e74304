"""How one line of arguments becomes a config, a run's options and a command's own: flat dataclasses for tyro."""

import contextlib
import dataclasses
import io
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_origin

import tyro

from genjax.errors import UserError
from genjax.random import LARGEST_SEED
from genjax.training.options import Option, build, field_docs, options, replaced
from genjax.training.settings import RunConfig

Options = TypeVar("Options")
SPLITS = {"yes": True, "no": False}  # what --validation may say besides a share or a file


@dataclass(frozen=True, kw_only=True)
class OpenOptions:
    """Which run a command opens, and where its data are."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run's folder, or the name of a machine that comes with genjax."""
    dataset: str | None = None
    """Where its own file or folder of data is now, if it has moved since training."""
    data_dir: str | None = None
    """The folder in which its data are now, if they have moved since training."""
    json: bool = False
    """Print one JSON object."""


def parse(kind: type[Options], arguments: list[str], program: str, default: Options | None = None) -> Options:
    """The options in `arguments`. Raises `UserError` with tyro's words, out of their box, where one is bad."""
    box = io.StringIO()
    try:
        with contextlib.redirect_stderr(box):
            parsed: Any = tyro.cli(kind, args=arguments, prog=program, default=default)  # type: ignore[arg-type]
        refuse_seed(parsed)
        return parsed
    except SystemExit as leaving:
        if not leaving.code:
            raise
    heading, *lines = [line.strip("│╭╮╰╯─- ") for line in box.getvalue().splitlines()]
    rest = itertools.dropwhile(lambda line: not line, lines)  # a rule may follow the heading
    message = " ".join(itertools.takewhile(bool, rest)) or heading
    raise UserError(f"{message.rstrip('.')}; see {program} --help.")


def refuse_seed(parsed: Any) -> None:
    """Raise `UserError` for a --seed of which no generator makes a key of its own."""
    seed = getattr(parsed, "seed", None)
    if seed is not None and not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"--seed {seed} is out of range; give a whole number from 0 to {LARGEST_SEED}.")


class Parser:
    """The options of a model, of its runs and of its estimates beside a command's own, all on one line."""

    def __init__(self, config: Any, own: type, program: str, estimates: tuple[str, ...] | None = None):
        model = config.model
        self.config, self.own, self.program = config, own, program
        self.of_model = options(config)
        names = {option.name for option in self.of_model}
        usual = RunConfig(**model.defaults)
        self.of_run = [f for f in dataclasses.fields(RunConfig) if f.name not in names]
        self.of_own = dataclasses.fields(own)
        effort = () if model.effort is None else dataclasses.fields(model.effort)
        self.of_effort = [f for f in effort if estimates is None or f.name in estimates]
        fields: list[Any] = [_of_model(option) for option in self.of_model]
        fields += [_field(f.name, _run_type(f), getattr(usual, f.name), _doc(RunConfig, f.name)) for f in self.of_run]
        fields += [_field(f.name, f.type, f.default, _doc(model.effort, f.name)) for f in self.of_effort]
        fields += [_field(f.name, f.type, f.default, _doc(own, f.name)) for f in self.of_own]
        self.flat: Any = dataclasses.make_dataclass("Flat", fields, frozen=True, kw_only=True)
        self.flat.__doc__ = f"{own.__doc__} {config.__doc__}"
        self.defaults: dict[str, Any] = {}

    def usual(self, defaults: dict[str, Any]) -> None:
        """Other defaults for these options."""
        names = {f.name for f in dataclasses.fields(self.flat)}
        self.defaults = {name: value for name, value in defaults.items() if name in names}

    def __call__(
        self, arguments: list[str], base: Any = None, run: RunConfig | None = None
    ) -> tuple[Any, RunConfig, dict, Any]:
        """Config, run, effort and the command's own options; what is not given is as in `base` and `run`, if given."""
        usual = self.flat(**self.defaults) if base is None else self._usual(base, run)
        parsed = parse(self.flat, _validation(arguments), self.program, usual)
        chosen = {
            o.name: value for o in self.of_model if (value := getattr(parsed, o.name)) is not None or o.of is None
        }
        config = build(self.config, chosen) if base is None else replaced(base, chosen)
        of_run = {f.name: getattr(parsed, f.name) for f in self.of_run}
        of_run["validation"] = _split(of_run["validation"])
        effort = {f.name: getattr(parsed, f.name) for f in self.of_effort}
        own = self.own(**{f.name: getattr(parsed, f.name) for f in self.of_own})
        return config, RunConfig(**of_run), effort, own

    def _usual(self, base: Any, run: Any) -> Any:
        """The flat options of a run that exists."""
        from genjax.training.options import flat

        values = flat(base)
        fields = {o.name: values[o.name] for o in self.of_model if o.of is None and o.name in values}
        of_run = {f.name: getattr(run, f.name) for f in self.of_run}
        of_run["validation"] = _said(of_run["validation"])
        return self.flat(**fields | of_run)


def _of_model(option: Option) -> Any:
    if option.of is None:
        return _field(option.name, option.type, option.default, option.doc)
    usual = " ".join(map(str, option.default)) if isinstance(option.default, tuple) else option.default
    doc = f"{option.doc} Of {', '.join(option.of)}; by default {usual}."
    return _field(option.name, option.type | None, None, doc)


def _field(name: str, kind: Any, default: Any, doc: str) -> Any:
    annotated = Annotated[kind, tyro.conf.arg(help=doc)]
    if default is dataclasses.MISSING:
        return (name, annotated)
    return (name, annotated, dataclasses.field(default=default))


def _doc(kind: Any, name: str) -> str:
    return field_docs(kind).get(name, "")


def _run_type(field: Any) -> Any:
    return str if field.name == "validation" else field.type


def _said(validation: bool | float | str) -> str:
    return (
        {True: "yes", False: "no"}.get(validation, str(validation)) if isinstance(validation, bool) else str(validation)
    )


def _split(text: Any) -> bool | float | str:
    """What --validation says: yes, no, a share or a file."""
    if not isinstance(text, str):
        return text
    if text in SPLITS:
        return SPLITS[text]
    with contextlib.suppress(ValueError):
        return float(text)
    return text


def _validation(arguments: list[str]) -> list[str]:
    """--no-validation is --validation no, and --validation alone is yes."""
    answer: list[str] = []
    for number, argument in enumerate(arguments):
        if argument == "--no-validation":
            answer += ["--validation", "no"]
            continue
        answer.append(argument)
        after = arguments[number + 1 : number + 2]
        if argument == "--validation" and (not after or after[0].startswith("--")):
            answer.append("yes")
    return answer


def tuples(config: Any) -> set[str]:
    """Options of a model that take several values as one."""
    return {o.name for o in options(config) if get_origin(o.type) is tuple}


def cost(evaluation: dict[str, Any]) -> str:
    """What an evaluation took: its seconds and, where the system tells, the memory."""
    memory = evaluation["peak_memory_mb"]
    return f"{evaluation['seconds']:.0f} s" + ("" if memory is None else f", {memory} MB")


def say(text: str) -> None:
    """A line for people, on standard error, so that standard output holds the answer alone."""
    print(text, file=sys.stderr, flush=True)


def open_run(options: Any) -> Any:
    """The run that a command names, its data where its options say."""
    from genjax.api.load import load

    return load(options.run, data_dir=options.data_dir, dataset=options.dataset)


def parse_with(
    own: type[Options], arguments: list[str], program: str, efforts: Sequence[type]
) -> tuple[Options, dict[str, Any]]:
    """A command's own options, and those of estimates that were given.

    All options of `efforts` are known; one that the run's model does not have is refused by the run.
    """
    fields: dict[str, Any] = {}
    for effort in efforts:
        for f in dataclasses.fields(effort):
            doc = f"{_doc(effort, f.name)}" + ("" if f.default is None else f" By default {f.default}.")
            annotated = Annotated[f.type | None, tyro.conf.arg(help=doc)]  # type: ignore[operator]
            fields[f.name] = (f.name, annotated, dataclasses.field(default=None))
    whole: Any = dataclasses.make_dataclass("Whole", list(fields.values()), bases=(own,), frozen=True, kw_only=True)
    whole.__doc__ = own.__doc__
    parsed = parse(whole, arguments, program)
    return parsed, {name: value for name in fields if (value := getattr(parsed, name)) is not None}
