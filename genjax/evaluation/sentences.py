"""An evaluation in words: what `Run.evaluation()` and its like have as plain numbers, as lines that a person reads.

print("\n".join(of_evaluation(run.evaluation())))
"""

import math
from collections.abc import Callable
from typing import Any

from genjax.transport import solvers

AGREE = 0.5  # nats between the two sides of log Z, above which it is said
BASELINES = {"test": "RBM of ratings", "biases": "user + item biases", "item_means": "item means"}


def of_evaluation(numbers: dict[str, Any]) -> list[str]:
    """Everything that `genjax evaluate` prints."""
    lines = []
    if "log_likelihood" in numbers:
        lines += of_likelihood(numbers)
    if "rmse" in numbers:
        lines += of_ratings(numbers)
    if "samples" in numbers:
        lines += of_samples(numbers)
    if isinstance(numbers.get("test"), dict):
        lines += of_errors(numbers)
    if "over_fitting" in numbers:
        lines.append(numbers["over_fitting"])
    if "other_data" in numbers:
        lines.insert(0, f"on {numbers['dataset']}, other data than the run's ({numbers['other_data']})")
    return [*lines, f"binarisation {numbers['binarisation']}; {cost(numbers)}"]


def summary(numbers: dict[str, Any]) -> str:
    """One line, for the foot of a figure."""
    if "log_likelihood" not in numbers:
        return of_evaluation(numbers)[0]
    answer = numbers["log_likelihood"]["test"]
    doubt = "" if answer["trusted"] else " (not trusted)"
    found = f"{answer['mean']:.2f} nats [{answer['low']:.2f}, {answer['high']:.2f}]{doubt}"
    return f"test {called(answer)} {found}, {answer['estimator']}, binarisation {numbers['binarisation']}"


def cost(numbers: dict[str, Any]) -> str:
    """What an evaluation took: its seconds and, where the system tells, the memory."""
    memory = numbers["peak_memory_mb"]
    return f"{numbers['seconds']:.0f} s" + ("" if memory is None else f", {memory} MB")


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
    trusted = forward["trusted"] and reverse["trusted"]
    alike = "the two sides agree" if trusted else "the two sides are near each other, but not both can be trusted"
    verdict = "the two sides DISAGREE" if apart or not abs(gap) <= AGREE else alike
    what = "bound of the test log-likelihood" if test["kind"] == "lower_bound" else "test log-likelihood"
    return (
        f"bracket: {what} {bracket[0]:.2f} to {bracket[1]:.2f}; {verdict}: log Z by "
        f"{reverse['estimator']}, {reverse['mean']:.3f} "
        f"[{reverse['low']:.3f}, {reverse['high']:.3f}], is {gap:+.3f} from {forward['estimator'].split(',')[0]}"
    )


def of_ratings(numbers: dict[str, Any]) -> list[str]:
    """Errors beside those of the baselines."""
    lines = []
    for name, text in BASELINES.items():
        rmse, mae = numbers["rmse"][name], numbers["mae"][name]
        interval = f"[{rmse['low']:.4f}, {rmse['high']:.4f}]"
        order = f", NDCG@10 {numbers['ndcg'][name]['mean']:.4f}, precision@10 {numbers['precision'][name]['mean']:.4f}"
        lines.append(f"{text}: RMSE {rmse['mean']:.4f} {interval}, MAE {mae['mean']:.4f}{order}")
    lines.append(against_biases(numbers["rmse_difference"]["biases"]))
    counts = numbers["ratings"]
    liked = f"precision: of the ten put first, rated {numbers['liked']:.2f} or more"
    return [
        *lines,
        liked,
        f"{counts['test']} held-out ratings, {counts['train']} learned from, {numbers['items']} items",
    ]


def against_biases(difference: dict[str, Any]) -> str:
    """Whether a recommender is better than its baseline, by the paired interval; and what to do where it is not."""
    span = f"{difference['mean']:+.4f} [{difference['low']:+.4f}, {difference['high']:+.4f}] in RMSE, paired over users"
    if difference["high"] < 0:
        return f"better than user + item biases: {span}"
    remedy = "predict by the biases, or train with fewer `hidden`, a larger `weight_decay` or more ratings"
    if difference["low"] > 0:
        return f"WORSE THAN USER + ITEM BIASES: {span}; {remedy}"
    return f"not shown to be better than user + item biases: {span}; {remedy}"


def of_errors(numbers: dict[str, Any]) -> list[str]:
    """Of networks with targets and of autoencoders: losses and errors, of examples that are encoded and decoded."""
    test, train, lines = numbers["test"], numbers["train"], []
    if "error" in test:
        shares = [100 * part["error"]["mean"] for part in (test, train)]
        lines.append("classification error {:.2f} % (test), {:.2f} % (training)".format(*shares))
    if "loss" in test:
        lines.append("loss {:.5g} (test), {:.5g} (training)".format(*(part["loss"]["mean"] for part in (test, train))))
    if "reconstruction_error" in test:
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
        lines.append(
            f"classifier score {beside('classifier_score', 2)}, {made['classes']} of {made['occurring']} classes"
            f"{missing(made)}, class entropy {100 * made['class_entropy_ratio']:.1f} % of the data's; [real images]"
        )
    lines.append(
        f"on {numbers['features']} features: Frechet distance {beside('frechet_distance', 2)}, kernel distance "
        f"{beside('kernel_distance', 4)}; [real images]"
    )
    lines += of_transport(made, beside)
    support = ", ".join(f"{name} {beside(name, 2)}" for name in ("precision", "recall", "density", "coverage"))
    lines.append(f"{support}; copies {beside('copies', 3)}, {made['images']} samples")
    if "inception" in numbers:
        of_made, of_real = numbers["inception"]["samples"], numbers["inception"]["real"]
        distances = f"FID {of_made['fid']:.2f} [{of_real['fid']:.2f}], KID {of_made['kid']:.5f} [{of_real['kid']:.5f}]"
        lines.append(f"{distances}, {of_made['images']} samples; [real images]")
    return lines


