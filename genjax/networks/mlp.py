"""The plain multilayer perceptron, and the size of any network."""

from collections.abc import Callable

import flax.linen as nn
import jax
from jaxtyping import Array, Float, PyTree


class MLP(nn.Module):
    """Dense layers of these sizes, the activation between them and not after the last, which may have no bias, or one
    that begins somewhere else than at zero."""

    sizes: tuple[int, ...]
    activation: Callable[[Array], Array] = nn.relu
    last_bias: bool = True
    last_bias_init: nn.initializers.Initializer = nn.initializers.zeros

    @nn.compact
    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        *inner, last = self.sizes
        for size in inner:
            x = self.activation(nn.Dense(size)(x))
        return nn.Dense(last, use_bias=self.last_bias, bias_init=self.last_bias_init)(x)


def parameter_count(parameters: PyTree) -> int:
    """How many numbers a pytree of arrays (or of their shapes, `jax.eval_shape`) holds."""
    return sum(leaf.size for leaf in jax.tree.leaves(parameters))
