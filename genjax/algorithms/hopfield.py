"""How Hopfield nets remember: rules that make a net of patterns, and storing them as an `Algorithm` of one step.

    Hebbian      W = X^T X / N                                            (Hopfield 1982)
    Projection   W = the projector onto the patterns' span                (Personnaz, Guyon and Dreyfus 1985)
    Storkey      pattern by pattern, corrected for what the net does      (Storkey 1997)
    Saturated    a linear system whose saturated corners the patterns are (Li, Michel and Porod 1989)
    Dense        the patterns themselves, a polynomial of overlaps        (Krotov and Hopfield 2016)
    Modern       the patterns themselves, an exponential of overlaps      (Demircigil et al. 2017; Ramsauer et al. 2021)

The first three add to the weights that there are, so that patterns may come in several runs.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from genjax import numerics, random
from genjax.boltzmann.hopfield import DenseHopfield, Hopfield, Spins
from genjax.sampling.retrieval import DYNAMICS, Asynchronous, Dynamics, retrieve
from genjax.training.config import at_least, choice, factory, positive, rate, traced
from genjax.training.update import parameter_max
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics

Patterns = Float[Array, "patterns spins"]
FLIPPED, TRIED = 0.1, 100
"""Of a probe the share of spins turned over, and how many patterns are probed, as a run is watched."""


@runtime_checkable
class Rule(Protocol):
    """How patterns are remembered: a frozen, hashable value."""

    def store(self, patterns: Patterns, before: PyTree = None) -> Any:
        """The net that remembers them, and what the weights `before` do. Pure; the number of patterns is static."""
        ...


@dataclass(frozen=True)
class Hebbian:
    """Outer products."""

    kind: ClassVar[str] = "hebbian"

    def store(self, patterns: Patterns, before: PyTree = None) -> Hopfield:
        """W = X^T X / N."""
        weights = numerics.exact(patterns.T, patterns) / patterns.shape[1]
        return _pairwise(weights if before is None else before + weights)


@dataclass(frozen=True)
class Projection:
    """The pseudo-inverse rule: linearly independent patterns are stored exactly."""

    kind: ClassVar[str] = "projection"

    def store(self, patterns: Patterns, before: PyTree = None) -> Hopfield:
        """W = the projector onto the span of the patterns, and of what a projector before had."""
        if before is None:
            return _pairwise(projector(patterns))
        return _pairwise(before + projector(patterns - numerics.exact(patterns, before)))


@dataclass(frozen=True)
class Storkey:
    """Outer products corrected by the local fields of what was stored before."""

    kind: ClassVar[str] = "storkey"

    def store(self, patterns: Patterns, before: PyTree = None) -> Hopfield:
        """w_ij += (x_i x_j - x_i h_ji - h_ij x_j) / N with h_ij = sum_k w_ik x_k over k other than i and j."""
        size = patterns.shape[1]

        def one(weights: Array, x: Array) -> tuple[Array, None]:
            local = numerics.exact(weights, x)[:, None] - weights * x  # h_ij; the diagonal is zero
            change = x[:, None] * x - x[:, None] * local.T - local * x
            return (weights + change / size) * (1 - jnp.eye(size, dtype=x.dtype)), None

        first = jnp.zeros((size, size), patterns.dtype) if before is None else before
        return _pairwise(jax.lax.scan(one, first, patterns)[0])


@dataclass(frozen=True)
class Saturated:
    """A linear system in a saturated mode, dx/dt = A x + c within the cube, seen once every `interval`.

    On the plane through the patterns A is 1, so that it drives states to the cube's corners; across it - `decay`.
    """

    decay: float = rate(10.0)
    """How fast states fall onto the plane through the patterns."""
    interval: float = rate(0.15)
    """Time between two states."""

    kind: ClassVar[str] = "saturated"

    def check(self) -> None:
        """Raise `UserError` for numbers out of range."""
        positive(self, "decay", "interval")

    def store(self, patterns: Patterns, before: PyTree = None) -> Hopfield:
        """W = e^(A t) and b = the integral of e^(A s) c, with c = (1 - A) x of a pattern x."""
        last, size = patterns[-1], patterns.shape[1]
        plane = projector(patterns[:-1] - last)
        across = jnp.eye(size, dtype=patterns.dtype) - plane
        grown, fallen = jnp.exp(self.interval), jnp.exp(-self.decay * self.interval)
        constant = (1 + self.decay) * numerics.exact(across, last)
        biases = (1 - fallen) / self.decay * constant  # along the plane the constant is 0
        return Hopfield(biases=biases, weights=grown * plane + fallen * across, self_coupling=True)


@dataclass(frozen=True)
class Dense:
    """A dense associative memory."""

    degree: int = 3
    """Power of the overlaps in the energy (2: Hebbian)."""

    kind: ClassVar[str] = "dense"

    def check(self) -> None:
        """Raise `UserError` for a degree that remembers nothing."""
        at_least(self, 2, "degree")

    def store(self, patterns: Patterns, before: PyTree = None) -> DenseHopfield:
        """The patterns."""
        return DenseHopfield(jnp.zeros(patterns.shape[1]), patterns, jnp.ones(()), degree=self.degree)


@dataclass(frozen=True)
class Modern:
    """A modern Hopfield net: retrieval is attention to the patterns."""

    sharpness: float = rate(1.0)
    """Factor of the overlaps in the exponent."""

    kind: ClassVar[str] = "modern"

    def check(self) -> None:
        """Raise `UserError` for numbers out of range."""
        positive(self, "sharpness")

    def store(self, patterns: Patterns, before: PyTree = None) -> DenseHopfield:
        """The patterns."""
        sharpness = jnp.asarray(self.sharpness, jnp.float32)
        return DenseHopfield(jnp.zeros(patterns.shape[1]), patterns, jnp.ones(()), sharpness, degree=0)


RULES = (Projection, Hebbian, Storkey, Saturated, Dense, Modern)


def is_rule(value: Any) -> bool:
    """Whether it makes nets of patterns."""
    return not isinstance(value, type) and isinstance(value, Rule)


def is_dynamics(value: Any) -> bool:
    """Whether it moves states without noise."""
    return not isinstance(value, type) and isinstance(value, Dynamics)


@dataclass(frozen=True, kw_only=True)
class HopfieldConfig:
    """How patterns are remembered and retrieved; all of them are stored in one step, so that there are no batches."""

    rule: Any = choice(Projection(), *RULES, takes=is_rule)
    """How patterns are remembered: by the pseudo-inverse, by Hebb's or Storkey's rule, as corners of a linear system
    in a saturated mode, or as they are, in an energy of higher order or an exponential one."""
    dynamics: Any = choice(Asynchronous(), *DYNAMICS, takes=is_dynamics)
    """How states change: spin by spin, all at once, or real-valued and cut off at -1 and 1."""
    per_class: int = 1
    """Examples of each class that are stored, those nearest to its mean (0, or data without classes: all)."""
    beta: float = rate(1.0)
    """Inverse temperature of likelihoods and of Gibbs sampling; retrieval has none."""

    def check(self) -> None:
        """Raise `UserError` for numbers out of range."""
        at_least(self, 0, "per_class")
        positive(self, "beta")

    def images_of_a_step(self, batch_size: int, examples: int) -> int:
        """All of them."""
        return examples


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Memory:
    """What a run has learned.

    - `net`; `patterns` `(patterns, spins)` that it was given, -1 or 1 (or between), and their `labels` `(patterns,)`,
      -1 without; `beta` `()`, its inverse temperature.
    - `dynamics`: how it retrieves. `signed`: whether examples are -1 and 1, not 0 and 1.
    """

    net: Spins
    patterns: PyTree
    labels: PyTree
    beta: PyTree
    dynamics: Any = field(default=Asynchronous(), metadata={"static": True})
    signed: bool = field(default=False, metadata={"static": True})

    def spins(self, x: Float[Array, "*batch values"]) -> Float[Array, "*batch spins"]:
        """Of examples, also noisy ones: 0 and 1 become -1 and 1."""
        return x if self.signed else 2 * x - 1

    def binarised(self, x: Float[Array, "*batch values"]) -> Float[Array, "*batch spins"]:
        """Of examples as a run's binarisation leaves them: 0 and 1 whatever they were, or as they were."""
        return jnp.where(x > 0.5, 1.0, -1.0) if self.signed else 2 * x - 1

    def values(self, x: Float[Array, "*batch spins"]) -> Float[Array, "*batch values"]:
        """Of spins: -1 and 1 become 0 and 1."""
        return x if self.signed else 0.5 * (x + 1)


