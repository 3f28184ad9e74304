"""What a result is read beside: models without structure on the same images, and published figures."""

from typing import Any

import numpy as np

PUBLISHED = {
    ("mnist", "rbm"): "-86.34 (500 units, CD-25, Salakhutdinov and Murray 2008)",
    ("mnist", "dbm"): "-84.62 (a lower bound, Salakhutdinov and Hinton 2009)",
    ("mnist", "dbn"): "-84.55 (a lower bound, Murray and Salakhutdinov 2008)",
    ("mnist", "vae"): "-86.76 (Burda, Grosse and Salakhutdinov 2016)",
    ("mnist", "iwae"): "-84.78 (50 draws, Burda, Grosse and Salakhutdinov 2016)",
}
"""Log-likelihoods of test images, nats an image, under the sampled binarisation."""


def without_structure(train: np.ndarray, test: np.ndarray) -> dict[str, float] | None:
    """Mean log-likelihoods of binary test images, nats each: of fair coins, and of independent pixels, each black as
    often as in the training images (one image of either kind added). None where pixels are not 0 or 1."""
    if not (np.isin(train, (0, 1)).all() and np.isin(test, (0, 1)).all()):
        return None
    p = (train.sum(0, dtype=np.float64) + 1) / (len(train) + 2)
    independent = float((test @ np.log(p) + (1 - test) @ np.log1p(-p)).mean())
    return {"fair_coins": -test.shape[1] * float(np.log(2)), "independent_pixels": independent}


def in_short(numbers: dict[str, Any]) -> list[str]:
    """What an evaluation means, for who sees such numbers for the first time: which way is better, and beside what."""
    if "log_likelihood" in numbers:
        return _of_likelihood(numbers)
    if "rmse" in numbers:
        own, biases = numbers["rmse"]["test"]["mean"], numbers["rmse"]["biases"]["mean"]
        return [f"predicted ratings are off by {own:.3f} (lower is better; user and item averages alone: {biases:.3f})"]
    if "samples" in numbers:
        return _of_samples(numbers)
    test = numbers.get("test")
    if isinstance(test, dict) and "error" in test:
        return [f"{100 * test['error']['mean']:.1f} % of test images are classified wrongly (lower is better)"]
    if isinstance(test, dict) and "reconstruction_error" in test:
        error = test["reconstruction_error"]["mean"]
        return [f"a reconstructed test pixel is off by {error**0.5:.3f} (root mean square; pixels go from 0 to 1)"]
    return []


def _of_likelihood(numbers: dict[str, Any]) -> list[str]:
    answer, beside = numbers["log_likelihood"]["test"], numbers.get("without_structure")
    bound = {"lower_bound": "at least ", "upper_bound": "at most "}.get(answer["kind"], "")
    line = f"a test image has log-likelihood {bound}{answer['mean']:.2f} nats (higher is better"
    if beside is not None:
        line += f"; independent pixels: {beside['independent_pixels']:.2f}, fair coins: {beside['fair_coins']:.2f}"
    published = PUBLISHED.get((numbers["dataset"], numbers["model"])) if numbers["binarisation"] == "sampled" else None
    return [line + ")", *([] if published is None else [f"published: {published}"])]


def _of_samples(numbers: dict[str, Any]) -> list[str]:
    made, real = numbers["samples"], numbers["real"]
    own, other = (part["frechet_distance"] for part in (made, real))
    line = f"samples are {own:.1f} from real images (Frechet distance, lower is better; other real images: {other:.1f})"
    if "classes" not in made:
        return [line]
    return [line, f"they show {made['classes']} of {made['occurring']} classes"]
