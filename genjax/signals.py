"""SIGINT and SIGTERM at any moment: a command ends within seconds, with a sentence, and a run is left intact.

Training notes a signal and ends after its chunk; everything else ends where it is, and at once: checkpoints and other
files of a run are there whole or not at all, and an exception could be caught by whatever library is at work. Where the
main thread does not come to answer (it compiles, or its chunk is long), a thread that the signal itself wakes does.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM)
SECONDS = 4.0  # for the main thread to answer


def sentence(name: str, arguments: list[str]) -> str:
    """What is said of a command that a signal has ended."""
    kept = "; the run is as its newest checkpoint has it: go on with --resume"
    return f"{name}: interrupted{kept if arguments[:1] in (['train'], ['grid']) else ''}."


@contextlib.contextmanager
def answered(arguments: list[str]) -> Iterator[None]:
    """While open, both signals end the process: at once, or after some seconds where they are `Noted`."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    woken = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    before = {number: signal.signal(number, partial(_leave, arguments)) for number in NUMBERS}
    threading.Thread(target=_wait, args=(reading, arguments), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        writing.close()


def _wait(reading: socket.socket, arguments: list[str]) -> None:
    """End the process some seconds after the first signal; nothing where none comes."""
    with reading:
        while number := next(iter(reading.recv(1)), 0):
            if number in NUMBERS:
                time.sleep(SECONDS)
                _leave(arguments, number)


def _leave(arguments: list[str], number: int, *_: object) -> None:
    """Say why, past what the interrupted code may hold of its streams, and end the process."""
    shown = "\x1b[?25h" if os.isatty(2) else ""  # a bar hides the cursor
    with contextlib.suppress(OSError):
        os.write(2, f"{shown}genjax: {sentence(signal.Signals(number).name, arguments)}\n".encode())
    os._exit(128 + number)


class Noted:
    """While open, both signals are noted and answered at the end of the chunk; a second SIGINT ends at once."""

    def __enter__(self) -> "Noted":
        self.number: int | None = None
        self.before = {number: signal.signal(number, self.note) for number in NUMBERS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handler: remember the signal."""
        if self.number is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number
        with contextlib.suppress(OSError, RuntimeError):  # nobody reads, or another line is being written
            print("saving at the end of this chunk ...", file=sys.stderr, flush=True)
