"""The `genjax` command: finds the subcommand, prints its answer, and turns what went wrong into an exit status.

0: done. 2: the user's mistake, or a divergence. 1: ours. 130 and 143: SIGINT and SIGTERM, after a clean save. 141: who
read the answer has gone, as in `genjax data | head -1`.
"""

import importlib
import io
import json
import os
import re
import sys
from typing import Any

import genjax.signals as signals  # `from genjax import` would ask the table of models, and import JAX, first
from genjax import __version__
from genjax.errors import Interrupted, Lost, Unwritten, UserError, jax_failure, meant, notes_as_lines, out_of_memory

COMMANDS = {
    "train": ("train", "train a model, evaluate and plot it at the end"),
    "grid": ("grid", "train a grid of settings and seeds in few programs"),
    "evaluate": ("evaluate", "the log-likelihood of a run, or what else it is measured by"),
    "sample": ("sample", "draw along fresh chains, or of one label"),
    "filters": ("filters", "the weights of every layer and images that activate its units most"),
    "features": ("features", "features of every image, for a classifier"),
    "reconstruct": ("reconstruct", "fill in removed pixels, measured against the truth"),
    "coverage": ("coverage", "the quality of samples: classes, distances, copies"),
    "latent": ("latent", "pictures of a model's latent space"),
    "compare": ("compare", "runs side by side: a table, and one page for a browser"),
    "runs": ("runs", "the runs in a folder, with settings, dates and results"),
    "recommend": ("recommend", "the items that a user would like best"),
    "export": ("export", "the parameters as plain arrays"),
    "transfer": ("transfer", "the colours of one picture on another, by optimal transport"),
    "data": ("datasets", "the known datasets"),
    "completion": ("completion", "a script by which a shell completes commands, models and options"),
}
NO_READER = 141  # as a shell calls a process that SIGPIPE has ended


def usage() -> str:
    """What `genjax --help` prints."""
    lines = [f"  {name:12} {text}" for name, (_, text) in COMMANDS.items()]
    heading = "usage: genjax COMMAND ...   (each takes --help and --json)   |   genjax --version"
    first = "first: genjax train rbm   (digits, no download, under a minute), then what its last lines say"
    return "\n".join([heading, "", *lines, "", first])


def main(arguments: list[str] | None = None) -> int:
    """Run one command and print its answer; the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # JAX must be told before it starts; a person who wants its logs sets the level himself.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names that cannot be printed
    if not arguments:
        print(usage(), file=sys.stderr)
        return 2
    try:
        try:
            text = answer(arguments)
            if text:  # of several processes one answers
                print(text)
        finally:  # here, and not when Python ends, where nobody could say what went wrong
            if sys.stdout is not None:
                sys.stdout.flush()
    except UserError as error:
        return fail(str(error))
    except Interrupted as error:
        return fail(f"{error}: the run is saved; go on with --resume.", 128 + error.number)
    except KeyboardInterrupt:
        return fail("interrupted.", 130)
    except BrokenPipeError:
        return NO_READER
    except OSError as error:
        place = error.filename or " ".join(["genjax", *arguments[:1]])
        return fail(f"{place}: {error.strerror or error}; name a place that can be used.")
    except Lost as error:
        return fail(str(error), 1)
    except Exception as error:
        why = out_of_memory(error) or jax_failure()
        if why is None:
            raise
        return fail(why)
    return 0


def answer(arguments: list[str]) -> str:
    """What the command prints."""
    name = arguments[0].lower()
    if name in ("-h", "--help", "help"):
        return usage()
    if name in ("-v", "--version"):
        return version()
    if name not in COMMANDS:
        raise UserError(f"{arguments[0]} is no command; choose one of {', '.join(COMMANDS)}{meant(name, COMMANDS)}")
    command = importlib.import_module(f"genjax.cli.{COMMANDS[name][0]}").command
    try:
        with notes_as_lines():
            result, text = command(arguments[1:])
    except Unwritten as error:
        print(shown(error.result, error.text, arguments))
        raise
    return shown(result, text, arguments)


def version() -> str:
    """Which genjax on which JAX, Python and device."""
    why = jax_failure()
    if why is not None:
        return f"genjax-models {__version__}; {why}"
    from genjax.training.folder import in_a_line

    return f"genjax-models {__version__}, {in_a_line()}"


def shown(result: dict[str, Any], text: str, arguments: list[str]) -> str:
    """The answer, as one JSON object where that is wanted."""
    if "--json" not in arguments or not result:
        return text
    from genjax.likelihood.estimate import finite

    return json.dumps(finite(result), allow_nan=False)


def console() -> None:
    """The installed command. After a failure it leaves at once: what runs in the background has nothing to add."""
    os.environ["MPLBACKEND"] = "Agg"  # only files are drawn, and a notebook's backend need not exist where this runs
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed
            setattr(sys, name, io.StringIO())
    with signals.answered(sys.argv[1:]):
        try:
            status = main()
        except SystemExit as leaving:  # after --help
            status = int(leaving.code or 0)
        except BrokenPipeError:  # of standard error
            status = NO_READER
        if status:
            os._exit(status)


def fail(sentence: str, status: int = 2) -> int:
    """Print one sentence on standard error, arguments of the library as options; the exit status."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in sentence)  # of file names
    print(f"genjax: {as_options(plain)}", file=sys.stderr)
    return status


def as_options(sentence: str) -> str:
    """Names of arguments, which the library puts between backquotes, as the options that they are here."""
    return re.sub(r"`([a-z][a-z0-9_]*)`", lambda name: f"--{name[1].replace('_', '-')}", sentence)


if __name__ == "__main__":
    console()
