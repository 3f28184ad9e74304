"""What experiments share: their options, one training run in memory, and the interval of a paired comparison."""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from genjax import data
from genjax.algorithms.contrastive import ContrastiveConfig, ContrastiveState, contrastive
from genjax.training import loop
from genjax.training.config import split


def options(
    doc: str | None, out: str, quick: str, mnist: bool = False, more: dict[str, dict[str, Any]] | None = None
) -> argparse.Namespace:
    """`scale` (full, quick or smoke), `out` (a folder, made if it is not there), and `data_dir` where MNIST is read.

    `more` names further options, each with what `add_argument` takes.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if mnist:
        parser.add_argument("--data-dir", help="where MNIST's files lie (otherwise they are fetched)")
    for name, details in (more or {}).items():
        parser.add_argument(name, **details)
    parser.add_argument("--quick", dest="scale", action="store_const", const="quick", help=quick)
    parser.add_argument("--smoke", dest="scale", action="store_const", const="smoke", help="does it run?")
    parser.add_argument("--out", type=Path, default=Path("runs") / out)
    parser.set_defaults(scale="full")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    return chosen


def mnist(chosen: argparse.Namespace) -> data.Dataset:
    """MNIST with all its training images; for a smoke test the 8x8 digits."""
    found = data.load("digits") if chosen.scale == "smoke" else data.load("mnist", chosen.data_dir)
    return found.without_validation()


def images_alone(images: np.ndarray) -> loop.TrainingSet:
    """A training set without labels and without held-out images."""
    return loop.TrainingSet(jnp.asarray(images), jnp.zeros(len(images), jnp.int32), None)


def learn(
    config: ContrastiveConfig,
    training: loop.TrainingSet,
    epochs: int,
    seed: int,
    batch_size: int = 100,
    on_chunk: Sequence[Callable[[loop.Chunk], None]] = (),
) -> tuple[ContrastiveState, float]:
    """A machine trained with sampled binarisation: the last state, and the seconds, compilation included."""
    plan = loop.plan(len(training.images), batch_size, "sampled")
    total = epochs * plan.steps_per_epoch
    static, hyper = split(config, total)
    algorithm, key = contrastive(static), jax.random.key(seed)
    began = time.perf_counter()
    state = loop.initial(key, algorithm, training, plan, hyper)
    state = loop.train(key, algorithm, training, plan, state, total, 0, on_chunk)
    return jax.block_until_ready(state), time.perf_counter() - began


def interval(differences: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of paired differences."""
    rows = np.random.default_rng(seed).integers(0, len(differences), (10_000, len(differences)))
    low, high = np.quantile(differences[rows].mean(1), [0.025, 0.975])
    return float(low), float(high)


def append(path: Path, entry: dict[str, Any]) -> None:
    """One more JSON line, on disk when this returns."""
    with open(path, "a") as file:
        file.write(json.dumps(entry) + "\n")


def lines(path: Path) -> list[dict[str, Any]]:
    """What earlier calls wrote; none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
