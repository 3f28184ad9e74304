"""What experiments with GANs share: a run, runs of several seeds in one program, and how samples are drawn."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

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
FAST: dict[str, Any] = {"penalty": "none", "learning_rate": 5e-4, "discriminator_learning_rate": 5e-4}
WGAN_GP: dict[str, Any] = FAST | {
    "loss": "wasserstein",
    "penalty": "gradient",
    "penalty_weight": 10.0,
    "discriminator_steps": 5,
    "second_moment": 0.9,
    "discriminator_second_moment": 0.9,
}
"""The critic's steps and the second beta as published (Gulrajani et al. 2017); the rates are five times theirs."""


def plan_of(config: GANConfig, images: int, steps: int, batch_size: int, looks: int) -> loop.Plan:
    """Batches of their own for all updates of the discriminator, and about `looks` chunks."""
    return loop.plan(images, config.images_of_a_step(batch_size, images), "none", longest_chunk=max(1, steps // looks))


def learn(
    config: GANConfig,
    training: loop.TrainingSet,
    shape: Shape,
    steps: int,
    seed: int,
    batch_size: int,
    looks: int,
    on_chunk: Sequence[Callable[[loop.Chunk], None]] = (),
) -> GANState:
    """One run of `steps` updates of the generator. Raises `Diverged`."""
    plan = plan_of(config, len(training.images), steps, batch_size, looks)
    static, hyper = split(config, steps)
    algorithm, key = gan(static, shape), jax.random.key(seed)
    state = loop.initial(key, algorithm, training, plan, hyper)
    return loop.train(key, algorithm, training, plan, state, steps, 0, on_chunk)


def learn_points(
    config: GANConfig, training: loop.TrainingSet, steps: int, seeds: Sequence[int], batch_size: int
) -> list[GANState]:
    """Runs on points without bounds, all seeds in one program; one that diverges goes on as NaN."""
    plan = plan_of(config, len(training.images), steps, batch_size, 4)
    static, hyper = split(config, steps)
    algorithm = gan(static, (1, 1, training.images.shape[-1]), bounded=False)
    keys = grid.stacked([jax.random.key(seed) for seed in seeds])
    states = grid.initial(keys, algorithm, training, plan, [hyper] * len(seeds))
    states = grid.train(keys, algorithm, training, plan, states, steps)
    return [grid.run_of(states, number) for number in range(len(seeds))]


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


def fate(score: float, classes: int, of: int, sure: float) -> str:
    """What became of a run that has not diverged, in a word: by its classifier score, the classes in its samples, and
    the share of samples of which the judge is sure (noise is often all of one class, and has not collapsed)."""
    if sure > 0.5 and classes < 0.8 * of:
        return "collapsed"
    return "learned" if score > 0.7 * of else "poor"
