"""Distances between sets of images, on features: Frechet's, a kernel's, those of optimal transport (float64).

On the features of a classifier of one's own, or on principal components, these are not the published FID and KID,
which are on the features of the Inception network; read them beside the same distance between two sets of real images.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from genjax import transport
from genjax.data.stored import Examples
from genjax.likelihood.estimate import NORMAL
from genjax.typing import Estimate

Features = Float[np.ndarray, "_ features"] | Float[Array, "_ features"]

BLOCK = 1000  # rows whose kernel or plan is in memory at once
TRANSPORTED = 5  # blocks between which plans are made: each takes a second
REGULARISATION = 0.5  # of the mean squared distance of real images; at 0.05 1000 rows are far too few (28, not 0.5)


def frechet_distance(x: Features, y: Features) -> float:
    """|m - n|^2 + tr(C + D - 2 (C D)^(1/2)) of the means and covariances (Heusel et al. 2017, equation 6).

    The trace of the root is that of (C^(1/2) D C^(1/2))^(1/2), whose eigenvalues are real and not negative.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    c, d = (np.atleast_2d(np.cov(z, rowvar=False)) for z in (x, y))
    values, vectors = np.linalg.eigh(c)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ d @ root), 0)).sum()
    return float(np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(c) + np.trace(d) - 2 * cross)


def kernel_distance(x: Features, y: Features) -> Estimate:
    """The squared maximum mean discrepancy with the kernel (x y / features + 1)^3 (Binkowski et al. 2018, section 4).

    Without bias: the mean of equal distributions is 0, and single values may be negative. Taken on blocks of 1000 rows
    (or, of fewer, of all) drawn at random, each row in one block at most: images may come class after class. The
    standard error is that over blocks, NaN of a single one, whose interval is then unknown.
    """
    return over_blocks(x, y, _discrepancy, "kernel distance")


def sinkhorn_divergence(x: Features, y: Features) -> Estimate:
    """The Sinkhorn divergence of squared distances (`transport.sinkhorn_divergence`; Genevay, Peyre and Cuturi 2018).

    Its regularisation is half the mean squared distance of two rows of `y`, the real ones. On blocks as the kernel
    distance, five at most. It falls with the size of a block: read it beside that of real images.
    Raises `UserError` where OTT-JAX is not installed.
    """
    scale = 2 * float(np.var(np.asarray(y, np.float64), axis=0, ddof=1).sum()) * REGULARISATION or 1.0

    def divergence(a: Features, b: Features) -> float:
        return transport.sinkhorn_divergence(a, b, scale)

    return over_blocks(x, y, divergence, "Sinkhorn divergence", most=TRANSPORTED)


def wasserstein_distance(x: Features, y: Features) -> Estimate:
    """The Wasserstein distance of order 1, whose dual a Wasserstein GAN's critic estimates (Arjovsky et al. 2017).

    Exactly, on blocks as the kernel distance, five at most. Two sets of real images are far from 0 too, and a block of
    another size gives another distance. Raises `UserError` where POT is not installed.
    """
    return over_blocks(x, y, transport.wasserstein, "exact transport", most=TRANSPORTED)


def over_blocks(
    x: Features, y: Features, distance: Callable[[Any, Any], float], estimator: str, most: int | None = None
) -> Estimate:
    """The mean of a distance over blocks of 1000 rows (or, of fewer, of all), drawn at random from a fixed seed."""
    rng = np.random.default_rng(0)
    x, y = (np.asarray(z, np.float64)[rng.permutation(len(z))] for z in (x, y))
    size = min(BLOCK, len(x), len(y))
    count = min(min(len(x), len(y)) // size, most or len(x))
    each = [distance(x[i : i + size], y[i : i + size]) for i in range(0, count * size, size)]
    mean, error = float(np.mean(each)), np.nan
    if count > 1:
        error = float(np.std(each, ddof=1) / np.sqrt(count))
    low, high = (mean - NORMAL * error, mean + NORMAL * error) if count > 1 else (-np.inf, np.inf)
    reason = f"the mean over {count} blocks of {size} rows" if count > 1 else f"one block of {size} rows has no error"
    return Estimate(mean, low, high, error, np.nan, "estimate", estimator, count > 1, reason)


def _discrepancy(x: Features, y: Features) -> float:
    def kernel(a: Features, b: Features) -> Float[np.ndarray, "rows columns"]:
        return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)

    def within(a: Features) -> float:
        k = kernel(a, a)
        return (k.sum() - np.trace(k)) / (len(a) * (len(a) - 1))

    return within(x) + within(y) - 2 * kernel(x, y).mean()


def subset(rows: Features | Examples, count: int) -> np.ndarray:
    """That many of them at most, drawn at random from a fixed seed: images may come class after class."""
    return np.asarray(rows[np.random.default_rng(0).permutation(len(rows))[:count]])
