"""How one line of arguments becomes a config, a run's options and a command's own: flat dataclasses for tyro."""

import contextlib
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import tyro

from genjax.cli.parsing import parse
from genjax.errors import UserError, meant
from genjax.training.mesh import Devices
from genjax.training.options import Option, build, field_docs, fits, flat, options, replaced, with_given
from genjax.training.settings import RunConfig

Options = TypeVar("Options")
SPLITS = {"yes": True, "no": False}  # what --validation may say besides a share or a file
LENGTHS = ("epochs", "steps")  # of a run; one of them rules
FIRST = ("dataset", "data_dir", "epochs", "hidden", "layers", "latents", "backbone", "loss", "learning_rate", "seed")
FIRST += ("seeds", "quick", "out", "resume")  # what most people give, at the head of the help


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


@dataclass(frozen=True, kw_only=True)
class OnDevices:
    """Of commands that draw or estimate."""

    devices: Devices = None
    """Devices of this machine that share the work: a number, or all (the default)."""


def model_name(command: str, arguments: list[str]) -> str:
    """The model that the arguments begin with. Raises `UserError` where there is none of that name."""
    from genjax.models.table import MODELS  # here, as `genjax data` needs none of them

    name = arguments[0].lower() if arguments else ""
    if name in ("-h", "--help"):
        print(f"usage: genjax {command} MODEL ...   MODEL: {', '.join(MODELS)}; each takes --help")
        raise SystemExit(0)
    if name not in MODELS:
        given = f"genjax {command} {name or '...'}"
        raise UserError(f"{given}: name a model, one of {', '.join(MODELS)}{meant(name, MODELS)}")
    return name


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
        fields += [_of_run(f, getattr(usual, f.name)) for f in self.of_run]
        fields += [_field(f.name, f.type, f.default, _doc(model.effort, f.name)) for f in self.of_effort]
        fields += [_field(f.name, f.type, f.default, _doc(own, f.name)) for f in self.of_own]
        self.flat: Any = dataclasses.make_dataclass("Flat", fields, frozen=True, kw_only=True)
        self.groups = self._groups(fields)
        whole = [(name, group, dataclasses.field(default=group())) for name, group in self.groups.items()]
        self.grouped: Any = dataclasses.make_dataclass("Grouped", whole, frozen=True, kw_only=True)
        self.grouped.__doc__ = f"{own.__doc__} {config.__doc__}"
        self.defaults: dict[str, Any] = {}

    def _groups(self, fields: list[Any]) -> dict[str, Any]:
        """The options as the help has them: those that most people give, then the others by what they are of."""
        by_name = {field[0]: field for field in fields}
        of = {
            "model": [option.name for option in self.of_model],
            "run": [f.name for f in self.of_run],
            "evaluation": [f.name for f in (*self.of_effort, *self.of_own)],
        }
        groups = {"main": [name for name in FIRST if name in by_name]}
        groups |= {title: [name for name in names if name not in FIRST] for title, names in of.items()}
        made = {}
        for title, names in groups.items():
            chosen = [by_name[name] for name in names]
            made[title] = dataclasses.make_dataclass(title, chosen, frozen=True, kw_only=True)
        return made

    def usual(self, defaults: dict[str, Any]) -> None:
        """Other defaults for these options, where they are of their types."""
        kinds = {f.name: get_args(f.type)[0] for f in dataclasses.fields(self.flat)}
        self.defaults = {n: value for n, value in defaults.items() if n in kinds and fits(value, kinds[n])}

    def own_options(self, arguments: list[str]) -> Any:
        """The command's own options alone: what the others are may depend on them."""
        return self._own(self._parsed(arguments, self.flat(**self.defaults)))

    def __call__(
        self, arguments: list[str], base: Any = None, run: RunConfig | None = None
    ) -> tuple[Any, RunConfig, dict, Any]:
        """Config, run, effort and the command's own options; what is not given is as in `base` and `run`, if given."""
        usual = self.flat(**self.defaults | ({} if run is None else self._of(base, run)))
        parsed = self._parsed(arguments, usual)
        chosen = {
            o.name: value for o in self.of_model if (value := getattr(parsed, o.name)) is not None or o.of is None
        }
        config = build(self.config, chosen) if base is None else replaced(base, chosen)
        config = with_given(config, _asked(arguments) & {o.name for o in self.of_model})
        of_run = {f.name: getattr(parsed, f.name) for f in self.of_run}
        of_run |= {"validation": _split(of_run["validation"], SPLITS), "test": _split(of_run["test"])}
        new = [name for name in LENGTHS if of_run[name] != getattr(usual, name)]
        of_run |= {name: None for name in LENGTHS if len(new) == 1 and name not in new}
        effort = {f.name: getattr(parsed, f.name) for f in self.of_effort}
        return config, RunConfig(**of_run), effort, self._own(parsed)

    def _parsed(self, arguments: list[str], usual: Any) -> Any:
        groups = {name: group(**{f.name: getattr(usual, f.name) for f in dataclasses.fields(group)})
                  for name, group in self.groups.items()}  # fmt: skip
        parsed = parse(self.grouped, _validation(arguments), self.program, self.grouped(**groups))
        return self.flat(**{name: value for group in groups for name, value in vars(getattr(parsed, group)).items()})

    def _own(self, parsed: Any) -> Any:
        return self.own(**{f.name: getattr(parsed, f.name) for f in self.of_own})

    def _of(self, base: Any, run: Any) -> dict[str, Any]:
        """The flat options of a run that exists."""
        values = flat(base)
        fields = {o.name: values[o.name] for o in self.of_model if o.of is None and o.name in values}
        own = {f.name: getattr(run, f.name) for f in self.of_run}
        return fields | own | {name: _said(own[name]) for name in ("validation", "test")}


