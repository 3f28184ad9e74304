"""`genjax evaluate RUN`: log-likelihoods with their intervals, and what they were estimated by."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genjax import random
from genjax.cli.families import Family
from genjax.cli.options import OpenOptions, at_least, cost, parse, positive
from genjax.cli.progress import Bar
from genjax.cli.run import Run, fixed_batches, opened
from genjax.cli.writing import in_any_case, refuse_run_folder
from genjax.errors import UserError
from genjax.likelihood.bracket import PathKind, Schedule
from genjax.training.folder import write_json

EFFORT = {"temperatures": 10_000, "chains": 500, "precision": None, "path": "geometric", "schedule": "sine"}
AGREE = 0.5  # nats between the two sides of log Z, above which it is said


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions):
    """Estimate the log-likelihood of a trained model on its training and test images, or what else it is judged by."""

    temperatures: int | None = None
    """Temperatures of annealed importance sampling (by default 10,000). The log Z of a machine that comes with genjax
    comes with it, and is estimated anew only where an option of the estimate is given."""
    chains: int | None = None
    """Its chains (by default 500)."""
    precision: float | None = None
    """Standard error of log Z in nats for which to choose temperatures and chains instead, by a pilot run."""
    path: PathKind | None = None
    """From the data's base rates to the machine: straight (the default), or through machines of averaged moments."""
    schedule: Schedule | None = None
    """Where the temperatures stand: denser near 1 (the default, sine), or where a pilot run finds that they are
    needed (adapted)."""
    draws: int | None = None
    """Importance samples an image, of variational autoencoders (by default 5,000)."""
    inception: Path | None = None
    """A file with the Inception network's weights, for FID and KID of an adversarial network's samples."""
    seed: int | None = None
    """Of the estimate (by default 0)."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax evaluate`."""
    options = parse(Options, arguments, "genjax evaluate")
    at_least(options, 2, "temperatures", "chains")
    positive(options, "precision", "draws")
    run = opened(options)
    refuse_run_folder(run.folder)
    given = [name for name in EFFORT if getattr(options, name) is not None]
    if given and run.family.sentences is not None:
        raise UserError(f"--{given[0]}: a {run.model} is not judged by annealed importance sampling; leave it out.")
    effort = EFFORT | {name: getattr(options, name) for name in given}
    if options.draws is not None:
        if not run.family.importance:
            raise UserError(f"--draws {options.draws}: a {run.model} is not judged by such; leave it out.")
        effort["draws"] = options.draws
    if options.inception is not None:
        if not run.family.judges_samples:
            raise UserError(f"--inception: not samples of a {run.model} are judged but its likelihood; leave it out.")
        effort["inception"] = options.inception
    if run.known_log_z is not None and not given and options.seed is None:
        effort = {"known": run.known_log_z}
    judged = measure(run, options.seed or 0, **effort)
    text = "\n".join(sentences(judged, run.family))
    with in_any_case(judged, text):
        write(run, judged)
    return judged, text


def judge(run: Run, seed: int, **options: Any) -> dict[str, Any]:
    """The evaluation of a run as plain numbers, also written to its evaluation.json; options are its family's."""
    judged = measure(run, seed, **options)
    write(run, judged)
    return judged


def write(run: Run, judged: dict[str, Any]) -> None:
    """Into the run's evaluation.json."""
    run.folder.mkdir(parents=True, exist_ok=True)
    write_json(run.folder / "evaluation.json", judged)


def measure(run: Run, seed: int, **options: Any) -> dict[str, Any]:
    """The evaluation of a run as plain numbers; options are its family's."""
    if run.family.evaluate is None:
        raise UserError(f"A {run.model} has no likelihood to evaluate.")
    began = time.perf_counter()
    train, test = fixed_batches(run)
    if run.family.judges_samples:
        options["dataset"] = run.prepared.dataset
    with Bar("evaluating", 1.0) as bar:
        key = random.key(seed, run.config.rng)
        judged = run.family.evaluate(key, run.state, train, test, progress=bar.update, **options)
    return judged | {
        "model": run.model,
        "dataset": run.config.dataset,
        "step": run.step,
        "binarisation": run.config.binarisation,
        run.family.examples: {"train": len(train.x), "test": len(test.x)},
        "seconds": round(time.perf_counter() - began, 2),
        "peak_memory_mb": peak_memory_mb(),
    }


def peak_memory_mb() -> int | None:
    """The most resident memory that this process has had, in 10^6 bytes; None where the system does not tell."""
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


def sentences(judged: dict[str, Any], family: Family) -> list[str]:
    """What a person reads."""
    if family.sentences is not None:
        return family.sentences(judged)
    lines = []
    for split in ("test", "train"):
        answer = judged["log_likelihood"][split]
        lines.append(
            f"{split:5} {called(answer)} {answer['mean']:.2f} nats an image "
            f"[{answer['low']:.2f}, {answer['high']:.2f}], {answer['estimator']}; "
            f"standard error over {judged['images'][split]} images {answer['image_se']:.2f}"
        )
    log_z = judged["log_z"]
    lines.append(f"log Z {log_z['mean']:.3f} [{log_z['low']:.3f}, {log_z['high']:.3f}]: {log_z['reason']}")
    if log_z["reverse"] is not None:
        lines.append(both_sides(judged["log_likelihood"]["test"], log_z, log_z["reverse"]))
    if not log_z["trusted"]:
        lines.append("NOT TO BE TRUSTED: raise --temperatures, or read the number as a guess.")
    if judged.get("tightness"):
        gap = judged["tightness"]
        lines.append(
            f"the bound lies {gap['mean_gap']:.2f} nats below the log-likelihood, standard error "
            f"{gap['image_se'] or 0:.2f}, by an AIS run for each of {gap['images']} test images"
        )
    if judged.get("error"):
        wrong = ", ".join(f"{split} {100 * share:.2f} %" for split, share in judged["error"].items())
        lines.append(f"likelihoods are of image and label together; labels told wrong: {wrong}")
    pseudo = judged["pseudo_log_likelihood"]
    if pseudo:
        lines.append(
            f"pseudo-log-likelihood {pseudo['exact']:.2f} over all pixels "
            f"(one-pixel estimate {pseudo['one_pixel_estimate']:.2f}), {pseudo['images']} test images"
        )
    lines.append(f"binarisation {judged['binarisation']}; {cost(judged)}")
    return lines


def called(answer: dict[str, Any], what: str = "log-likelihood") -> str:
    """What a number is, in words: a bound is not called the likelihood itself."""
    return what + {"lower_bound": " at least", "upper_bound": " at most"}.get(answer["kind"], "")


def both_sides(test: dict[str, Any], forward: dict[str, Any], reverse: dict[str, Any]) -> str:
    """The bracket in one sentence, which says it plainly where the two sides do not agree."""
    gap = reverse["mean"] - forward["mean"]
    apart = forward["high"] < reverse["low"] or reverse["high"] < forward["low"]
    verdict = "the two sides DISAGREE" if apart or not abs(gap) <= AGREE else "the two sides agree"
    what = "bound of the test log-likelihood" if test["kind"] == "lower_bound" else "test log-likelihood"
    return (
        f"bracket: {what} {test['bracket'][0]:.2f} to {test['bracket'][1]:.2f}; {verdict}: log Z by "
        f"{reverse['estimator']}, {reverse['mean']:.3f} "
        f"[{reverse['low']:.3f}, {reverse['high']:.3f}], is {gap:+.3f} from AIS"
    )
