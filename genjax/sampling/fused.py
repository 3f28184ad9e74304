"""A fused kernel for binary layers, in Pallas: product, bias, beta, random words and comparison in one pass.

The fields never leave the chip: a block of chains by a block of units is accumulated in registers, its words are
mixed there from the chains' and units' pairs (`random.mix`), and the states are written once. It is for GPUs, and has
been interpreted only: no GPU was available. It is a plain `pallas_call`, so JAX chooses the lowering (Triton, which JAX
0.12 calls deprecated while Mosaic GPU's interface still moves). XLA's own fusion (`gibbs.sweep`) is the default
everywhere, as no stored measurement says otherwise for any device.

Words are bit-equal to those of `gibbs.sweep`. States are too where the order of summation does not matter, as on
weights that are multiples of 2^-8.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer, Key, UInt32

from genjax import random
from genjax.boltzmann.machine import Clamp, Machine, States
from genjax.boltzmann.path import Beta
from genjax.boltzmann.units import Bernoulli
from genjax.errors import UserError

try:
    from jax.experimental import pallas
except ImportError:  # a JAX without Pallas for this platform: everything but this file works
    pallas = None
pl: Any = pallas

CHAINS, UNITS, DEPTH = 64, 64, 32  # the block that one program computes, and the slice of the product it takes a time


def available() -> bool:
    """Whether this JAX has Pallas."""
    return pl is not None


def _kernel(x_ref, weights_ref, bias_ref, base_ref, scale_ref, rows_ref, columns_ref, out_ref):
    """One block: `(CHAINS, inputs)` states by `(inputs, UNITS)` weights gives `(CHAINS, UNITS)` new states."""
    exact = weights_ref.dtype == jnp.float32

    def one(i, total):
        x = x_ref[:, pl.ds(i * DEPTH, DEPTH)]
        w = weights_ref[pl.ds(i * DEPTH, DEPTH), :]
        precision = jax.lax.Precision.HIGHEST if exact else None
        return total + jnp.dot(x, w, preferred_element_type=jnp.float32, precision=precision)

    total = jnp.zeros(out_ref.shape, jnp.float32)
    total = jax.lax.fori_loop(0, x_ref.shape[1] // DEPTH, one, total)
    scale = scale_ref[:, :]
    field = scale * (total + bias_ref[:, :]) + (1 - scale) * base_ref[:, :]
    a, b, c, d = rows_ref[0, :], rows_ref[1, :], columns_ref[0, :], columns_ref[1, :]
    word = random.mix(a[:, None], b[:, None], c[None, :], d[None, :])
    out_ref[:, :] = random.below_sigmoid(word, field).astype(out_ref.dtype)


def _padded(x: Array, *multiples: int) -> Array:
    """Zeros behind each axis up to a multiple; what is computed there is cut off or multiplied by zero."""
    return jnp.pad(x, [(0, -size % multiple) for size, multiple in zip(x.shape, multiples)])


@partial(jax.jit, static_argnames=("interpret",))
def draw(
    rows: UInt32[Array, "2 chains"],
    columns: UInt32[Array, "2 units"],
    x: Float[Array, "chains inputs"],
    weights: Float[Array, "inputs units"],
    bias: Float[Array, " units"],
    base_bias: Float[Array, " units"],
    beta: Float[Array, " chains"],
    interpret: bool,
) -> Float[Array, "chains units"]:
    """A binary layer drawn given its inputs, with the field beta * (x weights + bias) + (1 - beta) * base_bias."""
    chains, units = x.shape[0], weights.shape[1]
    x, weights = _padded(x.astype(weights.dtype), CHAINS, DEPTH), _padded(weights, DEPTH, UNITS)
    inputs = x.shape[1]
    by_chain, by_unit = pl.BlockSpec((CHAINS, 1), lambda i, j: (i, 0)), pl.BlockSpec((1, UNITS), lambda i, j: (0, j))
    out = pl.pallas_call(
        _kernel,
        grid=(x.shape[0] // CHAINS, weights.shape[1] // UNITS),
        in_specs=[
            pl.BlockSpec((CHAINS, inputs), lambda i, j: (i, 0)),
            pl.BlockSpec((inputs, UNITS), lambda i, j: (0, j)),
            by_unit,
            by_unit,
            by_chain,
            pl.BlockSpec((2, CHAINS), lambda i, j: (0, i)),
            pl.BlockSpec((2, UNITS), lambda i, j: (0, j)),
        ],
        out_specs=pl.BlockSpec((CHAINS, UNITS), lambda i, j: (i, j)),
        out_shape=jax.ShapeDtypeStruct((x.shape[0], weights.shape[1]), x.dtype),
        interpret=interpret,
    )(
        x,
        weights,
        _padded(bias[None], 1, UNITS),
        _padded(base_bias[None], 1, UNITS),
        _padded(beta[:, None], CHAINS, 1),
        _padded(rows, 2, CHAINS),
        _padded(columns, 2, UNITS),
    )
    return out[:chains, :units]


def sweep(
    key: Key[Array, ""],
    machine: Machine,
    state: States,
    beta: Beta = 1.0,
    base: Machine | None = None,
    clamp: Clamp | None = None,
) -> States:
    """As `gibbs.sweep`, for binary layers, keys of the default kind, states `(chains, units)`, and an uncoupled base.

    Off a GPU it is interpreted: for tests, not for use.
    """
    if not available() or not all(isinstance(unit, Bernoulli) for unit in machine.units):
        raise UserError("The fused kernel takes binary layers and a JAX with Pallas; use gibbs.sweep.")
    if base is not None and any(w is not None for w in base.weights):
        raise UserError("The fused kernel takes an uncoupled base; use gibbs.sweep.")
    chains = state[0].shape[0]
    betas = jnp.broadcast_to(jnp.asarray(beta, jnp.float32), (chains,))
    interpret = jax.default_backend() != "gpu"
    new = list(state)
    for parity in (1, 0):
        for layer in machine.layers(parity):
            sides = []
            if layer > 0 and machine.weights[layer - 1] is not None:
                sides.append((new[layer - 1], machine.weights[layer - 1]))
            if layer + 1 < machine.depth and machine.weights[layer] is not None:
                sides.append((new[layer + 1], machine.weights[layer].T))
            x = jnp.concatenate([side[0] for side in sides], axis=1)
            weights = jnp.concatenate([side[1] for side in sides], axis=0)
            rows, columns = random.pairs(jax.random.fold_in(key, layer), chains, machine.sizes[layer])
            base_bias = jnp.zeros(machine.sizes[layer], jnp.float32) if base is None else base.biases[layer]
            drawn = draw(rows, columns, x, weights, machine.biases[layer], base_bias, betas, interpret)
            drawn = drawn.astype(state[layer].dtype)
            kept = None if clamp is None else clamp[layer]
            new[layer] = drawn if kept is None else jnp.where(kept, state[layer], drawn)
    return tuple(new)


@dataclass(frozen=True)
class Fused:
    """Gibbs sampling of binary layers by one fused kernel a layer, for GPUs. The same draws as `gibbs`."""

    kind: ClassVar[str] = "fused"

    def init(self, key: Key[Array, ""], machine: Machine, states: States) -> States:
        """The chains themselves are all that it carries."""
        return states

    def step(
        self,
        key: Key[Array, ""],
        machine: Machine,
        state: States,
        sweeps: int = 1,
        beta: Beta = 1.0,
        base: Machine | None = None,
        clamp: Clamp | None = None,
        first: int | Integer[Array, ""] = 0,
    ) -> tuple[States, tuple[()]]:
        """The chains after so many sweeps; there is nothing to count.

        Raises `UserError` for layers that are not binary and for a base with weights.
        """

        def one(state: States, index: Array) -> tuple[States, None]:
            return sweep(jax.random.fold_in(key, index), machine, state, beta, base, clamp), None

        return jax.lax.scan(one, state, first + jnp.arange(sweeps))[0], ()

    def states(self, state: States) -> States:
        """The chains, `(chains, units)` a layer."""
        return state
