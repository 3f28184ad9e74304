"""`genjax evaluate RUN`: log-likelihoods with their intervals, or what else a model is measured by."""

import json
from dataclasses import dataclass
from typing import Any

from genjax.api.progress import Bar
from genjax.api.run import Run
from genjax.cli.options import OpenOptions, cost, open_run, parse_with
from genjax.cli.writing import in_any_case, refuse_run_folder
from genjax.models.table import EFFORTS

AGREE = 0.5  # nats between the two sides of log Z, above which it is said
BASELINES = {"test": "RBM of ratings", "biases": "user + item biases", "item_means": "item means"}


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions):
    """Estimate the log-likelihood of a trained model on its training and test images, or what else it is measured by.
    The log Z of a machine that comes with genjax comes with it, and is estimated anew only where an option of the
    estimate is given."""

    seed: int | None = None
    """Random seed of the estimate (by default 0)."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax evaluate`."""
    options, effort = parse_with(Options, arguments, "genjax evaluate", EFFORTS)
    run, other = open_run(options), None
    refuse_run_folder(run)
    if options.seed is not None:
        run.known_log_z = None  # that of a machine of genjax is another estimate
    if options.dataset is not None or options.data_dir is not None:
        run, other = run.on_named_data()
    numbers = measure(run, options.seed or 0, **effort) | ({} if other is None else {"other_data": other})
    text = "\n".join(sentences(run, numbers))
    if other is None:
        with in_any_case(numbers, text):
            run.write_evaluation(numbers)
    return numbers, text


def measure(run: Run, seed: int, **effort: Any) -> dict[str, Any]:
    """The evaluation of a run, with a bar."""
    with Bar("evaluating", 1.0) as bar:
        return run.evaluation(seed=seed, progress=bar.update, **effort)


def sentences(run: Run, numbers: dict[str, Any]) -> list[str]:
    """What a person reads."""
    lines = []
    if "log_likelihood" in numbers:
        lines += of_likelihood(numbers)
    if "rmse" in numbers:
        lines += of_ratings(numbers)
    if "samples" in numbers:
        lines += of_samples(numbers)
    if isinstance(numbers.get("test"), dict):
        lines += of_reconstructions(numbers)
    if "other_data" in numbers:
        lines.insert(0, f"on {numbers['dataset']}, other data than the run's ({numbers['other_data']})")
    return [*lines, f"binarisation {numbers['binarisation']}; {cost(numbers)}"]


def summary(run: Run) -> str:
    """One line of the evaluation for the foot of a figure."""
    assert run.folder is not None
    path = run.folder / "evaluation.json"
    if not path.exists():
        return "not evaluated"
    if run.evaluated is None:
        return "not evaluated since it was trained further"
    numbers = json.loads(path.read_text())
    if "log_likelihood" not in numbers:
        return sentences(run, numbers)[0]
    answer = numbers["log_likelihood"]["test"]
    doubt = "" if answer["trusted"] else " (not trusted)"
    found = f"{answer['mean']:.2f} nats [{answer['low']:.2f}, {answer['high']:.2f}]{doubt}"
    return f"test {called(answer)} {found}, {answer['estimator']}, binarisation {numbers['binarisation']}"


def of_likelihood(numbers: dict[str, Any]) -> list[str]:
    """Both splits, log Z, and what stands beside them."""
    lines = []
    what = "log-density" if numbers.get("pixels", "bernoulli") != "bernoulli" else "log-likelihood"
    for split in ("test", "train"):
        answer, count = numbers["log_likelihood"][split], numbers["images"][split]
        given = ", given the label," if numbers.get("given_label") else ""
        lines.append(
            f"{split:5} {called(answer, what)}{given} {answer['mean']:.2f} nats an image "
            f"[{answer['low']:.2f}, {answer['high']:.2f}], {answer['estimator']}; "
            f"standard error over {count} images {answer['examples_se']:.2f}"
        )
    test, log_z = numbers["log_likelihood"]["test"], numbers.get("log_z")
    if log_z is None:
        lines.append(f"the estimate is {test['reason']}")
    else:
        lines.append(f"log Z {log_z['mean']:.3f} [{log_z['low']:.3f}, {log_z['high']:.3f}]: {log_z['reason']}")
        if log_z["reverse"] is not None:
            lines.append(both_sides(numbers))
    if not test["trusted"]:
        lines.append(f"NOT TO BE TRUSTED: {test['reason']}; raise the effort, or read the number as a guess.")
    if "active_units" in numbers:
        active = ", ".join(f"{a} of {n}" for a, n in zip(numbers["active_units"], numbers["latents"]))
        lines.append(f"active latent units: {active}")
    if "elbo" in numbers:
        lines.append("ELBO {test[mean]:.2f} (test), {train[mean]:.2f} (training)".format(**numbers["elbo"]))
    if "tightness" in numbers:
        gap = numbers["tightness"]["gap"]
        lines.append(
            f"the bound lies {gap['mean']:.2f} nats below the log-likelihood, standard error "
            f"{gap['examples_se'] or 0:.2f}, by an AIS run for each of {numbers['tightness']['images']} test images"
        )
    if "error" in numbers:
        wrong = ", ".join(f"{split} {100 * share['mean']:.2f} %" for split, share in numbers["error"].items())
        lines.append(f"likelihoods are of image and label together; classification error: {wrong}")
    pseudo = numbers.get("pseudo_log_likelihood")
    if pseudo:
        lines.append(
            f"pseudo-log-likelihood {pseudo['exact']['mean']:.2f} over all pixels "
            f"(one-pixel estimate {pseudo['one_pixel']['mean']:.2f}), {pseudo['images']} test images"
        )
    return lines


