"""`genjax coverage RUN`: what samples of a model cover and copy, beside real images.

Classes are told by a classifier twice: of the samples, beside test images binarised as they are, and of expected pixels
p(v | h), beside grey test images. A model covers the classes where both do: the states are what it draws, but the noise
of an untrained one's pixels is spread over the classes too, while its expected pixels are all of one.
"""

from dataclasses import dataclass
from typing import Any

from genjax.api.classifier import classifier_of
from genjax.api.waiting import Waiting
from genjax.api.writing import refuse_run_folder
from genjax.cli.options import OpenOptions, open_run, say
from genjax.cli.parsing import parse
from genjax.cli.writing import in_any_case
from genjax.evaluation.samples import per_sample
from genjax.evaluation.sentences import of_coverage
from genjax.likelihood.estimate import plain
from genjax.plots.images import save
from genjax.training.config import positive
from genjax.training.folder import write_json


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions):
    """Measure samples from fresh, independent chains: their classes, their distances to real images, and the training
    images nearest to them."""

    chains: int = 1000
    """Independent chains, one sample each."""
    sweeps: int = 10_000
    """Gibbs sweeps from fresh starting points (never from training images)."""
    seed: int = 0
    """Random seed."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax coverage`."""
    options = parse(Options, arguments, "genjax coverage")
    positive(options, "chains", "sweeps")
    run = open_run(options)
    refuse_run_folder(run)
    chained = run.has_chains
    how = f"fresh chains, {options.sweeps} sweeps" if chained else "draws"
    say(f"{run.name}: {options.chains} {how}")
    classifier = classifier_of(run.prepared.dataset)
    with Waiting("drawing and measuring samples", "1,000 chains of MNIST over 10,000 sweeps: about two minutes"):
        found, drawn = run.measured_samples(options.chains, options.sweeps, classifier=classifier, seed=options.seed)
    numbers = {"model": run.model.name, "chains": options.chains, "sweeps": options.sweeps if chained else None}
    numbers |= {"start": "fresh: every unit drawn from its bias alone" if chained else None} | plain(found.table)
    lines = of_coverage(numbers)
    with in_any_case(numbers, "\n".join(lines)):
        if found.classes is not None and found.copies is not None:
            path = save(run.plot.of_coverage(found, drawn, lines[0]), run.folder / "figures" / "coverage.png")
            numbers["figure"] = str(path)
            lines.append(str(path))
        write_json(run.folder / "coverage.json", numbers | {"each": per_sample(found)})
    return numbers, "\n".join(lines)
