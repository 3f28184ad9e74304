"""Early stopping: a run whose held-out gap has become too wide is shortened, and ends as a shorter run would. So is one
that has not improved for too long (`--patience`, or a `Patience` of one's own).

Stopping dead would leave the parameters shaking at a high learning rate (4 to 10 nats on MNIST), so the run goes on
for a tenth of its steps so far, while its rate falls to where the schedule ends.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from genjax.errors import UserError
from genjax.training import loop
from genjax.training.best import smoothed
from genjax.training.loop import Chunk
from genjax.training.optimisers import Schedule
from genjax.training.update import learning_rate_at
from genjax.typing import Hyper, Stage

SURE = 2.0  # standard errors by which the gap has to be beyond its limit


class Stopped(Exception):
    """The run is to be shortened; `chunk` is the last one. Raised by a callable of the training loop."""

    def __init__(self, chunk: Chunk, why: str = "stopped early"):
        super().__init__(why)
        self.chunk = chunk


class Patience:
    """For `on_chunk`: stops a run once a metric has not been below its least for so many chunks in a row; of one run.

    `metric` is what is observed on held-out examples (Prechelt 1998, which compares such criteria).
    """

    def __init__(self, chunks: int, metric: str = "held_out_loss"):
        if chunks < 1:
            raise UserError(f"`chunks` {chunks} is not positive; give how many may pass without an improvement.")
        self.chunks, self.metric = chunks, metric
        self.least, self.waited, self.over = float("inf"), 0, False

    def __call__(self, chunk: Chunk) -> None:
        """Raise `Stopped` when patience is over, and never again. Raises `UserError` where nothing is held out."""
        if self.metric not in chunk.metrics:
            raise UserError(f"`metric` {self.metric} is not measured; give a run validation data, or another metric.")
        if self.over:
            return
        value = chunk.metrics[self.metric]
        self.least, self.waited = (value, 0) if value < self.least else (self.least, self.waited + 1)
        if self.waited == self.chunks:
            self.over = True
            raise Stopped(chunk)


def too_wide(gaps: Sequence[float], limit: float) -> bool:
    """Whether held-out images are more than `limit` nats less likely than training ones, beyond the gap's own noise.

    `gaps` are those after each chunk so far; noise is judged as in `training.best`, from three of them on. The gap of
    the free energies is that of the log-likelihoods: log Z is the same for both (Hinton 2012, section 6).
    """
    mean, error = smoothed(gaps)
    return mean - SURE * error > limit


def refuse_without_gap(stage: Stage, data: loop.TrainingSet, plan: loop.Plan) -> None:
    """Raise `UserError` where a run's last stage never measures the gap, and so would never be stopped by it."""
    key, train = jax.random.key(0), loop.rows(data, slice(1000))
    state = jax.eval_shape(stage.algorithm.init, key, loop.example(data, plan), stage.hyper)
    measured = jax.eval_shape(stage.algorithm.observe, key, state, train, data.held_out)
    if "free_energy_gap" not in measured:
        why = "there are none to validate on" if data.held_out is None else "this model has no free energy"
        raise UserError(f"`stop_gap` compares validation images with training images, but {why}; leave it out.")


def new_end(step: int, total: int) -> int:
    """The step at which a run of `total` steps ends that is stopped at `step`: a tenth later, never after `total`."""
    return min(total, step + max(1, round(0.1 * step)))


def shortened(hyper: Hyper, schedule: Schedule, step: int | Int[Array, ""], total: int | Float[Array, ""]) -> Hyper:
    """The same rates for a run of `total` steps, the learning rate going on from where it is at `step`."""
    now = learning_rate_at(schedule, hyper, jnp.asarray(step))
    ended = hyper | {"total_steps": jnp.asarray(total, jnp.float32), "averaged_from": jnp.asarray(step, jnp.float32)}
    share = learning_rate_at(schedule, ended | {"learning_rate": jnp.ones(())}, jnp.asarray(step))
    return ended | {"learning_rate": now / share}


def shorten(state: Any, schedule: Schedule, step: int, total: int) -> Any:
    """The state with its rates `shortened`; as it is where they do not depend on the run's length."""
    if "total_steps" not in state.hyper:
        return state
    return state._replace(hyper=shortened(state.hyper, schedule, step, total))