def called(answer: dict[str, Any], what: str = "log-likelihood") -> str:
    """What a number is, in words: a bound is not called the likelihood itself."""
    return what + {"lower_bound": " at least", "upper_bound": " at most"}.get(answer["kind"], "")


def both_sides(numbers: dict[str, Any]) -> str:
    """The bracket in one sentence, which says it plainly where the two sides do not agree."""
    test, forward = numbers["log_likelihood"]["test"], numbers["log_z"]
    reverse, bracket = forward["reverse"], numbers["bracket"]["test"]
    gap = reverse["mean"] - forward["mean"]
    apart = forward["high"] < reverse["low"] or reverse["high"] < forward["low"]
    verdict = "the two sides DISAGREE" if apart or not abs(gap) <= AGREE else "the two sides agree"
    what = "bound of the test log-likelihood" if test["kind"] == "lower_bound" else "test log-likelihood"
    return (
        f"bracket: {what} {bracket[0]:.2f} to {bracket[1]:.2f}; {verdict}: log Z by "
        f"{reverse['estimator']}, {reverse['mean']:.3f} "
        f"[{reverse['low']:.3f}, {reverse['high']:.3f}], is {gap:+.3f} from AIS"
    )


def of_ratings(numbers: dict[str, Any]) -> list[str]:
    """Errors beside those of the baselines."""
    lines = []
    for name, text in BASELINES.items():
        rmse, mae = numbers["rmse"][name], numbers["mae"][name]
        interval = f"[{rmse['low']:.4f}, {rmse['high']:.4f}]"
        lines.append(f"{text}: RMSE {rmse['mean']:.4f} {interval}, MAE {mae['mean']:.4f}")
    counts = numbers["ratings"]
    return [*lines, f"{counts['test']} held-out ratings, {counts['train']} learned from, {numbers['items']} items"]


def of_reconstructions(numbers: dict[str, Any]) -> list[str]:
    """Of autoencoders: errors of images that are encoded and decoded."""
    test, train, lines = numbers["test"], numbers["train"], []
    if "error" in test:
        shares = [100 * part["error"]["mean"] for part in (test, train)]
        lines.append("classification error {:.2f} % (test), {:.2f} % (training)".format(*shares))
    errors = [part["reconstruction_error"]["mean"] for part in (test, train)]
    lines.append("mean squared error a pixel {:.5f} (test), {:.5f} (training)".format(*errors))
    if "cross_entropy" in test:
        both = [part["cross_entropy"]["mean"] for part in (test, train)]
        lines.append("cross-entropy {:.2f} nats an image (test), {:.2f} (training)".format(*both))
    return lines


def of_samples(numbers: dict[str, Any]) -> list[str]:
    """The table of samples; real images stand in brackets."""
    made, real, lines = numbers["samples"], numbers["real"], []

    def beside(name: str, digits: int = 3) -> str:
        values = (part[name]["mean"] if isinstance(part[name], dict) else part[name] for part in (made, real))
        return "{} [{}]".format(*("-" if value is None else f"{value:.{digits}f}" for value in values))

    if "classifier_score" in made:
        rare = [f"{label} ({100 * share:.1f} %)" for label, share in made["missing"].items()]
        missing = f" (below a fifth of their share in the data: {', '.join(rare)})" if rare else ""
        lines.append(
            f"classifier score {beside('classifier_score', 2)}, {made['classes']} of {made['occurring']} classes"
            f"{missing}, class entropy {100 * made['class_entropy_ratio']:.1f} % of the data's; [real images]"
        )
    lines.append(
        f"on {numbers['features']} features: Frechet distance {beside('frechet_distance', 2)}, kernel distance "
        f"{beside('kernel_distance', 4)}; [real images]"
    )
    support = ", ".join(f"{name} {beside(name, 2)}" for name in ("precision", "recall", "density", "coverage"))
    lines.append(f"{support}; copies {beside('copies', 3)}, {made['images']} samples")
    if "inception" in numbers:
        of_made, of_real = numbers["inception"]["samples"], numbers["inception"]["real"]
        distances = f"FID {of_made['fid']:.2f} [{of_real['fid']:.2f}], KID {of_made['kid']:.5f} [{of_real['kid']:.5f}]"
        lines.append(f"{distances}, {of_made['images']} samples; [real images]")
    return lines
