"""Recurrent networks over the values of a window, oldest first, and noise on what a network reads."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax import random


class LSTM(nn.Module):
    """Layers of long short-term memory (Hochreiter and Schmidhuber 1997) over a window, and a linear readout.

    A window `(batch, lag)` is read one value a step; the outputs are linear in the state after its last value. With
    `bidirectional` a second chain reads it from its end (Schuster and Paliwal 1997), and both last states serve.
    """

    layers: tuple[int, ...]
    outputs: int = 1
    bidirectional: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "batch lag"]) -> Float[Array, "batch outputs"]:
        states = x[..., None]
        end = states[:, -1]
        for units in self.layers:
            (_, end), forwards = nn.RNN(nn.OptimizedLSTMCell(units), return_carry=True)(states)
            if self.bidirectional:
                chain = nn.RNN(nn.OptimizedLSTMCell(units), reverse=True, keep_order=True, return_carry=True)
                (_, start), backwards = chain(states)
                end = jnp.concatenate([end, start], axis=-1)
                forwards = jnp.concatenate([forwards, backwards], axis=-1)
            states = forwards
        return nn.Dense(self.outputs)(end)


class Noisy(nn.Module):
    """A network whose inputs get normal noise of this standard deviation in training, and none after it.

    Noise on inputs is a penalty on the slope of the outputs (Bishop 1995): what a prediction that feeds on itself
    does to its own errors.
    """

    network: nn.Module
    deviation: float

    def __call__(self, x: Float[Array, "batch values"], train: bool = False) -> Float[Array, "batch outputs"]:
        if train and self.deviation:
            x = x + self.deviation * random.normal(self.make_rng("dropout"), x.shape)
        return self.network(x)
