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
from scipy.stats import t

from genjax import data
from genjax.algorithms.contrastive import contrastive
from genjax.cli.families import FAMILIES
from genjax.cli.main import main
from genjax.cli.run import Run, load, prepare, stages_of
from genjax.training import loop, stages
from genjax.training.config import split
from genjax.training.folder import environment, write_json
from genjax.typing import Algorithm


def options(
    doc: str | None, out: str, quick: str, mnist: bool = False, more: dict[str, dict[str, Any]] | None = None
) -> argparse.Namespace:
    """`scale` (full, quick or smoke), `out` (a folder, made if it is not there, of each scale its own, with an
    environment.json of where it was begun), and `data_dir` where MNIST is read.

    `more` names further options, each with what `add_argument` takes.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if mnist:
        parser.add_argument("--data-dir", help="where MNIST's files lie (otherwise they are fetched)")
    for name, details in (more or {}).items():
        parser.add_argument(name, **details)
    parser.add_argument("--quick", dest="scale", action="store_const", const="quick", help=quick)
    parser.add_argument("--smoke", dest="scale", action="store_const", const="smoke", help="does it run?")
    parser.add_argument("--out", type=Path, help=f"a folder (by default runs/{out}, or runs/{out}-quick)")
    parser.set_defaults(scale="full")
    chosen = parser.parse_args()
    if chosen.out is None:
        chosen.out = Path("runs") / (out if chosen.scale == "full" else f"{out}-{chosen.scale}")
    chosen.out.mkdir(parents=True, exist_ok=True)
    mark = chosen.out / "scale"
    if mark.exists() and mark.read_text() != chosen.scale:
        raise SystemExit(f"{chosen.out} holds results of a {mark.read_text()} run; choose another folder with --out.")
    if not mark.exists():
        mark.write_text(chosen.scale)
        write_json(chosen.out / "environment.json", environment("of the data, as genjax data lists it"))
    return chosen


def mnist(chosen: argparse.Namespace) -> data.Dataset:
    """MNIST with all its training images; for a smoke test the 8x8 digits."""
    found = data.load("digits") if chosen.scale == "smoke" else data.load("mnist", chosen.data_dir)
    return found.without_validation()


def run_of(
    chosen: argparse.Namespace, model: str, folder: Path | None, smoke: dict[str, Any], name: str = "", **fields: Any
) -> Run:
    """The run in `folder`; without one, a run with these fields of its config, in a folder of the experiment's own.

    That folder has the `name`, or the model's. A run that was interrupted goes on. For a smoke test it is trained in
    memory, with the fields of `smoke`.
    """
    if folder is None and chosen.scale == "smoke":
        family = FAMILIES[model]
        config = family.config(**smoke)
        prepared = prepare(config, family)
        parts = stages_of(prepared, family, config)
        state = stages.train(jax.random.key(config.seed), parts, prepared.training, prepared.plan)
        return Run(Path(name or model), model, family, config, state, parts[-1].steps, prepared)
    if folder is None:
        folder = Path(chosen.out) / (name or model)
        options: list[str] = []
        for field, value in fields.items():
            flag = field.replace("_", "-")
            if isinstance(value, bool):
                options.append(f"--{flag}" if value else f"--no-{flag}")
            else:
                options += [f"--{flag}", *map(str, value if isinstance(value, tuple) else (value,))]
        if chosen.data_dir is not None:
            options += ["--data-dir", str(chosen.data_dir)]
        options = ["--resume", str(folder)] if folder.exists() else ["--out", str(folder), "--no-evaluate", *options]
        if status := main(["train", model, *options]):
            raise SystemExit(status)
    return load(folder, getattr(chosen, "data_dir", None))


def with_validation(run: Run) -> data.Dataset:
    """The images of a run with validation ones apart, also where it learned from those (of no image's label)."""
    return data.load(run.config.dataset, run.config.data_dir, run.config.size)


def images_alone(images: np.ndarray) -> loop.TrainingSet:
    """A training set without labels and without held-out images."""
    return loop.TrainingSet(jnp.asarray(images), jnp.zeros(len(images), jnp.int32), None)


def learn(
    config: Any,
    training: loop.TrainingSet,
    epochs: int,
    seed: int,
    batch_size: int = 100,
    on_chunk: Sequence[Callable[[loop.Chunk], None]] = (),
    factory: Callable[[Any], Algorithm] = contrastive,
) -> tuple[Any, float]:
    """A model trained with sampled binarisation, a Boltzmann machine where no other `factory` makes its algorithm of
    the config: the last state, and the seconds, compilation included."""
    plan = loop.plan(len(training.images), batch_size, "sampled")
    total = epochs * plan.steps_per_epoch
    static, hyper = split(config, total)
    algorithm, key = factory(static), jax.random.key(seed)
    began = time.perf_counter()
    state = loop.initial(key, algorithm, training, plan, hyper)
    state = loop.train(key, algorithm, training, plan, state, total, 0, on_chunk)
    return jax.block_until_ready(state), time.perf_counter() - began


def interval(differences: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean of paired differences, by Student's t: of a few seeds a bootstrap would be too sure.

    NaN of a single one.
    """
    count = len(differences)
    if count < 2:
        return float("nan"), float("nan")
    middle, half = np.mean(differences), t.ppf(0.975, count - 1) * np.std(differences, ddof=1) / np.sqrt(count)
    return float(middle - half), float(middle + half)


def append(path: Path, entry: dict[str, Any]) -> None:
    """One more JSON line, on disk when this returns."""
    with open(path, "a") as file:
        file.write(json.dumps(entry) + "\n")


def lines(path: Path) -> list[dict[str, Any]]:
    """What earlier calls wrote; none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
