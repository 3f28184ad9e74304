"""Unit types: what one layer's units are, as a few functions of the field that acts on them.

A unit x with field t (bias plus what its neighbours send) has the unnormalised density exp(t x - energy(x)).
`quadratic` is the layer's coefficient g > 0 of x^2 / 2 where the type has one, otherwise None. A type is a static,
hashable value: all that is traced comes as an argument. To add one, write these functions and test them against
enumeration or quadrature; nothing else in the package reads more of it. `kind` is its name in options and config files.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from genjax import numerics, random
from genjax.boltzmann import truncated

Field = Float[Array, "*batch units"]
Quadratic = Float[Array, " units"] | None
Precision = Any  # a Quadratic that is there, as it is for types that are curved


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

    @property
    def curved(self) -> bool:
        """Whether the type has a term g x^2 / 2."""
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

    def field_of_mean(self, mean: Float[Array, " units"], quadratic: Quadratic) -> Float[Array, " units"]:
        """The field under which a lone unit has this mean (kept off the borders of what is possible)."""
        ...

    def of_intensities(self, x: Float[Array, "*batch pixels"]) -> Float[Array, "*batch units"]:
        """Pixels in [0, 1] (0 or 1 for types of two values) as values of this type."""
        ...

    def intensities(self, x: Field) -> Float[Array, "*batch pixels"]:
        """The way back, also for expected values."""
        ...


class _Plain:
    """What most types share: one number a variable, no quadratic term, pixels as they are."""

    states: int | None = None
    width = 1
    curved = False

    def encode(self, index: Int[Array, "*batch variables"]) -> Float[Array, "*batch units"]:
        """Only a type with finitely many values can be enumerated."""
        raise NotImplementedError(f"{self} has no enumeration")

    def energy(self, x: Field, quadratic: Quadratic) -> Float[Array, "*batch"]:
        """g x^2 / 2 summed over the units, or zero for a type without that term."""
        if quadratic is None:
            return jnp.zeros(x.shape[:-1], x.dtype)
        return 0.5 * jnp.sum(quadratic * x**2, axis=-1)

    def of_intensities(self, x: Float[Array, "*batch pixels"]) -> Float[Array, "*batch units"]:
        """As they are."""
        return x

    def intensities(self, x: Field) -> Float[Array, "*batch pixels"]:
        """As they are."""
        return x


@dataclass(frozen=True)
class Bernoulli(_Plain):
    """Binary units, 0 or 1."""

    kind: ClassVar[str] = "bernoulli"

    states = 2

    def encode(self, index: Int[Array, "*batch variables"]) -> Float[Array, "*batch units"]:
        """0 and 1 as float32."""
        return index.astype(jnp.float32)

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

    def sample(self, key: random.Source, field: Field, quadratic: Quadratic) -> Field:
        """1 with the probability that the field gives."""
        return random.bernoulli(key, field)

    def field_of_mean(self, mean: Float[Array, " units"], quadratic: Quadratic) -> Float[Array, " units"]:
        """The log odds, of a mean kept within [0.001, 0.999]."""
        p = jnp.clip(mean, 1e-3, 1 - 1e-3)
        return jnp.log(p) - jnp.log1p(-p)


@dataclass(frozen=True)
class Spin(_Plain):
    """Binary units, -1 or 1."""

    kind: ClassVar[str] = "spin"

    states = 2

    def encode(self, index: Int[Array, "*batch variables"]) -> Float[Array, "*batch units"]:
        """-1 and 1 as float32."""
        return 2.0 * index.astype(jnp.float32) - 1

    def cumulant(self, field: Field, quadratic: Quadratic) -> Float[Array, "*batch variables"]:
        """log(2 cosh t), without overflow."""
        return jnp.logaddexp(field, -field)

    def mean(self, field: Field, quadratic: Quadratic) -> Field:
        """tanh t."""
        return jnp.tanh(field)

    def variance(self, field: Field, quadratic: Quadratic) -> Field:
        """1 - tanh^2 t."""
        p = jax.nn.sigmoid(2 * field)
        return 4 * p * (1 - p)

    def mode(self, field: Field, quadratic: Quadratic) -> Field:
        """The field's sign, 1 at zero."""
        return jnp.where(field < 0, -1.0, 1.0).astype(field.dtype)

    def sample(self, key: random.Source, field: Field, quadratic: Quadratic) -> Field:
        """1 with probability 1 / (1 + exp(-2 t)), otherwise -1."""
        return 2 * random.bernoulli(key, 2 * field) - 1

    def field_of_mean(self, mean: Float[Array, " units"], quadratic: Quadratic) -> Float[Array, " units"]:
        """The inverse hyperbolic tangent, of a mean kept within [-0.998, 0.998]."""
        return jnp.arctanh(jnp.clip(mean, -0.998, 0.998))

    def of_intensities(self, x: Float[Array, "*batch pixels"]) -> Float[Array, "*batch units"]:
        """0 and 1 become -1 and 1."""
        return 2 * x - 1

    def intensities(self, x: Field) -> Float[Array, "*batch pixels"]:
        """-1 and 1 become 0 and 1."""
        return 0.5 * (x + 1)