class HopfieldState(NamedTuple):
    """`before`: weights that were there before the first step, to which patterns are added."""

    memory: Memory
    before: PyTree
    step: Int[Array, ""]
    hyper: Hyper


@factory
def hopfield(config: HopfieldConfig, classes: int = 0, signed: bool = False) -> Algorithm:
    """Storing the patterns of a batch that is the whole training set; a second step stores the same again.

    `classes`: of the data, 0 for none; `signed`: examples are -1 and 1.
    """
    chosen = classes if config.per_class else 0

    def blank(count: int, spins: int, hyper: Hyper) -> Memory:
        count = chosen * config.per_class if chosen else count
        net = jax.eval_shape(config.rule.store, jax.ShapeDtypeStruct((count, spins), jnp.float32))
        net = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), net)
        patterns, labels = jnp.zeros((count, spins)), jnp.full(count, -1, jnp.int32)
        return Memory(net, patterns, labels, hyper["beta"], config.dynamics, signed)

    def init(key: Key[Array, ""], example: Example, hyper: Hyper) -> HopfieldState:
        count, spins = example.batch.x.shape
        memory = blank(count, spins, hyper)
        net: Any = memory.net
        before = jnp.zeros_like(net.weights) if adds(config.rule) else None
        return HopfieldState(memory, before, jnp.zeros((), jnp.int32), hyper)

    def step(key: Key[Array, ""], state: HopfieldState, batch: Batch) -> tuple[HopfieldState, Metrics]:
        rule = traced(config.rule, state.hyper)
        labels = batch.target if classes else jnp.full(len(batch.x), -1, jnp.int32)
        patterns = state.memory.binarised(batch.x)
        if chosen:
            patterns, labels = typical(patterns, labels, chosen, config.per_class)
        net = rule.store(patterns, state.before)
        memory = Memory(net, patterns, labels.astype(jnp.int32), state.hyper["beta"], config.dynamics, signed)
        return state._replace(memory=memory, step=state.step + 1), {"parameter_max": parameter_max(net)}

    def observe(key: Key[Array, ""], state: HopfieldState, train_batch: Batch, held_out: Batch | None) -> Metrics:
        memory, some = state.memory, state.memory.patterns[:TRIED]
        after = config.dynamics.sweep(random.subkey(key, "stable"), memory.net, some)
        probe = flipped(random.subkey(key, "probe"), some, FLIPPED)
        found = retrieve(random.subkey(key, "retrieve"), memory.net, probe, config.dynamics)
        batches = {"": train_batch} | ({} if held_out is None else {"held_out_": held_out})
        energies = {
            f"{name}energy": config.dynamics.lyapunov(memory.net, memory.binarised(batch.x)).mean() / some.shape[1]
            for name, batch in batches.items()
        }
        return {"stable": same(after, some).mean(), "recalled": same(found.states, some).mean(), **energies}

    return Algorithm(init, step, observe)


