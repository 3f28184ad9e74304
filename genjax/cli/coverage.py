"""`genjax coverage RUN`: which classes samples of fresh chains cover, and whether they copy training images.

Classes are told by a judge (`evaluation.classifier`) twice: of the chains' states, beside test images binarised as they
are, and of the expected pixels p(v | h), beside grey test images. A model covers the classes where both do: the states
are what it draws, but the noise of an untrained one's pixels is spread over the classes too, while its expected pixels
are all of one; `sure`, the share of images of which the judge is sure, tells such noise as well.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Key

from genjax import data, random
from genjax.cli.adversarial import class_name, learned_judge
from genjax.cli.options import OpenOptions, parse, positive, say
from genjax.cli.run import FIXED_DRAW, Run, opened
from genjax.cli.sample import class_names, drawing
from genjax.cli.writing import in_any_case, refuse_run_folder
from genjax.data import Dataset
from genjax.data.classes import labelled
from genjax.errors import UserError
from genjax.evaluation.coverage import Coverage, coverage, memorisation
from genjax.plots import coverage as plots
from genjax.plots.images import save
from genjax.training.folder import write_json


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions):
    """Tell the classes of samples from fresh, independent chains, and find the training images nearest to them."""

    chains: int = 1000
    """Independent chains, one sample each."""
    sweeps: int = 10_000
    """Gibbs sweeps from fresh starting points (never from training images)."""
    seed: int = 0
    """Of the chains."""


class Covered(NamedTuple):
    """The numbers, and what the figures show."""

    numbers: dict[str, Any]
    sampled: plots.Sampled
    nearest: tuple[np.ndarray, np.ndarray]
    each: dict[str, list]
    """Of each sample: its class, the row of the nearest training image, the distance to it, whether it is a copy."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax coverage`."""
    options = parse(Options, arguments, "genjax coverage")
    positive(options, "chains", "sweeps")
    run = opened(options)
    refuse_run_folder(run.folder)
    found = cover(run, options.chains, options.sweeps, options.seed)
    path = run.folder / "figures" / "coverage.png"
    numbers = found.numbers | {"figure": str(path)}
    with in_any_case(found.numbers, "\n".join(sentences(numbers))):
        save(plots.coverage(found.sampled, found.nearest, run.shape, foot(found.numbers)), path)
        write_json(run.folder / "coverage.json", numbers | {"samples": found.each})
    return numbers, "\n".join([*sentences(numbers), str(path)])


def sampled(run: Run, count: int, sweeps: int, key: Key[Array, ""]) -> tuple[np.ndarray, np.ndarray]:
    """Expected pixels and states of fresh chains, or of draws at once (the same twice where they are not binary)."""
    at_once = drawing(run)
    if at_once is not None:
        arrays = at_once(key, count, None)
        return arrays.get("means", arrays["samples"]), arrays["samples"]
    if run.family.sample is None:
        raise UserError(f"A {run.model} does not sample.")
    pixels, states = run.family.sample(key, run.state, count, [sweeps])
    return pixels[:, -1], states