@dataclass(frozen=True)
class Gaussian(_Plain):
    """Real units, normally distributed: energy g x^2 / 2, so mean t / g and variance 1 / g."""

    kind: ClassVar[str] = "gaussian"

    curved = True

    def cumulant(self, field: Field, quadratic: Precision) -> Float[Array, "*batch variables"]:
        """t^2 / (2 g) + log(2 pi / g) / 2."""
        return 0.5 * (field**2 / quadratic + jnp.log(2 * jnp.pi / quadratic))

    def mean(self, field: Field, quadratic: Precision) -> Field:
        """t / g."""
        return field / quadratic

    def variance(self, field: Field, quadratic: Precision) -> Field:
        """1 / g."""
        return jnp.broadcast_to(1 / quadratic, field.shape)

    def mode(self, field: Field, quadratic: Precision) -> Field:
        """The mean."""
        return field / quadratic

    def sample(self, key: random.Source, field: Field, quadratic: Precision) -> Field:
        """Normal."""
        return field / quadratic + random.normal(key, field.shape) / jnp.sqrt(quadratic)

    def field_of_mean(self, mean: Float[Array, " units"], quadratic: Precision) -> Float[Array, " units"]:
        """g times the mean."""
        return mean * quadratic


@dataclass(frozen=True)
class Rectified(_Plain):
    """Real units x >= 0: a Gaussian cut off at zero, with energy g x^2 / 2.

    (The noisy rectified units of Nair and Hinton 2010 belong to no energy, so they have no likelihood.)
    """

    kind: ClassVar[str] = "rectified"

    curved = True

    def cumulant(self, field: Field, quadratic: Precision) -> Float[Array, "*batch variables"]:
        """Log of the integral over x >= 0."""
        root = jnp.sqrt(quadratic)
        return truncated.log_integral(field / root) - jnp.log(root)

    def mean(self, field: Field, quadratic: Precision) -> Field:
        """Of the truncated Gaussian: positive, above t / g."""
        root = jnp.sqrt(quadratic)
        return truncated.mean(field / root) / root

    def variance(self, field: Field, quadratic: Precision) -> Field:
        """Of the truncated Gaussian, below 1 / g."""
        return truncated.variance(field / jnp.sqrt(quadratic)) / quadratic

    def mode(self, field: Field, quadratic: Precision) -> Field:
        """t / g where the field is positive, otherwise 0."""
        return jnp.maximum(field, 0) / quadratic

    def sample(self, key: random.Source, field: Field, quadratic: Precision) -> Field:
        """By the inverse of the distribution function."""
        root = jnp.sqrt(quadratic)
        u = random.inner_uniform(random.bits(key, field.shape))
        return (truncated.quantile(field / root, u) / root).astype(field.dtype)

    def field_of_mean(self, mean: Float[Array, " units"], quadratic: Precision) -> Float[Array, " units"]:
        """Solved for by Newton's method, of a mean of at least a hundredth of 1 / sqrt(g)."""
        root = jnp.sqrt(quadratic)
        goal = jnp.maximum(mean * root, 1e-2)

        def newton(_: int | Array, a: Array) -> Array:
            """The mean is above a, convex and rising: steps from a = mean come down to the root and never pass it."""
            return a + (goal - truncated.mean(a)) / truncated.variance(a)

        return jax.lax.fori_loop(0, 30, newton, goal) * root


