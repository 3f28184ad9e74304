"""NADE (Larochelle and Murray 2011): log p(x) as a sum over the values in an order, each given those before it.

Value i is Bernoulli with the logit  b_i + sum_j<i U_ij x_j + V_i f(c + sum_j<s(i) W_j x_j),  where s(i) is the first
value of i's block. Blocks of one value are NADE itself, with direct connections U; values of a larger block share their
hidden units, so that these are computed less often, and know of each other by the direct connections alone.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from genjax import random
from genjax.networks import pixels
from genjax.networks.backbones import ActivationName, activation
from genjax.random import subkey


class Weights(NamedTuple):
    """What is learned; rows are values in the model's order, `direct` is read below its diagonal alone."""

    inputs: Float[Array, "values hidden"]
    outputs: Float[Array, "values hidden"]
    direct: Float[Array, "values values"]
    hidden_biases: Float[Array, " hidden"]
    biases: Float[Array, " values"]


@partial(jax.tree_util.register_dataclass, data_fields=["weights", "order"], meta_fields=["block", "activation"])
@dataclass(frozen=True)
class NADE:
    """Weights, and which value stands at each place of the order; `block` (which divides their number) and `activation`
    are static."""

    weights: Weights
    order: Int[Array, " values"]
    block: int = 1
    activation: ActivationName = "relu"


def nade(
    key: Key[Array, ""],
    hidden: int,
    mean: Float[Array, " values"],
    block: int = 1,
    activation: ActivationName = "relu",
    shuffled: bool = False,
) -> NADE:
    """At the data's base rates but for small normal weights; the order is that of the values, or a random one."""
    values = mean.shape[0]
    order = jax.random.permutation(subkey(key, "order"), values) if shuffled else jnp.arange(values)
    weights = Weights(
        inputs=random.normal(subkey(key, "inputs"), (values, hidden)) / values**0.5,
        outputs=0.3 * random.normal(subkey(key, "outputs"), (values, hidden)) / hidden**0.5,
        direct=jnp.zeros((values, values), jnp.float32),
        hidden_biases=jnp.zeros(hidden, jnp.float32),
        biases=pixels.first_bias("bernoulli", mean[order]),
    )
    return NADE(weights, order, block, activation)


def log_probability(model: NADE, x: Float[Array, "batch values"]) -> Float[Array, " batch"]:
    """log p(x), exactly, nats."""
    x = x[:, model.order]
    outputs = logits(model, x)
    return jnp.sum(outputs * x - pixels.softplus(outputs), axis=-1)


def logits(model: NADE, x: Float[Array, "batch values"]) -> Float[Array, "batch values"]:
    """Of each value given those before it; both in the model's order."""
    of, (batch, values) = model.weights, x.shape
    blocks = x.reshape(batch, values // model.block, model.block).swapaxes(0, 1)
    hidden: Any = through_hidden(  # as pyright sees a custom derivative, an object
        model.activation, in_blocks(of.inputs, model), in_blocks(of.outputs, model), of.hidden_biases, blocks
    )
    return of.biases + x @ jnp.tril(of.direct, -1).T + hidden.swapaxes(0, 1).reshape(batch, values)


def features(model: NADE, x: Float[Array, "batch values"]) -> Float[Array, "batch hidden"]:
    """The hidden units that would come after the last value."""
    field = model.weights.hidden_biases + x[:, model.order] @ model.weights.inputs
    return activation(model.activation)(field)


def in_blocks(rows: Float[Array, "values units"], model: NADE) -> Float[Array, "blocks block units"]:
    """Rows of each block."""
    return rows.reshape(-1, model.block, rows.shape[-1])


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def through_hidden(
    name: ActivationName,
    inputs: Float[Array, "blocks block hidden"],
    outputs: Float[Array, "blocks block hidden"],
    biases: Float[Array, " hidden"],
    x: Float[Array, "blocks batch block"],
) -> Float[Array, "blocks batch block"]:
    """What the hidden units say of each value.

    Fields of the hidden units grow along the values, so that all of them cost as much as one layer's products and
    `blocks` times its activations. The gradient computes fields anew on its way back, where plain differentiation would
    hold those of all blocks. It is not that of `x`.
    """
    return _forwards(name, inputs, outputs, biases, x)[0]


def _forwards(name: ActivationName, inputs: Array, outputs: Array, biases: Array, x: Array) -> tuple[Array, tuple]:
    def one(field: Array, block: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        into, out, values = block
        return field + values @ into, activation(name)(field) @ out.T

    start = jnp.broadcast_to(biases, (x.shape[1], biases.shape[0]))
    last, said = jax.lax.scan(one, start, (inputs, outputs, x))
    return said, (inputs, outputs, x, last)


def _backwards(name: ActivationName, kept: tuple, slopes: Array) -> tuple[Array, Array, Array, Array]:
    inputs, outputs, x, last = kept

    def one(carry: tuple[Array, Array], block: tuple[Array, ...]) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        (field, after), (into, out, values, slope) = carry, block
        field = field - values @ into
        units, back = jax.vjp(activation(name), field)
        return (field, after + back(slope @ out)[0]), (values.T @ after, slope.T @ units)

    start = (last, jnp.zeros_like(last))
    (_, fields), (into, out) = jax.lax.scan(one, start, (inputs, outputs, x, slopes), reverse=True)
    return into, out, fields.sum(0), jnp.zeros_like(x)


through_hidden.defvjp(_forwards, _backwards)
