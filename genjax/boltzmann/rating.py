"""The RBM of ratings (Salakhutdinov, Mnih and Hinton 2007): categorical visible units, most of them missing.

Every row has an RBM of its own, with one softmax unit of K levels for each column that it rated, and all share weights:

    E(v, h) = - sum_i b_i[v_i] - sum_j h_j (c_j + sum_i W_i[v_i, j] + sum_i r_i D_ij),   i over the rated columns alone

Rows are users and columns items as there, or the other way round (the I-RBM of Sedhain, Menon, Sanner and Xie 2015).
The last term is there where the machine is conditional on WHICH columns were rated, r. A row may also have an offset, a
Gaussian hidden unit a (an item's quality, where rows are items), which adds

    - sum_i (m_i z + a t_i (z - m_i)) + a^2 (1 + sum_i r_i t_i^2) / 2,   z = s (v_i - (K + 1) / 2),

with the mean m_i and the loading t_i of a column. Its precision grows with the number of ratings, as that of a shrunk
bias does: with equal t the expected a is the bias of least squares with a penalty of 1 / t^2. Ratings are matrices of
levels as in `genjax.data.ratings`: k = 1 ... K a known rating, 0 none, below 0 one whose value is not seen.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from genjax import numerics, random
from genjax.boltzmann.machine import product

Levels = Float[Array, "rows columns"]
BLOCK = 1024  # predictions made at once: memory is this times levels times hidden units


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Offset:
    """A row's Gaussian unit: means m and loadings t `(columns,)`, and spacing s, a scalar: a level in deviations."""

    means: PyTree
    loadings: PyTree
    spacing: PyTree


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RatingMachine:
    """Weights `(columns, levels, hidden)`, biases `(columns, levels)`, hidden_biases `(hidden,)`.

    `implicit` `(columns, hidden)` is D, or None. `withheld`: whether a rating known only to exist counts for it.
    `offset`: the Gaussian unit, or None.
    """

    weights: PyTree
    biases: PyTree
    hidden_biases: PyTree
    implicit: PyTree = None
    withheld: bool = field(default=False, metadata={"static": True})
    offset: Offset | None = None


def known(x: Levels) -> Bool[Array, "rows columns"]:
    """Where the value of a rating is known."""
    return x >= 1


def one_hot(x: Float[Array, "*any"], levels: int) -> Float[Array, "*any levels"]:
    """1 at a known rating's level; all zero where there is none."""
    return (x[..., None] == jnp.arange(1, levels + 1)).astype(jnp.float32)


def hidden_fields(machine: RatingMachine, x: Levels) -> Float[Array, "rows hidden"]:
    """What acts on the hidden units, given all known ratings."""
    columns, levels, hidden = machine.weights.shape
    shown = one_hot(x, levels).reshape(len(x), columns * levels)
    total = machine.hidden_biases + product(shown, machine.weights.reshape(columns * levels, hidden))
    if machine.implicit is None:
        return total
    rated = x != 0 if machine.withheld else known(x)
    return total + product(rated.astype(jnp.float32), machine.implicit)


def scores(offset: Offset, levels: int) -> Float[Array, "columns levels"]:
    """z - m: how far each level is from a column's mean, in deviations of the noise."""
    z = offset.spacing * (jnp.arange(levels) - (levels - 1) / 2)
    return z - offset.means[:, None]


def base(machine: RatingMachine) -> Float[Array, "columns levels"]:
    """The log-odds of the levels without any hidden unit."""
    if machine.offset is None:
        return machine.biases
    means = machine.offset.means[:, None]
    return machine.biases + means * (scores(machine.offset, machine.biases.shape[1]) + means)


def pulls(offset: Offset, x: Levels, levels: int) -> tuple[Float[Array, " rows"], Float[Array, " rows"]]:
    """Of each row's offset: the sum of t (z - m) over the known ratings, and its precision given these."""
    drawn = offset.loadings[:, None] * scores(offset, levels)
    pull = jnp.einsum("rck,ck->r", one_hot(x, levels), drawn, precision=numerics.EXACT)
    return pull, 1 + jnp.matmul(known(x).astype(jnp.float32), offset.loadings**2, precision=numerics.EXACT)


def rating_fields(
    machine: RatingMachine, hidden: Float[Array, "rows hidden"], offsets: Float[Array, " rows"] | None = None
) -> Float[Array, "rows columns levels"]:
    """What acts on the levels of every column: their log-probabilities given the hidden units, up to a constant."""
    columns, levels, units = machine.weights.shape
    sent = product(hidden, machine.weights.reshape(columns * levels, units).T)
    fields = base(machine) + sent.reshape(len(hidden), columns, levels)
    if machine.offset is None or offsets is None:
        return fields
    return fields + offsets[:, None, None] * machine.offset.loadings[:, None] * scores(machine.offset, levels)


