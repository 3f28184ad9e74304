"""A Gaussian cut off at zero, exp(t x - g x^2 / 2) on x >= 0, in float32 for every field t.

With a = t / sqrt(g) its law is that of x sqrt(g) = a + z, z standard normal and z >= -a. Far out (a << 0) the usual
formulas subtract numbers that agree; there everything follows from Laplace's continued fraction of Mills' ratio.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

FAR = -3.0  # below it the fraction, which converges the faster the further out
TERMS = 16
LOG_ROOT_2_PI = 0.9189385332046727


def _fraction(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """1 / (z + 2 / (z + 3 / (z + ...))) for z >= 2: Mills' ratio is 1 / (z + this)."""
    tail = z
    for term in range(TERMS, 1, -1):
        tail = z + term / tail
    return 1 / tail


def log_integral(a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """log of the integral of exp(a y - y^2 / 2) over y >= 0: a^2 / 2 + log Phi(a) + log(2 pi) / 2."""
    far, near = jnp.minimum(a, FAR), jnp.maximum(a, FAR)
    of_near = 0.5 * near**2 + jax.scipy.special.log_ndtr(near) + LOG_ROOT_2_PI
    return jnp.where(a < FAR, -jnp.log(-far + _fraction(-far)), of_near)


def mean(a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Expected y under the density exp(a y - y^2 / 2) on y >= 0."""
    far, near = jnp.minimum(a, FAR), jnp.maximum(a, FAR)
    of_near = near + jnp.exp(-0.5 * near**2 - LOG_ROOT_2_PI - jax.scipy.special.log_ndtr(near))
    return jnp.where(a < FAR, _fraction(-far), of_near)


def variance(a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Variance of y: the derivative of its mean."""
    m = mean(a)
    far = jnp.minimum(a, 10 * FAR)
    # 1 - m (m - a) loses all digits far out, where the variance is 1 / a^2 - 6 / a^4 + 50 / a^6 - ...
    return jnp.where(a < 10 * FAR, far**-2 - 6 * far**-4 + 50 * far**-6, 1 - m * (m - a))


def quantile(a: Float[Array, "*shape"], u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The y that is exceeded with probability u, 0 < u < 1."""
    near = jnp.maximum(a, -2.0)
    of_near = near - jax.scipy.special.ndtri(u * jax.scipy.special.ndtr(near))
    z = jnp.maximum(-a, 2.0)
    log_u = jnp.log(u)

    def mills(x: Array) -> Array:
        return 1 / (x + _fraction(x))

    def newton(_: int | Array, y: Array) -> Array:
        """log P(exceeds y) is concave and falls with slope -1 / mills: from the right, every step stays there."""
        log_tail = -z * y - 0.5 * y**2 + jnp.log(mills(z + y) / mills(z))
        return jnp.maximum(y + mills(z + y) * (log_tail - log_u), 0.0)

    of_far = jax.lax.fori_loop(0, 6, newton, -log_u * mills(z))
    return jnp.maximum(jnp.where(a < -2.0, of_far, of_near), 0.0)
