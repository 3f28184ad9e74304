"""Defaults that follow the data: one rule a family, with its reason, in this place. What is given is never changed,
also where it is given at its default.

**RBM.** Let s be the variance of training pixels along the direction in which they vary most (digits 0.7, MNIST 5,
Caltech Silhouettes 18), and r the training images for each pixel that is on in 1 to 99 % of them (26, 120 and 5).

- s above 10: images lie in far modes. The fields that hold a persistent chain in one of them grow with s, so that at
  the usual rate of 0.2 the machine runs away from its chains, and no chain comes back. The negative phase is then
  tempering over the run's own past, and the rate 0.03, which it can follow.
- of such data r below 10, too: there are too few images for as many weights as each hidden unit has pixels, and weight
  decay is 1e-3 in place of 1e-5.

The settings of a grid are as given. Elsewhere all is as it was chosen on the digits and MNIST. Settings were found by
hand on validation images of Silhouettes; thresholds lie about halfway between the sets, on a scale of factors.
"""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from genjax.algorithms.negative import PCD
from genjax.algorithms.trajectory import Trajectory
from genjax.data import Dataset
from genjax.training.options import given_names

FAR, FEW = 10.0, 10.0
LOOKED_AT = 2000  # training images
FAR_RATE, FEW_DECAY = 0.03, 1e-3


def spread(x: Float[np.ndarray, "examples values"]) -> float:
    """The variance along the direction in which examples vary most, by 30 rounds of the power method."""
    x = np.asarray(x, np.float64)
    x = x - x.mean(0)
    direction = np.ones(x.shape[1]) + 0.01 * np.arange(x.shape[1]) / x.shape[1]
    for _ in range(30):
        moved = x.T @ (x @ direction)
        length = np.linalg.norm(moved)
        if not length > 0:
            return 0.0
        direction = moved / length
    return float(np.mean((x @ direction) ** 2))


def images_a_pixel(x: Float[np.ndarray, "examples values"], count: int) -> float:
    """So many training images for each pixel that is on in 1 to 99 % of them, by some of them."""
    share = np.asarray(x).mean(0)
    return count / max(1, int(np.sum((share > 0.01) & (share < 0.99))))


def of_rbm(config: Any, dataset: Dataset) -> tuple[Any, str | None]:
    """The config with what the rule above changes of its defaults, and a sentence that says so; None for nothing."""
    given = given_names(config)
    phase = {"negative", *(f.name for f in dataclasses.fields(PCD))}
    if not config.follow_data or given & {*phase, "learning_rate"} or config.visible_type.states != 2:
        return config, None
    x = dataset.mixed().train[:LOOKED_AT]
    wide, each = spread(x), images_a_pixel(x, len(dataset.train))
    if len(x) < 2 or wide <= FAR:
        return config, None
    changed: dict[str, Any] = {"negative": Trajectory(), "learning_rate": FAR_RATE}
    why = f"images lie in far modes (variance {wide:.0f} along their widest direction, above {FAR:g})"
    said = f"`negative` trajectory, `learning_rate` {FAR_RATE:g}"
    if each < FEW and "weight_decay" not in given:
        changed["weight_decay"] = FEW_DECAY
        why += f" and are few ({each:.1f} for each pixel in use, under {FEW:g})"
        said += f", `weight_decay` {FEW_DECAY:g}"
    sentence = f"defaults that follow the data: {said}, as {why}; `follow_data` False keeps the usual ones"
    return dataclasses.replace(config, **changed), sentence
