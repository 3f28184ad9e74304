"""A damaged input, and the judge of what a command makes of it."""

import contextlib
import io
import os
import random
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from genjax.cli.main import main
from genjax.errors import UserError

SECONDS = 120  # after which a command counts as hanging; most take milliseconds
LONGEST = 700  # characters of a sentence
TRAIN = ["train", "rbm", "--hidden", "2", "--epochs", "1", "--batch-size", "10", "--no-evaluate", "--out", "run"]

Make = Callable[[Path], "list[str] | Callable[[], Any]"]


class Case(NamedTuple):
    """`make(place)` writes the files into a folder that is empty but for `good`, a run that is whole, and gives the
    arguments of a command that is called there, or a function of the library.

    - `refused`: whether only a refusal will do; otherwise the damage may be such that nobody could see it.
    - `greedy`: whether it asks for more memory than there may be.
    """

    name: str
    make: Make
    refused: bool = True
    greedy: bool = False

    @property
    def kind(self) -> str:
        """What its name begins with."""
        return re.split(r"[: ]", self.name.replace("idx.gz", "idx"))[0].strip("'")


class Verdict(NamedTuple):
    """What was wrong with the answer to a case; nothing where it was right."""

    name: str
    fault: str
    said: str


class Hangs(BaseException):
    """It took too long."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `Hangs` in this thread after so many seconds."""

    def ring(*_: object) -> None:
        raise Hangs

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def tree(place: Path) -> dict[str, tuple[int, int]]:
    """What lies below a folder, but for the run that a command may make there: sizes and times of change."""
    found = {}
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if not name.startswith("run") and path.is_file():
            found[name] = (path.lstat().st_size, path.lstat().st_mtime_ns)
    return found


def judged(case: Case, place: Path) -> Verdict:
    """Make the input in `place`, give it to genjax, and judge the answer."""
    with contextlib.chdir(place):
        asked = case.make(place)
        before, said = tree(place), io.StringIO()
        try:
            with limited(SECONDS), contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
                status = main(asked) if isinstance(asked, list) else called(asked, said)
        except Hangs:
            return Verdict(case.name, "hangs", said.getvalue())
        except SystemExit as leaving:
            status = int(leaving.code or 0)
        except BaseException as error:
            return Verdict(case.name, f"{type(error).__name__}: {str(error)[:300]}", said.getvalue())
    fault = fault_of(case, status, said.getvalue())
    changed = sorted(set(before.items()) ^ set(tree(place).items()))
    if not fault and changed and not (isinstance(asked, list) and asked[:2] == ["sample", "good"]):
        fault = f"wrote {sorted({name for name, _ in changed})}"
    return Verdict(case.name, fault, said.getvalue())


def called(function: Callable[[], Any], said: io.StringIO) -> int:
    """A call of the library, as a command would end on it."""
    try:
        function()
    except UserError as error:
        said.write(f"genjax: {error}\n")
        return 2
    except TypeError as error:  # Python's own of an argument that is none, or the tests' check of types, which is first
        if type(error).__name__ != "TypeCheckError" and "keyword argument" not in str(error):
            raise
        said.write("genjax: of another type.\n")
        return 2
    return 0


def fault_of(case: Case, status: int, said: str) -> str:
    """What is wrong with an exit status and what was said on standard error."""
    sentences = [line for line in said.splitlines() if line.startswith("genjax: ")]
    if status not in (0, 2):
        return f"exit status {status}"
    if "Traceback" in said:
        return "a traceback"
    if status == 0:
        return "is taken" if case.refused else ""
    if len(sentences) != 1 or said.rstrip().splitlines()[-1] != sentences[0]:
        return "not one sentence"
    if sentences[0].rstrip()[-1] not in ".?" or len(sentences[0]) > LONGEST:
        return "no sentence, or a long one"
    return ""


def cut(content: bytes, share: float) -> bytes:
    """The beginning of a file."""
    return content[: int(len(content) * share)]


def flipped(content: bytes, seed: int, bits: int = 1) -> bytes:
    """A file with so many bits flipped, always the same ones."""
    chance, changed = random.Random(seed), bytearray(content)
    for _ in range(bits):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def damages(content: bytes) -> Iterator[tuple[str, bytes]]:
    """What may happen to any file on its way, by name."""
    yield "empty", b""
    for share in (0.02, 0.3, 0.9, 0.999):
        yield f"cut at {share:g}", cut(content, share)
    for seed in range(3):
        yield f"bit {seed}", flipped(content, seed)
    yield "20 bits", flipped(content, 9, 20)
    yield "zeros", bytes(len(content))
    yield "noise", random.Random(0).randbytes(len(content))
    yield "a web page", b"<!DOCTYPE html><html><body>404 Not Found</body></html>"


def file(name: str, content: bytes | Callable[[], bytes], arguments: list[str]) -> Make:
    """A case's `make` of one file."""

    def make(place: Path) -> list[str]:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content())
        return arguments

    return make


def folder(make: Callable[[Path], Any], arguments: list[str]) -> Make:
    """A case's `make` of a folder `data`, in which `make` writes files."""

    def made(place: Path) -> list[str]:
        (place / "data").mkdir()
        make(place / "data")
        return arguments

    return made


class Evil:
    """What leaves a file behind where it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("unpickled",)
