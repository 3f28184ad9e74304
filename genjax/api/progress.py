"""What a person sees while something runs: a bar on a terminal, a line now and then in a log."""

import math
import sys
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

LOG_SECONDS = 10.0
RECENT = 60.0  # seconds over which the speed is measured


class Pace:
    """How long something takes until `total`, from the reports of the last minute.

    Clocked from the first report on: what comes before it is mostly compilation, and what another process has done
    before `start` took none of this one's time.
    """

    def __init__(self, total: float | int, start: float | int = 0):
        self.total, self.done = total, start
        self.reports: deque[tuple[float, float]] = deque()  # of seconds and what was done

    def report(self, now: float | int, done: float | int) -> None:
        """So much is done at this time."""
        self.done = done
        self.reports.append((now, done))
        while len(self.reports) > 2 and self.reports[1][0] <= now - RECENT:
            self.reports.popleft()

    def left(self) -> float:
        """Seconds from the last report on; NaN while nothing is known."""
        if self.done >= self.total:
            return 0.0
        if len(self.reports) < 2:
            return math.nan
        (began, first), (last, done) = self.reports[0], self.reports[-1]
        if done <= first or last <= began:
            return math.nan
        return (self.total - done) * (last - began) / (done - first)


def clock(seconds: float | int) -> str:
    """As h:mm:ss."""
    if not math.isfinite(seconds):
        return "-:--:--"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


class Bar:
    """Progress from `start` to `total`, on standard error. Use as a context manager and call `update`; before the first
    report it says the `note` that it was made with.

    Bar, per cent and the time left stand first and keep their widths; notes are cut from the right where the line is
    too short for them.
    """

    def __init__(
        self,
        title: str,
        total: float | int,
        start: float | int = 0,
        now: Callable[[], float | int] = time.perf_counter,
        console: Console | None = None,
        note: str = "",
    ):
        self.title, self.total, self.now, self.said, self.note = title, total, now, -math.inf, note
        self.terminal = sys.stderr.isatty() if console is None else console.is_terminal
        self.pace = Pace(total, start)
        fixed = ("{task.description}", "{task.percentage:3.0f} %", "{task.fields[left]} left")
        name, share, left = (TextColumn(text, markup=False) for text in fixed)
        beside = TextColumn("{task.fields[note]}", markup=False, table_column=Column(no_wrap=True, ratio=1))
        self.rich = Progress(
            name,
            BarColumn(bar_width=16),
            share,
            left,
            beside,
            console=console or Console(stderr=True),
            disable=not self.terminal,
            expand=True,
        )
        self.task = self.rich.add_task(title, total=total, note=note, left=clock(math.nan))
        self.rich.update(self.task, completed=start)

    def __enter__(self) -> "Bar":
        self.rich.start()
        if self.note and not self.terminal:
            self._log(self.pace.done, self.note)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.rich.stop()

    def update(self, done: float | int, note: str = "") -> None:
        """Say how far it has come; `note` stands beside the bar."""
        now = self.now()
        self.pace.report(now, done)
        left = clock(self.pace.left())
        self.rich.update(self.task, completed=done, note=note, left=left)
        if not self.terminal and (now - self.said > LOG_SECONDS or done >= self.total):
            self.said = now
            self._log(done, note)

    def _log(self, done: float | int, note: str) -> None:
        share = 100 * done / self.total if self.total else 100.0
        print(f"{self.title} {share:3.0f} %  {clock(self.pace.left())} left  {note}", file=sys.stderr, flush=True)
