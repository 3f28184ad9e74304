"""A machine as plain arrays by name, and back."""

import jax.numpy as jnp
import numpy as np

from genjax.boltzmann.machine import Machine
from genjax.boltzmann.units import Label, Unit
from genjax.errors import UserError


def to_arrays(machine: Machine) -> dict[str, np.ndarray]:
    """weights_0 `(visible, hidden)`, bias_0 `(visible,)`, bias_1 `(hidden,)`, and so on upwards.

    precision_i `(units,)` where layer i has a term of half its precision times x^2.
    """
    weights = {f"weights_{i}": np.asarray(w) for i, w in enumerate(machine.weights)}
    biases = {f"bias_{i}": np.asarray(b) for i, b in enumerate(machine.biases)}
    precisions = {f"precision_{i}": np.asarray(g) for i, g in enumerate(machine.quadratics) if g is not None}
    return weights | biases | precisions


def from_arrays(arrays: dict[str, np.ndarray], units: tuple[Unit, ...]) -> Machine:
    """The float32 machine of these arrays, one unit type a layer (labels on top: `units.Label`).

    Raises `UserError` where they do not fit.
    """

    def all_of(kind: str, count: int) -> tuple:
        missing = [f"{kind}_{i}" for i in range(count) if f"{kind}_{i}" not in arrays]
        if missing:
            raise UserError(f"The arrays of a machine of {len(units)} layers lack {', '.join(missing)}.")
        return tuple(jnp.asarray(arrays[f"{kind}_{i}"], jnp.float32) for i in range(count))

    precisions = (arrays.get(f"precision_{i}") for i in range(len(units)))
    quadratics = tuple(None if g is None else jnp.asarray(g, jnp.float32) for g in precisions)
    quadratics = quadratics if any(unit.curved for unit in units) else ()
    return Machine(all_of("weights", len(units) - 1), all_of("bias", len(units)), units, quadratics).check()


def layered(arrays: dict[str, np.ndarray], visible: Unit, hidden: Unit, classes: int = 0) -> Machine:
    """`from_arrays` where all hidden layers are of one type, and below labels where there are classes."""
    depth = sum(name.startswith("bias_") for name in arrays)
    labels = (Label(classes),) if classes else ()
    return from_arrays(arrays, (visible, *(hidden,) * (depth - 1 - len(labels)), *labels))
