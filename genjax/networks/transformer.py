"""The vision transformer (Dosovitskiy et al. 2021): patches of an image are tokens, and attention mixes them.

Scaled dot-product attention of several heads (Vaswani et al. 2017) in blocks that normalise first (Xiong et al. 2020);
the class is read off the mean of all tokens (Beyer, Zhai and Kolesnikov 2022).
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from genjax.errors import UserError
from genjax.networks.backbones import Shape
from genjax.networks.windows import Windows, images_last

STEPS = ("queries", "keys", "values", "attention")


class Attended(NamedTuple):
    """What attention gives: means of the values, and the matrix whose rows are the shares that they are means by."""

    values: Float[Array, "*heads queries size"]
    matrix: Float[Array, "*heads queries keys"]


def attend(
    queries: Float[Array, "*heads queries width"],
    keys: Float[Array, "*heads keys width"],
    values: Float[Array, "*heads keys size"],
) -> Attended:
    """softmax(Q K^T / sqrt(width)) V (Vaswani et al. 2017, equation 1): each row of the matrix sums to 1."""
    scores = queries @ jnp.swapaxes(keys, -1, -2) / queries.shape[-1] ** 0.5
    matrix = jax.nn.softmax(scores, -1)
    return Attended(matrix @ values, matrix)


class SelfAttention(nn.Module):
    """Tokens that attend to each other, by several heads of width / heads each.

    Its steps are sown in "intermediates": "queries", "keys", "values", `(batch, heads, tokens, width / heads)`, and the
    attention matrices, "attention", `(batch, heads, tokens, tokens)`.
    """

    heads: int

    @nn.compact
    def __call__(self, tokens: Float[Array, "batch tokens width"]) -> Float[Array, "batch tokens width"]:
        batch, count, width = tokens.shape
        split = nn.Dense(3 * width)(tokens).reshape(batch, count, 3, self.heads, width // self.heads)
        queries, keys, values = jnp.moveaxis(split, (2, 3), (0, 2))
        found = attend(queries, keys, values)
        for name, step in zip(STEPS, (queries, keys, values, found.matrix)):
            self.sow("intermediates", name, step)
        return nn.Dense(width)(jnp.moveaxis(found.values, 1, 2).reshape(tokens.shape))


class Block(nn.Module):
    """Attention, then a perceptron for each token alone, each added to what comes in."""

    heads: int
    hidden: int
    dropout: float = 0.0

    @nn.compact
    def __call__(self, tokens: Float[Array, "batch tokens width"], train: bool) -> Float[Array, "batch tokens width"]:
        dropped = nn.Dropout(self.dropout, deterministic=not train)
        tokens += dropped(SelfAttention(self.heads)(nn.LayerNorm()(tokens)))
        inside = nn.gelu(nn.Dense(self.hidden)(nn.LayerNorm()(tokens)))
        return tokens + dropped(nn.Dense(tokens.shape[-1])(inside))


def attention_steps(
    network: nn.Module, variables: PyTree, x: Float[Array, "batch pixels"]
) -> list[dict[str, Float[Array, "batch heads tokens size"]]]:
    """Of each block of attention within a network, in order, its `STEPS` for these examples."""
    _, sown = network.apply(variables, x, mutable=["intermediates"])
    found: dict[str, dict[str, Array]] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(sown["intermediates"]):
        *place, name, _ = (str(getattr(part, "key", "")) for part in path)
        found.setdefault("/".join(place), {})[name] = leaf
    return [found[place] for place in sorted(found)]


class VisionTransformer(nn.Module):
    """Flat images to logits.

    Patches of `patch` x `patch` pixels begin `stride` apart (None: side by side), within the image alone; `depth`
    blocks have `heads` heads and `hidden` units in their perceptrons.
    """

    shape: Shape
    outputs: int
    patch: int = 7
    stride: int | None = None
    width: int = 64
    depth: int = 3
    heads: int = 4
    hidden: int = 128
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: Float[Array, "batch pixels"], train: bool = False) -> Float[Array, "batch outputs"]:
        if self.width % self.heads:
            raise UserError(f"`width` {self.width} cannot be divided among `heads` {self.heads}.")
        patches = Windows(self.width, self.patch, self.stride or self.patch)(images_last(x, self.shape))
        tokens = jnp.moveaxis(patches, 2, 0).reshape(x.shape[0], -1, self.width)
        tokens += self.param("positions", nn.initializers.normal(0.02), tokens.shape[1:], jnp.float32)
        for _ in range(self.depth):
            tokens = Block(self.heads, self.hidden, self.dropout)(tokens, train)
        return nn.Dense(self.outputs)(nn.LayerNorm()(tokens).mean(1))
