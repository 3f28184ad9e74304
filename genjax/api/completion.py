"""A script by which a shell completes commands, models, options and their choices."""

from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

from genjax import pretrained
from genjax.models.table import MODELS

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


def script(shell: str, commands: Sequence[str], of_models: Sequence[str], known: dict[str, dict[str, Any]]) -> str:
    """The shell's function with everything that may be completed in it: `known` are the options of each command, of
    `train rbm` and its like where a command takes a model, with their types."""
    choices, words = [], []
    for what, types in known.items():
        names = {f"--{name.replace('_', '-')}": kind for name, kind in types.items()}
        opened = pretrained.names() if "data_dir" in types and what.split()[0] not in of_models else []
        words.append(f'    "{what}") words="{" ".join([*opened, *names])}" ;;')
        choices += [f'    "{what} {name}") words="{" ".join(of)}" ;;' for name, kind in names.items()
                    if (of := literals(kind))]  # fmt: skip
    words += [f'    {name}) words="{" ".join(MODELS)}" ;;' for name in of_models]
    lists = {"choices": "\n".join(choices), "options": "\n".join(words)}
    text = SCRIPT.format(of_models="|".join(of_models), commands=" ".join(commands), **lists)
    return (ZSH if shell == "zsh" else "") + text


def literals(kind: Any) -> list[str]:
    """What an option may be, where that is one of a few names."""
    if get_origin(kind) is Literal:
        return [str(one) for one in get_args(kind)]
    return [one for part in get_args(kind) for one in literals(part)] if get_origin(kind) is not tuple else []
