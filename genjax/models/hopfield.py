"""The Hopfield net: patterns that it stores, retrieves from noise and completes, and the questions that it answers."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from genjax.algorithms import examples
from genjax.algorithms.hopfield import (
    HopfieldConfig,
    HopfieldState,
    Memory,
    Modern,
    Saturated,
    adds,
    flipped,
    hopfield,
    overlaps,
    same,
)
from genjax.blocks import in_blocks
from genjax.boltzmann.hopfield import DenseHopfield, Spins, all_states, scaled
from genjax.boltzmann.machine import States
from genjax.data import Dataset
from genjax.errors import UserError
from genjax.evaluation import likelihood
from genjax.likelihood.estimate import exact_log_z, share
from genjax.models import chains
from genjax.models.base import Config
from genjax.models.effort import AIS
from genjax.plots.panels import Panel
from genjax.random import subkey
from genjax.sampling.retrieval import Saturating, retrieve
from genjax.training.config import kind_of, split
from genjax.training.settings import RunConfig
from genjax.training.stages import LAST
from genjax.typing import Answer, Batch, Kernel, Model, Stage

SWEEPS = 100  # of a retrieval that nobody limits
EXACT_SPINS = 20
NOISE = (0.0, 0.1, 0.2, 0.3)  # shares of spins turned over in probes
TRIED = 200  # probes of each, and random states
PANELS = (
    Panel("stored patterns", "share", {"stable": "at rest", "recalled": "recalled, a tenth turned over"}),
    Panel("energy", "nats per spin", {"energy": "training", "held_out_energy": "validation"}),
)


@dataclass(frozen=True, kw_only=True)
class HopfieldNet(Config, HopfieldConfig):
    """A Hopfield net, which stores its training examples, or some of each class, and retrieves them."""


@dataclass(frozen=True, kw_only=True)
class ShortAIS(AIS):
    """AIS of fewer temperatures and chains: a sweep takes spin after spin."""

    temperatures: int = 1000
    ais_chains: int = 200


def stages(config: HopfieldNet, steps: int, steps_per_epoch: int, classes: int = 0, signed: bool = False) -> Any:
    """One stage, whose first step stores everything."""
    static, hyper = split(config, steps)
    return (Stage(LAST, hopfield(static, classes, signed), hyper, steps),)


def settle(config: HopfieldNet, dataset: Dataset) -> dict[str, Any]:
    """How many classes there are, and whether examples are -1 and 1."""
    known = len(dataset.labels.train) and dataset.labels.train.min() >= 0
    return {"classes": dataset.classes if known else 0, "signed": bool(dataset.train.min() < 0)}


def check(config: HopfieldNet, run: RunConfig, dataset: Dataset) -> None:
    """Patterns have to be spins, or what the rule takes, and as many as it asks for."""
    settled = settle(config, dataset)
    if run.batch_size != RunConfig.batch_size:
        raise UserError(f"`batch_size` {run.batch_size}: a Hopfield net stores all patterns at once; leave it out.")
    if run.binarisation == "none":
        grey = isinstance(config.rule, Modern) and isinstance(config.dynamics, Saturating) and not settled["signed"]
        for x in (dataset.train, dataset.validation, dataset.test):
            if grey:
                examples.intensities(x, "`rule` modern")
            else:
                examples.binary(np.abs(x), "A Hopfield net", "`rule` modern with `dynamics` saturating", "values")
    count = len(dataset.train)
    if settled["classes"] and config.per_class:
        each = np.bincount(dataset.labels.train, minlength=settled["classes"])
        if each.min() < config.per_class:
            raise UserError(
                f"`per_class` {config.per_class}: class {each.argmin()} has {each.min()} training examples; give no "
                "more, or 0 for all examples."
            )
        count = settled["classes"] * config.per_class
    if isinstance(config.rule, Saturated) and count < 2:
        raise UserError("`rule` saturated takes at least two patterns, and here is one; give more, or another rule.")
    if adds(config.rule) and kind_of(config.rule) == "projection" and count >= dataset.train.shape[1]:
        raise UserError(
            f"`rule` projection: {count} patterns of {dataset.train.shape[1]} spins leave nothing to be told apart; "
            "store fewer (`per_class`), or choose `rule` modern."
        )


def begin(state: HopfieldState, memory: Memory) -> HopfieldState:
    """A fresh state that adds to these weights. Raises `UserError` for a rule that cannot."""
    if state.before is None:
        raise UserError("`start`: this `rule` stores all patterns at once; give all of them as data, and leave it out.")
    weights = jnp.copy(memory.net.weights)  # type: ignore[attr-defined]
    return state._replace(before=weights)


def thermal(memory: Memory) -> Spins:
    """The net at its inverse temperature, as a Boltzmann machine."""
    return scaled(memory.net, memory.beta)


def answer(key: Key[Array, ""], memory: Memory, mean: np.ndarray, left: States | None = None, **effort: Any) -> Answer:
    """Log p of spins at temperature 1 / beta: exact for up to 20 of them, else by AIS."""
    net, spins = thermal(memory), memory.patterns.shape[1]
    if spins <= EXACT_SPINS:
        total = jax.jit(lambda net: jax.nn.logsumexp(net.marginal((all_states(spins),), 1)))
        effort["known"] = (exact_log_z(float(total(net)), f"enumeration of {2**spins} states"), None)
    found = likelihood.boltzmann(key, net, memory.spins(jnp.asarray(mean)), left, **effort)
    score = lambda batch: found.score(batch._replace(x=jnp.where(jnp.asarray(batch.x) > 0.5, 1.0, -1.0)))  # noqa: E731
    return Answer(score, found.estimate, found.log_z)


def retrieved(key: Key[Array, ""], memory: Memory, x: Array, sweeps: int = SWEEPS, kept: Any = None) -> Array:
    """Where spins, or real numbers, come to."""
    return retrieve(key, memory.net, x, memory.dynamics, jnp.asarray(sweeps), kept).states


def random_states(key: Key[Array, ""], memory: Memory, count: int) -> Array:
    """Spins of independent signs; for saturating dynamics anywhere in the cube."""
    if isinstance(memory.dynamics, Saturating):
        return jax.random.uniform(key, (count, memory.patterns.shape[1]), minval=-1.0)
    return flipped(key, jnp.ones((count, memory.patterns.shape[1])), 0.5)


def sample(
    key: Key[Array, ""],
    memory: Memory,
    count: int,
    times: tuple[int, ...],
    label: int | None = None,
    kernel: Kernel | None = None,
    start: States | None = None,
) -> dict[str, Any]:
    """What is retrieved from random states; with a `kernel` such as Gibbs, chains at temperature 1 / beta."""
    if label is not None:
        raise UserError("`label`: a Hopfield net has no labels; leave it out.")
    own = kernel is None
    net: Any = memory.net if own else thermal(memory)
    first = (random_states(subkey(key, "start"), memory, count),)
    show = lambda number, states: memory.values(states[0])  # noqa: E731
    found = chains.path(key, net, count, times, show, memory.dynamics if own else kernel, start or first)
    samples = np.asarray(memory.values(found.states[0]), np.float32)
    return {"samples": samples, "means": found.shown[:, -1], "path": found.shown, "info": found.info}


def reconstruct(key: Key[Array, ""], memory: Memory, x: np.ndarray, missing: np.ndarray, sweeps: int) -> np.ndarray:
    """What is missing begins at random and is retrieved with the rest clamped."""
    given = memory.spins(jnp.asarray(x))
    noise = random_states(subkey(key, "start"), memory, len(x))
    found = retrieved(subkey(key, "sweeps"), memory, jnp.where(missing, noise, given), sweeps, jnp.asarray(~missing))
    return np.where(missing, np.asarray(memory.values(found)), x)


def complete(
    key: Key[Array, ""], memory: Memory, given: np.ndarray, missing: np.ndarray, count: int, sweeps: int
) -> np.ndarray:
    """The same from `count` random beginnings of what is missing of one example."""
    wide = (count, len(given))
    return reconstruct(key, memory, np.broadcast_to(given, wide), np.broadcast_to(missing, wide), sweeps)


def back(memory: Memory, x: np.ndarray) -> np.ndarray:
    """What a noisy example reminds it of: retrieval with nothing clamped."""
    key = jax.random.key(0)  # orders of spins
    return in_blocks(lambda part: memory.values(retrieved(key, memory, memory.spins(part))), x)


def encode(memory: Memory, x: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
    """Overlaps of what is retrieved with each stored pattern, from -1 to 1."""
    return in_blocks(lambda part: overlaps(memory.spins(part), memory.patterns), back(memory, x))


def evaluate(
    key: Key[Array, ""], memory: Memory, train: Batch, test: Batch, answer: Answer | None, **_: Any
) -> dict[str, Any]:
    """Shares of probes, stored patterns with some spins turned over, that are recalled, and the sweeps that this takes;
    and of random states those that end in a stored pattern, in one turned over, and elsewhere."""
    patterns, numbers = memory.patterns, {}
    which = jnp.arange(TRIED) % len(patterns)
    for flips in NOISE:
        own = subkey(key, f"noise {flips}")
        probe = flipped(subkey(own, "probe"), patterns[which], flips)
        found = retrieve(own, memory.net, probe, memory.dynamics, SWEEPS)
        hits = np.asarray(same(found.states, patterns[which])) > 0
        numbers[str(flips)] = {
            "recalled": share(hits, f"{TRIED} probes"),
            "sweeps": float(found.sweeps.mean()),
            "settled": share(np.asarray(found.settled), f"{TRIED} probes"),
        }
    ends = retrieved(subkey(key, "random"), memory, random_states(subkey(key, "start"), memory, TRIED))
    m = np.asarray(overlaps(jnp.sign(ends), jnp.sign(patterns)))
    stored, turned = (m == 1).any(1), (m == -1).any(1)
    kinds = {"stored": stored, "reversed": turned & ~stored, "spurious": ~(stored | turned)}
    random = {name: share(hits, f"{TRIED} random states") for name, hits in kinds.items()}
    return {"patterns": len(patterns), "recall": numbers, "from_random_states": random}


def arrays(memory: Memory) -> dict[str, np.ndarray]:
    """weights `(spins, spins)` of a pairwise net, biases, patterns `(patterns, spins)`, labels, beta."""
    net: Any = memory.net
    named = {"biases": net.biases, "patterns": memory.patterns, "labels": memory.labels, "beta": memory.beta}
    if not isinstance(net, DenseHopfield):
        named["weights"] = net.couplings()
    return {name: np.asarray(value) for name, value in named.items()}


HopfieldNet.model = Model(
    name="hopfield",
    config=HopfieldNet,
    stages=stages,
    parameters=lambda state: state.memory,
    begin=begin,
    check=check,
    settle=settle,
    binarisation=lambda config: "threshold",
    defaults={"epochs": 1},
    whole=True,
    effort=ShortAIS,
    answer=answer,
    evaluate=evaluate,
    machine=thermal,
    chains=lambda config, state: None,
    sample=sample,
    along="spins",
    reconstruct=reconstruct,
    complete=complete,
    back=back,
    encode=encode,
    filters=lambda memory: [np.asarray(memory.patterns).T],
    arrays=arrays,
    panels=PANELS,
)
