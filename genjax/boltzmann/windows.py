"""Filters at many places of an image: what windows send to hidden units, and back.

On two cores (28x28, 32 filters, 100 images, ms): upwards `lax.conv` takes 2 to 8 and a product by a band matrix 10 to
15; downwards a transposed convolution 20 to 120 and the band matrix 10 to 15; the derivative by the filters 31 and 8.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax import numerics
from genjax.errors import UserError


@dataclass(frozen=True)
class Places:
    """Where filters lie on an image: static sizes, in pixels."""

    shape: tuple[int, int]
    width: int
    stride: int = 1
    padding: int = 0
    pooling: int = 1

    def check(self) -> "Places":
        """Itself, or a `UserError` that says which sizes do not fit."""
        for name, least in (("width", 1), ("stride", 1), ("padding", 0), ("pooling", 1)):
            if getattr(self, name) < least:
                raise UserError(f"`{name}` {getattr(self, name)} is out of range; give at least {least}.")
        if self.padding >= self.width:
            raise UserError(f"`padding` {self.padding} lets filters of `width` {self.width} miss the image; give less.")
        if self.width > min(self.shape) + 2 * self.padding:
            raise UserError(f"`width` {self.width} is more than images of {self.shape} have; give less, or `padding`.")
        if any(side % self.pooling for side in self.grid):
            size = " x ".join(map(str, self.grid))
            raise UserError(f"`pooling` {self.pooling} does not divide the {size} places; give another, or `padding`.")
        return self

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of places."""
        rows, columns = ((side + 2 * self.padding - self.width) // self.stride + 1 for side in self.shape)
        return rows, columns

    @property
    def count(self) -> int:
        """How many places a filter has."""
        return self.grid[0] * self.grid[1]

    @property
    def visible(self) -> int:
        """Pixels of an image."""
        return self.shape[0] * self.shape[1]


def upwards(
    places: Places, visible: Float[Array, "*batch visible"], weights: Float[Array, "filters width width"]
) -> Float[Array, "*batch hidden"]:
    """What every window of the image sends to its hidden units."""
    images = visible.reshape(-1, *places.shape, 1)
    sent = jax.lax.conv_general_dilated(
        images,
        jnp.moveaxis(weights, 0, -1)[:, :, None].astype(images.dtype),
        (places.stride, places.stride),
        [(places.padding, places.padding)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=numerics.EXACT,
    )
    return sent.reshape(*visible.shape[:-1], -1)


def downwards(
    places: Places, hidden: Float[Array, "*batch hidden"], weights: Float[Array, "filters width width"]
) -> Float[Array, "*batch visible"]:
    """What the hidden units send to the pixels of their windows.

    Each row of hidden units by the band matrix, the rows that it reaches added up: on a CPU three to nine times faster
    than a transposed convolution, which has one channel to give.
    """
    (rows, _), (height, width), pad = places.grid, places.shape, places.padding
    reach = (rows - 1) * places.stride + 1
    flat = hidden.reshape(-1, rows, hidden.shape[-1] // rows)
    sent = product(flat, band(places, weights).T).reshape(-1, rows, places.width, width + 2 * pad)
    total = jnp.zeros((flat.shape[0], height + 2 * pad, width + 2 * pad), sent.dtype)
    for row in range(places.width):
        total = total.at[:, row : row + reach : places.stride].add(sent[:, :, row])
    inside = total[:, pad : pad + height, pad : pad + width]
    return inside.reshape(*hidden.shape[:-1], places.visible)


def rows_under(places: Places, visible: Float[Array, "*batch visible"]) -> Float[Array, "*batch rows band"]:
    """For every row of places the rows of pixels under it, side by side."""
    pad, (rows, _) = places.padding, places.grid
    images = visible.reshape(*visible.shape[:-1], *places.shape)
    images = jnp.pad(images, [(0, 0)] * (visible.ndim - 1) + [(pad, pad)] * 2)
    reach = (rows - 1) * places.stride + 1
    under = [images[..., row : row + reach : places.stride, :] for row in range(places.width)]
    return jnp.stack(under, axis=-2).reshape(*visible.shape[:-1], rows, -1)


def band(places: Places, weights: Float[Array, "filters width width"]) -> Float[Array, "band columns_filters"]:
    """The filters at every column of places, as a matrix from `width` rows of pixels to a row of hidden units."""
    columns, side = places.grid[1], places.shape[1] + 2 * places.padding
    turned = jnp.moveaxis(weights, 0, -1)
    band = jnp.zeros((places.width, side, columns, weights.shape[0]), weights.dtype)
    for column in range(columns):
        left = column * places.stride
        band = band.at[:, left : left + places.width, column].set(turned)
    return band.reshape(places.width * side, -1)


def product(x: Float[Array, "*batch inputs"], matrix: Float[Array, "inputs outputs"]) -> Float[Array, "..."]:
    """x times the matrix, in float32 at the highest precision."""
    return numerics.exact(x, matrix)
