"""`genjax completion bash`: a script by which a shell completes commands, models, options and their choices.

genjax completion bash > ~/.local/share/bash-completion/completions/genjax
genjax completion zsh >> ~/.zshrc
"""

import dataclasses
import importlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import tyro

from genjax.api.completion import script
from genjax.cli.main import COMMANDS
from genjax.cli.options import Parser
from genjax.cli.parsing import parse
from genjax.models.table import EFFORTS, MODELS

OF_MODELS = ("train", "grid")


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
    text = script(options.shell, [*COMMANDS], OF_MODELS, known())
    return {"shell": options.shell, "script": text}, text


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
