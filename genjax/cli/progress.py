"""What a person sees while something runs: a bar on a terminal, a line now and then in a log."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LOG_SECONDS = 10.0


class Bar:
    """Progress to `total`, on standard error. Use as a context manager and call `update`."""

    def __init__(self, title: str, total: float | int):
        self.title, self.total, self.said = title, total, 0.0
        self.terminal = sys.stderr.isatty()
        self.began = time.perf_counter()
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
        times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        self.rich = Progress(*columns, *times, console=Console(stderr=True), disable=not self.terminal)
        self.task = self.rich.add_task(title, total=total, note="")

    def __enter__(self) -> "Bar":
        self.rich.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.rich.stop()

    def update(self, done: float | int, note: str = "") -> None:
        """Say how far it has come; `note` stands beside the bar."""
        self.rich.update(self.task, completed=done, note=note)
        now = time.perf_counter()
        if not self.terminal and (now - self.said > LOG_SECONDS or done >= self.total):
            self.said = now
            share, seconds = done / self.total, now - self.began
            left = seconds * (1 - share) / share if share else float("nan")
            print(f"{self.title} {100 * share:3.0f} %  {note}  {left:.0f} s left", file=sys.stderr, flush=True)
