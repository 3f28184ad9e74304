"""How far two sets of examples are apart by their kernel means, without a network whose features might change."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax import numerics

WIDTHS = (0.25, 1.0, 4.0)  # of the kernels, in mean squared distances of two examples of the second set


def kernel_distance(x: Float[Array, "n values"], y: Float[Array, "m values"]) -> Float[Array, ""]:
    """The squared maximum mean discrepancy without bias (Gretton et al. 2012, equation 3), of Gaussian kernels.

    It is 0 in expectation where both are drawn from one distribution, and may then be below 0. Each set has two
    examples at least.
    """
    scale = jnp.maximum(2 * jnp.mean(jnp.var(y, axis=0)) * y.shape[1], 1e-6)

    def mean(a: Array, b: Array, same: bool) -> Array:
        squared = jnp.sum(a**2, 1)[:, None] + jnp.sum(b**2, 1) - 2 * numerics.exact(a, b.T)
        values = sum(jnp.exp(-jnp.maximum(squared, 0.0) / (width * scale)) for width in WIDTHS)
        total = jnp.sum(values) - (len(WIDTHS) * len(a) if same else 0)
        return total / (len(a) * (len(b) - same))

    return mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)
