"""The feed-forward network that a Boltzmann machine's way upwards unrolls into, with a softmax on top."""

from collections.abc import Callable

import flax.linen as nn
from jaxtyping import Array, Float


def untouched(name: str, x: Array) -> Array:
    """No noise."""
    return x


class Unrolled(nn.Module):
    """Logistic layers of these sizes; logits out.

    Each may also see an estimate of the layer above it, as a deep Boltzmann machine's layers do. `noise(name, x)` is
    applied to what comes into the dense layer of this name (up_0, down_0, up_1, ..., out): dropout, say.
    """

    sizes: tuple[int, ...]
    classes: int

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "batch inputs"],
        above: tuple[Float[Array, "batch _"], ...] = (),
        noise: Callable[[str, Array], Array] = untouched,
    ) -> Float[Array, "batch classes"]:
        """`above[l]` is the estimate that layer l sees of layer l + 1; none for the highest layer."""
        for number, size in enumerate(self.sizes):
            field = nn.Dense(size, name=f"up_{number}")(noise(f"up_{number}", x))
            if number < len(above):
                field += nn.Dense(size, use_bias=False, name=f"down_{number}")(noise(f"down_{number}", above[number]))
            x = nn.sigmoid(field)
        return nn.Dense(self.classes, name="out")(noise("out", x))
