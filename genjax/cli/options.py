"""What every `train` command takes besides its model's own fields, and how one line of arguments becomes a config."""

import contextlib
import dataclasses
import io
import itertools
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import tyro

from genjax.data.binarisation import Binarisation
from genjax.errors import UserError
from genjax.random import Generator

Options = TypeVar("Options")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """On what, for how long and where."""

    dataset: str = "digits"
    """A name from `genjax data`, a .npz or .npy file, or a folder of images."""
    data_dir: str | None = None
    """Where the files of the dataset lie (IDX, or prepared by TensorFlow Datasets)."""
    size: int | None = None
    """Side in pixels to which a folder's images are resized."""
    binarisation: Binarisation = "sampled"
    """How intensities become binary: a fresh draw each time an image is shown, a threshold at 1/2, or not at all."""
    validation: bool = True
    """Hold out the last training images (5,000 of MNIST's) for the learning curves."""
    epochs: int | None = None
    """Passes over the training images (by default as many as make about 18,000 steps)."""
    batch_size: int = 100
    """Images a step."""
    seed: int = 0
    """Of everything random in the run."""
    rng: Generator = "counter"
    """Where random bits come from: the fused counter-based generator, JAX's threefry, or the device's own."""
    stop_gap: float | None = None
    """Stop early, the learning rate falling over another tenth of the steps so far, where held-out images are this
    many nats less likely than training ones (by default never)."""
    out: str | None = None
    """The run's folder (by default runs/<model>-<dataset>, with -2, -3, ... where that exists)."""
    resume: str | None = None
    """A run's folder to go on with; its config.json rules, and only --epochs may differ."""
    checkpoint_seconds: float = 15.0
    """Least time between two checkpoints."""
    evaluate: bool = True
    """Estimate the log-likelihood at the end."""
    temperatures: int = 10_000
    """Temperatures of annealed importance sampling."""
    ais_chains: int = 500
    """Chains of annealed importance sampling."""
    precision: float | None = None
    """Standard error of log Z in nats for which to choose temperatures and chains instead."""
    json: bool = False
    """Print one JSON object instead of sentences."""

    def images_of_a_step(self, batch_size: int, most: int | None = None) -> int:
        """What the algorithm takes at once: a batch, unless a step of it has several."""
        return batch_size


NOT_SAVED = ("out", "resume", "json")  # where and how this process runs, not what the run is
MAY_DIFFER = (*NOT_SAVED, "epochs", "evaluate", "temperatures", "ais_chains", "precision", "checkpoint_seconds")


def parse(kind: type[Options], arguments: list[str], program: str, default: Options | None = None) -> Options:
    """The options in `arguments`. Raises `UserError` with tyro's words, out of their box, where one is bad."""
    box = io.StringIO()
    try:
        with contextlib.redirect_stderr(box):
            return tyro.cli(kind, args=arguments, prog=program, default=default)  # type: ignore[arg-type]
    except SystemExit as leaving:
        if not leaving.code:
            raise
    heading, *lines = [line.strip("│╭╮╰╯─- ") for line in box.getvalue().splitlines()]
    rest = itertools.dropwhile(lambda line: not line, lines)  # a rule may follow the heading
    message = " ".join(itertools.takewhile(bool, rest)) or heading
    raise UserError(f"{message.rstrip('.')}; see {program} --help.")


def restore(kind: type[Options], saved: dict[str, Any], folder: Path) -> Options:
    """The config that a run's config.json holds."""
    names = {field.name for field in dataclasses.fields(kind)} - set(NOT_SAVED)  # type: ignore[arg-type]
    names -= set(MAY_DIFFER) - set(saved)  # what a run of an older version could not say, and need not
    missing = sorted(names - set(saved))
    if missing:
        raise UserError(f"{folder / 'config.json'} lacks {', '.join(missing)}; restore it from a copy.")
    hints = get_type_hints(kind)
    for name in sorted(names):
        if not fits(saved[name], hints[name]) or (name == "epochs" and saved[name] is None):
            raise UserError(f"{folder / 'config.json'} has {name} = {saved[name]!r}; restore it from a copy.")
    return kind(**{name: tuple(v) if isinstance(v := saved[name], list) else v for name in names})


def fits(value: Any, hint: Any) -> bool:
    """Whether a value from JSON is one that a field of this type takes."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, list) and all(fits(part, get_args(hint)[0]) for part in value)
    if get_args(hint):
        return any(fits(value, part) for part in get_args(hint))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def at_least(config: Any, least: int, *names: str) -> None:
    """Raise `UserError` for the first of these fields that is not finite and at least `least`."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not (math.isfinite(value) and value >= least):
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option} {value} is out of range; give a finite number of at least {least}.")


def positive(config: Any, *names: str) -> None:
    """Raise `UserError` for the first of these fields that is not finite and positive."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UserError(f"--{name.replace('_', '-')} {value} is not positive; give a finite number above 0.")


def unless_same(given: Any, saved: Any, folder: Path) -> None:
    """Raise `UserError` for the first field, --epochs aside, in which a resumed run's options differ from its own."""
    for field in dataclasses.fields(saved):
        new, old = getattr(given, field.name), getattr(saved, field.name)
        if field.name not in MAY_DIFFER and new != old:
            option = f"--{field.name.replace('_', '-')}"
            raise UserError(f"{option} {new} differs from {old} in {folder}; with --resume only --epochs may differ.")


def say(text: str) -> None:
    """A line for people, on standard error, so that standard output holds the answer alone."""
    print(text, file=sys.stderr, flush=True)
