"""`Machine`: layers of units, each coupled to the next. Two layers are an RBM, more a deep Boltzmann machine.

    E(x) = - sum_l b_l x_l - sum_l x_l W_l x_{l+1} + sum_l energy_l(x_l)

Layers of one parity (0, 2, ... or 1, 3, ...) are independent given the other parity, so either can be drawn at once
or summed out in closed form. A state is a tuple of arrays, one a layer, each `(*batch, units)`.

The methods from `energy` on are the interface `Energy` (`genjax.typing`), through which kernels, annealed importance
sampling and learning use it; the functions below them are about layers.
"""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Optional

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, Num, PyTree

from genjax import numerics, random
from genjax.boltzmann.path import Beta, mix
from genjax.boltzmann.units import BERNOULLI, BUILT_IN, Label, Quadratic, Unit
from genjax.errors import UserError

States = tuple[PyTree, ...]
"""One array a layer; None where a function says that it does not read it."""

Clamp = tuple[Bool[Array, "..."] | None, ...]
"""For each layer, which units keep their value: `(units,)` or `(*batch, units)`; None where all are free."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Machine:
    """A layered Boltzmann machine as a value: a pytree whose leaves are its parameters.

    - `weights[l]`: `(units of layer l, units of layer l + 1)`, or None where the two are not coupled.
    - `biases[l]`: `(units,)`.
    - `units[l]`: the layer's type (static); all are Bernoulli units where none is given.
    - `quadratics[l]`: `(units,)` where the type has a term g x^2 / 2, otherwise None; `()` where no layer has one.
    """

    weights: tuple[PyTree, ...]
    biases: tuple[PyTree, ...]
    units: tuple[Unit, ...] = field(default=(), metadata={"static": True})
    quadratics: tuple[PyTree, ...] = ()

    def __post_init__(self) -> None:
        for name in ("weights", "biases", "units", "quadratics"):
            if isinstance(value := getattr(self, name), list):
                object.__setattr__(self, name, tuple(value))
        if not self.units and isinstance(self.biases, tuple):
            object.__setattr__(self, "units", (BERNOULLI,) * len(self.biases))

    def __repr__(self) -> str:
        shapes = [getattr(bias, "shape", None) for bias in self.biases or ()]
        kinds = [getattr(unit, "kind", type(unit).__name__.lower()) for unit in self.units]
        layers = [f"{kind} {shape[-1] if shape else '?'}" for kind, shape in zip(kinds, shapes)]
        batch = next((f", {shape[:-1]} of them" for shape in shapes if shape and len(shape) > 1), "")
        return f"Machine({' - '.join(layers)}{batch})"

    @property
    def depth(self) -> int:
        """The number of layers."""
        return len(self.biases)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each layer, lowest first."""
        return tuple(b.shape[-1] for b in self.biases)

    def layers(self, parity: int) -> range:
        """Indices of the layers of one parity (0: even, 1: odd)."""
        return range(parity, self.depth, 2)

    def quadratic(self, layer: int) -> Quadratic:
        """The layer's coefficients of x^2 / 2, if it has any."""
        return self.quadratics[layer] if self.quadratics else None

    def check(self) -> "Machine":
        """Itself, or a `UserError` that says which shapes do not fit (for machines that come from outside)."""
        if not (len(self.units) == self.depth == len(self.weights) + 1):
            counts = f"{self.depth} biases, {len(self.weights)} weights and {len(self.units)} unit types"
            raise UserError(f"A machine of L layers has L biases, L unit types and L - 1 weights; got {counts}.")
        for layer, weights in enumerate(self.weights):
            expected = (self.sizes[layer], self.sizes[layer + 1])
            if weights is not None and weights.shape != expected:
                raise UserError(
                    f"weights[{layer}] has shape {tuple(weights.shape)}; between layers of "
                    f"{expected[0]} and {expected[1]} units it must be {expected}."
                )
        for layer, (size, unit) in enumerate(zip(self.sizes, self.units)):
            if size % unit.width:
                raise UserError(f"Layer {layer} has {size} entries; its type {unit} takes multiples of {unit.width}.")
            if isinstance(unit, Label) and (layer + 1 < self.depth or size != unit.width):
                raise UserError(f"Layer {layer} is {unit}; a label is one variable, of the highest layer.")
        return self

    def energy(self, states: States) -> Float[Array, "*batch"]:
        """The joint energy E(x) in nats, `(*batch,)`."""
        return energy(self, states)

    def noise(self, keys: Key[Array, " sweeps"], states: States) -> tuple[random.Noise, ...] | None:
        """What `update` takes in place of each of these keys, for the same draws: for every layer, sweeps along the
        leading axes. None where units draw in ways of their own, or keys of another kind."""
        if not random.counted(keys) or not all(type(unit) in BUILT_IN for unit in self.units):
            return None
        chains = math.prod(states[0].shape[:-1])
        layers = enumerate(zip(self.units, self.sizes))
        fold = jax.vmap(jax.random.fold_in, (0, None))
        return tuple(random.noise(fold(keys, layer), chains, size // unit.width) for layer, (unit, size) in layers)

    def update(
        self,
        key: Key[Array, ""] | tuple[random.Noise, ...],
        states: States,
        parity: int,
        beta: Beta = 1.0,
        base: Optional["Machine"] = None,
        clamp: Clamp | None = None,
    ) -> States:
        """All layers of one parity (0: even, 1: odd) drawn given the other. Their own old values matter where clamped.

        It leaves the density with the fields beta * fields(self) + (1 - beta) * fields(base) as it is; without a base,
        that of beta times the energy. In place of the key stands what `noise` made of it.
        """
        new = list(states)
        for layer in self.layers(parity):
            source = key[layer] if isinstance(key, tuple) else jax.random.fold_in(key, layer)
            drawn = draw(source, self, states, layer, beta, base).astype(states[layer].dtype)
            kept = None if clamp is None else clamp[layer]
            new[layer] = drawn if kept is None else jnp.where(kept, states[layer], drawn)
        return tuple(new)

    def marginal(self, states: States, parity: int) -> Float[Array, "*batch"]:
        """Log of the unnormalised probability of the layers kept, those of `parity` summed out and not read; nats."""
        return marginal(self, states, parity)

    def expected(self, states: States, parity: int = 1) -> States:
        """The states with their layers of one parity at their expected values given the others: exact."""
        return tuple(mean(self, states, layer) if layer % 2 == parity else x for layer, x in enumerate(states))

    def upwards(self, key: Key[Array, ""], x: Float[Array, "*batch visible"]) -> Float[Array, "*batch hidden"]:
        """The first hidden layer drawn given the visible one alone."""
        return draw(key, self, (x, *[None] * (self.depth - 1)), 1)

    def uncoupled(self, x: Float[Array, "examples visible"] | None = None) -> "Machine":
        """The base of a path: no weights, the same quadratic terms, and biases from the means of examples `x`.

        The lowest layer has the examples' base rates, each layer above the mean of what the examples' means send up to
        it: a shorter path than from hidden units at one half (as in Salakhutdinov and Murray 2008). Without `x` the
        biases stay as they are.
        """
        biases = (
            self.biases
            if x is None
            else tuple(
                unit.field_of_mean(jnp.mean(layer_means, axis=0), self.quadratic(layer))
                for layer, (unit, layer_means) in enumerate(zip(self.units, _upward_means(self, x)))
            )
        )
        return dataclasses.replace(self, weights=(None,) * (self.depth - 1), biases=biases)

    def log_z(self) -> Float[Array, ""]:
        """Exact log Z of a machine without weights: the sum of its units' cumulants, in nats.

        Raises `UserError` where there are weights.
        """
        self._refuse_weights("log_z", "genjax.likelihood.exact.log_z or genjax.likelihood.ais.log_z")
        total = jnp.zeros((), jnp.float32)
        for layer, (unit, bias) in enumerate(zip(self.units, self.biases)):
            total += jnp.sum(unit.cumulant(bias, self.quadratic(layer)))
        return total

    def draw(self, key: Key[Array, ""], chains: int) -> States:
        """Independent states of a machine without weights, a tuple of `(chains, units)`.

        Raises `UserError` where there are weights.
        """
        self._refuse_weights("draw", "genjax.sampling.gibbs.sample")
        return tuple(
            unit.sample(jax.random.fold_in(key, i), jnp.broadcast_to(b, (chains, *b.shape)), self.quadratic(i))
            for i, (unit, b) in enumerate(zip(self.units, self.biases))
        )

    def _refuse_weights(self, name: str, instead: str) -> None:
        if any(w is not None for w in self.weights):
            raise UserError(f"Machine.{name} is of machines without weights (`uncoupled`); use {instead}.")

    def larger_parity(self) -> int:
        """The parity whose layers have more units together: the one to sum out."""
        even, odd = (sum(self.sizes[layer] for layer in self.layers(parity)) for parity in (0, 1))
        return int(odd > even)

    def log_ratio(self, base: "Machine", states: States, parity: int, now: Array, before: Array) -> Float[Array, "..."]:
        """log f_now - log f_before on the path from `base`, the layers of `parity` summed out, `(*batch,)` nats.

        Differences are taken unit by unit: the two sums are hundreds of nats, what separates them thousandths.
        """
        total = jnp.zeros((), jnp.float32)
        for layer in self.layers(1 - parity):
            linear = (now - before) * (self.biases[layer] - base.biases[layer])
            total += numerics.exact(states[layer], linear)
            quadratics = [path_quadratic(self, layer, beta, base) for beta in (now, before)]
            if quadratics[0] is not None:
                energies = [self.units[layer].energy(states[layer], q) for q in quadratics]
                total -= energies[0] - energies[1]
        for layer in self.layers(parity):
            unit = self.units[layer]
            full, start = fields(self, states, layer), fields(base, states, layer)
            new, old = (
                unit.cumulant(mix(full, start, beta), path_quadratic(self, layer, beta, base)) for beta in (now, before)
            )
            total += jnp.sum(new - old, axis=-1)
        return total


def _upward_means(machine: Machine, x: Float[Array, "examples visible"]) -> list[Array]:
    """The examples, and the expected values of each layer above given those of the one below it alone."""
    means = [x]
    for layer in range(1, machine.depth):
        field = machine.biases[layer] + product(means[-1], machine.weights[layer - 1])
        means.append(machine.units[layer].mean(field, machine.quadratic(layer)))
    return means


def fields(machine: Machine, state: States, layer: int) -> Float[Array, "..."]:
    """What acts on one layer: its bias plus what the neighbouring layers send, `(*batch, units)`."""
    total = machine.biases[layer]
    if layer > 0 and machine.weights[layer - 1] is not None:
        total = total + product(state[layer - 1], machine.weights[layer - 1])
    if layer + 1 < machine.depth and machine.weights[layer] is not None:
        total = total + product(state[layer + 1], machine.weights[layer], down=True)
    return total


def product(
    x: Num[Array, "*batch inputs"], weights: Float[Array, "lower upper"], down: bool = False
) -> Float[Array, "*batch outputs"]:
    """x @ weights, or downwards x @ weights.T, accumulated in float32.

    Exact float32 products, or bfloat16 ones where the weights are bfloat16.
    """
    x = x.astype(weights.dtype)
    if down and x.size == x.shape[-1]:  # one state: XLA on a CPU takes 10 to 50 times longer for x @ weights.T
        return numerics.of_weights(weights, x.ravel()).reshape(*x.shape[:-1], -1)
    return numerics.of_weights(x, weights.T if down else weights)


def rounded(machine: Machine, dtype: jnp.dtype | type = jnp.bfloat16) -> Machine:
    """The machine with its weights rounded, for faster sampling on accelerators: it samples THIS machine.

    Binary states are exact in bfloat16, so the rounding of the weights (2^-9 of each) is all that differs. Of a 64-16
    machine trained on the 8x8 digits it moves the exact test log-likelihood by -0.0003 nats and no unit's mean by more
    than 0.002.
    """
    weights = tuple(None if w is None else w.astype(dtype) for w in machine.weights)
    return dataclasses.replace(machine, weights=weights)


def for_sampling(machine: Any, numbers: numerics.Numbers) -> Any:
    """The machine whose chains are moved: itself, or `rounded`.

    Raises `UserError` where it is no layered machine and has no rounded form.
    """
    dtype = numerics.dtype_of_weights(numbers)
    if dtype == jnp.float32:
        return machine
    if not isinstance(machine, Machine):
        raise UserError(f"`numbers` {numbers!r} is of layered machines; {type(machine).__name__} takes 'exact'.")
    return rounded(machine, dtype)


def mean(machine: Machine, state: States, layer: int) -> Float[Array, "..."]:
    """Expected value of one layer given its neighbours, `(*batch, units)`."""
    return machine.units[layer].mean(fields(machine, state, layer), machine.quadratic(layer))


def path_fields(machine: Machine, state: States, layer: int, beta: Beta = 1.0, base: Machine | None = None):
    """Fields of one layer on the path: beta * fields(machine) + (1 - beta) * fields(base), `(*batch, units)`."""
    at_base = None if base is None else fields(base, state, layer)
    return mix(fields(machine, state, layer), at_base, beta)


def path_quadratic(machine: Machine, layer: int, beta: Beta = 1.0, base: Machine | None = None):
    """Quadratic coefficients on the path; without a base they stay, since a density without them has no integral."""
    own = machine.quadratic(layer)
    return own if own is None or base is None else mix(own, base.quadratic(layer), beta)


def draw(
    key: Any,
    machine: Machine,
    state: States,
    layer: int,
    beta: Beta = 1.0,
    base: Machine | None = None,
) -> Float[Array, "..."]:
    """One layer drawn given its neighbours, `(*batch, units)`, by a key or by the `Noise` made of it."""
    field = path_fields(machine, state, layer, beta, base)
    return machine.units[layer].sample(key, field, path_quadratic(machine, layer, beta, base))


def energy(machine: Machine, state: States) -> Float[Array, "*batch"]:
    """The joint energy E(x) in nats, `(*batch,)`."""
    return -own_terms(machine, state, range(machine.depth)) - sum(
        jnp.sum(numerics.exact(lower, w) * upper, axis=-1)
        for lower, w, upper in zip(state, machine.weights, state[1:])
        if w is not None
    )


def own_terms(machine: Machine, state: States, layers: Iterable[int]) -> Float[Array, "*batch"]:
    """What these layers add to the log-density by themselves: b x - energy(x), summed."""
    total = jnp.zeros((), jnp.float32)
    for layer in layers:
        total += numerics.exact(state[layer], machine.biases[layer])
        total -= machine.units[layer].energy(state[layer], machine.quadratic(layer))
    return total


def marginal(machine: Machine, state: States, parity: int | None = None) -> Float[Array, "*batch"]:
    """Log of the unnormalised probability of the layers kept, the layers of `parity` summed out, `(*batch,)` nats.

    `state` has an entry for every layer; those of the parity that is summed out (by default the side with more
    units) are not read and may be None.
    """
    summed = machine.larger_parity() if parity is None else parity
    return own_terms(machine, state, machine.layers(1 - summed)) + sum(
        jnp.sum(machine.units[layer].cumulant(fields(machine, state, layer), machine.quadratic(layer)), axis=-1)
        for layer in machine.layers(summed)
    )


def condition(machine: Machine, layer: int, x: Float[Array, " units"]) -> Machine:
    """The smaller machine that remains when one whole layer is clamped to `x`: its neighbours' biases take its message.

    The density of the rest is that of the result, up to the clamped layer's `own_terms`, so log p*(x) is those plus
    the result's log Z. One state at a time; `jax.vmap` over many. Clamping an inner layer leaves the two sides
    uncoupled (their weights are None).
    """
    biases = list(machine.biases)
    if layer > 0 and machine.weights[layer - 1] is not None:
        biases[layer - 1] += numerics.exact(machine.weights[layer - 1], x)
    if layer + 1 < machine.depth and machine.weights[layer] is not None:
        biases[layer + 1] += numerics.exact(x, machine.weights[layer])

    def without(items: tuple) -> tuple:
        return tuple(items[:layer]) + tuple(items[layer + 1 :])

    inner = 0 < layer < machine.depth - 1
    below, above = machine.weights[: max(layer - 1, 0)], machine.weights[layer + 1 :]
    return Machine(
        weights=(*below, None, *above) if inner else (*below, *above),
        biases=without(tuple(biases)),
        units=without(machine.units),
        quadratics=without(machine.quadratics) if machine.quadratics else (),
    )
