"""An LSTM whose gradient through time is cut every few steps, and what may stand for the gradient beyond the cut.

Decoupled neural interfaces (Jaderberg et al. 2017): at a cut a small network predicts, from the state there, the
gradient of all later losses with respect to that state. It learns from the gradient that arrives at the cut one
segment later, which is itself made of losses there and of the prediction at the next cut, as values are learned by
temporal differences.
"""

from functools import partial
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

Cut = Literal["none", "zero", "synthetic"]


class DecoupledLSTM(nn.Module):
    """An output at each step of sequences `(batch, steps)`; the gradient is cut every `segment` of them.

    What stands for the gradient from beyond a cut: itself (`none`: full backpropagation through time), nothing
    (`zero`: truncated; Williams and Peng 1990), or its prediction (`synthetic`) by `guess` hidden units. All three have
    the same parameters and the same outputs; the gradients differ.
    """

    units: int
    segment: int
    cut: Cut = "synthetic"
    guess: int = 64

    @nn.compact
    def __call__(self, x: Float[Array, "batch steps"]) -> Float[Array, "batch steps"]:
        batch, steps = x.shape
        if steps % self.segment:
            raise ValueError(f"{steps} steps are not a whole number of segments of {self.segment}.")
        segments = x.reshape(batch, -1, self.segment).swapaxes(0, 1)
        start = jnp.zeros((batch, self.units))
        guess = self.param("guess", predictor, 2 * self.units, self.guess)
        scale = 1.0 / x.size  # of a mean over the batch and its steps

        def one(cell: Any, state: Any, part: Array) -> tuple[Any, Array]:
            joined: Any = jnp.concatenate(state, axis=-1)
            if self.cut == "synthetic":
                joined = interface(guess, joined, scale)
            elif self.cut == "zero":
                joined = jax.lax.stop_gradient(joined)
            state, outputs = (joined[:, : self.units], joined[:, self.units :]), []
            for step in range(self.segment):
                state, output = cell(state, part[:, step, None])
                outputs.append(output)
            return state, jnp.stack(outputs, axis=1)

        scanned = nn.scan(one, variable_broadcast="params", split_rngs={"params": False}, in_axes=0, out_axes=0)
        states: Any = scanned(nn.OptimizedLSTMCell(self.units), (start, start), segments)[1]
        return nn.Dense(1)(states.swapaxes(0, 1).reshape(batch, steps, self.units))[..., 0]


def predictor(key: Array, values: int, hidden: int) -> PyTree:
    """Parameters of a predictor of gradients; it begins by predicting 0, so that training begins truncated."""
    return {
        "kernel": nn.initializers.lecun_normal()(key, (values, hidden)),
        "bias": jnp.zeros(hidden),
        "out": jnp.zeros((hidden, values)),
        "linear": jnp.zeros((values, values)),
        "offset": jnp.zeros(values),
    }


def predicted(guess: PyTree, state: Float[Array, "batch values"]) -> Float[Array, "batch values"]:
    """The gradient at these states, in units of the interface's scale."""
    hidden = jnp.tanh(state @ guess["kernel"] + guess["bias"])
    return hidden @ guess["out"] + state @ guess["linear"] + guess["offset"]


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def interface(guess: PyTree, state: Float[Array, "batch values"], scale: float) -> Float[Array, "batch values"]:
    """The state as it is; backwards, the predicted gradient goes on, and the one that arrives teaches the predictor.

    The predictor's gradient is that of half its squared error, a mean over the batch, in units of `scale`, which is
    the size of one example's and one step's share of the loss.
    """
    return state


def _forwards(guess: PyTree, state: Array, scale: float) -> tuple[Array, tuple[PyTree, Array]]:
    return state, (guess, state)


def _backwards(scale: float, kept: tuple[PyTree, Array], arrived: Array) -> tuple[PyTree, Array]:
    guess, state = kept
    said, back = jax.vjp(lambda guess: predicted(guess, state), guess)
    error = said - arrived / scale
    return back(error / len(state))[0], scale * said


interface.defvjp(_forwards, _backwards)
