"""The colours of one image on another: a plan between samples of their pixels, extended to all pixels.

    transfer = fit_colours(source, target, regularisation=0.01)
    image = recoloured(transfer, source)

Plans are of a sample of pixels, as one between megapixels would not fit; its barycentric map moves those colours, and
an extension (`EXTENSIONS`) all others, in blocks. Images are `(height, width, 3)`: bytes, or floats in [0, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from genjax.data import pictures
from genjax.errors import UserError
from genjax.transport.distances import wasserstein
from genjax.transport.plans import Plan, barycentric, exact, regularised, squared_distances

Colours = Float[np.ndarray, "_ 3"]
Move = Callable[[np.ndarray], np.ndarray]

SHIPPED = ("china", "flower")  # by scikit-learn
BLOCK = 1 << 14  # pixels that are moved at once: with a kernel on 1000 samples 130 MB


@runtime_checkable
class Extension(Protocol):
    """How colours are moved that are not in the sample."""

    kind: ClassVar[str]

    def fitted(self, colours: Colours, moved: Colours) -> Move:
        """A function of colours `(_, 3)`, from those of the sample and where they go."""
        ...


@dataclass(frozen=True)
class Nearest:
    """A colour is shifted as the nearest one of the sample is (Ferradans et al. 2014)."""

    kind: ClassVar[str] = "nearest"

    def fitted(self, colours: Colours, moved: Colours) -> Move:
        """By a tree of the sample."""
        from scipy.spatial import KDTree

        tree, shift = KDTree(colours), moved - colours
        return lambda x: x + shift[tree.query(x)[1]]


@dataclass(frozen=True)
class KernelRidge:
    """Shifts by ridge regression with a Gaussian kernel, which is smooth: far from the sample a colour stays."""

    width: float = 0.2
    """Standard deviation of the kernel, where 1 is from black to full of one colour."""
    ridge: float = 0.1
    """The penalty, which smooths the more the larger it is."""

    kind: ClassVar[str] = "kernel"

    def fitted(self, colours: Colours, moved: Colours) -> Move:
        """By scikit-learn."""
        from sklearn.kernel_ridge import KernelRidge as Regression

        options: dict[str, Any] = {"alpha": self.ridge, "gamma": 0.5 / self.width**2}
        model = Regression(kernel="rbf", **options).fit(colours, moved - colours)
        return lambda x: x + model.predict(x)


@dataclass(frozen=True)
class Linear:
    """Least squares: one affine map for all colours."""

    kind: ClassVar[str] = "linear"

    def fitted(self, colours: Colours, moved: Colours) -> Move:
        """By scikit-learn."""
        from sklearn.linear_model import LinearRegression

        return LinearRegression().fit(colours, moved).predict


EXTENSIONS = (Nearest, KernelRidge, Linear)


class ColourTransfer(NamedTuple):
    """A sample's colours, where the plan moves them, the plan, and what moves any colours."""

    colours: Colours
    moved: Colours
    plan: Plan
    move: Move


def fit_colours(
    source: Any,
    target: Any,
    regularisation: float | None = None,
    *,
    samples: int = 1000,
    extension: Extension | None = None,
    seed: int = 0,
) -> ColourTransfer:
    """What gives `source` the colours of `target`: an exact plan, or a regularised one.

    `samples` pixels of each are drawn, from `seed`; costs are squared distances of colours in [0, 1]. Without an
    `extension` it is `Nearest()`. Raises `UserError` for what is no colour image, and where a solver is not installed.
    """
    if samples < 2:
        raise UserError(f"`samples` {samples} is too few; give at least 2 pixels.")
    x, y = (sampled(image, samples, seed, name) for image, name in ((source, "`source`"), (target, "`target`")))
    cost = squared_distances(x, y)
    plan = exact(cost) if regularisation is None else regularised(cost, regularisation, tolerance=1e-4)
    moved = barycentric(plan, y)
    return ColourTransfer(x, moved, plan, (extension or Nearest()).fitted(x, moved))


def recoloured(transfer: ColourTransfer, image: Any) -> UInt8[np.ndarray, "height width 3"]:
    """The image with all its colours moved, in bytes; a block of pixels at a time."""
    pixels = _checked(image, "`image`")
    flat = pixels.reshape(-1, 3)
    made = np.empty(flat.shape, np.uint8)
    for start in range(0, len(flat), BLOCK):
        rows = slice(start, start + BLOCK)
        made[rows] = np.rint(255 * np.clip(transfer.move(_scaled(flat[rows])), 0, 1)).astype(np.uint8)
    return made.reshape(pixels.shape)


def closeness(image: Any, target: Any, samples: int = 1000, seed: int = 1) -> float:
    """The Wasserstein distance of order 2 between colours of two images, of so many pixels of each drawn anew: 0 to
    sqrt(3), and of samples of one image not quite 0."""
    return wasserstein(sampled(image, samples, seed), sampled(target, samples, seed + 1, "`target`"), order=2)


def measured(transfer: ColourTransfer, source: Any, target: Any, made: Any) -> dict[str, Any]:
    """What a transfer is told by, as plain numbers: its plan's, and the distance of the colours from the target's."""
    plan = transfer.plan
    numbers = {"samples": len(transfer.colours), "cost": plan.cost, "entropy": plan.entropy, "error": plan.error}
    numbers |= {"converged": plan.converged, "iterations": plan.iterations}
    return numbers | {"distance": closeness(source, target), "distance_after": closeness(made, target)}


def picture(name: str, argument: str = "`source`") -> UInt8[np.ndarray, "height width 3"]:
    """The picture in a file, or one of those that scikit-learn ships: china, flower. Raises `UserError` where there is
    none."""
    from sklearn.datasets import load_sample_image

    if Path(name).is_file():
        return pictures.picture(Path(name), argument)
    if name in SHIPPED:
        return load_sample_image(f"{name}.jpg")
    raise UserError(f"{argument} {name}: there is no such file; name a picture, or one of {', '.join(SHIPPED)}.")


def sampled(image: Any, samples: int, seed: int = 0, name: str = "`image`") -> Colours:
    """Colours in [0, 1] of that many pixels at most, drawn without replacement."""
    flat = _checked(image, name).reshape(-1, 3)
    chosen = np.random.default_rng(seed).choice(len(flat), min(samples, len(flat)), replace=False)
    return _scaled(flat[chosen])


def _scaled(pixels: np.ndarray) -> Colours:
    return pixels / 255.0 if pixels.dtype == np.uint8 else np.asarray(pixels, np.float64)


def _checked(image: Any, name: str) -> np.ndarray:
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise UserError(f"{name} has shape {pixels.shape}; give a colour image (height, width, 3).")
    if pixels.dtype != np.uint8:
        bad = not np.issubdtype(pixels.dtype, np.floating) or not (pixels.min() >= 0 and pixels.max() <= 1)
        if bad:
            raise UserError(f"{name} holds {pixels.dtype} values; give bytes (uint8), or floats from 0 to 1.")
    return pixels
