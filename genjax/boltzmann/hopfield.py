"""Hopfield nets: one layer of spins, -1 or 1, each coupled to all others, as machines of the interface `Energy`.

    Hopfield       E(x) = - x W x / 2 - b x                         (Hopfield 1982)
    DenseHopfield  E(x) = - strength G(X x) - b x, X the patterns   (Krotov and Hopfield 2016)

with G(a) = N sum (a / N)^n / n of overlaps a, or G(a) = log(sum exp(s a)) / s (Demircigil et al. 2017; Ramsauer et al.
2021). At n = 2 the second is the first with Hebbian weights. What changes a spin asks for the field on it given the
others, half of E(-1) - E(1), and for sums that are kept up to date as spins change, so that a sweep costs no more than
the energy of each state. At temperature 1 a net is a Boltzmann machine whose one even layer is all of it.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from genjax import numerics, random
from genjax.boltzmann.machine import Clamp, States
from genjax.boltzmann.path import Beta, interpolate
from genjax.boltzmann.units import Spin
from genjax.errors import UserError

SPIN = Spin()
Own = TypeVar("Own", bound="Spins")


@dataclass(frozen=True)
class Spins:
    """What all nets of one layer of spins share; each has its own `energy`, `sums`, `field`, `changed` and `drive`."""

    biases: PyTree

    def energy(self, states: States) -> Float[Array, "*batch"]:
        """E in nats."""
        raise NotImplementedError

    def sums(self, x: Float[Array, "*batch spins"]) -> Float[Array, "*batch sums"]:
        """What is kept of a state while its spins change."""
        raise NotImplementedError

    def field(
        self, sums: Float[Array, "*batch sums"], x: Float[Array, "*batch spins"], spin: Int[Array, ""] | int
    ) -> Float[Array, "*batch"]:
        """The field on a spin given the others: half of E(-1) - E(1)."""
        raise NotImplementedError

    def changed(
        self, sums: Float[Array, "*batch sums"], spin: Int[Array, ""] | int, by: Float[Array, "*batch"]
    ) -> Float[Array, "*batch sums"]:
        """The sums after a spin has changed."""
        raise NotImplementedError

    def drive(self, x: Float[Array, "*batch spins"]) -> Float[Array, "*batch spins"]:
        """- dE/dx, of spins or of any real numbers."""
        raise NotImplementedError

    def in_turn(
        self,
        x: Float[Array, "*batch spins"],
        order: Int[Array, " spins"],
        new: Callable[[Any, Array, Array], Array],
    ) -> Float[Array, "*batch spins"]:
        """Each spin once in this order: `new(spin, field, old)` is its value, given all others as they are then."""

        def one(number: int | Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
            x, sums = carry
            spin = order[number]
            old = x[..., spin]
            value = new(spin, self.field(sums, x, spin), old)
            return x.at[..., spin].set(value), self.changed(sums, spin, value - old)

        return jax.lax.fori_loop(0, x.shape[-1], one, (x, self.sums(x)))[0]

    # The interface `Energy` at temperature 1: layer 0 holds all spins, and there is no other

    def update(
        self: Own,
        key: Key[Array, ""],
        states: States,
        parity: int,
        beta: Beta = 1.0,
        base: Own | None = None,
        clamp: Clamp | None = None,
    ) -> States:
        """Each spin in turn drawn given all others (parity 0); there is no odd layer."""
        if parity == 1:
            return states
        here, x = _at(self, beta, base), states[0]
        words = random.bits(jax.random.fold_in(key, 0), x.shape)
        kept = jnp.zeros(x.shape, bool) if clamp is None or clamp[0] is None else jnp.broadcast_to(clamp[0], x.shape)

        def new(spin: Any, field: Array, old: Array) -> Array:
            drawn = jnp.where(random.below_sigmoid(words[..., spin], 2 * field), 1.0, -1.0).astype(x.dtype)
            return jnp.where(kept[..., spin], old, drawn)

        return (here.in_turn(x, jnp.arange(x.shape[-1]), new), *states[1:])

    def marginal(self, states: States, parity: int) -> Float[Array, "*batch"]:
        """- E: nothing is summed out, as there is no odd layer. Raises `UserError` for the even one."""
        if parity != 1:
            raise UserError("The spins of a Hopfield net are coupled; they cannot be summed out.")
        return -self.energy(states)

    def expected(self, states: States, parity: int = 1) -> States:
        """The states: there is no odd layer. The even one is coupled in itself, and its means have no closed form."""
        if parity != 1:
            raise UserError("The spins of a Hopfield net are coupled; draw them with `update`.")
        return states

    def uncoupled(self: Own, x: Float[Array, "examples spins"] | None = None) -> Own:
        """The net without couplings; with examples their means as biases."""
        raise NotImplementedError

    def log_z(self) -> Float[Array, ""]:
        """Exact log Z in nats of a net without couplings, as `uncoupled` makes it."""
        return jnp.sum(SPIN.cumulant(self.biases, None))

    def draw(self, key: Key[Array, ""], chains: int) -> States:
        """Independent states `(chains, spins)` of a net without couplings, as `uncoupled` makes it."""
        fields = jnp.broadcast_to(self.biases, (chains, *self.biases.shape))
        return (SPIN.sample(jax.random.fold_in(key, 0), fields, None),)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Hopfield(Spins):
    """Pairwise couplings.

    - `biases`: `(spins,)`. `weights`: `(spins, spins)`, or None where nothing is coupled; symmetric where there is to
      be an energy.
    - `self_coupling`: whether the diagonal of the weights acts on real-valued and synchronous dynamics; the energy of
      spins differs by a constant.
    """

    weights: PyTree = None
    self_coupling: bool = field(default=False, metadata={"static": True})

    def couplings(self) -> Float[Array, "spins spins"]:
        """The weights as they act."""
        return self.weights if self.self_coupling else self.weights - jnp.diag(jnp.diagonal(self.weights))

    def energy(self, states: States) -> Float[Array, "*batch"]:
        """- x W x / 2 - b x, `(*batch,)`."""
        x = states[0]
        own = numerics.exact(x, self.biases)
        return (
            -own if self.weights is None else -own - 0.5 * jnp.sum(numerics.exact(x, self.couplings().T) * x, axis=-1)
        )

    def sums(self, x: Float[Array, "*batch spins"]) -> Float[Array, "*batch spins"]:
        """W x + b."""
        return self.drive(x)

    def field(
        self, sums: Float[Array, "*batch spins"], x: Float[Array, "*batch spins"], spin: Int[Array, ""] | int
    ) -> Float[Array, "*batch"]:
        """Its sum without its own part."""
        if self.weights is None or not self.self_coupling:
            return sums[..., spin]
        return sums[..., spin] - self.weights[spin, spin] * x[..., spin]

    def changed(
        self, sums: Float[Array, "*batch spins"], spin: Int[Array, ""] | int, by: Float[Array, "*batch"]
    ) -> Float[Array, "*batch spins"]:
        """The spin's column of the weights, times the change, added."""
        if self.weights is None:
            return sums
        column = self.weights[:, spin]
        if not self.self_coupling:
            column = column.at[spin].set(0.0)
        return sums + by[..., None] * column

    def drive(self, x: Float[Array, "*batch spins"]) -> Float[Array, "*batch spins"]:
        """W x + b."""
        if self.weights is None:
            return jnp.broadcast_to(self.biases, x.shape)
        return numerics.exact(x, self.couplings().T) + self.biases

    def uncoupled(self, x: Float[Array, "examples spins"] | None = None) -> "Hopfield":
        """No couplings; with examples their means as biases."""
        biases = self.biases if x is None else SPIN.field_of_mean(jnp.mean(x, axis=0), None)
        return dataclasses.replace(self, weights=None, biases=biases)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DenseHopfield(Spins):
    """Couplings of all orders through the patterns.

    - `biases`: `(spins,)`. `patterns`: `(patterns, spins)`, -1 or 1; a row of zeros is no pattern.
    - `strength`: `()`, a factor of the energy. `sharpness`: `()`, s of the exponential energy; None of the polynomial.
    - `degree`: n of the polynomial; 0 of the exponential.
    """

    patterns: PyTree = None
    strength: PyTree = None
    sharpness: PyTree = None
    degree: int = field(default=2, metadata={"static": True})

    def energy(self, states: States) -> Float[Array, "*batch"]:
        """- strength G(X x) - b x, `(*batch,)`."""
        return -self.strength * self._of_overlaps(self.sums(states[0])) - numerics.exact(states[0], self.biases)

    def sums(self, x: Float[Array, "*batch spins"]) -> Float[Array, "*batch patterns"]:
        """Overlaps X x."""
        return numerics.exact(x, self.patterns.T)

    def field(
        self, sums: Float[Array, "*batch patterns"], x: Float[Array, "*batch spins"], spin: Int[Array, ""] | int
    ) -> Float[Array, "*batch"]:
        """Half the difference of G with the spin at 1 and at -1."""
        column = self.patterns[:, spin]
        others, size = sums - column * x[..., spin, None], x.shape[-1]
        if self.degree == 2:  # the same without cancellation
            gain = 2 * numerics.exact(others, column) / size
        else:
            gain = self._of_overlaps(others + column) - self._of_overlaps(others - column)
        return 0.5 * self.strength * gain + self.biases[spin]

    def changed(
        self, sums: Float[Array, "*batch patterns"], spin: Int[Array, ""] | int, by: Float[Array, "*batch"]
    ) -> Float[Array, "*batch patterns"]:
        """The spin's part of each overlap."""
        return sums + by[..., None] * self.patterns[:, spin]

    def drive(self, x: Float[Array, "*batch spins"]) -> Float[Array, "*batch spins"]:
        """strength X^T G'(X x) + b; of the exponential energy X^T softmax(s X x): attention to the patterns."""
        overlaps = self.sums(x)
        if self.degree:
            slope = (overlaps / x.shape[-1]) ** (self.degree - 1)
        else:
            slope = jax.nn.softmax(self.sharpness * overlaps, axis=-1)
        return self.strength * numerics.exact(slope, self.patterns) + self.biases

    def uncoupled(self, x: Float[Array, "examples spins"] | None = None) -> "DenseHopfield":
        """The same patterns at strength 0; with examples their means as biases."""
        biases = self.biases if x is None else SPIN.field_of_mean(jnp.mean(x, axis=0), None)
        return dataclasses.replace(self, strength=jnp.zeros_like(self.strength), biases=biases)

    def _of_overlaps(self, overlaps: Float[Array, "*batch patterns"]) -> Float[Array, "*batch"]:
        size = self.patterns.shape[-1]
        if self.degree:
            return size * jnp.sum((overlaps / size) ** self.degree, axis=-1) / self.degree
        return jax.nn.logsumexp(self.sharpness * overlaps, axis=-1) / self.sharpness


def scaled(net: Own, beta: Float[Array, ""] | float) -> Own:
    """The net whose energy is `beta` times that of this one: this one at temperature 1 / beta."""
    if isinstance(net, Hopfield):
        weights = None if net.weights is None else beta * net.weights
        return dataclasses.replace(net, weights=weights, biases=beta * net.biases)
    assert isinstance(net, DenseHopfield)
    return dataclasses.replace(net, strength=beta * net.strength, biases=beta * net.biases)


def all_states(spins: int) -> Float[Array, "states spins"]:
    """All 2^N states; row r has spin i at 1 where bit i of r is set."""
    return SPIN.encode((jnp.arange(2**spins)[:, None] >> jnp.arange(spins)) & 1)


def _at(net: Own, beta: Beta, base: Own | None) -> Own:
    """The net whose density an update keeps."""
    if isinstance(beta, float) and beta == 1.0:
        return net
    if jnp.ndim(beta):
        raise UserError("A Hopfield net takes one `beta` for all chains.")
    return scaled(net, beta) if base is None else interpolate(base, net, beta)
