"""What ends a command early, and the one warning. `UserError` means "the person can fix this": it is one sentence."""

import contextlib
import difflib
import os
import signal
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import Any


def meant(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: those of the known names that are close to it, if there are any."""
    plain = {name.lower(): name for name in known}
    close = [plain[name] for name in difflib.get_close_matches(word.lower(), plain, 2, 0.7)]
    return f"; did you mean {' or '.join(close)}?" if close else "."


def out_of_memory(error: Exception) -> str | None:
    """The sentence for an allocation that numpy or XLA was refused; None for any other error."""
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return "there is not enough memory for this; give fewer units, fewer chains, smaller batches or smaller data."
    return None


class UserError(Exception):
    """A mistake at the boundary (option, data, config, checkpoint); its text names what, the value and the remedy."""


class Diverged(UserError):
    """Training left the finite numbers; its text names the step and the last good checkpoint."""


class Unwritten(UserError):
    """A file could not be written after the work was done; `result` and `text` are the answer, to be printed."""

    def __init__(self, sentence: str, result: dict[str, Any], text: str):
        super().__init__(sentence)
        self.result, self.text = result, text


class DataWarning(UserWarning):
    """What a person should know of data that can be used: what was left out, changed or looks wrong."""


@contextlib.contextmanager
def notes_as_lines() -> Iterator[None]:
    """While open, what is to be known of data is a line on standard error, as often as they are read."""

    usual = warnings.showwarning

    def write(message: Warning | str, category: type[Warning], *rest: Any) -> None:
        if issubclass(category, DataWarning):
            print(message, file=sys.stderr, flush=True)
        else:
            usual(message, category, *rest)

    with warnings.catch_warnings():
        warnings.simplefilter("always", DataWarning)
        warnings.showwarning = write
        yield


class Lost(Exception):
    """Another process of the run has ended."""

    def __init__(self) -> None:
        text = "another process of this run has ended or cannot be reached, and so this one ends; start all of them "
        super().__init__(text + "again, with --resume where the run has a folder.")


class Interrupted(Exception):
    """A signal came; the state is saved."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


def jax_failure() -> str | None:
    """Why JAX cannot start here (it may be told of a device that there is not), in a sentence; None where it can."""
    try:
        import jax

        jax.devices()
    except Exception as error:
        said = str(error).partition(" (set JAX_PLATFORMS")[0].strip()
        reason = said.splitlines()[0].rstrip(".") if said else "there is no such device here"
        platforms = os.environ.get("JAX_PLATFORMS")
        if platforms:
            return f"JAX_PLATFORMS={platforms}: JAX cannot start ({reason}); unset it, or set it to cpu."
        return f"JAX cannot start ({reason}); correct its settings, or install it again."
    return None
