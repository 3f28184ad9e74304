"""log p*(image) of a deep machine by AIS on the machine that remains when the image is clamped: how tight the bound is.

Each image's own partition function is estimated as in Salakhutdinov and Hinton (2009, section 4.1.2), from a base that
stands where mean field does, so that a few hundred temperatures do.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key

from genjax.boltzmann.machine import Machine, States, condition, own_terms
from genjax.boltzmann.mean_field import bound, mean_field
from genjax.likelihood import ais
from genjax.typing import Progress


class Tightness(NamedTuple):
    """Of some images, `(images,)` nats each, float64: the mean-field bound, the estimate, its standard error."""

    bounds: np.ndarray
    estimates: np.ndarray
    standard_errors: np.ndarray

    def summary(self) -> dict[str, Any]:
        """Mean gap in nats with its standard error over images, and the estimator's own error of that mean."""
        gaps = self.estimates - self.bounds
        return {
            "images": len(gaps),
            "mean_gap": float(gaps.mean()),
            "image_se": float(gaps.std(ddof=1) / np.sqrt(len(gaps))) if len(gaps) > 1 else None,
            "estimator_se": float(np.sqrt(np.sum(self.standard_errors**2)) / len(gaps)),
            "largest_gap": float(gaps.max()),
        }


@jax.jit
def _prepared(machine: Machine, visible: Array) -> tuple[Machine, Machine, Array, Array]:
    """For one image: the machine that remains, the base at its mean field, what the image adds, and the bound."""
    data: States = (visible, *[None] * (machine.depth - 1))
    fields = mean_field(machine, data).fields
    rest = condition(machine, 0, visible)
    base = dataclasses.replace(rest.uncoupled(), biases=tuple(fields[1:]))
    return rest, base, own_terms(machine, data, [0]), bound(machine, data, fields)


def tightness(
    key: Key[Array, ""],
    machine: Machine,
    visible: Array,
    temperatures: int = 500,
    chains: int = 100,
    progress: Progress | None = None,
) -> Tightness:
    """Bound and estimate of log p* for each of the images, `(images, visible)`, one after another."""
    bounds, estimates, errors = [], [], []
    for number, image in enumerate(visible):
        rest, base, own, lower = _prepared(machine, image)
        log_z = ais.log_z(jax.random.fold_in(key, number), rest, base, temperatures, chains)
        bounds.append(float(lower))
        estimates.append(float(own) + log_z.mean)
        errors.append(log_z.standard_error)
        if progress is not None:
            progress((number + 1) / len(visible))
    return Tightness(*(np.array(x, np.float64) for x in (bounds, estimates, errors)))
