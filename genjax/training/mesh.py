"""Which devices share a program's work, and how arrays lie on them inside it.

    with on(mesh_of("all")):
        states = run(key, machine, states)  # a jitted function that says `states = sharded(states)` where it matters

A program that is called so computes on all devices of the mesh what it computes on one: noise is indexed by the global
chain or example, and XLA splits the work, fills up counts that do not divide, and adds the sums that this takes. Where
no mesh is set `sharded` and `whole` do nothing, so that one device runs the program that it always ran. Keys of the
generators `counter` and `threefry` draw the same on any mesh; the device's own (`rbg`) promises nothing.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from genjax.errors import UserError

Devices = int | Literal["all"] | None
"""How many of this machine's devices to use; None is for the one who asks to say."""

DATA, RUNS = "data", "runs"  # axes: of examples and chains, and of the runs of a grid

Tree = TypeVar("Tree")


def counted(devices: Devices, usual: int | Literal["all"] = 1) -> int:
    """How many devices these are; None is as many as are `usual`. Raises `UserError` for more than there are."""
    there = jax.local_device_count()
    if devices is None and usual == "all" and getattr(jax.config, "jax_default_device", None) is not None:
        return 1  # the person has chosen one
    devices = usual if devices is None else devices
    if devices == "all":
        return there
    if not isinstance(devices, int | np.integer) or isinstance(devices, bool):
        raise UserError(f"`devices` {devices!r} is no number of devices; give one from 1 to {there}, or all.")
    if not 1 <= devices <= there:
        has = "is 1 device" if there == 1 else f"are {there} devices"
        raise UserError(f"`devices` {devices}: there {has} here; give a number from 1 to {there}, or all.")
    return int(devices)


def mesh_of_all(devices: Devices) -> Mesh | None:
    """A mesh of so many devices of every process (all of them where none are named), or of this one where it is alone.

    None where it is one device.
    """
    if jax.process_count() == 1:
        return mesh_of(devices)
    each: dict[int, list[Any]] = {}
    for device in jax.devices():
        each.setdefault(device.process_index, []).append(device)
    chosen = [device for some in each.values() for device in some[: counted(devices, "all")]]
    return Mesh(np.array(chosen).reshape(1, -1), (RUNS, DATA), axis_types=(AxisType.Auto, AxisType.Auto))


def mesh_of(devices: Devices, usual: int | Literal["all"] = 1, runs: int = 1) -> Mesh | None:
    """A mesh of so many of this machine's devices, `runs` of a grid split first; None where it is one device.

    Runs are split over as many devices as can have the same number of the others, which split examples and chains.
    """
    count = counted(devices, usual)
    if count == 1:
        return None
    side_by_side = max(parts for parts in range(1, count + 1) if count % parts == 0 and parts <= runs)
    chosen = np.array(jax.local_devices()[:count]).reshape(side_by_side, -1)
    return Mesh(chosen, (RUNS, DATA), axis_types=(AxisType.Auto, AxisType.Auto))


@contextlib.contextmanager
def on(mesh: Mesh | None) -> Iterator[None]:
    """While open, programs run on this mesh; as they are without one."""
    with contextlib.nullcontext() if mesh is None else jax.set_mesh(mesh):
        yield


def sharded(tree: Tree, axis: int = 0) -> Tree:
    """The same arrays, inside a program, this axis of each (examples, chains) split over the mesh's axis `data`."""
    return _sharded(tree, DATA, axis)


def sharded_runs(tree: Tree) -> Tree:
    """The same arrays, their leading axis (the runs of a grid) split over the mesh's axis `runs`."""
    return _sharded(tree, RUNS, 0)


def several() -> bool:
    """Whether the program that is being traced is split over the examples or chains of a batch."""
    return parts() > 1


def parts() -> int:
    """Over how many devices the program that is being traced splits examples and chains."""
    return max(1, _size(DATA))


def _size(name: str) -> int:
    """Devices along an axis; 0 without a mesh, and within `shard_map`, where each device has its own part already."""
    mesh = jax.sharding.get_abstract_mesh()
    is_ours = dict(zip(mesh.axis_names, mesh.axis_types)).get(name) == AxisType.Auto
    return mesh.shape[name] if is_ours else 0


def _sharded(tree: Tree, name: str, axis: int) -> Tree:
    if not _size(name):
        return tree

    def one(x: jax.Array) -> jax.Array:
        free = [P.UNCONSTRAINED] * x.ndim
        return jax.lax.with_sharding_constraint(x, P(*free[:axis], name, *free[axis + 1 :]))

    return jax.tree.map(one, tree)


def whole(tree: Tree) -> Tree:
    """The same arrays, inside a program, whole on every device: what a program hands on to others."""
    return jax.tree.map(lambda x: jax.lax.with_sharding_constraint(x, P()), tree) if _size(DATA) else tree


def placed(tree: Tree, mesh: Mesh | None) -> Tree:
    """The same arrays on all devices of a mesh, whole on each; without one as they are.

    Where the mesh has devices of several processes each gives its own the arrays, which are the same in all.
    """
    if mesh is None:
        return tree
    sharding = NamedSharding(mesh, P())

    def one(x: Any) -> Any:
        if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(one(jax.random.key_data(x)), impl=jax.random.key_impl(x))
        return jax.make_array_from_process_local_data(sharding, np.asarray(x), np.shape(x))

    return jax.device_put(tree, sharding) if sharding.is_fully_addressable else jax.tree.map(one, tree)


def own(tree: Tree) -> Tree:
    """The same arrays, of those that are whole on devices of several processes the one of this process's first device.

    What any program of this process alone can take.
    """
    return jax.tree.map(lambda x: x if x.is_fully_addressable else x.addressable_data(0), tree)


def home(tree: Tree) -> Tree:
    """The same arrays on one device, of those that are on several: what a program on any other mesh can take."""

    def one(x: Any) -> Any:
        several = isinstance(x, jax.Array) and len(x.sharding.device_set) > 1
        return jnp.asarray(np.asarray(x)) if several else x

    return jax.tree.map(one, tree)