@dataclass(frozen=True)
class Categorical(_Plain):
    """Variables of K states, each as K entries of which one is 1; as pixels, K grey levels."""

    levels: int = 8
    """Number of states K."""

    kind: ClassVar[str] = "categorical"

    @property
    def states(self) -> int:  # type: ignore[override]
        """K."""
        return self.levels

    @property
    def width(self) -> int:  # type: ignore[override]
        """K."""
        return self.levels

    def _split(self, x: Array) -> Array:
        """`(*batch, variables, K)`."""
        return x.reshape(*x.shape[:-1], -1, self.levels)

    def encode(self, index: Int[Array, "*batch variables"]) -> Float[Array, "*batch units"]:
        """One-hot, variable by variable."""
        hot = jax.nn.one_hot(index, self.levels, dtype=jnp.float32)
        return hot.reshape(*index.shape[:-1], -1)

    def cumulant(self, field: Field, quadratic: Quadratic) -> Float[Array, "*batch variables"]:
        """Log of the sum of exp(t) over a variable's entries."""
        return jax.nn.logsumexp(self._split(field), axis=-1)

    def mean(self, field: Field, quadratic: Quadratic) -> Field:
        """Softmax over a variable's entries."""
        return jax.nn.softmax(self._split(field), axis=-1).reshape(field.shape)

    def variance(self, field: Field, quadratic: Quadratic) -> Field:
        """p (1 - p) of each entry."""
        p = self.mean(field, quadratic)
        return p * (1 - p)

    def mode(self, field: Field, quadratic: Quadratic) -> Field:
        """The entry with the largest field."""
        return self.encode(jnp.argmax(self._split(field), axis=-1)).astype(field.dtype)

    def sample(self, key: random.Source, field: Field, quadratic: Quadratic) -> Field:
        """One entry a variable, by one random word each."""
        below = jnp.cumsum(jax.nn.softmax(self._split(field), axis=-1), axis=-1)
        u = random.uniform(random.bits(key, below.shape[:-1]))
        index = jnp.sum(below[..., :-1] <= (u * below[..., -1])[..., None], axis=-1)
        return self.encode(index).astype(field.dtype)

    def field_of_mean(self, mean: Float[Array, " units"], quadratic: Quadratic) -> Float[Array, " units"]:
        """Log-probabilities, of means kept above 0.001 K^-1; those of a variable sum to zero."""
        log_p = jnp.log(jnp.maximum(self._split(mean), 1e-3 / self.levels))
        return (log_p - log_p.mean(-1, keepdims=True)).reshape(mean.shape)

    def of_intensities(self, x: Float[Array, "*batch pixels"]) -> Float[Array, "*batch units"]:
        """The nearest of K levels from 0 to 1."""
        return self.encode(jnp.round(x * (self.levels - 1)).astype(jnp.int32))

    def intensities(self, x: Field) -> Float[Array, "*batch pixels"]:
        """The level, or the expected one."""
        levels = jnp.linspace(0.0, 1.0, self.levels, dtype=jnp.float32)
        return numerics.exact(self._split(x), levels)


@dataclass(frozen=True)
class Label(Categorical):
    """One categorical variable that the data give: the label of an example, on top of a machine."""

    kind: ClassVar[str] = "label"


BERNOULLI, SPIN, GAUSSIAN, RECTIFIED = Bernoulli(), Spin(), Gaussian(), Rectified()

BUILT_IN = (Bernoulli, Spin, Gaussian, Rectified, Categorical, Label)
"""Whose `sample` reads its key through `random.bits` alone, once, a word a variable."""

UnitName = Literal["bernoulli", "spin", "gaussian", "rectified", "categorical"]


def unit_type(name: UnitName, levels: int = 2) -> Unit:
    """The type of this name; `levels` is the number of states of a categorical one."""
    types = {"bernoulli": BERNOULLI, "spin": SPIN, "gaussian": GAUSSIAN, "rectified": RECTIFIED}
    return Categorical(levels) if name == "categorical" else types[name]