def adds(rule: Any) -> bool:
    """Whether a rule adds to weights that there are."""
    return isinstance(rule, Hebbian | Projection | Storkey)


def typical(
    x: Float[Array, "examples spins"], labels: Int[Array, " examples"], classes: int, count: int
) -> tuple[Float[Array, "patterns spins"], Int[Array, " patterns"]]:
    """`count` examples of each class, those nearest to its mean, class by class; and their labels."""
    members = labels == jnp.arange(classes)[:, None]
    means = numerics.exact(members.astype(x.dtype), x) / jnp.maximum(members.sum(1, keepdims=True), 1)
    distances = jnp.sum(x * x, axis=-1) - 2 * numerics.exact(means, x.T)  # squared, up to what all of a class share
    nearest = jax.lax.top_k(jnp.where(members, -distances, -jnp.inf), count)[1].reshape(-1)
    return x[nearest], labels[nearest]


def flipped(key: Key[Array, ""], x: Float[Array, "*states spins"], share: Any) -> Float[Array, "*states spins"]:
    """Each spin turned over with this probability."""
    return jnp.where(random.uniform(random.bits(key, x.shape)) < share, -x, x)


def same(x: Float[Array, "states spins"], y: Float[Array, "states spins"]) -> Float[Array, " states"]:
    """1 where two states agree in all signs, else 0."""
    return jnp.all((x > 0) == (y > 0), axis=-1).astype(jnp.float32)


def overlaps(x: Float[Array, "states spins"], patterns: Patterns) -> Float[Array, "states patterns"]:
    """m = x pattern / spins: 1 where they agree, -1 where all is turned over."""
    return numerics.exact(x, patterns.T) / x.shape[-1]


def projector(rows: Patterns) -> Float[Array, "spins spins"]:
    """Onto the span of the rows; those that depend on others, but for rounding, add nothing."""
    if not len(rows):
        return jnp.zeros((rows.shape[1], rows.shape[1]), rows.dtype)
    _, values, vectors = jnp.linalg.svd(rows, full_matrices=False)
    size = max(rows.shape) * jnp.finfo(rows.dtype).eps
    kept = (values > 10 * size * jnp.maximum(values.max(initial=0.0), 1.0)).astype(rows.dtype)
    return numerics.exact((vectors * kept[:, None]).T, vectors)


def _pairwise(weights: Float[Array, "spins spins"]) -> Hopfield:
    return Hopfield(biases=jnp.zeros(weights.shape[0], weights.dtype), weights=weights)
