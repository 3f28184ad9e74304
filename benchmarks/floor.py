"""The floor: what a sweep costs when drawing costs nothing. And what people write without genjax.

Both are a jitted `lax.scan` over sweeps that carries every layer's float32 states and updates odd layers given even
ones, then even given odd. The floor puts `> 0` where a random comparison belongs: the matrix products, the bias and
one comparison a unit, nothing else. No sampler with these dtypes can beat it but by faster products.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from benchmarks.harness import Run
from benchmarks.problem import Problem

HIGHEST = jax.lax.Precision.HIGHEST  # as genjax samples: no TF32 or bfloat16 passes on an accelerator
State = tuple[jax.Array, ...]
Draw = Callable[[int, jax.Array], jax.Array]


def down(x: jax.Array, weights: jax.Array) -> jax.Array:
    """x @ weights.T; of one chain as weights @ x, which XLA on a CPU does 10 to 50 times faster."""
    if len(x) == 1:
        return jnp.matmul(weights, x[0], precision=HIGHEST)[None]
    return jnp.matmul(x, weights.T, precision=HIGHEST)


def sweep(weights: State, biases: State, state: State, draw: Draw) -> State:
    """All layers once; `draw(layer, field)` turns `(chains, units)` fields into states."""
    new = list(state)
    for parity in (1, 0):
        for layer in range(parity, len(biases), 2):
            field = biases[layer]
            if layer > 0:
                field = field + jnp.matmul(new[layer - 1], weights[layer - 1], precision=HIGHEST)
            if layer + 1 < len(biases):
                field = field + down(new[layer + 1], weights[layer])
            new[layer] = draw(layer, field).astype(field.dtype)
    return tuple(new)


@partial(jax.jit, static_argnums=3, donate_argnums=2)
def _floor(weights: State, biases: State, state: State, sweeps: int) -> State:
    def one(state: State, _: None) -> tuple[State, None]:
        return sweep(weights, biases, state, lambda layer, field: field > 0), None

    return jax.lax.scan(one, state, length=sweeps)[0]


@partial(jax.jit, static_argnums=4, donate_argnums=3)
def _bernoulli(key: jax.Array, weights: State, biases: State, state: State, sweeps: int) -> State:
    def one(state: State, key: jax.Array) -> tuple[State, None]:
        keys = jax.random.split(key, len(biases))

        def draw(layer: int, field: jax.Array) -> jax.Array:
            return jax.random.bernoulli(keys[layer], jax.nn.sigmoid(field))

        return sweep(weights, biases, state, draw), None

    return jax.lax.scan(one, state, jax.random.split(key, sweeps))[0]


def floor(problem: Problem, chains: int, seed: int) -> Run:
    """Products, bias and `> 0` (not a sampler)."""
    weights, biases, state = jax.device_put((problem.weights, problem.biases, tuple(problem.start(chains, seed))))

    def run(sweeps: int) -> jax.Array:
        nonlocal state
        state = jax.block_until_ready(_floor(weights, biases, state, sweeps))
        return state[0]

    return run


def bernoulli(problem: Problem, chains: int, seed: int) -> Run:
    """`jax.random.bernoulli(key, sigmoid(field))`, a key a layer and sweep: the textbook's sampler."""
    weights, biases, state = jax.device_put((problem.weights, problem.biases, tuple(problem.start(chains, seed))))
    key = jax.random.key(seed)

    def run(sweeps: int) -> jax.Array:
        nonlocal state, key
        key, subkey = jax.random.split(key)
        state = jax.block_until_ready(_bernoulli(subkey, weights, biases, state, sweeps))
        return state[0]

    return run
