"""One hidden layer whose units are spread over the inputs' range before anything is learned."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


class SpreadPerceptron(nn.Module):
    """Hyperbolic tangents of inputs in [low, high] that begin with their steep parts spread over that range.

    With biases of zero all units are steep at the same place, and a function that oscillates is learned from there
    outwards, if at all. Nguyen and Widrow (1990) scale inputs to [-1, 1], give each unit's weights the Euclidean norm
    0.7 hidden^(1 / inputs), and spread the biases from minus that norm to plus it.
    """

    hidden: int
    outputs: int = 1
    low: float = -1.0
    high: float = 1.0

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
        norm = 0.7 * self.hidden ** (1 / x.shape[-1])

        def directions(key: Key[Array, ""], shape: tuple[int, ...], dtype: type = jnp.float32) -> Array:
            drawn = jax.random.normal(key, shape, dtype)
            return norm * drawn / jnp.linalg.norm(drawn, axis=0)

        def places(key: Key[Array, ""], shape: tuple[int, ...], dtype: type = jnp.float32) -> Array:
            return jax.random.permutation(key, jnp.linspace(-norm, norm, shape[0], dtype=dtype))

        scaled = 2 * (x - self.low) / (self.high - self.low) - 1
        units = jnp.tanh(nn.Dense(self.hidden, kernel_init=directions, bias_init=places)(scaled))
        return nn.Dense(self.outputs)(units)
