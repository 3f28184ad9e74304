"""NADE (Larochelle and Murray 2011): log p(x) as a sum over the values in an order, each given those before it.

Value i is Bernoulli with the logit  b_i + sum_j<i U_ij x_j + V_i f(c + sum_j<i W_j x_j):  every value has hidden units
of its own, which share their weights W; U are direct connections.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

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


@partial(jax.tree_util.register_dataclass, data_fields=["weights", "order"], meta_fields=["activation"])
@dataclass(frozen=True)
class NADE:
    """Weights, and which value stands at each place of the order, `(values,)`; the activation is static."""

    weights: Any  # `Weights`
    order: Any
    activation: ActivationName = "relu"


def nade(
    key: Key[Array, ""],
    hidden: int,
    mean: Float[Array, " values"],
    activation: ActivationName = "relu",
    shuffled: bool = False,
) -> NADE:
    """At the data's base rates but for small normal weights; the order is that of the values, or a random one."""
    values = mean.shape[0]
    order = jax.random.permutation(subkey(key, "order"), values) if shuffled else jnp.arange(values)
    order = order.astype(jnp.int32)
    weights = Weights(
        inputs=random.normal(subkey(key, "inputs"), (values, hidden)) / values**0.5,
        outputs=0.3 * random.normal(subkey(key, "outputs"), (values, hidden)) / hidden**0.5,
        direct=jnp.zeros((values, values), jnp.float32),
        hidden_biases=jnp.zeros(hidden, jnp.float32),
        biases=pixels.first_bias("bernoulli", mean[order]),
    )
    return NADE(weights, order, activation)


def log_probability(model: NADE, x: Float[Array, "batch values"]) -> Float[Array, " batch"]:
    """log p(x), exactly, nats."""
    x = x[:, model.order]
    outputs = logits(model, x)
    return jnp.sum(outputs * x - pixels.softplus(outputs), axis=-1)


def logits(model: NADE, x: Float[Array, "batch values"]) -> Float[Array, "batch values"]:
    """Of each value given those before it; both in the model's order."""
    of = model.weights
    said: Any = through_hidden(model.activation, of.inputs, of.outputs, of.hidden_biases, x.T)
    return of.biases + x @ jnp.tril(of.direct, -1).T + said.T


def features(model: NADE, x: Float[Array, "batch values"]) -> Float[Array, "batch hidden"]:
    """The hidden units that would come after the last value."""
    field = model.weights.hidden_biases + x[:, model.order] @ model.weights.inputs
    return activation(model.activation)(field)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def through_hidden(
    name: ActivationName,
    inputs: Float[Array, "values hidden"],
    outputs: Float[Array, "values hidden"],
    biases: Float[Array, " hidden"],
    x: Float[Array, "values batch"],
) -> Float[Array, "values batch"]:
    """What the hidden units say of each value.

    Their fields grow along the values. The gradient takes them back one by one, where plain differentiation would hold
    those of all values. There is none of `x`.
    """
    return _forwards(name, inputs, outputs, biases, x)[0]


def _forwards(name: ActivationName, inputs: Array, outputs: Array, biases: Array, x: Array) -> tuple[Array, tuple]:
    def one(field: Array, value: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        into, out, x = value
        return field + x[:, None] * into, activation(name)(field) @ out

    start = jnp.broadcast_to(biases, (x.shape[1], biases.shape[0]))
    last, said = jax.lax.scan(one, start, (inputs, outputs, x))
    return said, (inputs, outputs, x, last)


def _backwards(name: ActivationName, kept: tuple, slopes: Array) -> tuple[Array, Array, Array, Array]:
    inputs, outputs, x, last = kept

    def one(carry: tuple[Array, Array], value: tuple[Array, ...]) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        (field, after), (into, out, x, slope) = carry, value
        field = field - x[:, None] * into
        units, back = jax.vjp(activation(name), field)
        return (field, after + back(slope[:, None] * out)[0]), (x @ after, slope @ units)

    start = (last, jnp.zeros_like(last))
    (_, fields), (into, out) = jax.lax.scan(one, start, (inputs, outputs, x, slopes), reverse=True)
    return into, out, fields.sum(0), jnp.zeros_like(x)


through_hidden.defvjp(_forwards, _backwards)
