"""Draws of an autoregressive model, value by value in its order, with or without values that are given.

Without given values, and where all of them come first, draws are exact and independent. Where values are given later
than missing ones, draws are particles: weighted by the probability of what was given (a sequential Monte Carlo; Doucet,
de Freitas and Gordon 2001), so that expectations are right as their number grows and no sooner.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from genjax import random
from genjax.networks import pixels
from genjax.networks.backbones import activation
from genjax.networks.nade import NADE
from genjax.numerics import exact
from genjax.random import subkey
from genjax.training.mesh import sharded


class Particles(NamedTuple):
    """Draws, what each value was expected to be given those before it, and the draws' weights, in all 1."""

    x: Float[Array, "count values"]
    means: Float[Array, "count values"]
    weights: Float[Array, " count"]


class _Walk(NamedTuple):
    """Particles on their way: values in the model's order, fields of the hidden units, log weights in nats."""

    x: Float[Array, "count values"]
    means: Float[Array, "count values"]
    fields: Float[Array, "count hidden"]
    log_weights: Float[Array, " count"]


@partial(jax.jit, static_argnames=("count",))
def ancestral(
    key: Key[Array, ""],
    model: NADE,
    count: int,
    x: Float[Array, " values"] | None = None,
    missing: Bool[Array, " values"] | None = None,
) -> Particles:
    """`count` draws of what is missing of one example, or of all values.

    Particles are resampled where their weights are worth fewer than half of them.
    """
    of, values = model.weights, model.order.shape[0]
    given = jnp.zeros(values) if x is None else x[model.order]
    unknown = jnp.ones(values, bool) if missing is None else missing[model.order]

    def one(walk: _Walk, place: Array) -> tuple[_Walk, None]:
        # later values are still zeros in `walk.x`, so that nothing is heard of them
        units = activation(model.activation)(walk.fields)
        logit = of.biases[place] + exact(walk.x, of.direct[place]) + exact(units, of.outputs[place])
        drawn = random.bernoulli(jax.random.fold_in(key, place), logit[:, None])[:, 0]
        here = jnp.where(unknown[place], drawn, given[place])
        said = jnp.where(unknown[place], 0.0, logit * here - pixels.softplus(logit))
        walk = _Walk(
            x=walk.x.at[:, place].set(here),
            means=walk.means.at[:, place].set(jnp.where(unknown[place], jax.nn.sigmoid(logit), here)),
            fields=walk.fields + here[:, None] * of.inputs[place],
            log_weights=walk.log_weights + said,
        )
        few = jnp.sum(jax.nn.softmax(walk.log_weights) ** 2) * count > 2
        walk = jax.lax.cond(few, resampled, lambda key, walk: walk, jax.random.fold_in(again, place), walk)
        return sharded(walk), None

    again = subkey(key, "resample")
    blank = jnp.zeros((count, values), jnp.float32)
    fields = jnp.broadcast_to(of.hidden_biases, (count, of.hidden_biases.shape[0]))
    walk, _ = jax.lax.scan(one, _Walk(blank, blank, fields, jnp.zeros(count)), jnp.arange(values))
    back = jnp.argsort(model.order)
    return Particles(walk.x[:, back], walk.means[:, back], jax.nn.softmax(walk.log_weights))


def resampled(key: Key[Array, ""], walk: _Walk) -> _Walk:
    """As many particles of equal weight, each as often as its weight says, rounded at random."""
    index = chosen(key, jax.nn.softmax(walk.log_weights), len(walk.x))
    fresh = jax.tree.map(lambda leaf: leaf[index], walk)
    return fresh._replace(log_weights=jnp.zeros_like(walk.log_weights))


def chosen(key: Key[Array, ""], weights: Float[Array, " particles"], count: int) -> Int[Array, " count"]:
    """Which particles stand for all, `count` of them (systematic resampling; Kitagawa 1996)."""
    comb = (jnp.arange(count) + random.uniform(random.bits(key, (1,)))) / count
    return jnp.minimum(jnp.searchsorted(jnp.cumsum(weights), comb, side="right"), len(weights) - 1)


@partial(jax.jit, static_argnames=("particles",))
def expected(
    key: Key[Array, ""],
    model: NADE,
    x: Float[Array, "examples values"],
    missing: Bool[Array, "examples values"],
    particles: int,
) -> Float[Array, "examples values"]:
    """Expected missing values given the others, what was given as it is; an example with so many particles.

    After the last given value the weights change no more, and expectations given the draws stand for the draws.
    """

    def one(number_and_example: tuple[Array, Array, Array]) -> Array:
        number, example, hole = number_and_example
        found = ancestral(jax.random.fold_in(key, number), model, particles, example, hole)
        places = jnp.argsort(model.order)
        last = jnp.max(jnp.where(hole, -1, places))
        return exact(found.weights, jnp.where(places > last, found.means, found.x))

    filled = jax.lax.map(one, (jnp.arange(len(x)), x, missing))
    return jnp.where(missing, filled, x)


@partial(jax.jit, static_argnames=("count", "particles"))
def completed(
    key: Key[Array, ""],
    model: NADE,
    x: Float[Array, " values"],
    missing: Bool[Array, " values"],
    count: int,
    particles: int,
) -> Float[Array, "count values"]:
    """`count` draws of what is missing of one example, chosen among at least so many particles by their weights."""
    found = ancestral(subkey(key, "particles"), model, max(count, particles), x, missing)
    index = chosen(subkey(key, "chosen"), found.weights, count)
    return jnp.where(missing, found.x[index], x)