def _of_model(option: Option) -> Any:
    if option.of is None:
        return _field(option.name, option.type, option.default, option.doc)
    return _field(option.name, option.type | None, None, option.doc, option.default)


def _of_run(field: Any, usual: Any) -> Any:
    if field.name in ("validation", "test"):
        return _field(field.name, str if usual is not None else str | None, _said(usual), _doc(RunConfig, field.name))
    return _field(field.name, field.type, usual, _doc(RunConfig, field.name))


def _field(name: str, kind: Any, default: Any, doc: str, usual: Any = None) -> Any:
    """A field with its help; `usual` is what None stands for, unless the help says so itself."""
    hint = "" if usual is None or "y default" in doc else f"(default: {_words(usual)})"
    shown = tyro.conf.arg(
        help=doc, metavar=_metavar(kind), help_behavior_hint=lambda d: hint if d == "None" else f"(default: {d})"
    )
    if default is dataclasses.MISSING:
        return (name, Annotated[kind, shown])
    return (name, Annotated[kind, shown], dataclasses.field(default=default))


def _metavar(kind: Any) -> str | None:
    """For help, of an option that may be None: what else it may be."""
    others = [one for one in get_args(kind) if one is not type(None)]
    if len(others) != 1 or len(others) == len(get_args(kind)) or get_origin(others[0]) is tuple:
        return None
    names = get_args(others[0])
    return f"{{{','.join(names)}}}" if names else others[0].__name__.upper()


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _doc(kind: Any, name: str) -> str:
    return field_docs(kind).get(name, "")


def _said(split: bool | float | str | None) -> str | None:
    return {True: "yes", False: "no"}[split] if isinstance(split, bool) else split if split is None else str(split)


def _split(text: Any, words: Mapping[str, bool] = {}) -> bool | float | str | None:
    """What --validation says: yes or no (`words`), a share or a file; or --test."""
    if not isinstance(text, str):
        return text
    if text in words:
        return words[text]
    with contextlib.suppress(ValueError):
        return float(text)
    return text


def _asked(arguments: list[str]) -> set[str]:
    """The names of all options on the line, also where they say what is the default."""
    names = {a.partition("=")[0].removeprefix("--").replace("-", "_") for a in arguments if a.startswith("--")}
    return names | {name.removeprefix("no_") for name in names}


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


def say(text: str) -> None:
    """A line for people, on standard error, so that standard output holds the answer alone."""
    print(text, file=sys.stderr, flush=True)


def open_run(options: Any) -> Any:
    """The run that a command names, its data where its options say."""
    from genjax import load, pretrained  # here, as `genjax data` needs nothing of them

    if Path(options.run).exists() and options.run in pretrained.names():
        say(f"{options.run} is the folder here, not the machine of that name that comes with genjax")
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
            fields[f.name] = _field(f.name, f.type | None, None, _doc(effort, f.name), f.default)  # type: ignore[operator]
    whole: Any = dataclasses.make_dataclass("Whole", list(fields.values()), bases=(own,), frozen=True, kw_only=True)
    whole.__doc__ = own.__doc__
    parsed = parse(whole, arguments, program)
    given = {name: value for name in fields if (value := getattr(parsed, name)) is not None}
    for effort in efforts:
        effort(**{f.name: given[f.name] for f in dataclasses.fields(effort) if f.name in given}).check()
    return parsed, given
