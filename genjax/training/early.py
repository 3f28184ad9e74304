"""Early stopping: a run whose held-out gap has become too wide is shortened, and ends as a shorter run would.

Stopping dead would leave the parameters shaking at a high learning rate (4 to 10 nats on MNIST), so the run goes on
for a tenth of its steps so far, while its rate falls to where the schedule ends.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from genjax.training.loop import Chunk, Plan
from genjax.training.optimiser import Schedule, learning_rate_at
from genjax.typing import Hyper


class Stopped(Exception):
    """The gap is too wide; `chunk` is the last one. Raised by a callable of the training loop."""

    def __init__(self, chunk: Chunk):
        super().__init__(f"stopped at step {chunk.step}")
        self.chunk = chunk


def too_wide(chunk: Chunk, limit: float) -> bool:
    """Whether held-out images are more than `limit` nats less likely than training ones.

    The gap of the free energies is that of the log-likelihoods: log Z is the same for both (Hinton 2012, section 6).
    """
    return chunk.metrics.get("free_energy_gap", 0.0) > limit


def new_end(step: int, plan: Plan) -> int:
    """The step at which a run that is stopped at `step` ends: a tenth later, in whole chunks."""
    chunk = plan.part * plan.parts
    return step + max(1, round(0.1 * step / chunk)) * chunk


def shortened(hyper: Hyper, schedule: Schedule, step: int | Int[Array, ""], total: int | Float[Array, ""]) -> Hyper:
    """The same rates for a run of `total` steps, the learning rate going on from where it is at `step`."""
    now = learning_rate_at(schedule, hyper, jnp.asarray(step))
    ended = hyper | {"total_steps": jnp.asarray(total, jnp.float32), "averaged_from": jnp.asarray(step, jnp.float32)}
    share = learning_rate_at(schedule, ended | {"learning_rate": jnp.ones(())}, jnp.asarray(step))
    return ended | {"learning_rate": now / share}


def shorten(state: Any, schedule: Schedule, step: int, total: int) -> Any:
    """The state with its rates `shortened`."""
    return state._replace(hyper=shortened(state.hyper, schedule, step, total))
