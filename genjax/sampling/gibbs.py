"""Block Gibbs sampling, and runs of any kernel. The machine is an argument: new parameters compile nothing."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Integer, Key, PyTree

from genjax.boltzmann.machine import Clamp, Machine, States, for_sampling
from genjax.boltzmann.path import Beta
from genjax.boltzmann.units import Bernoulli
from genjax.errors import UserError
from genjax.numerics import Numbers, dtype_of_states
from genjax.random import Noise, subkey
from genjax.sampling.sharding import place
from genjax.training.mesh import parts, sharded
from genjax.typing import Energy, Kernel


def sweep(
    key: Any,
    machine: Energy,
    states: States,
    beta: Beta = 1.0,
    base: Energy | None = None,
    clamp: Clamp | None = None,
) -> States:
    """One Gibbs update of all layers: the odd ones given the even, then the even ones given the odd.

    It leaves the density with the fields beta * fields(machine) + (1 - beta) * fields(base) as it is; without a
    base, that of beta times the energy. `clamp` holds single units at their values, layer by layer. In place of the key
    stands, of a layered `Machine`, what its `noise` made of it.
    """
    states = machine.update(key, states, 1, beta, base, clamp)
    return machine.update(key, states, 0, beta, base, clamp)


def _swept(
    key: Key[Array, ""],
    machine: Any,
    states: States,
    sweeps: int,
    beta: Beta,
    base: Any,
    clamp: Clamp | None,
    first: int | Integer[Array, ""],
    mesh: Mesh | None = None,
) -> States:
    """So many sweeps; with a mesh, the chains are laid out on it again after each."""

    def one(states: States, source: Any) -> States:
        return place(machine, sharded(sweep(source, machine, states, beta, base, clamp)), mesh)[1]

    def noise(indices: Array) -> tuple[Noise, ...] | None:
        return machine.noise(jax.vmap(jax.random.fold_in, (None, 0))(key, indices), states)

    def block(number: Array, states: States) -> States:
        ahead = noise(first + number * length + jnp.arange(length))
        count = jnp.minimum(length, sweeps - number * length)
        return jax.lax.fori_loop(0, count, lambda i, now: one(now, jax.tree.map(lambda x: x[i], ahead)), states)

    length = _at_once(machine, states, sweeps) if mesh is None else 1
    if length > 1 and noise(jnp.arange(1)) is not None:
        return jax.lax.fori_loop(0, -(-sweeps // length), block, states)
    indices = first + jnp.arange(sweeps)
    return jax.lax.scan(lambda now, i: (one(now, jax.random.fold_in(key, i)), None), states, indices)[0]


def _at_once(machine: Energy, states: States, sweeps: int) -> int:
    """How many sweeps' noise is derived together: 64, or fewer where that would take over 32 MB a device; else 1."""
    if not isinstance(machine, Machine):
        return 1
    a_sweep = sum(math.prod(layer.shape[:-1]) // parts() + layer.shape[-1] for layer in states)
    return min(sweeps, 64, 2**22 // a_sweep)


@dataclass(frozen=True)
class Gibbs:
    """Block Gibbs sampling: all odd layers given the even ones, then the even ones given the odd.

    With "fast" `numbers` the machine's weights are rounded for it, and that machine is sampled (`genjax.numerics`).
    """

    numbers: Numbers = "exact"

    kind: ClassVar[str] = "gibbs"

    def init(self, key: Key[Array, ""], machine: Energy, states: States) -> States:
        """The chains themselves are all that it carries."""
        return states

    def step(
        self,
        key: Key[Array, ""],
        machine: Energy,
        state: States,
        sweeps: int = 1,
        beta: Beta = 1.0,
        base: Energy | None = None,
        clamp: Clamp | None = None,
        first: int | Integer[Array, ""] = 0,
    ) -> tuple[States, tuple[()]]:
        """The chains after so many sweeps (`sweep`); there is nothing to count."""
        return _swept(key, for_sampling(machine, self.numbers), state, sweeps, beta, base, clamp, first), ()

    def states(self, state: States) -> States:
        """The chains, `(chains, units)` a layer."""
        return state


GIBBS = Gibbs()


class Samples(NamedTuple):
    """What a run of a kernel leaves.

    - `states`: the last ones, `(chains, units)` a layer.
    - `observed`: what `observe(states)` returned, stacked; None without it.
    - `info`: the sum of the kernel's infos, `()` of a kernel that counts nothing.
    """

    states: States
    observed: Any
    info: PyTree


def sample(
    key: Key[Array, ""],
    machine: Energy,
    states: States,
    sweeps: int,
    every: int = 1,
    observe: Callable[[States], PyTree] | None = None,
    beta: Beta = 1.0,
    base: Energy | None = None,
    clamp: Clamp | None = None,
    mesh: Mesh | None = None,
    kernel: Kernel = GIBBS,
) -> Samples:
    """`sweeps` sweeps of a kernel on the device; what `observe(states)` returns after every `every`-th is stacked.

    Observations have a leading axis of `sweeps // every`. Sweep i draws from `fold_in(key, i)`. With a `mesh`, which
    Gibbs sampling alone serves, chains are split over its axis `data` and the units of odd layers over its axis
    `model`, if it has one; each chain draws what it would have drawn on one device.
    """
    if mesh is not None and not isinstance(kernel, Gibbs):
        raise UserError(f"`mesh` is served by Gibbs sampling alone; leave it out, or `kernel` {kernel}.")
    machine, states = place(machine, states, mesh)
    state = kernel.init(subkey(key, "init"), machine, states)

    def go(state: Any, first: int | Array, count: int) -> tuple[Any, PyTree]:
        if mesh is not None and isinstance(kernel, Gibbs):
            return _swept(key, for_sampling(machine, kernel.numbers), state, count, beta, base, clamp, first, mesh), ()
        return kernel.step(key, machine, state, count, beta, base, clamp, first)

    if observe is None:  # one step: the bookkeeping of blocks is what a small machine's sweep costs
        state, info = go(state, 0, sweeps)
        return Samples(kernel.states(state), None, info)

    def block(state: Any, first: Array) -> tuple[Any, tuple]:
        state, info = go(state, first, every)
        return state, (observe(kernel.states(state)), info)

    state, (observed, infos) = jax.lax.scan(block, state, every * jnp.arange(sweeps // every))
    info = total(infos)
    if sweeps % every:
        state, rest = go(state, sweeps - sweeps % every, sweeps % every)
        info = jax.tree.map(jnp.add, info, rest)
    return Samples(kernel.states(state), observed, info)


def total(infos: PyTree) -> PyTree:
    """The sum of stacked infos, in their own types."""
    return jax.tree.map(lambda x: jnp.sum(x, axis=0, dtype=x.dtype), infos)


def initial_states(key: Key[Array, ""], machine: Energy, chains: int, compact: bool = False) -> States:
    """Independent starting points: every unit drawn from its bias alone, a tuple of `(chains, units)` of float32.

    If `compact`, in what is best to carry long runs of chains in on this process's device: binary units in a byte each
    on an accelerator (`numerics.dtype_of_states`). Draws are the same.
    """
    states = machine.uncoupled().draw(key, chains)
    if not compact or not isinstance(machine, Machine):
        return states
    dtype = dtype_of_states(all(isinstance(unit, Bernoulli) for unit in machine.units))
    return jax.tree.map(lambda x: x.astype(dtype), states)
