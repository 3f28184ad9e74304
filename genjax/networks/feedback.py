"""Networks whose errors come back through fixed random weights in place of the transposed forward ones.

Backpropagation multiplies the error of a layer by the transpose of the very weights that carried the signal forwards,
of which a nerve cell knows nothing. Feedback alignment sends it layer by layer through random matrices (Lillicrap et
al. 2016), direct feedback alignment sends the error at the output to each hidden layer at once (Nokland 2016). What
comes out is no gradient of the loss, but goes through `jax.grad` and any optimiser in its place.
"""

from collections.abc import Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.networks.backbones import ActivationName, activation

Rule = Literal["backpropagation", "alignment", "direct"]
COLLECTION = "feedback"  # of the fixed matrices: kept beside the parameters, and not learned
initial = nn.initializers.lecun_normal()


@jax.custom_vjp
def aligned(
    x: Float[Array, "batch inputs"], kernel: Float[Array, "inputs outputs"], feedback: Float[Array, "inputs outputs"]
) -> Float[Array, "batch outputs"]:
    """`x @ kernel`; backwards the error goes to `x` through `feedback`, and the kernel's own gradient is the usual one
    (Lillicrap et al. 2016, eq. 2)."""
    return x @ kernel


def _aligned_forwards(x: Array, kernel: Array, feedback: Array) -> tuple[Array, tuple[Array, Array]]:
    return x @ kernel, (x, feedback)


def _aligned_backwards(kept: tuple[Array, Array], error: Array) -> tuple[Array, Array, Array]:
    x, feedback = kept
    return error @ feedback.T, x.T @ error, jnp.zeros_like(feedback)


aligned.defvjp(_aligned_forwards, _aligned_backwards)


@jax.custom_vjp
def heard(x: Float[Array, "batch units"], feedback: Float[Array, "units outputs"]) -> Float[Array, "batch outputs"]:
    """Zeros, to be added to a network's outputs: backwards the error there comes to `x` through `feedback`."""
    return jnp.zeros((x.shape[0], feedback.shape[1]), x.dtype)


def _heard_forwards(x: Array, feedback: Array) -> tuple[Array, Array]:
    return heard(x, feedback), feedback


def _heard_backwards(feedback: Array, error: Array) -> tuple[Array, Array]:
    return error @ feedback.T, jnp.zeros_like(feedback)


heard.defvjp(_heard_forwards, _heard_backwards)


class FeedbackDense(nn.Module):
    """A dense layer whose error goes back through a fixed matrix, drawn as the kernel is."""

    features: int

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", initial, shape)
        feedback = self.variable(COLLECTION, "kernel", lambda: initial(self.make_rng("params"), shape))
        return aligned(x, kernel, feedback.value) + self.param("bias", nn.initializers.zeros, (self.features,))


class DirectFeedback(nn.Module):
    """Hears the error at the `outputs` through a fixed matrix, drawn so that the error keeps its variance."""

    outputs: int

    @nn.compact
    def __call__(self, x: Float[Array, "batch units"]) -> Float[Array, "batch outputs"]:
        shape = (self.outputs, x.shape[-1])
        feedback = self.variable(COLLECTION, "kernel", lambda: initial(self.make_rng("params"), shape).T)
        return heard(x, feedback.value)


class FeedbackPerceptron(nn.Module):
    """A multilayer perceptron that learns by one of three rules; forwards, and in its parameters, they are the same.

    In all of them the error is multiplied by the slope of the activation on its way. The fixed matrices are the
    variables `feedback`.
    """

    layers: tuple[int, ...]
    outputs: int
    rule: Rule = "alignment"
    activation: ActivationName = "tanh"

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
        echoes = jnp.zeros((1, self.outputs))
        for number, size in enumerate(self.layers):
            x = activation(self.activation)(self._dense(number, size, x))
            if self.rule == "direct":
                echoes = echoes + DirectFeedback(self.outputs, name=f"echo_{number}")(x)
                x = jax.lax.stop_gradient(x)
        return self._dense(len(self.layers), self.outputs, x) + echoes

    def _dense(self, number: int, size: int, x: Array) -> Array:
        kind = FeedbackDense if self.rule == "alignment" and number else nn.Dense  # below the first nothing learns
        return kind(size, name=f"dense_{number}")(x)


def angles(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Float[Array, ""]]:
    """Degrees between two gradients of the same parameters, by layer, and `all`: of the whole vectors."""
    found = {name: _angle(jax.tree.leaves(one[name]), jax.tree.leaves(other[name])) for name in one}
    return found | {"all": _angle(jax.tree.leaves(one), jax.tree.leaves(other))}


def _angle(one: list[Array], other: list[Array]) -> Float[Array, ""]:
    a, b = (jnp.concatenate([leaf.ravel() for leaf in leaves]) for leaves in (one, other))
    cosine = jnp.vdot(a, b) / (jnp.linalg.norm(a) * jnp.linalg.norm(b))
    return jnp.degrees(jnp.arccos(jnp.clip(cosine, -1.0, 1.0)))
