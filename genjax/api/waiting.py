"""What a person sees while something takes long of which nobody can say how far it is."""

import sys
import threading
from types import TracebackType

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

PATIENCE = 3.0  # seconds of silence
COMPILES = "compiled once: 5 to 30 s, later from the cache"


class Waiting:
    """Says what is going on, and how long that usually takes: on a terminal at once, with the seconds so far; in a log
    in one line, after three seconds. Use as a context manager."""

    def __init__(self, what: str, usually: str = COMPILES, console: Console | None = None, patience: float = PATIENCE):
        self.text = f"{what} ({usually})"
        console = console or Console(stderr=True)
        columns = (SpinnerColumn(), TextColumn(self.text, markup=False), TimeElapsedColumn())
        self.rich = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self.rich.add_task("")
        self.timer = threading.Timer(patience, self._say)
        self.timer.daemon = True
        self.terminal = console.is_terminal

    def _say(self) -> None:
        print(f"{self.text} ...", file=sys.stderr, flush=True)

    def __enter__(self) -> "Waiting":
        if self.terminal:
            self.rich.start()
        else:
            self.timer.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.timer.cancel()
        self.rich.stop()
