"""Run folders: checkpoints, records and links of them."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.damage.case import Case, Make, damages
from tests.damage.configs import OPEN, RESUME

EVALUATE = ["evaluate", "run"]


def cases() -> Iterator[Case]:
    """All of them."""
    for name in FILES:
        for how, _ in damages(b"x" * 999):
            yield Case(f"{name}: {how}", damaged(name, how, OPEN), False)
    for name in ("record/metadata", "state/_METADATA", "metrics.jsonl", "environment.json", "mean.npy"):
        for how in ("empty", "cut at 0.3", "bit 1", "noise"):
            yield Case(f"{name}: {how}, resumed", damaged(name, how, RESUME), False)
    for name, (change, arguments, refused) in changes().items():
        yield Case(f"run with {name}", changed(change, arguments), refused)
    for name, text in METRICS.items():
        yield Case(f"metrics with {name}", lines(text, RESUME), False)
        yield Case(
            f"metrics with {name}, compared", lines(text, ["compare", "run", "good", "--out", "run.html"]), False
        )


FILES = ("record/metadata", "state/_METADATA", "state/manifest.ocdbt", "_CHECKPOINT_METADATA", "state/d/*", "mean.npy")
METRICS = {
    "nested lines": '{"step":' * 50_000,
    "a list": "[1, 2]",
    "a step of text": '{"step": "x", "epoch": 1}',
    "a step of -1": '{"step": -1, "epoch": 1, "seconds": -5}',
    "a step of 5000 digits": '{"step": ' + "9" * 5000 + "}",
    "NaN": '{"step": 999, "epoch": NaN, "seconds": NaN}',
    "seconds of text": '{"step": 5, "epoch": 1, "seconds": "x"}',
    "an epoch of null": '{"step": 5, "epoch": null, "seconds": 1}',
    "no epoch": '{"step": 5}',
    "binary": "\0\1\2",
}


def newest(run: Path) -> Path:
    """Its last checkpoint."""
    return max((path for path in run.glob("checkpoints/train/*") if path.name.isdigit()), key=lambda p: int(p.name))


def changed(change: Callable[[Path], Any], arguments: list[str]) -> Make:
    """A copy of the whole run that was changed."""

    def make(place: Path) -> list[str]:
        change(shutil.copytree(place / "good", place / "run"))
        return arguments

    return make


def damaged(name: str, how: str, arguments: list[str]) -> Make:
    """One file of the run, or of its newest checkpoint."""

    def change(run: Path) -> None:
        found = [path for path in (*run.glob(name), *newest(run).glob(name)) if path.is_file()]
        assert found, name
        largest = max(found, key=lambda path: path.stat().st_size)
        largest.write_bytes(dict(damages(largest.read_bytes()))[how])

    return changed(change, arguments)


def lines(text: str, arguments: list[str]) -> Make:
    """The record with one line more in its midst."""

    def change(run: Path) -> None:
        path = run / "metrics.jsonl"
        before = path.read_text().splitlines()
        path.write_text("\n".join([before[0], text, *before[1:]]) + "\n")

    return changed(change, arguments)


def changes() -> dict[str, tuple[Callable[[Path], Any], list[str], bool]]:
    """What may be missing or in the way: the change, the command, and whether it is to be refused."""

    def checkpoint_of_files(run: Path) -> None:
        shutil.rmtree(run / "checkpoints")
        (run / "checkpoints").write_text("")

    def all_damaged(run: Path) -> None:
        for path in run.glob("checkpoints/train/*/state/*"):
            if path.is_file():
                path.write_bytes(b"damaged")

    def huge_step(run: Path) -> None:
        newest(run).rename(run / "checkpoints" / "train" / ("9" * 30))

    def odd_digits(run: Path) -> None:
        (run / "checkpoints" / "train" / "²").mkdir()

    def swapped(run: Path) -> None:
        for path in newest(run).glob("record/*"):
            path.write_text(json.dumps({"shapes": {"x": [10**9] * 9}, "digest": 0}))

    def circle(run: Path) -> None:
        shutil.rmtree(newest(run))
        (run / "checkpoints" / "train" / "9999").symlink_to(run / "checkpoints" / "train")

    def folder_for(name: str) -> Callable[[Path], None]:
        def change(run: Path) -> None:
            (run / name).unlink(missing_ok=True)
            (run / name).mkdir()

        return change

    def text(name: str, content: str) -> Callable[[Path], None]:
        return lambda run: (run / name).write_text(content)

    return {
        "no checkpoints": (lambda run: shutil.rmtree(run / "checkpoints"), OPEN, True),
        "a file for its checkpoints": (checkpoint_of_files, OPEN, True),
        "all checkpoints damaged": (all_damaged, OPEN, True),
        "all checkpoints damaged, resumed": (all_damaged, RESUME, True),
        "a checkpoint of a huge step": (huge_step, OPEN, False),
        "a checkpoint of odd digits": (odd_digits, OPEN, False),
        "a checkpoint of odd digits, resumed": (odd_digits, RESUME, False),
        "another record": (swapped, OPEN, False),
        "a checkpoint that is a circle": (circle, OPEN, False),
        "a checkpoint that is a circle, resumed": (circle, RESUME, False),
        "a folder for its config": (folder_for("config.json"), OPEN, True),
        "a folder for its metrics": (folder_for("metrics.jsonl"), RESUME, False),
        "a folder for its metrics, opened": (folder_for("metrics.jsonl"), OPEN, False),
        "a folder for its lock": (folder_for(".lock"), RESUME, False),
        "a folder for its mean": (folder_for("mean.npy"), OPEN, False),
        "a damaged evaluation, listed": (text("evaluation.json", "{"), ["runs", "."], False),
        "a list for its evaluation": (text("evaluation.json", "[]"), ["runs", "."], False),
        "a list for its evaluation, compared": (
            text("evaluation.json", "[]"),
            ["compare", "run", "good", "--out", "run.html"],
            False,
        ),
        "a text for its evaluation": (text("evaluation.json", '{"log_likelihood": "x"}'), ["runs", "."], False),
        "a nested evaluation": (text("evaluation.json", "[" * 100_000), ["runs", "."], False),
        "numbers in its evaluation": (text("evaluation.json", '{"log_likelihood": {"test": 3}}'), ["runs", "."], False),
        "a damaged environment": (text("environment.json", "{"), ["runs", "."], False),
    }
