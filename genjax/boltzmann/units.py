"""Unit types: what one layer's units are, as a few functions of the field that acts on them.

A unit x with field t (bias plus what its neighbours send) has the unnormalised density exp(t x - energy(x)).
`quadratic` is the layer's coefficient g of x^2 / 2 where the type has one, otherwise None. A type is a static,
hashable value: all that is traced comes as an argument. To add one, write these functions and test them against
enumeration or quadrature; nothing else in the package looks inside.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from genjax import random

Field = Float[Array, "*batch units"]
Quadratic = Float[Array, " units"] | None


@runtime_checkable
class Unit(Protocol):
    """What a layer's type answers. Arrays hold `width` numbers a variable (K for one of K states, otherwise 1)."""

    @property
    def states(self) -> int | None:
        """How many values one variable takes; None where it cannot be enumerated."""
        ...

    @property
    def width(self) -> int:
        """Array entries a variable."""
        ...

    def encode(self, index: Int[Array, "*batch variables"]) -> Float[Array, "*batch units"]:
        """The values with these indices, each from 0 to `states` - 1."""
        ...

    def energy(self, x: Field, quadratic: Quadratic) -> Float[Array, "*batch"]:
        """The layer's own energy without the term of the field."""
        ...

    def cumulant(self, field: Field, quadratic: Quadratic) -> Float[Array, "*batch variables"]:
        """Log of the sum (integral) of exp(field x - energy(x)), for each variable."""
        ...

    def mean(self, field: Field, quadratic: Quadratic) -> Field:
        """Expected value."""
        ...

    def variance(self, field: Field, quadratic: Quadratic) -> Field:
        """Variance."""
        ...

    def mode(self, field: Field, quadratic: Quadratic) -> Field:
        """Most probable value."""
        ...

    def sample(self, key: Key[Array, ""], field: Field, quadratic: Quadratic) -> Field:
        """An independent draw for every unit."""
        ...

    def field_of_mean(self, mean: Float[Array, " units"]) -> Float[Array, " units"]:
        """The field under which a lone unit has this mean (kept off the borders of what is possible)."""
        ...


@dataclass(frozen=True)
class Bernoulli:
    """Binary units, 0 or 1."""

    states: int = 2
    width: int = 1

    def encode(self, index: Int[Array, "*batch variables"]) -> Float[Array, "*batch units"]:
        """0 and 1 as float32."""
        return index.astype(jnp.float32)

    def energy(self, x: Field, quadratic: Quadratic) -> Float[Array, "*batch"]:
        """Zero: a binary unit has no term besides its field."""
        return jnp.zeros(x.shape[:-1], x.dtype)

    def cumulant(self, field: Field, quadratic: Quadratic) -> Float[Array, "*batch variables"]:
        """log(1 + e^t), without overflow."""
        return jax.nn.softplus(field)

    def mean(self, field: Field, quadratic: Quadratic) -> Field:
        """The logistic function of the field."""
        return jax.nn.sigmoid(field)

    def variance(self, field: Field, quadratic: Quadratic) -> Field:
        """p (1 - p)."""
        p = jax.nn.sigmoid(field)
        return p * (1 - p)

    def mode(self, field: Field, quadratic: Quadratic) -> Field:
        """1 where the field is positive."""
        return (field > 0).astype(field.dtype)

    def sample(self, key: Key[Array, ""], field: Field, quadratic: Quadratic) -> Field:
        """1 with the probability that the field gives."""
        return random.bernoulli(key, field)

    def field_of_mean(self, mean: Float[Array, " units"]) -> Float[Array, " units"]:
        """The log odds, of a mean kept within [0.001, 0.999]."""
        p = jnp.clip(mean, 1e-3, 1 - 1e-3)
        return jnp.log(p) - jnp.log1p(-p)


BERNOULLI = Bernoulli()