def cover(run: Run, chains: int, sweeps: int, seed: int) -> Covered:
    """Samples of a run judged. Raises `UserError` where it does not sample, or its images have no labels."""
    dataset = run.prepared.dataset
    eye, chained = learned_judge(dataset), drawing(run) is None
    say(f"{run.folder.name}: " + (f"{chains} fresh chains, {sweeps} sweeps" if chained else f"{chains} draws"))
    means, states = sampled(run, chains, sweeps, random.key(seed, run.config.rng))
    binary = data.binarise_fixed(dataset.test, run.config.binarisation, FIXED_DRAW)
    of_states, of_means = coverage(eye.logits, states, binary), coverage(eye.logits, means, dataset.test)
    copies = memorisation(states, dataset.train, binary)
    closest = np.argsort(copies.closeness)[: plots.PAIRS]
    numbers = {
        "model": run.model,
        "chains": chains,
        "sweeps": sweeps if chained else None,
        "start": "fresh: every unit drawn from its bias alone" if chained else None,
        "judge_accuracy": {
            name: eye.accuracy(x, dataset.labels.test) if labelled(dataset.labels.test) else None
            for name, x in (("binarised", binary), ("grey", dataset.test))
        },
        "states": summary(of_states, dataset),
        "expected_pixels": summary(of_means, dataset),
        "memorisation": {
            "rate": copies.rate,
            "held_out_rate": copies.held_out_rate,
            "threshold": copies.threshold,
            "median_distance": float(np.median(copies.distance)),
        },
    }
    each = {"class": of_states.samples.classes, "nearest_row": copies.row, "nearest_distance": copies.distance}
    each |= {"copied": copies.copied}
    of = {"states": of_states, "expected_pixels": of_means}
    shares = {text: of[name].samples.shares for name, text in kinds(numbers).items()}
    shares |= {"test images": of_states.data.shares}
    shown, names = kinds(numbers)["expected_pixels"], tuple(class_names(run, len(of_means.samples.shares)))
    return Covered(
        numbers,
        plots.Sampled(run.folder.name, shown, means, of_means.samples.classes, shares, names),
        (states[closest], dataset.train[copies.row[closest]]),
        {name: values.tolist() for name, values in each.items()},
    )


def summary(found: Coverage, dataset: Dataset) -> dict[str, Any]:
    """Plain numbers, entropies in nats; a class is found where it has at least a fifth of its share in the data."""
    return {
        "classes": len(found.occurring),
        "classes_found": len(found.occurring) - len(found.missing),
        "missing": {class_name(dataset, number): float(found.samples.shares[number]) for number in found.missing},
        "shares": found.samples.shares.tolist(),
        "data_shares": found.data.shares.tolist(),
        "entropy": found.samples.entropy,
        "data_entropy": found.data.entropy,
        "ratio": found.ratio,
        "sure": found.samples.sure,
        "data_sure": found.data.sure,
    }


def kinds(numbers: dict[str, Any]) -> dict[str, str]:
    """What the two kinds of samples are: those of chains, or of a model that draws at once."""
    texts = ("states", "p(v | h)") if numbers["sweeps"] else ("samples", "expected pixels")
    return dict(zip(("states", "expected_pixels"), texts))


def sentences(numbers: dict[str, Any]) -> list[str]:
    """What a person reads."""
    lines = [of_samples(numbers)]
    for name, text in kinds(numbers).items():
        seen = numbers[name]
        shares = f"shares {100 * min(seen['shares']):.1f} to {100 * max(seen['shares']):.1f} %"
        rare = [f"{label} ({100 * share:.1f} %)" for label, share in seen["missing"].items()]
        shares += f" (below a fifth of their share in the data: {', '.join(rare)})" if rare else ""
        sure = f"{100 * seen['sure']:.1f} % (of test images {100 * seen['data_sure']:.1f} %)"
        lines.append(
            f"{text}: {seen['classes_found']} of {seen['classes']} classes, {shares}, entropy "
            f"{seen['entropy']:.3f} nats, {100 * seen['ratio']:.1f} % of the test images'; the judge is sure of {sure}"
        )
    return [*lines, copied(numbers)]


def copied(numbers: dict[str, Any]) -> str:
    """The memorisation rate beside that of images which nobody can have copied."""
    ours, theirs = (100 * numbers["memorisation"][name] for name in ("rate", "held_out_rate"))
    return f"like copies of training images: {ours:.1f} % of the samples, {theirs:.1f} % of held-out images"


def foot(numbers: dict[str, Any]) -> str:
    """One line below a figure."""
    ratio = (
        f"class entropy of the {kinds(numbers)['states']} {100 * numbers['states']['ratio']:.1f} % of the test images'"
    )
    return f"{of_samples(numbers)}; {ratio}; {copied(numbers)}"


def of_samples(numbers: dict[str, Any]) -> str:
    """How many samples there are, and where they are from."""
    chains = f" samples of fresh chains after {numbers['sweeps']} sweeps"
    return f"{numbers['chains']}" + (chains if numbers["sweeps"] else " draws")
