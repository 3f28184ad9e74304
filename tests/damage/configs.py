"""A run's config.json that was damaged or edited by hand."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.damage.case import Case, Make, damages, flipped

OPEN = ["export", "run", "run.npz"]
RESUME = ["train", "rbm", "--resume", "run", "--no-evaluate"]


def cases() -> Iterator[Case]:
    """All of them."""
    for name, _ in damages(b"x" * 999):
        yield Case(f"config: {name}", damaged(name), False)
    for seed in range(20):
        yield Case(
            f"config: three bits, {seed}", rewritten(lambda content, seed=seed: flipped(content, seed, 3)), False
        )
    for name, change in changes().items():
        yield Case(f"config with {name}", edited(change, OPEN), name not in HARMLESS)
        yield Case(f"config with {name}, resumed", edited(change, RESUME), name not in HARMLESS)
    for name, text in TEXTS.items():
        yield Case(f"config that is {name}", rewritten(lambda _, text=text: text.encode()))


TEXTS = {
    "a list": "[]",
    "a number": "3",
    "null": "null",
    "an empty object": "{}",
    "nested 100000 deep": "[" * 100_000,
    "nested objects": '{"a":' * 100_000,
    "an integer of 5000 digits": '{"format": ' + "2" * 5000 + "}",
    "NaN": "NaN",
    "two objects": "{} {}",
    "in Latin-1": '{"format": 2, "model": "\xe9"}',
}
HARMLESS = {"other counts", "a field of the future", "a seed of its own", "Infinity for a rate"}


def copied(place: Path) -> Path:
    """A copy of the whole run, whose config is to be changed."""
    import shutil

    return shutil.copytree(place / "good", place / "run") / "config.json"


def damaged(name: str) -> Make:
    """The file, as it may come from a broken disk."""
    return rewritten(lambda content: dict(damages(content))[name])


def rewritten(change: Callable[[bytes], bytes]) -> Make:
    """The file with other bytes."""

    def make(place: Path) -> list[str]:
        path = copied(place)
        path.write_bytes(change(path.read_bytes()))
        return OPEN

    return make


def edited(change: Callable[[dict[str, Any]], Any], arguments: list[str]) -> Make:
    """The file with other content."""

    def make(place: Path) -> list[str]:
        path = copied(place)
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        return arguments

    return make


def changes() -> dict[str, Callable[[dict[str, Any]], Any]]:
    """What a hand may do to it."""

    def put(*path: Any, value: Any) -> Callable[[dict[str, Any]], None]:
        def change(content: Any) -> None:
            for name in path[:-1]:
                content = content[name]
            content[path[-1]] = value

        return change

    odd = {"null": None, "a text": "x", "a list": [1], "an object": {"a": 1}, "-1": -1, "10^30": 10**30, "true": True}
    fields = [("config", "hidden"), ("run", "batch_size"), ("run", "epochs"), ("config", "negative"), ("run", "seed")]
    fields += [("config",), ("run",), ("data",), ("data", "shape"), ("data", "counts"), ("decided",)]
    right = {"config.negative is null", "run.seed is true", "data is null"}
    every = {f"{'.'.join(path)} is {name}": put(*path, value=v) for path in fields for name, v in odd.items()}
    lost = {f"no {'.'.join(path)}": lambda c, path=path: put_away(c, path) for path in fields}
    HARMLESS.update(right, (name for name in every if name.startswith("decided")), lost)
    return {
        **every,
        **lost,
        "format 0": put("format", value=0),
        "format 3": put("format", value=3),
        "format true": put("format", value=True),
        "another model": put("model", value="vae"),
        "an unknown model": put("model", value="os.system"),
        "a path for a model": put("model", value="../../rbm"),
        "an unknown choice": put("config", "negative", value={"kind": "os.system"}),
        "an object from outside": put("config", "optimiser", value={"kind": "outside", "repr": "__import__('os')"}),
        "more hidden units": put("config", "hidden", value=3),
        "10^12 hidden units": put("config", "hidden", value=10**12),
        "other counts": put("data", "counts", "train", value=7),
        "negative counts": put("data", "counts", "train", value=-7),
        "counts of 10^15": put("data", "counts", "train", value=10**15),
        "an image of 10^12 pixels": put("data", "shape", value=[10**6, 10**6, 1]),
        "an image of -4 pixels": put("data", "shape", value=[-4, 1, 1]),
        "a text for a rate": put("config", "learning_rate", value="fast"),
        "Infinity for a rate": put("config", "learning_rate", value=float("inf")),
        "a field of the future": put("config", "more", value=3),
        "a seed of its own": put("run", "seed", value=5),
    }


def put_away(content: Any, path: tuple[str, ...]) -> None:
    """Delete one field."""
    for name in path[:-1]:
        content = content[name]
    content.pop(path[-1], None)
