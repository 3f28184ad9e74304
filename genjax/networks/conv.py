"""Convolutions and their transposes, as fast inside `lax.scan` and under `vmap` as alone.

XLA's CPU compiler hands a convolution to its fast kernels only in one layout: images (batch, height, width,
channels), kernels (rows, columns, in, out). Outside of loops it brings every convolution there; inside it does not,
and the derivatives that JAX derives are in other layouts: a training step in a scan takes 8 to 20 times longer than
the same step from the host. Vmapped over kernels, as in a grid of runs, a convolution becomes a grouped one, which
is slow as well. So on a CPU the derivatives are written out here in the fast layout, and `vmap` over kernels takes one
member after the other. Patches times a matrix, the usual way out, take twice as long (`benchmarks/convolution.py`).
GPUs and TPUs know what to do with `lax.conv` itself.

The three functions of the CPU are the derivatives of one trilinear form, `sum(_down(x, kernel) * y)`, so each has
the other two as its derivatives, and derivatives of any order (reverse mode) stay in the fast layout.
"""

import math
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Float

LAYOUT = ("NHWC", "HWIO", "NHWC")


class Conv(nn.Module):
    """Convolution with a square kernel, padding SAME: (height, width) becomes ceil(height / stride), and so on."""

    features: int
    kernel: int = 3
    stride: int = 1
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: Float[Array, "batch height width channels"]) -> Float[Array, "batch rows columns features"]:
        shape = (self.kernel, self.kernel, x.shape[-1], self.features)
        y = convolve(x, self.param("kernel", nn.initializers.lecun_normal(), shape, jnp.float32), self.stride)
        return y + self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32) if self.use_bias else y


class ConvTranspose(nn.Module):
    """Transposed convolution with a square kernel, padding SAME: (height, width) becomes `stride` times as large."""

    features: int
    kernel: int = 3
    stride: int = 1
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: Float[Array, "batch height width channels"]) -> Float[Array, "batch rows columns features"]:
        shape = (self.kernel, self.kernel, self.features, x.shape[-1])
        initial = nn.initializers.lecun_normal(in_axis=-1, out_axis=-2)
        y = convolve_transposed(x, self.param("kernel", initial, shape, jnp.float32), self.stride)
        return y + self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32) if self.use_bias else y


def convolve(
    x: Float[Array, "batch height width in"], kernel: Float[Array, "rows columns in out"], stride: int
) -> Float[Array, "batch smaller_height smaller_width out"]:
    """`lax.conv_general_dilated` with padding SAME; on a CPU differentiable in reverse mode only."""
    if not written_out():
        return lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=LAYOUT)
    return _down(x, kernel, _geometry(x.shape[1:3], kernel.shape[:2], stride))


def convolve_transposed(
    y: Float[Array, "batch height width out"], kernel: Float[Array, "rows columns in out"], stride: int
) -> Float[Array, "batch larger_height larger_width in"]:
    """The transpose of `convolve` with the same kernel, from images `stride` times as large.

    This is `lax.conv_transpose` with padding SAME and `transpose_kernel=True`; on a CPU differentiable in reverse
    mode only.
    """
    if not written_out():
        return lax.conv_transpose(y, kernel, (stride, stride), "SAME", dimension_numbers=LAYOUT, transpose_kernel=True)
    larger = (stride * y.shape[1], stride * y.shape[2])
    return _up(y, kernel, _geometry(larger, kernel.shape[:2], stride))


def written_out() -> bool:
    """Whether this backend wants the derivatives written out: asked when a function is traced."""
    return jax.default_backend() == "cpu"


class _Axis(NamedTuple):
    """One spatial axis of a convolution: sizes of the larger and smaller image, and zeros put before the larger."""

    larger: int
    smaller: int
    kernel: int
    stride: int
    before: int

    @property
    def reach(self) -> int:
        """From the first pixel that the kernel's first entry meets to the last."""
        return (self.smaller - 1) * self.stride + 1


_Geometry = tuple[_Axis, _Axis]
_Padding = list[tuple[int, int]]