def draw_offsets(key: Key[Array, ""], machine: RatingMachine, x: Levels) -> Float[Array, " rows"] | None:
    """The offset of each row given its known ratings."""
    if machine.offset is None:
        return None
    pull, precision = pulls(machine.offset, x, machine.biases.shape[1])
    return pull / precision + jax.random.normal(key, pull.shape) / jnp.sqrt(precision)


def draw_ratings(
    key: Key[Array, ""],
    machine: RatingMachine,
    hidden: Float[Array, "rows hidden"],
    where: Bool[Array, "rows columns"],
    offsets: Float[Array, " rows"] | None = None,
) -> Levels:
    """A level for each column `where` there is a rating, given the hidden units; 0 elsewhere."""
    # One uniform number a column against the cumulative probabilities, instead of one a level.
    below = jnp.cumsum(jax.nn.softmax(rating_fields(machine, hidden, offsets)), axis=-1)[..., :-1]
    uniform = random.uniform(random.bits(key, where.shape))
    level = 1 + jnp.sum(uniform[..., None] >= below, axis=-1)
    return jnp.where(where, level, 0).astype(jnp.float32)


def energy(machine: RatingMachine, x: Levels, hidden: Float[Array, "rows hidden"]) -> Float[Array, " rows"]:
    """The joint energy of each row's known ratings and binary hidden units, in nats, the offset summed out."""
    own = jnp.sum(one_hot(x, machine.biases.shape[-1]) * base(machine), axis=(1, 2))
    energies = -own - jnp.sum(hidden * hidden_fields(machine, x), axis=1)
    if machine.offset is None:
        return energies
    pull, precision = pulls(machine.offset, x, machine.biases.shape[1])
    return energies - pull**2 / (2 * precision) + jnp.log(precision) / 2


class Evidence(NamedTuple):
    """What the known ratings of rows say of their hidden units: the fields, and the offset's pull and precision."""

    fields: Float[Array, "*rows hidden"]
    pull: Float[Array, "*rows"]
    precision: Float[Array, "*rows"]


def evidence(machine: RatingMachine, x: Levels) -> Evidence:
    """Of each row."""
    none = jnp.zeros(len(x)), jnp.ones(len(x))
    both = none if machine.offset is None else pulls(machine.offset, x, machine.biases.shape[1])
    return Evidence(hidden_fields(machine, x), *both)


def conditional(
    machine: RatingMachine, row: Evidence, level: Float[Array, ""], column: Int[Array, ""]
) -> Float[Array, " levels"]:
    """log p(v_q = k | the row's other known ratings) for the column q, at `level` in the row (below 1: not known).

    Exact, hidden units and offset summed out: up to a constant b_q[k] + sum_j softplus(field_j + W_q[k, j]) and what
    the others say of the offset. What the row says of the column itself is left out, so a known rating is predicted
    from the others; where the machine is conditional, r stays as it is.
    """
    weights = machine.weights[column]
    levels = len(weights)
    own = one_hot(level, levels)
    others = row.fields - jnp.sum(own[:, None] * weights, axis=0)
    log_p = base(machine)[column] + jnp.sum(jax.nn.softplus(others + weights), axis=-1)
    if machine.offset is not None:
        loading, score = machine.offset.loadings[column], scores(machine.offset, levels)[column]
        precision = row.precision - loading**2 * jnp.sum(own)
        mean = loading * (row.pull - loading * jnp.sum(own * score)) / precision
        variance = loading**2 / precision
        log_p += (mean * score + variance * score**2 / 2) / (1 + variance)
    return jax.nn.log_softmax(log_p)


def predict(
    machine: RatingMachine, x: Levels, rows: Int[Array, " queries"], columns: Int[Array, " queries"]
) -> Float[Array, "queries levels"]:
    """`conditional` for query n = column `columns[n]` of row `rows[n]`."""

    def of_row(row: Float[Array, " columns"]) -> Evidence:
        return jax.tree.map(lambda leaf: leaf[0], evidence(machine, row[None]))

    said = jax.lax.map(of_row, x, batch_size=256)

    def one(query: tuple[Array, Array]) -> Float[Array, " levels"]:
        row, column = query
        return conditional(machine, jax.tree.map(lambda leaf: leaf[row], said), x[row, column], column)

    return jax.lax.map(one, (rows, columns), batch_size=BLOCK)
