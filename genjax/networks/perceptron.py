"""The multilayer perceptron with what keeps it from learning by heart: batch normalisation and dropout."""

import flax.linen as nn
from jaxtyping import Array, Float

from genjax.networks.backbones import ActivationName, activation


class Perceptron(nn.Module):
    """Hidden layers of these sizes, each normalised over the batch where asked for, activated, and dropped in part.

    In training (`train`) batches have their own moments and units are dropped (Ioffe and Szegedy 2015; Srivastava et
    al. 2014); after it the running moments serve, and nothing is dropped.
    """

    layers: tuple[int, ...]
    outputs: int
    activation: ActivationName = "relu"
    dropout: float = 0.0
    batch_norm: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs"], train: bool = False) -> Float[Array, "batch outputs"]:
        for size in self.layers:
            x = nn.Dense(size, use_bias=not self.batch_norm)(x)
            if self.batch_norm:
                x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
            x = activation(self.activation)(x)
            if self.dropout:
                x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.outputs)(x)
