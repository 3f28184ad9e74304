"""`genjax completion bash`: a script by which a shell completes commands, models, options and their choices.

genjax completion bash > ~/.local/share/bash-completion/completions/genjax
genjax completion zsh >> ~/.zshrc
"""

import dataclasses
import importlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

import tyro

from genjax import pretrained
from genjax.cli.main import COMMANDS
from genjax.cli.options import Parser
from genjax.cli.parsing import parse
from genjax.models.table import EFFORTS, MODELS

OF_MODELS = ("train", "grid")
ZSH = "autoload -U +X compinit && compinit && autoload -U +X bashcompinit && bashcompinit\n"
SCRIPT = """_genjax() {{
    local here="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words="" what="${{COMP_WORDS[1]}}"
    case "$what" in {of_models}) (( COMP_CWORD > 2 )) && what="$what ${{COMP_WORDS[2]}}" ;; esac
    if (( COMP_CWORD == 1 )); then words="{commands}"
    else case "$what $before" in
{choices}
    *) case "$what" in
{options}
    esac ;; esac; fi
    COMPREPLY=($(compgen -W "$words" -- "$here"))
}}
complete -o default -F _genjax genjax
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Print a script that completes genjax's commands, models and options: source it, or put it where the shell looks
    (bash: ~/.local/share/bash-completion/completions/genjax)."""

    shell: Annotated[Literal["bash", "zsh"], tyro.conf.Positional] = "bash"
    """Which shell."""
    json: bool = False
    """Print one JSON object."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax completion`."""
    options = parse(Options, arguments, "genjax completion")
    text = (ZSH if options.shell == "zsh" else "") + script()
    return {"shell": options.shell, "script": text}, text


def script() -> str:
    """The shell's function with everything that may be completed in it."""
    choices, words = [], []
    for what, types in known().items():
        names = {f"--{name.replace('_', '-')}": kind for name, kind in types.items()}
        opened = pretrained.names() if "data_dir" in types and what.split()[0] not in OF_MODELS else []
        words.append(f'    "{what}") words="{" ".join([*opened, *names])}" ;;')
        choices += [f'    "{what} {name}") words="{" ".join(of)}" ;;' for name, kind in names.items()
                    if (of := literals(kind))]  # fmt: skip
    words += [f'    {name}) words="{" ".join(MODELS)}" ;;' for name in OF_MODELS]
    lists = {"choices": "\n".join(choices), "options": "\n".join(words)}
    return SCRIPT.format(of_models="|".join(OF_MODELS), commands=" ".join(COMMANDS), **lists)


def known() -> dict[str, dict[str, Any]]:
    """The options of every command, and of each model where it takes one, with their types."""
    answer: dict[str, dict[str, Any]] = {}
    for name, (file, _) in COMMANDS.items():
        module = importlib.import_module(f"genjax.cli.{file}")
        if name in OF_MODELS:
            for model in MODELS.values():
                parser = Parser(model.config, module.Options, "genjax", module.OF_TRAINING)
                answer[f"{name} {model.name}"] = types_of(parser.flat)
        elif hasattr(module, "Options"):
            effort = EFFORTS if name == "evaluate" else ()
            answer[name] = {n: t for one in (module.Options, *effort) for n, t in types_of(one).items()}
    return answer


def types_of(kind: Any) -> dict[str, Any]:
    """The options of a dataclass by name, those given by their place left out; what is on can be turned off."""
    fields = dataclasses.fields(kind)
    named = {f.name: f.type for f in fields if tyro.conf.Positional not in getattr(f.type, "__metadata__", ())}
    return named | {f"no_{f.name}": bool for f in fields if f.default is True}


def literals(kind: Any) -> list[str]:
    """What an option may be, where that is one of a few names."""
    if get_origin(kind) is Literal:
        return [str(one) for one in get_args(kind)]
    return [one for part in get_args(kind) for one in literals(part)] if get_origin(kind) is not tuple else []
