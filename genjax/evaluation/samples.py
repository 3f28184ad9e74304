"""The quality of samples: one table for every model that can draw them, each number beside that of real images.

    table = quality(classifier, samples, train, test)          # or None for images without labels
    measured = measure(classifier, samples, train, test, means)     # the same, and what pictures of it need

With a classifier of the data, distances are taken on its features; without one on principal components of the pixels.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Float, Int

from genjax.evaluation.classes import accuracy
from genjax.evaluation.coverage import (
    ClassShares,
    Coverage,
    Memorisation,
    Rows,
    classifier_score,
    coverage,
    memorisation,
)
from genjax.evaluation.density import NEIGHBOURS, support
from genjax.evaluation.distances import (
    frechet_distance,
    kernel_distance,
    sinkhorn_divergence,
    subset,
    wasserstein_distance,
)
from genjax.transport import solvers

SUPPORTED = 5000  # images at most between which nearest neighbours are searched
COMPONENTS = 64  # principal ones that stand in for a classifier's features
FEWEST_HELD_OUT = 2  # test images from which a rate of copies is known: one half sets the threshold, the other is real

Features = Callable[[Rows], Float[np.ndarray, "images features"] | Float[Array, "images features"]]


@runtime_checkable
class ImageClassifier(Protocol):
    """What a classifier of the data has to answer; `evaluation.classifier.train_classifier` gives one."""

    def logits(self, x: Rows) -> Float[Array, "images classes"] | Float[np.ndarray, "images classes"]:
        """Unnormalised log-probabilities of the classes."""
        ...

    def features(self, x: Rows) -> Float[np.ndarray, "images features"] | Float[Array, "images features"]:
        """On which distances are taken."""
        ...


class Measured(NamedTuple):
    """The table, and what pictures show: classes of samples and of expected values, and copies.

    `classes` and `means` are None without a classifier (`means` also without expected values), `copies` with too few
    test images.
    """

    table: dict[str, Any]
    classes: Coverage | None
    means: Coverage | None
    copies: Memorisation | None


def quality(
    classifier: ImageClassifier | None,
    samples: Rows,
    train: Rows,
    test: Rows,
    means: Rows | None = None,
    intensities: Rows | None = None,
    labels: Int[np.ndarray, " test"] | None = None,
    names: Sequence[str] = (),
) -> dict[str, Any]:
    """All that is measured of samples `(images, pixels)`, as numbers and Estimates.

    - `samples`, and `real`, the same of as many training images: `images`; with a classifier `classifier_score`,
      `class_entropy` (nats), `class_entropy_ratio` to the test images', `classes` that are covered, `missing` ones with
      their shares, `shares` of all and `confident` (see `coverage`); `frechet_distance`, `kernel_distance` and
      `sinkhorn_divergence` to the test images, and the `wasserstein_distance` of the pixels (both None without the
      solvers, the extra `ot`); `precision`, `recall`, `density`, `coverage` (see `density`, None for very few images);
      the share of `copies` of training images (None for very few test images).
    - `means`, where expected values are given: their classes, beside those of the test images' `intensities`. Noise of
      binary pixels can be spread over the classes although the expected values are all of one.
    - `features`: what distances are taken on. `accuracy` of the classifier on the test images where their `labels` are
      given, as the samples are and, with `means`, of intensities.

    Samples, `train` and `test` are binarised alike, or not at all. The classifier has learned from the training images,
    which are a little further away than fresh images would be; so the classifier score, `confident` and `copies` of
    `real` are those of the test images. `names` are what the classes are called, if not by their numbers.
    """
    return measure(classifier, samples, train, test, means, intensities, labels, names).table


def measure(
    classifier: ImageClassifier | None,
    samples: Rows,
    train: Rows,
    test: Rows,
    means: Rows | None = None,
    intensities: Rows | None = None,
    labels: Int[np.ndarray, " test"] | None = None,
    names: Sequence[str] = (),
) -> Measured:
    """`quality`, and what pictures of it need."""
    grey = test if intensities is None else intensities
    features = principal_components(train) if classifier is None else classifier.features
    truth = np.asarray(features(test))
    sets = {"samples": np.asarray(samples), "real": subset(train, len(samples))}
    table: dict[str, Any] = {name: _distances(features, x, truth) for name, x in sets.items()}
    for name, x in sets.items():
        table[name] |= _transport(features, x, test, truth)
    table["features"] = "principal components" if classifier is None else "classifier"
    classes = of_means = None
    if classifier is not None:
        classes, real = (coverage(classifier.logits, x, test) for x in sets.values())
        table["samples"] |= class_table(classes, names)
        table["real"] |= class_table(real, names) | {"confident": classes.data.confident}
        table["samples"]["classifier_score"] = classifier_score(classifier.logits, samples)
        table["real"]["classifier_score"] = classifier_score(classifier.logits, test)
        if means is not None:
            of_means = coverage(classifier.logits, means, grey)
            table["means"] = class_table(of_means, names) | {"real": shares_table(of_means.data)}
        if labels is not None:
            of = {"samples": test} | ({} if means is None else {"means": grey})
            table["accuracy"] = {name: accuracy(classifier.logits, x, labels) for name, x in of.items()}
    copies = memorisation(samples, train, test) if len(test) >= FEWEST_HELD_OUT else None
    table["samples"]["copies"] = None if copies is None else copies.rate
    table["real"]["copies"] = None if copies is None else copies.held_out_rate
    return Measured(table, classes, of_means, copies)


def class_table(classes: Coverage, names: Sequence[str] = ()) -> dict[str, Any]:
    """The classes of images as plain numbers; one counts where it has at least a fifth of its share in the data."""
    shares = classes.samples.shares
    return shares_table(classes.samples) | {
        "class_entropy_ratio": classes.ratio,
        "classes": len(classes.occurring) - len(classes.missing),
        "occurring": len(classes.occurring),
        "missing": {class_name(names, number): float(shares[number]) for number in classes.missing},
    }


def shares_table(classes: ClassShares) -> dict[str, Any]:
    """Shares, their entropy in nats, and of how many images the classifier is confident."""
    return {
        "class_entropy": classes.entropy,
        "shares": classes.shares.tolist(),
        "confident": classes.confident,
    }


def class_name(names: Sequence[str], number: int) -> str:
    """What the data call a class, or else its number."""
    return str(names[number]) if number < len(names) else str(number)


def _distances(features: Features, x: Rows, truth: Float[np.ndarray, "images features"]) -> dict[str, Any]:
    own = np.asarray(features(x))
    found: dict[str, Any] = {
        "images": len(x),
        "frechet_distance": frechet_distance(own, truth) if min(len(own), len(truth)) > 1 else None,
        "kernel_distance": kernel_distance(own, truth) if min(len(own), len(truth)) > 1 else None,
    }
    if min(len(own), len(truth)) > NEIGHBOURS:
        return found | support(subset(truth, SUPPORTED), subset(own, SUPPORTED))._asdict()
    return found | dict.fromkeys(("precision", "recall", "density", "coverage"))


def _transport(features: Features, x: Rows, test: Rows, truth: Float[np.ndarray, "images features"]) -> dict[str, Any]:
    """Distances by optimal transport: one on the features, and one on the pixels, as a critic sees them."""
    enough = min(len(x), len(test)) > 1
    known = enough and solvers.has_sinkhorn(), enough and solvers.has_simplex()
    return {
        "sinkhorn_divergence": sinkhorn_divergence(np.asarray(features(x)), truth) if known[0] else None,
        "wasserstein_distance": wasserstein_distance(np.asarray(x), np.asarray(test)) if known[1] else None,
    }


def principal_components(train: Rows, count: int = COMPONENTS) -> Features:
    """Features of images without labels: the first principal components of at most 5,000 training images.

    They are divided by one number, so that their variances among these images are 1 on average.
    """
    x = np.asarray(subset(train, SUPPORTED), np.float64)
    centre = x.mean(0)
    _, values, directions = np.linalg.svd(x - centre, full_matrices=False)
    kept = directions[: min(count, max(1, np.count_nonzero(values > 1e-9 * max(values[0], 1e-9))))]
    scale = float(np.sqrt(np.mean(((x - centre) @ kept.T) ** 2))) or 1.0

    def features(x: Rows) -> Float[np.ndarray, "images features"]:
        return (np.asarray(x, np.float64) - centre) @ kept.T / scale

    return features


def per_sample(measured: Measured) -> dict[str, list]:
    """Of each sample its class, the row of the nearest training image, the distance to it, and whether it is a copy."""
    found: dict[str, list] = {}
    if measured.classes is not None:
        found["class"] = measured.classes.samples.classes.tolist()
    if measured.copies is not None:
        copies = measured.copies
        found |= {"nearest_row": copies.row.tolist(), "nearest_distance": copies.distance.tolist()}
        found["copied"] = copies.copied.tolist()
    return found


def labels_like(labels: Int[np.ndarray, " train"], count: int) -> Int[np.ndarray, " count"]:
    """Labels for samples, as often as training images have them, from a fixed seed; zeros where there are none."""
    return np.maximum(np.random.default_rng(0).choice(labels, count), 0)
