"""What a judge says of samples in one table, each number beside that of real images."""

from typing import Any

import numpy as np
from jaxtyping import Float

from genjax.evaluation.classifier import Judge
from genjax.evaluation.coverage import Logits, Rows, coverage, memorisation
from genjax.evaluation.density import support
from genjax.evaluation.distances import frechet_distance, kernel_distance

SUPPORTED = 5000  # images at most whose neighbours are looked for


def classifier_score(logits: Logits, x: Rows) -> float:
    """exp of the mean KL(p(class | image) || p(class)), from 1 to the number of classes (Salimans et al. 2016).

    Their Inception score with a judge of the data themselves. Its two halves are images that are sure of their class
    and classes that all occur.
    """
    probabilities = softmax(np.asarray(logits(x), np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = probabilities * (np.log(probabilities) - np.log(probabilities.mean(0)))
    return float(np.exp(np.nansum(terms, -1).mean()))


def softmax(logits: Float[np.ndarray, "images classes"]) -> Float[np.ndarray, "images classes"]:
    """Probabilities of the classes."""
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    return odds / odds.sum(-1, keepdims=True)


def some(rows: Rows, count: int) -> np.ndarray:
    """That many of them at most, drawn at random from a fixed seed: images may come class after class."""
    return np.asarray(rows)[np.random.default_rng(0).permutation(len(rows))[:count]]


def judged(eye: Judge, samples: Rows, train: Rows, test: Rows) -> dict[str, Any]:
    """All that is said of samples; under "real" the same of real images.

    Distances are to the test images, of samples and of as many training images, on which the judge has learned: those
    are a little further away than fresh images would be. The classifier score of real images and the share of `copies`
    among them are those of the test images. Samples and images are binarised alike, or not at all.
    """
    real = some(np.asarray(train), len(samples))
    truth = np.asarray(eye.features(test))
    copies = memorisation(samples, train, test)
    answers = {name: _one(eye, x, test, truth) for name, x in (("samples", samples), ("real", real))}
    answers["samples"]["copies"], answers["real"]["copies"] = copies.rate, copies.held_out_rate
    answers["real"]["classifier_score"] = classifier_score(eye.logits, test)
    return answers


def _one(eye: Judge, x: Rows, test: Rows, truth: Float[np.ndarray, "images features"]) -> dict[str, Any]:
    features = np.asarray(eye.features(x))
    classes, kernel = coverage(eye.logits, x, test), kernel_distance(features, truth)
    return {
        "images": len(x),
        "classifier_score": classifier_score(eye.logits, x),
        "class_entropy": classes.samples.entropy,
        "class_entropy_ratio": classes.ratio,
        "classes": len(classes.occurring) - len(classes.missing),
        "classes_missing": classes.missing,
        "shares": [round(float(share), 4) for share in classes.samples.shares],
        "frechet_distance": frechet_distance(features, truth),
        "kernel_distance": kernel.mean,
        "kernel_distance_error": None if np.isnan(kernel.standard_error) else kernel.standard_error,
        **support(some(truth, SUPPORTED), some(features, SUPPORTED))._asdict(),
    }
