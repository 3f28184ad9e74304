"""Where a machine and its chains lie on a mesh of devices: chains over `data`, the units of odd layers over `model`.

Every weight matrix has one odd side, so it is split along that side; no unit or weight is held twice within `model`.
"""

import dataclasses
from typing import TypeVar

import jax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from genjax.boltzmann.machine import Machine, States
from genjax.errors import UserError
from genjax.typing import Energy

AnyMachine = TypeVar("AnyMachine", bound=Energy)


def place(machine: AnyMachine, state: States, mesh: Mesh | None) -> tuple[AnyMachine, States]:
    """The same values, laid out on the mesh (inside or outside jit); without a mesh as they are.

    Raises `UserError` where chains or units do not divide evenly: a padded chain would be a wasted one; and for a
    machine that is not a layered one.
    """
    if mesh is None:
        return machine, state
    if not isinstance(machine, Machine):
        raise UserError(f"`mesh` takes a layered Machine; got {type(machine).__name__}.")
    model = "model" if "model" in mesh.shape else None
    divide(state[0].shape[0], mesh.shape["data"], "chains", "data")

    def on(x: jax.Array, *axes: str | None) -> jax.Array:
        return jax.lax.with_sharding_constraint(x, NamedSharding(mesh, P(*axes)))

    def units(layer: int) -> str | None:
        if model is None or layer % 2 == 0:
            return None
        divide(machine.sizes[layer], mesh.shape[model], f"units of layer {layer}", model)
        return model

    weights = tuple(None if w is None else on(w, units(i), units(i + 1)) for i, w in enumerate(machine.weights))
    biases = tuple(on(b, units(i)) for i, b in enumerate(machine.biases))
    states = tuple(on(x, "data", units(i)) for i, x in enumerate(state))
    return dataclasses.replace(machine, weights=weights, biases=biases), states


def divide(count: int, parts: int, what: str, axis: str) -> None:
    """Raise `UserError` unless `count` can be split into equal parts."""
    if count % parts:
        raise UserError(f"{count} {what} do not split evenly over the {parts} devices of axis {axis!r}; change one.")
