"""The `genjax` command: finds the subcommand, prints its answer, and turns what went wrong into an exit status.

0: done. 2: the user's mistake, or a divergence. 1: ours. 130 and 143: SIGINT and SIGTERM, after a clean save.
"""

import importlib
import json
import math
import os
import sys
from typing import Any

from genjax import __version__
from genjax.errors import UserError

COMMANDS = {
    "train": ("train", "train a model, and judge and draw it at the end"),
    "grid": ("grid", "train a grid of settings and seeds in few programs"),
    "evaluate": ("evaluate", "log-likelihoods of a run, with their intervals"),
    "sample": ("sample", "draw along fresh chains, or of one label"),
    "filters": ("filters", "what the units of every layer stand for, as pictures"),
    "features": ("features", "mean hidden units of every image, for a classifier"),
    "reconstruct": ("reconstruct", "fill in removed pixels, measured against the truth"),
    "coverage": ("coverage", "the classes that samples cover, and training images that they copy"),
    "latent": ("latent", "pictures of a model's latent space"),
    "recommend": ("recommend", "the items that a user would like best"),
    "export": ("export", "the parameters as plain arrays"),
    "data": ("datasets", "the known datasets"),
}


def usage() -> str:
    """What `genjax --help` prints."""
    lines = [f"  {name:12} {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(["usage: genjax COMMAND ...   (each takes --help and --json)", "", *lines])


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0
    if arguments[0] == "--version":
        print(f"genjax-models {__version__}")
        return 0
    if arguments[0] not in COMMANDS:
        return fail(f"{arguments[0]} is no command; choose one of {', '.join(COMMANDS)}.")
    # JAX must be told before it starts; a person who wants its logs sets the level himself.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        from genjax.cli.train import Interrupted
        from genjax.cli.writing import Unwritten
    except KeyboardInterrupt:
        return fail("interrupted.", 130)
    try:
        command = importlib.import_module(f"genjax.cli.{COMMANDS[arguments[0]][0]}").command
        result, text = command(arguments[1:])
    except UserError as error:
        if isinstance(error, Unwritten):
            show(error.result, error.text, arguments)
        return fail(str(error))
    except Interrupted as error:
        return fail(f"{error}: the run is saved; go on with --resume.", 128 + error.number)
    except KeyboardInterrupt:
        return fail("interrupted.", 130)
    except BrokenPipeError:
        return 1
    except OSError as error:
        return fail(f"{error.filename or arguments[0]}: {error.strerror or error}; name a place that can be used.")
    show(result, text, arguments)
    return 0


def show(result: dict[str, Any], text: str, arguments: list[str]) -> None:
    """The answer, as one JSON object where that is wanted."""
    print(json.dumps(finite(result), allow_nan=False) if "--json" in arguments else text)


def finite(value: Any) -> Any:
    """The same with None for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def console() -> None:
    """The installed command. After a failure it leaves at once: what runs in the background has nothing to add."""
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    if status:
        os._exit(status)


def fail(sentence: str, status: int = 2) -> int:
    """Print one sentence on standard error; the exit status."""
    print(f"genjax: {sentence}", file=sys.stderr)
    return status


if __name__ == "__main__":
    console()
