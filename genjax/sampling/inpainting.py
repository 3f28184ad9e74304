"""Filling in what is missing: Gibbs sampling of some visible units with the others clamped."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from genjax.boltzmann.machine import Machine, mean
from genjax.sampling.gibbs import initial_state, sweep


@partial(jax.jit, static_argnames=("sweeps", "burn_in"))
def inpaint(
    key: Key[Array, ""],
    machine: Machine,
    visible: Float[Array, "images visible"],
    removed: Bool[Array, "*images visible"],
    sweeps: int = 200,
    burn_in: int = 50,
) -> Float[Array, "images visible"]:
    """Expected visible units given those that are not removed, `(images, visible)`.

    The mean of p(v | h) over `sweeps` sweeps after `burn_in`, on one chain an image; removed units start from their
    biases, never from the truth. Units that are kept come back as they are.
    """
    start = list(initial_state(jax.random.fold_in(key, 0), machine, visible.shape[0]))
    start[0] = jnp.where(removed, start[0], visible)
    clamp = (jnp.broadcast_to(~removed, visible.shape), *[None] * (machine.depth - 1))

    def one(carry: tuple, index: Array) -> tuple[tuple, None]:
        state, total = carry
        state = sweep(jax.random.fold_in(key, index + 1), machine, state, clamp=clamp)
        return (state, total + jnp.where(index >= burn_in, mean(machine, state, 0), 0.0)), None

    (_, total), _ = jax.lax.scan(one, (tuple(start), jnp.zeros_like(visible)), jnp.arange(burn_in + sweeps))
    return jnp.where(removed, total / sweeps, visible)