def of_transport(made: dict[str, Any], beside: Callable[..., str]) -> list[str]:
    """Distances by optimal transport, as far as they were measured; beside that of pixels the critic's estimate."""
    if "sinkhorn_divergence" not in made:  # of an evaluation that did not know it yet
        return []
    critic = f", by its own critic {beside('critic_distance', 2)}" if "critic_distance" in made else ""
    remedy = "" if solvers.has_sinkhorn() and solvers.has_simplex() else f" (of the extra ot: {solvers.INSTALL})"
    return [
        f"Sinkhorn divergence {beside('sinkhorn_divergence', 3)}; Wasserstein distance of pixels "
        f"{beside('wasserstein_distance', 2)}{critic}{remedy}; [real images]"
    ]


def missing(classes: dict[str, Any]) -> str:
    """In brackets the classes that samples do not cover; nothing where they cover all."""
    rare = [f"{label} ({100 * share:.1f} %)" for label, share in classes["missing"].items()]
    return f" (below a fifth of their share in the data: {', '.join(rare)})" if rare else ""


def of_coverage(numbers: dict[str, Any]) -> list[str]:
    """What `genjax coverage` prints: the classes of samples and of expected pixels, and the table of samples."""
    chains = f" samples of fresh chains after {numbers['sweeps']} sweeps" if numbers["sweeps"] else " draws"
    lines = [f"{numbers['chains']}{chains}"]
    for name, text in (("samples", "samples"), ("means", "expected pixels")):
        classes = numbers.get(name)
        if classes is None or "shares" not in classes:
            continue
        shares = f"shares {100 * min(classes['shares']):.1f} to {100 * max(classes['shares']):.1f} %"
        lines.append(
            f"{text}: {classes['classes']} of {classes['occurring']} classes, {shares}{missing(classes)}, entropy "
            f"{classes['class_entropy']:.3f} nats, {100 * classes['class_entropy_ratio']:.1f} % of the test images'; "
            f"the classifier is confident of {100 * classes['confident']:.1f} %"
        )
    return [*lines, *of_samples(numbers)[1 if "classifier_score" in numbers["samples"] else 0 :]]


def of_mixing(numbers: dict[str, Any]) -> list[str]:
    """What `genjax sample` prints of how well chains mix; nothing of a quantity that is not known."""
    lines = []
    if not math.isnan(numbers["r_hat"]):
        lines.append(
            f"R-hat {numbers['r_hat']:.3f}, effective samples {numbers['effective_samples']:.0f}, autocorrelation time "
            f"{numbers['autocorrelation_time']:.1f} sweeps"
        )
    if "swap_rate" in numbers:
        rates = ", ".join("-" if rate is None or math.isnan(rate) else f"{rate:.2f}" for rate in numbers["swap_rate"])
        lines.append(f"swap rates {rates}; {numbers['round_trips']} round trips")
    return lines


def of_transfer(numbers: dict[str, Any]) -> list[str]:
    """What `genjax transfer` prints: the plan, and how far the colours are from the other picture's."""
    strength = numbers["regularisation"]
    kind = "exact plan" if strength is None else f"plan regularised by {strength:g}"
    off = f"; NOT CONVERGED, its sums are off by {numbers['error']:.2g}: raise `regularisation`"
    plan = f"{kind} of {numbers['samples']} pixels: cost {numbers['cost']:.4f}, entropy {numbers['entropy']:.2f} nats"
    distances = f"{numbers['distance']:.4f}, now {numbers['distance_after']:.4f}"
    return [plan + ("" if numbers["converged"] else off), f"distance of the colours from B's: {distances}"]


def of_filled(numbers: dict[str, Any]) -> list[str]:
    """What `genjax reconstruct` prints; shares of wrong pixels make sense for binary ones only."""

    def beside_mean(name: str, text: str, scale: float = 1.0, unit: str = "") -> str:
        own, of_mean = (f"{scale * numbers[name + suffix]['mean']:.4g}{unit}" for suffix in ("", "_of_mean"))
        return f"{own} {text} (the training mean: {of_mean})"

    lines = [f"{numbers['remove']} removed from {numbers['images']} test images"]
    lines.append(beside_mean("squared_error", "mean squared error a removed pixel"))
    if "pixel_error" in numbers:
        lines.append(beside_mean("pixel_error", "of the removed pixels wrong", 100.0, " %"))
        lines.append(beside_mean("nats_per_pixel", "nats a removed pixel"))
    return lines
