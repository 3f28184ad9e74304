"""What every `train` command takes besides its model's own fields, and how one line of arguments becomes a config."""

import contextlib
import dataclasses
import io
import itertools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import tyro

from genjax.data.binarisation import Binarisation
from genjax.errors import UserError
from genjax.random import LARGEST_SEED, Generator
from genjax.training.config import at_least as at_least
from genjax.training.config import positive as positive

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
    """Hold out a tenth of the training images (of MNIST the last 5,000) for the learning curves, unless the dataset has
    validation images of its own; --no-validation trains on them, too."""
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
    """A run's folder to go on with: after an interruption it ends bit for bit as if there had been none. Its
    config.json rules; only --epochs may differ, and --dataset and --data-dir where its data have moved. More epochs
    stretch the schedule: the learning rate jumps to what a run of that length has at this point, and the average over
    the end of the run begins anew."""
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


@dataclass(frozen=True, kw_only=True)
class OpenOptions:
    """Which run a command opens, and where its data are."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run's folder, or the name of a machine that comes with genjax."""
    dataset: str | None = None
    """Where its own file or folder of data is now, if it has moved since training."""
    data_dir: str | None = None
    """The folder in which its data are now, if they have moved since training."""
    json: bool = False
    """Print one JSON object."""


NOT_SAVED = ("out", "resume", "json")  # where and how this process runs, not what the run is
PLACES = ("dataset", "data_dir")  # of data that may have moved
MAY_DIFFER = (*NOT_SAVED, "epochs", "evaluate", "temperatures", "ais_chains", "precision", "checkpoint_seconds")


def parse(kind: type[Options], arguments: list[str], program: str, default: Options | None = None) -> Options:
    """The options in `arguments`. Raises `UserError` with tyro's words, out of their box, where one is bad."""
    box = io.StringIO()
    try:
        with contextlib.redirect_stderr(box):
            options: Any = tyro.cli(kind, args=arguments, prog=program, default=default)  # type: ignore[arg-type]
        refuse_seed(options)
        return options
    except SystemExit as leaving:
        if not leaving.code:
            raise
    heading, *lines = [line.strip("│╭╮╰╯─- ") for line in box.getvalue().splitlines()]
    rest = itertools.dropwhile(lambda line: not line, lines)  # a rule may follow the heading
    message = " ".join(itertools.takewhile(bool, rest)) or heading
    raise UserError(f"{message.rstrip('.')}; see {program} --help.")


def refuse_seed(options: Any) -> None:
    """Raise `UserError` for a --seed of which no generator makes a key of its own."""
    seed = getattr(options, "seed", None)
    if seed is not None and not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"--seed {seed} is out of range; give a whole number from 0 to {LARGEST_SEED}.")


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


def unless_same(given: Any, saved: Any, folder: Path) -> None:
    """Raise `UserError` for the first field in which a resumed run's options may not differ from its own and do."""
    for field in dataclasses.fields(saved):
        new, old = getattr(given, field.name), getattr(saved, field.name)
        if field.name not in (*MAY_DIFFER, *PLACES) and new != old:
            option = f"--{field.name.replace('_', '-')}"
            raise UserError(
                f"{option} {new} differs from {old} in {folder}; with --resume only --epochs may differ, and --dataset "
                "and --data-dir where the data have moved."
            )


def cost(evaluation: dict[str, Any]) -> str:
    """What an evaluation took: its seconds and, where the system tells, the memory."""
    memory = evaluation["peak_memory_mb"]
    return f"{evaluation['seconds']:.0f} s" + ("" if memory is None else f", {memory} MB")


def say(text: str) -> None:
    """A line for people, on standard error, so that standard output holds the answer alone."""
    print(text, file=sys.stderr, flush=True)
