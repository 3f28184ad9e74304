"""Filling in what is missing: sampling of some visible units with the others clamped, of any `Energy`."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from genjax.random import subkey
from genjax.sampling.gibbs import GIBBS, initial_states, sample
from genjax.typing import Energy, Kernel


@partial(jax.jit, static_argnames=("sweeps", "burn_in", "kernel"))
def inpaint(
    key: Key[Array, ""],
    machine: Energy,
    visible: Float[Array, "images visible"],
    missing: Bool[Array, "*images visible"],
    sweeps: int = 200,
    burn_in: int = 50,
    kernel: Kernel = GIBBS,
) -> Float[Array, "images visible"]:
    """Expected visible units given those that are not missing, `(images, visible)`.

    The mean of p(v | h) over `sweeps` sweeps after `burn_in`, on one chain an image; missing units start from their
    biases, never from the truth. Units that are given come back as they are.
    """
    start = list(initial_states(jax.random.fold_in(key, 0), machine, visible.shape[0]))
    start[0] = jnp.where(missing, start[0], visible)
    clamp = (jnp.broadcast_to(~missing, visible.shape), *[None] * (len(start) - 1))

    def one(carry: tuple, index: Array) -> tuple[tuple, None]:
        state, total = carry
        state, _ = kernel.step(key, machine, state, clamp=clamp, first=index + 1)
        return (state, total + jnp.where(index >= burn_in, machine.expected(kernel.states(state), 0)[0], 0.0)), None

    state = kernel.init(subkey(key, "init"), machine, tuple(start))
    (_, total), _ = jax.lax.scan(one, (state, jnp.zeros_like(visible)), jnp.arange(burn_in + sweeps))
    return jnp.where(missing, total / sweeps, visible)


@partial(jax.jit, static_argnames=("count", "sweeps", "kernel"))
def completed(
    key: Key[Array, ""],
    machine: Energy,
    visible: Float[Array, " visible"],
    missing: Bool[Array, " visible"],
    count: int,
    sweeps: int = 1000,
    kernel: Kernel = GIBBS,
) -> Float[Array, "count visible"]:
    """`count` draws of the missing visible units of one example given the others, each by a chain of its own."""
    start = list(initial_states(jax.random.fold_in(key, 0), machine, count))
    start[0] = jnp.where(missing, start[0], visible)
    clamp = (jnp.broadcast_to(~missing, (count, visible.shape[0])), *[None] * (len(start) - 1))
    states = sample(subkey(key, "sweeps"), machine, tuple(start), sweeps, clamp=clamp, kernel=kernel).states
    return jnp.where(missing, states[0], visible)
