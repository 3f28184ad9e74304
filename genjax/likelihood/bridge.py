"""Log Z of neighbours on a ladder of machines, from the chains of both (Bennett 1976)."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.boltzmann.machine import States
from genjax.sampling import tempering


def log_changes(ladder: Any, states: States) -> tuple[Float[Array, "pairs chains"], Float[Array, "pairs chains"]]:
    """log f of each rung's upper neighbour over its own, nats: at the lower rung's chains, and at the upper one's."""
    log_f = jax.vmap(lambda machine, x: machine.marginal(x, tempering.SUMMED_OUT))
    upper, lower = (jax.tree.map(lambda x, part=part: x[part], ladder) for part in (slice(1, None), slice(None, -1)))
    above, below = (tuple(x[part] for x in states) for part in (slice(1, None), slice(None, -1)))
    own = log_f(ladder, states)
    return log_f(upper, below) - own[:-1], own[1:] - log_f(lower, above)


def log_ratios(
    of_lower: Float[Array, "pairs chains"], of_upper: Float[Array, "pairs chains"]
) -> Float[Array, " pairs"]:
    """log Z of each machine over that of the one below it, in nats, from both machines' chains (Bennett 1976).

    The root of: mean over the lower chains of sigmoid(g - root) = mean over the upper ones of sigmoid(root - g), g the
    log change of the unnormalised marginal (`log_changes`). It is the estimate of least variance from both samples.
    """

    def halve(_: int | Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        up = jax.nn.sigmoid(of_lower - middle[:, None]).mean(1) > jax.nn.sigmoid(middle[:, None] - of_upper).mean(1)
        return jnp.where(up, middle, low), jnp.where(up, high, middle)

    both = jnp.concatenate([of_lower, of_upper], axis=1)
    low, high = jax.lax.fori_loop(0, 40, halve, (both.min(1), both.max(1)))
    return 0.5 * (low + high)