def _geometry(larger: tuple[int, ...], kernel: tuple[int, ...], stride: int) -> _Geometry:
    def axis(larger: int, kernel: int) -> _Axis:
        smaller = -(-larger // stride)
        return _Axis(larger, smaller, kernel, stride, max((smaller - 1) * stride + kernel - larger, 0) // 2)

    return axis(larger[0], kernel[0]), axis(larger[1], kernel[1])


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _down(x: Array, kernel: Array, geometry: _Geometry) -> Array:
    """From larger images to smaller ones: `x[stride * p - before + k] kernel[k]`, summed over k."""
    padding = [(a.before, a.reach + a.kernel - 1 - a.larger - a.before) for a in geometry]
    return _convolution(x, kernel, padding, stride=geometry[0].stride)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _up(y: Array, kernel: Array, geometry: _Geometry) -> Array:
    """From smaller images to larger ones: the derivative of `sum(_down(x, kernel) * y)` by x."""
    padding = [(a.kernel - 1 - a.before, a.larger + a.before - a.reach) for a in geometry]
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    return _convolution(y, turned, padding, spread=geometry[0].stride)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _between(x: Array, y: Array, geometry: _Geometry) -> Array:
    """From larger and smaller images to a kernel: the derivative of `sum(_down(x, kernel) * y)` by the kernel."""
    padding = [(a.before, a.reach + a.kernel - 1 - a.larger - a.before) for a in geometry]
    x, y = x.transpose(3, 1, 2, 0), y.transpose(1, 2, 0, 3)  # the images are what is summed over: the channels
    kernel = _convolution(x, y, padding, dilation=geometry[0].stride)
    return kernel.transpose(1, 2, 0, 3)


_down.defvjp(
    lambda x, kernel, geometry: (_down(x, kernel, geometry), (x, kernel)),
    lambda geometry, seen, y: (_up(y, seen[1], geometry), _between(seen[0], y, geometry)),
)
_up.defvjp(
    lambda y, kernel, geometry: (_up(y, kernel, geometry), (y, kernel)),
    lambda geometry, seen, x: (_down(x, seen[1], geometry), _between(x, seen[0], geometry)),
)
_between.defvjp(
    lambda x, y, geometry: (_between(x, y, geometry), (x, y)),
    lambda geometry, seen, kernel: (_up(seen[1], kernel, geometry), _down(seen[0], kernel, geometry)),
)


def _convolution(
    x: Array, kernel: Array, padding: _Padding, stride: int = 1, spread: int = 1, dilation: int = 1
) -> Array:
    """In the fast layout; vmapped, images of all members go together, kernels one after the other.

    `spread` is the distance of neighbouring pixels of x, the others being zero, and `dilation` that of the kernel.
    XLA exchanges image and kernel, and leaves the fast layout, where the image is the smaller one: the zeros around it
    are made part of it then, behind a barrier over which XLA does not look.
    """

    @custom_vmap
    def one(x: Array, kernel: Array) -> Array:
        around = padding
        if math.prod(kernel.shape[:2]) > math.prod(x.shape[1:3]):
            sizes = zip(padding, x.shape[1:3], kernel.shape[:2])
            rows = [(low // spread, max(high // spread, k - n - low // spread), 0) for (low, high), n, k in sizes]
            around = [(low - spread * a, high - spread * b) for (low, high), (a, b, _) in zip(padding, rows)]
            x = lax.optimization_barrier(lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *rows, (0, 0, 0)]))
        return lax.conv_general_dilated(
            x, kernel, (stride,) * 2, around, (spread,) * 2, (dilation,) * 2, dimension_numbers=LAYOUT
        )

    @one.def_vmap
    def _(members: int, batched: list[bool], x: Array, kernel: Array) -> tuple[Array, bool]:
        if batched[1]:
            x = x if batched[0] else jnp.broadcast_to(x, (members, *x.shape))
            return lax.map(lambda pair: one(*pair), (x, kernel)), True
        y = one(x.reshape(-1, *x.shape[2:]), kernel)
        return y.reshape(members, -1, *y.shape[1:]), True

    return one(x, kernel)
