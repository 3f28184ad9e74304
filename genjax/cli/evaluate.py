"""`genjax evaluate RUN`: log-likelihoods with their intervals, and what they were estimated by."""

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from genjax import random
from genjax.cli.families import Family
from genjax.cli.options import at_least, parse
from genjax.cli.progress import Bar
from genjax.cli.run import Run, fixed_splits, load
from genjax.errors import UserError
from genjax.training.folder import write_json


@dataclass(frozen=True)
class Options:
    """Estimate the log-likelihood of a trained model on its training and test images, or what else it is judged by."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run's folder."""
    temperatures: int = 10_000
    """Temperatures of annealed importance sampling."""
    chains: int = 500
    """Its chains."""
    seed: int = 0
    """Of the estimate."""
    json: bool = False
    """Print one JSON object."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax evaluate`."""
    options = parse(Options, arguments, "genjax evaluate")
    at_least(options, 2, "temperatures", "chains")
    run = load(Path(options.run))
    judged = judge(run, options.temperatures, options.chains, options.seed)
    return judged, "\n".join(sentences(judged, run.family))


def judge(run: Run, temperatures: int, chains: int, seed: int) -> dict[str, Any]:
    """The evaluation of a run as plain numbers, also written to its evaluation.json."""
    if run.family.evaluate is None:
        raise UserError(f"A {run.model} has no likelihood to evaluate.")
    began = time.perf_counter()
    train, test = fixed_splits(run)
    with Bar("evaluating", 1.0) as bar:
        options = {"temperatures": temperatures, "chains": chains, "progress": bar.update}
        judged = run.family.evaluate(random.key(seed, run.config.rng), run.state, train, test, **options)
    judged |= {
        "model": run.model,
        "dataset": run.config.dataset,
        "step": run.step,
        "binarisation": run.config.binarisation,
        run.family.examples: {"train": len(train), "test": len(test)},
        "seconds": round(time.perf_counter() - began, 2),
        "peak_memory_mb": round(peak_memory_mb()),
    }
    write_json(run.folder / "evaluation.json", judged)
    return judged


def peak_memory_mb() -> float:
    """The most resident memory that this process has had, in 10^6 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def sentences(judged: dict[str, Any], family: Family) -> list[str]:
    """What a person reads."""
    if family.sentences is not None:
        return family.sentences(judged)
    lines = []
    for split in ("test", "train"):
        answer = judged["log_likelihood"][split]
        lines.append(
            f"{split:5} log-likelihood {answer['mean']:.2f} nats an image "
            f"[{answer['low']:.2f}, {answer['high']:.2f}], {answer['estimator']}; "
            f"standard error over {judged['images'][split]} images {answer['image_se']:.2f}"
        )
    log_z = judged["log_z"]
    lines.append(f"log Z {log_z['mean']:.3f} [{log_z['low']:.3f}, {log_z['high']:.3f}]: {log_z['reason']}")
    if not log_z["trusted"]:
        lines.append("NOT TO BE TRUSTED: raise --temperatures, or read the number as a guess.")
    pseudo = judged["pseudo_log_likelihood"]
    lines.append(
        f"pseudo-log-likelihood {pseudo['exact']:.2f} over all pixels "
        f"(one-pixel estimate {pseudo['one_pixel_estimate']:.2f}), {pseudo['images']} test images"
    )
    lines.append(f"binarisation {judged['binarisation']}; {judged['seconds']:.0f} s, {judged['peak_memory_mb']} MB")
    return lines
