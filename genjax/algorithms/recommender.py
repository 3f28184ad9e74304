"""Learning the RBM of ratings (Salakhutdinov, Mnih and Hinton 2007) as one `Algorithm`.

By contrastive divergence as there, or by the pseudo-likelihood: exact here, and what predictions are made of.

A batch is `x` `(rows, columns)` with levels as in `genjax.data.ratings`: of users and items, or of items and users.
"""

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from genjax import numerics, random
from genjax.algorithms import examples
from genjax.boltzmann.rating import (
    Levels,
    Offset,
    RatingMachine,
    conditional,
    draw_offsets,
    draw_ratings,
    energy,
    evidence,
    hidden_fields,
    known,
    one_hot,
    predict,
)
from genjax.data.ratings import WITHHELD
from genjax.errors import UserError
from genjax.random import subkey
from genjax.training.config import at_least, choice, factory, positive, rate, traced
from genjax.training.devices import averaged, own_copy, own_key
from genjax.training.update import Rates, first, update
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics

MEANS, LOADINGS = 3.0, 300.0  # precisions of the prior on those of the offset
FIVE_STARS = (1.0, 2.0, 3.0, 4.0, 5.0)
DRAWN = 32  # ratings a row, at most, that a step of pseudo-likelihood and the learning curves use


