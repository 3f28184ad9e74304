"""What experiments with GANs share: runs of several seeds in one program, and how their samples are drawn."""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from genjax.algorithms.gan import GANState, gan, generate
from genjax.algorithms.gan_game import GANConfig
from genjax.networks.adversarial import Shape
from genjax.training import grid, loop
from genjax.training.config import split

BLOCK = 500  # samples made at once


def learn(
    config: GANConfig,
    training: loop.TrainingSet,
    shape: Shape,
    steps: int,
    seeds: Sequence[int],
    batch_size: int,
    bounded: bool = True,
    classes: int = 0,
    looks: int = 10,
    on_chunk: Sequence[Callable[[grid.GridChunk], None]] = (),
) -> grid.GridState:
    """All seeds for `steps` updates of the generator (rounded up to equal chunks), with about `looks` chunks."""
    plan = loop.plan(
        len(training.images), batch_size * config.discriminator_steps, "none", longest_chunk=max(1, steps // looks)
    )
    total = -(-steps // plan.part) * plan.part
    static, hyper = split(config, total)
    algorithm, key = gan(static, shape, classes, bounded), jax.random.key(0)
    state = grid.initial(key, algorithm, training, plan, [hyper] * len(seeds), seeds)
    return grid.train(key, algorithm, training, plan, state, total, on_chunk)


@partial(jax.jit, static_argnames="count")
def _drawn(key: Key[Array, ""], state: GANState, count: int) -> Array:
    return generate(key, state, jnp.arange(count) % max(state.game.classes, 1))


def samples(state: GANState, count: int, seed: int = 0) -> np.ndarray:
    """`(count, pixels)` of the averaged generator, of all classes in turn where there are some."""
    keys = jax.random.split(jax.random.key(seed), -(-count // BLOCK))
    return np.concatenate([np.asarray(_drawn(key, state, BLOCK)) for key in keys])[:count]


def finite(state: GANState) -> bool:
    """Whether the run has not diverged."""
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(state.parameters))


def fate(score: float, classes: int, of: int, finite: bool) -> str:
    """What became of a run, in a word: by its classifier score and the classes in its samples."""
    if not finite:
        return "diverged"
    if classes < 0.8 * of:
        return "collapsed"
    return "learned" if score > 0.7 * of else "poor"
