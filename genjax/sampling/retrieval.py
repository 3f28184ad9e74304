"""Retrieval: what a Hopfield net makes of a state at temperature 0, as kernels, and as runs until nothing changes.

    Asynchronous   each spin in turn takes the sign of the field on it, in a new order each sweep (Hopfield 1982)
    Synchronous    all spins at once (Little 1974); it may end in a cycle of two states
    Saturating     real-valued states, x <- min(max(- dE/dx, -1), 1): a linear system in a saturated mode (Li, Michel
                   and Porod 1989); with the exponential energy attention to the patterns (Ramsauer et al. 2021)

At a field of 0 a spin keeps its value. `lyapunov` is the energy that never rises: of asynchronous sweeps with symmetric
weights E; of saturating ones E + x x / 2, where weights have no eigenvalue below -1.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Integer, Key

from genjax.boltzmann.hopfield import Spins
from genjax.boltzmann.machine import Clamp, States
from genjax.errors import UserError
from genjax.training.mesh import sharded

STILL = 1e-5
"""A state none of whose values changes by more has come to rest."""
TIE = 1e-6
"""A field no larger is none: sums of a few patterns that cancel are so large, by rounding."""


@runtime_checkable
class Dynamics(Protocol):
    """One sweep of a net without noise, and the energy that it lowers; a frozen, hashable value."""

    def sweep(self, key: Key[Array, ""], net: Spins, x: Float[Array, "states spins"], kept: Any = None) -> Any:
        """The states after it; those of `kept`, booleans, stay."""
        ...

    def start(self, x: Float[Array, "states spins"]) -> Float[Array, "states spins"]:
        """The states from which it begins where it is given any real numbers."""
        ...

    def lyapunov(self, net: Spins, x: Float[Array, "*batch spins"]) -> Float[Array, "*batch"]:
        """The energy along the way."""
        ...


class Retrieval:
    """What all dynamics share: they are kernels (`genjax.typing.Kernel`) of temperature 0."""

    def init(self, key: Key[Array, ""], machine: Any, states: States) -> States:
        """The states themselves."""
        return states

    def step(
        self: Any,
        key: Key[Array, ""],
        machine: Any,
        state: States,
        sweeps: int = 1,
        beta: Any = 1.0,
        base: Any = None,
        clamp: Clamp | None = None,
        first: int | Integer[Array, ""] = 0,
    ) -> tuple[States, tuple[()]]:
        """The states after so many sweeps. Raises `UserError` for `beta` and `base`: there is no temperature."""
        if base is not None or not (isinstance(beta, float) and beta == 1.0):
            raise UserError(f"The kernel `{self.kind}` has no temperature, so no `beta` or `base`; use gibbs.")
        if not isinstance(machine, Spins):
            raise UserError(f"The kernel `{self.kind}` moves Hopfield nets; use gibbs for a {type(machine).__name__}.")
        kept = None if clamp is None else clamp[0]

        def one(x: Array, index: Array) -> tuple[Array, None]:
            return sharded(self.sweep(jax.random.fold_in(key, index), machine, x, kept)), None

        return (jax.lax.scan(one, state[0], first + jnp.arange(sweeps))[0], *state[1:]), ()

    def states(self, state: States) -> States:
        """The states."""
        return state

    def start(self, x: Float[Array, "states spins"]) -> Float[Array, "states spins"]:
        """Spins: the signs, 1 at 0."""
        return jnp.where(x < 0, -1.0, 1.0).astype(x.dtype)

    def lyapunov(self, net: Spins, x: Float[Array, "*batch spins"]) -> Float[Array, "*batch"]:
        """E."""
        return net.energy((x,))


@dataclass(frozen=True)
class Asynchronous(Retrieval):
    """One spin after the other, in a new order in each sweep."""

    kind: ClassVar[str] = "asynchronous"

    def sweep(
        self, key: Key[Array, ""], net: Spins, x: Float[Array, "*states spins"], kept: Any = None
    ) -> Float[Array, "*states spins"]:
        """All spins once; one order for all states."""
        fixed = jnp.zeros(x.shape, bool) if kept is None else jnp.broadcast_to(kept, x.shape)

        def new(spin: Any, field: Array, old: Array) -> Array:
            return jnp.where(fixed[..., spin], old, _sign(field, old))

        return net.in_turn(x, jax.random.permutation(key, x.shape[-1]), new)


@dataclass(frozen=True)
class Synchronous(Retrieval):
    """All spins at once."""

    kind: ClassVar[str] = "synchronous"

    def sweep(
        self, key: Key[Array, ""], net: Spins, x: Float[Array, "*states spins"], kept: Any = None
    ) -> Float[Array, "*states spins"]:
        """The signs of - dE/dx."""
        new = _sign(net.drive(x), x)
        return new if kept is None else jnp.where(kept, x, new)


@dataclass(frozen=True)
class Saturating(Retrieval):
    """All values at once, real and cut off at -1 and 1."""

    kind: ClassVar[str] = "saturating"

    def sweep(
        self, key: Key[Array, ""], net: Spins, x: Float[Array, "*states spins"], kept: Any = None
    ) -> Float[Array, "*states spins"]:
        """- dE/dx, cut off."""
        new = jnp.clip(net.drive(x), -1.0, 1.0)
        return new if kept is None else jnp.where(kept, x, new)

    def start(self, x: Float[Array, "states spins"]) -> Float[Array, "states spins"]:
        """As it is, also beyond -1 and 1."""
        return x

    def lyapunov(self, net: Spins, x: Float[Array, "*batch spins"]) -> Float[Array, "*batch"]:
        """E + x x / 2."""
        return net.energy((x,)) + 0.5 * jnp.sum(x * x, axis=-1)


DYNAMICS = (Asynchronous, Synchronous, Saturating)


class Retrieved(NamedTuple):
    """Where states have come to.

    - `states`: `(states, spins)`. `sweeps`: `(states,)`, the number of the last sweep that changed it.
    - `settled`: `(states,)`, whether it is at rest; else it is in a cycle of two, or was not given enough sweeps.
    """

    states: Float[Array, "states spins"]
    sweeps: Int[Array, " states"]
    settled: Bool[Array, " states"]


@partial(jax.jit, static_argnames="dynamics")
def retrieve(
    key: Key[Array, ""],
    net: Spins,
    x: Float[Array, "states spins"],
    dynamics: Any = Asynchronous(),
    sweeps: int | Int[Array, ""] = 100,
    kept: Bool[Array, "*states spins"] | None = None,
) -> Retrieved:
    """From each state until none changes any more, or returns to what it was two sweeps ago; at most `sweeps`.

    `x` are spins, or any real numbers, of which spin dynamics take the signs; values of `kept` stay as they are given.
    """
    begin = dynamics.start(x)

    def going(carry: tuple[Any, ...]) -> Array:
        number, _, _, _, busy = carry
        return (number < sweeps) & jnp.any(busy)

    def one(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        number, here, before, last, _ = carry
        new = dynamics.sweep(jax.random.fold_in(key, number), net, here, kept)
        moved = jnp.any(jnp.abs(new - here) > STILL, axis=-1)
        busy = moved & jnp.any(jnp.abs(new - before) > STILL, axis=-1)
        return number + 1, new, here, jnp.where(moved, number + 1, last), busy

    count = x.shape[0]
    first = (0, begin, jnp.full_like(begin, jnp.inf), jnp.zeros(count, jnp.int32), jnp.ones(count, bool))
    _, here, _, last, _ = jax.lax.while_loop(going, one, first)
    after = dynamics.sweep(jax.random.fold_in(key, sweeps), net, here, kept)
    return Retrieved(here, last, ~jnp.any(jnp.abs(after - here) > STILL, axis=-1))


class Way(NamedTuple):
    """States `(sweeps + 1, states, spins)` from the first on, and the energy of each, `(sweeps + 1, states)` nats."""

    states: Float[Array, "times states spins"]
    energies: Float[Array, "times states"]


@partial(jax.jit, static_argnames=("dynamics", "sweeps"))
def way(
    key: Key[Array, ""],
    net: Spins,
    x: Float[Array, "states spins"],
    dynamics: Any = Asynchronous(),
    sweeps: int = 20,
    kept: Bool[Array, "*states spins"] | None = None,
) -> Way:
    """The same way, sweep by sweep, with `dynamics.lyapunov` along it."""

    def one(here: Array, number: Array) -> tuple[Array, Array]:
        new = dynamics.sweep(jax.random.fold_in(key, number), net, here, kept)
        return new, new

    begin = dynamics.start(x)
    states = jnp.concatenate([begin[None], jax.lax.scan(one, begin, jnp.arange(sweeps))[1]])
    return Way(states, dynamics.lyapunov(net, states))


def _sign(field: Float[Array, "*shape"], old: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The field's sign, the old value where it is 0 but for rounding."""
    return jnp.where(jnp.abs(field) < TIE, old, jnp.where(field < 0, -1.0, 1.0)).astype(old.dtype)