def negative_phase(
    key: Key[Array, ""], machine: RatingMachine, x: Levels, fields: Float[Array, "rows hidden"], k: int | Array
) -> tuple[Levels, Float[Array, "rows hidden"]]:
    """k sweeps from the rows' own ratings: what their machines make of the columns that they rated."""
    # What is withheld stays as it is: the machine may know of it.
    where = known(x)

    def one(i: int | Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        hidden = random.bernoulli(jax.random.fold_in(key, 2 * i), state[1])
        offsets = draw_offsets(subkey(jax.random.fold_in(key, 2 * i), "offsets"), machine, state[0])
        drawn = draw_ratings(jax.random.fold_in(key, 2 * i + 1), machine, hidden, where, offsets)
        drawn = jnp.where(where, drawn, x)
        return drawn, hidden_fields(machine, drawn)

    drawn, fields = jax.lax.fori_loop(0, k, one, (x, fields))
    return drawn, jax.nn.sigmoid(fields)


def gradient(
    machine: RatingMachine,
    positive: tuple[Levels, Float[Array, "rows hidden"]],
    negative: tuple[Levels, Float[Array, "rows hidden"]],
) -> RatingMachine:
    """Derivative of the negative log-likelihood a row, from ratings and hidden units of both phases."""

    def contrast(machine: RatingMachine) -> Float[Array, ""]:
        return jnp.mean(energy(machine, *positive)) - jnp.mean(energy(machine, *negative))

    return jax.grad(contrast)(machine)


def pseudo_gradient(key: Key[Array, ""], machine: RatingMachine, x: Levels) -> RatingMachine:
    """Derivative of - sum_i log p(v_i | the row's other ratings), a row, hidden units summed out (Besag 1975).

    Of each row's ratings at most 32 are drawn, and stand for all of them.
    """
    columns, drawn = some(key, known(x))
    level = jnp.take_along_axis(x, columns, axis=1)
    ratings, here = jnp.sum(known(x), axis=1), jnp.sum(drawn, axis=1)
    weight = drawn * (ratings / jnp.maximum(here, 1))[:, None]

    def loss(machine: RatingMachine) -> Float[Array, ""]:
        of_row = jax.vmap(partial(conditional, machine), (None, 0, 0))
        log_p = jax.vmap(of_row)(evidence(machine, x), level, columns)
        right = jnp.sum(one_hot(level, log_p.shape[-1]) * log_p, axis=-1)
        return -jnp.mean(jnp.sum(weight * right, axis=1))

    return jax.grad(loss)(machine)


def some(
    key: Key[Array, ""], where: Bool[Array, "rows columns"]
) -> tuple[Int[Array, "rows drawn"], Bool[Array, "rows drawn"]]:
    """For each row at most 32 of the columns `where` it holds, drawn at random; and which of these are any."""
    order = jnp.where(where, random.uniform(random.bits(key, where.shape)), -1.0)
    height, items = jax.lax.top_k(order, min(DRAWN, where.shape[1]))
    return items, height >= 0


@runtime_checkable
class Objective(Protocol):
    """What is learned by: a frozen value, those below or one's own.

    `slope(key, machine, x, progress)`: the derivative of what is minimised, a row, shaped like the machine, and
    metrics. `progress` is the share of the run that is done.
    """

    def slope(
        self, key: Key[Array, ""], machine: RatingMachine, x: Levels, progress: Float[Array, ""]
    ) -> tuple[RatingMachine, Metrics]: ...


@dataclass(frozen=True)
class Pseudo:
    """The pseudo-likelihood: each rating given the others of its row, exact and without sampling (Besag 1975)."""

    kind: ClassVar[str] = "pseudo"

    def slope(
        self, key: Key[Array, ""], machine: RatingMachine, x: Levels, progress: Float[Array, ""]
    ) -> tuple[RatingMachine, Metrics]:
        """`pseudo_gradient`."""
        return pseudo_gradient(subkey(key, "pseudo"), machine, x), {}


@dataclass(frozen=True)
class ContrastiveDivergence:
    """The likelihood by contrastive divergence (Salakhutdinov, Mnih and Hinton 2007)."""

    k: int = 1
    """Gibbs sweeps of the negative phase a step, at the beginning."""
    k_end: int = 5
    """The same at the end of the run; in between it rises evenly."""

    kind: ClassVar[str] = "cd"

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        positive(self, "k", "k_end")
        if self.k_end < self.k:
            raise UserError(f"`k_end` {self.k_end} is less than `k` {self.k}; k rises, or stays where they are equal.")

    def slope(
        self, key: Key[Array, ""], machine: RatingMachine, x: Levels, progress: Float[Array, ""]
    ) -> tuple[RatingMachine, Metrics]:
        """`gradient`, with the number of sweeps as the metric `sweeps`."""
        k = self.k + jnp.floor((self.k_end - self.k + 1) * jnp.clip(progress, 0, 0.999)).astype(jnp.int32)
        fields = hidden_fields(machine, x)
        negative = negative_phase(subkey(key, "negative"), machine, x, fields, k)
        return gradient(machine, (x, jax.nn.sigmoid(fields)), negative), {"sweeps": k.astype(jnp.float32)}


def is_objective(value: Any) -> bool:
    """Whether it is an `Objective`."""
    return isinstance(value, Objective) and not isinstance(value, type)


@dataclass(frozen=True, kw_only=True)
class RecommenderConfig(Rates):
    """How an RBM of ratings learns."""

    hidden: int = 8
    """Hidden units."""
    conditional: Literal["no", "rated", "withheld"] = "no"
    """Whether hidden units also take in WHICH items were rated: those with a rating to learn from, or also those whose
    held-out rating is to be predicted (where one knows, as in a contest, what will be asked)."""
    objective: Objective = choice(Pseudo(), Pseudo, ContrastiveDivergence, takes=is_objective)
    """Objective: the pseudo-likelihood (each rating given the others of its row, exact and without sampling), or
    the likelihood by contrastive divergence as in the paper."""
    learning_rate: float = rate(0.1)
    weight_decay: float = rate(1.0)
    """Precision of the prior on weights and biases."""
    smoothness: float = rate(200.0)
    """Precision of the prior on how far these are from a straight line over neighbouring levels."""
    average: float = 0.1

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        super().check()
        positive(self, "hidden")
        at_least(self, 0, "smoothness")


class RecommenderState(NamedTuple):
    """What training carries from step to step."""

    machine: RatingMachine
    share: Float[Array, " columns"]  # of the rows so far, how many rated each column
    values: Float[Array, " levels"]  # the rating that each level stands for
    optimiser: Any
    average: RatingMachine | None
    step: Int[Array, ""]
    hyper: Hyper


def trained_machine(state: RecommenderState) -> RatingMachine:
    """The machine to evaluate: the average over the end of the run where one was asked for."""
    return state.machine if state.average is None else state.average


def initial_machine(
    key: Key[Array, ""], config: RecommenderConfig, x: Levels, levels: int, offset: bool = True
) -> RatingMachine:
    """Small normal weights, biases at the log of the levels' shares in a batch, and an offset that is a shrunk bias.

    A column's own shares are mixed with those of all ratings as if five more had come from there; with an offset, which
    has means of its own, they are those of all ratings.
    """
    counts = jnp.sum(one_hot(x, levels), axis=0)
    overall = (jnp.sum(counts, axis=0) + 1) / (jnp.sum(counts) + levels)
    shares = (counts + 5 * overall) / (jnp.sum(counts, axis=1, keepdims=True) + 5)
    shares = jnp.broadcast_to(overall, shares.shape) if offset else shares
    columns = x.shape[1]
    return RatingMachine(
        weights=0.01 * jax.random.normal(key, (columns, levels, config.hidden), jnp.float32),
        biases=jnp.log(shares) - jnp.mean(jnp.log(shares), axis=1, keepdims=True),
        hidden_biases=jnp.zeros(config.hidden, jnp.float32),
        implicit=None if config.conditional == "no" else jnp.zeros((columns, config.hidden), jnp.float32),
        withheld=config.conditional == "withheld",
        offset=initial_offset(columns, overall) if offset else None,
    )


def initial_offset(columns: int, shares: Float[Array, " levels"]) -> Offset:
    """Columns alike, and a penalty of five ratings; the noise is taken to be 0.8 of the ratings' deviation."""
    level = jnp.arange(len(shares))
    deviation = jnp.sqrt(jnp.sum(shares * (level - jnp.sum(shares * level)) ** 2))
    return Offset(jnp.zeros(columns), jnp.full(columns, 5**-0.5), 1 / jnp.maximum(0.8 * deviation, 0.1))


def with_prior(
    slope: RatingMachine,
    machine: RatingMachine,
    precision: Float[Array, ""],
    smoothness: Float[Array, ""],
    rows: int = 1,
) -> RatingMachine:
    """Adds the slope, a row of `rows`, of a normal prior: weights about zero, a column's biases about the mean of all.

    Levels are ordered, which a softmax does not know; so the second differences from level to level have a precision of
    their own. A column's loading is about the mean of all, its mean about zero.
    """
    levels = machine.weights.shape[1]
    bend = jnp.diff(jnp.eye(levels, dtype=jnp.float32), n=2, axis=0)  # no rows where there are only two levels
    own = precision * jnp.eye(levels, dtype=jnp.float32) + smoothness * jnp.matmul(
        bend.T, bend, precision=numerics.EXACT
    )
    own, precision, offset = own / rows, precision / rows, slope.offset
    biases = machine.biases - jnp.mean(machine.biases, axis=0)
    if offset is not None:
        held: Any = machine.offset
        loadings = held.loadings - jnp.mean(held.loadings)
        offset = dataclasses.replace(
            offset,
            means=offset.means + MEANS / rows * held.means,
            loadings=offset.loadings + LOADINGS / rows * loadings,
        )
        biases = jnp.matmul(biases, own, precision=numerics.EXACT)
    else:
        biases = precision * biases
    return dataclasses.replace(
        slope,
        weights=slope.weights + jnp.einsum("kl,ilh->ikh", own, machine.weights, precision=numerics.EXACT),
        biases=slope.biases + biases,
        implicit=None if slope.implicit is None else slope.implicit + precision * machine.implicit,
        offset=offset,
    )


def a_rating(slope: RatingMachine, share: Float[Array, " columns"], least: float) -> RatingMachine:
    """Divides a column's slope by the share of rows that rated it, at least `least`: from "a row" to "a rating".

    So a column that every row rated does not learn a hundred times as fast as one that few did. Data and prior are
    divided alike, which leaves the optimum where it is: the fewer ratings, the more the prior says.
    """
    scale = 1 / jnp.maximum(share, least)

    def scaled(leaf: Any) -> Any:
        own = scale.reshape(-1, *(1,) * (leaf.ndim - 1))
        return leaf * own if leaf.ndim else leaf

    columns = {"weights": slope.weights, "biases": slope.biases, "implicit": slope.implicit, "offset": slope.offset}
    return dataclasses.replace(slope, **jax.tree.map(scaled, columns))


def nothing(machine: RatingMachine) -> RatingMachine:
    """Booleans shaped like the machine: the prior is part of the slope, so nothing is left to decay."""
    return jax.tree.map(lambda _: False, machine)


@factory
def recommender(
    config: RecommenderConfig,
    axis_name: str | None = None,
    values: tuple[float, ...] = FIVE_STARS,
    rows: int | None = None,
) -> Algorithm:
    """Pseudo-likelihood or CD-k for ratings on levels that stand for `values`; rates come through `hyper`.

    `rows` is how many there are to learn from, by which the prior is divided; without it, as in runs of earlier
    versions, the machine has no offset and the prior is one a row.

    With `axis_name`, `step` runs inside `jax.pmap` or `jax.shard_map`: gradients are averaged over the axis and each
    device draws its own noise.
    """

    def init(key: Key[Array, ""], example: Example, hyper: Hyper) -> RecommenderState:
        machine = initial_machine(subkey(key, "machine"), config, example.batch.x, len(values), rows is not None)
        return RecommenderState(
            machine=machine,
            share=jnp.zeros(machine.weights.shape[0], jnp.float32),
            values=jnp.asarray(values, jnp.float32),
            **first(config, hyper, machine, nothing(machine)),
        )

    def step(key: Key[Array, ""], state: RecommenderState, batch: Batch) -> tuple[RecommenderState, Metrics]:
        key = own_key(key, axis_name)
        here = batch.x.shape[0] * (1 if axis_name is None else jax.lax.axis_size(axis_name))
        machine, progress = state.machine, state.step / state.hyper["total_steps"]
        objective: Any = traced(config.objective, state.hyper)
        slope, of_objective = objective.slope(key, own_copy(machine, axis_name), batch.x, progress)
        slope, rated = averaged((slope, jnp.mean(known(batch.x), axis=0)), axis_name)
        share = state.share + (rated - state.share) / (state.step + 1)
        slope = with_prior(slope, machine, state.hyper["weight_decay"], state.hyper["smoothness"], rows or 1)
        slope = a_rating(slope, share, 1 / here)
        hidden = jnp.mean(jax.nn.sigmoid(hidden_fields(machine, batch.x)))
        new, state, metrics = update(
            config, state, machine, slope, decayed=nothing(machine), norm_of=lambda slope: slope.weights
        )
        return state._replace(machine=new, share=share), metrics | averaged(of_objective, axis_name) | {
            "weight_norm": optax.tree.norm(new.weights),
            "hidden_activity": averaged(hidden, axis_name),
        }

    def observe(key: Key[Array, ""], state: RecommenderState, train: Batch, held_out: Batch | None) -> Metrics:
        metrics = prediction_errors(key, state, train.x, known(train.x), "")
        if held_out is not None:
            metrics |= prediction_errors(key, state, held_out.x, held_out.x <= -1, "held_out_")
        return metrics

    def check(batch: Batch) -> None:
        examples.finite(batch.x)
        level = np.asarray(batch.x)
        level = level[level != WITHHELD]
        if np.any(level != np.round(level)) or np.max(np.abs(level), initial=0) > len(values):
            raise UserError(f"Ratings are levels, whole numbers from 1 to {len(values)}; see `genjax.data.ratings`.")

    return Algorithm(init, step, observe, check)


def prediction_errors(
    key: Key[Array, ""], state: RecommenderState, x: Levels, asked: Bool[Array, "rows columns"], prefix: str
) -> Metrics:
    """Errors, in units of the ratings, of predicting each of these from the row's other known ratings.

    At most 32 a row, drawn at random, so that its cost is known before the data are.
    """
    columns, drawn = some(subkey(key, "watch"), asked)
    rows = jnp.repeat(jnp.arange(len(x)), columns.shape[1])
    chance = jnp.exp(predict(trained_machine(state), x, rows, columns.ravel())).reshape(*columns.shape, -1)
    level = jnp.abs(jnp.take_along_axis(x, columns, axis=1)).astype(jnp.int32)
    error = jnp.where(drawn, numerics.exact(chance, state.values) - state.values[jnp.maximum(level - 1, 0)], 0.0)
    count = jnp.maximum(jnp.sum(drawn), 1)
    return {
        prefix + "rmse": jnp.sqrt(jnp.sum(error**2) / count),
        prefix + "mae": jnp.sum(jnp.abs(error)) / count,
    }
