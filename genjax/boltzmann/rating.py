"""The RBM of ratings (Salakhutdinov, Mnih and Hinton 2007): categorical visible units, most of them missing.

Every user has an RBM of his own, with one softmax unit of K levels for each item that he rated, and all share weights:

    E(v, h) = - sum_i b_i[v_i] - sum_j h_j (c_j + sum_i W_i[v_i, j] + sum_i r_i D_ij),   i over the rated items alone

The last term is there where the machine is conditional on WHICH items were rated, r. Ratings are matrices of levels
as in `genjax.data.ratings`: k = 1 ... K a known rating, 0 none, below 0 one whose value the machine does not see.
"""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from genjax import random
from genjax.boltzmann.machine import product

Levels = Float[Array, "users items"]
BLOCK = 1024  # predictions made at once: memory is this times levels times hidden units


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RatingMachine:
    """Weights `(items, levels, hidden)`, biases `(items, levels)`, hidden_biases `(hidden,)`.

    `implicit` `(items, hidden)` is D, or None. `withheld`: whether a rating known only to exist counts for it.
    """

    weights: PyTree
    biases: PyTree
    hidden_biases: PyTree
    implicit: PyTree = None
    withheld: bool = field(default=False, metadata={"static": True})


def known(x: Levels) -> Bool[Array, "users items"]:
    """Where the value of a rating is known."""
    return x >= 1


def one_hot(x: Levels, levels: int) -> Float[Array, "users items levels"]:
    """1 at a known rating's level; all zero where there is none."""
    return (x[..., None] == jnp.arange(1, levels + 1)).astype(jnp.float32)


def hidden_fields(machine: RatingMachine, x: Levels) -> Float[Array, "users hidden"]:
    """What acts on the hidden units, given all known ratings."""
    items, levels, hidden = machine.weights.shape
    shown = one_hot(x, levels).reshape(len(x), items * levels)
    total = machine.hidden_biases + product(shown, machine.weights.reshape(items * levels, hidden))
    if machine.implicit is None:
        return total
    rated = x != 0 if machine.withheld else known(x)
    return total + product(rated.astype(jnp.float32), machine.implicit)


def rating_fields(machine: RatingMachine, hidden: Float[Array, "users hidden"]) -> Float[Array, "users items levels"]:
    """What acts on the levels of every item: their log-probabilities given the hidden units, up to a constant."""
    items, levels, units = machine.weights.shape
    sent = product(hidden, machine.weights.reshape(items * levels, units).T)
    return machine.biases + sent.reshape(len(hidden), items, levels)


def draw_ratings(
    key: Key[Array, ""],
    machine: RatingMachine,
    hidden: Float[Array, "users hidden"],
    where: Bool[Array, "users items"],
) -> Levels:
    """A level for each item `where` there is a rating, given the hidden units; 0 elsewhere."""
    # One uniform number an item against the cumulative probabilities, instead of one a level.
    below = jnp.cumsum(jax.nn.softmax(rating_fields(machine, hidden)), axis=-1)[..., :-1]
    uniform = random.uniform(random.bits(key, where.shape))
    level = 1 + jnp.sum(uniform[..., None] >= below, axis=-1)
    return jnp.where(where, level, 0).astype(jnp.float32)


def energy(machine: RatingMachine, x: Levels, hidden: Float[Array, "users hidden"]) -> Float[Array, " users"]:
    """The joint energy of each user's known ratings and hidden units, in nats."""
    own = jnp.sum(one_hot(x, machine.biases.shape[-1]) * machine.biases, axis=(1, 2))
    return -own - jnp.sum(hidden * hidden_fields(machine, x), axis=1)


def predict(
    machine: RatingMachine, x: Levels, users: Int[Array, " queries"], items: Int[Array, " queries"]
) -> Float[Array, "queries levels"]:
    """log p(v_q = k | the user's other known ratings) for query n = item `items[n]` of the user in row `users[n]`.

    Exact, the hidden units summed out: log p = b_q[k] + sum_j softplus(field_j + W_q[k, j]) up to a constant. What x
    says of the item itself is left out, so a known rating is predicted from the others; where the machine is
    conditional, r stays as it is.
    """

    def fields_of(row: Float[Array, " items"]) -> Float[Array, " hidden"]:
        return hidden_fields(machine, row[None])[0]

    fields = jax.lax.map(fields_of, x, batch_size=256)
    levels = machine.weights.shape[1]

    def one(query: tuple[Array, Array]) -> Float[Array, " levels"]:
        user, item = query
        weights = machine.weights[item]
        own = one_hot(x[user, item][None, None], levels)[0, 0]
        others = fields[user] - jnp.sum(own[:, None] * weights, axis=0)
        return jax.nn.log_softmax(machine.biases[item] + jnp.sum(jax.nn.softplus(others + weights), axis=-1))

    return jax.lax.map(one, (users, items), batch_size=BLOCK)
