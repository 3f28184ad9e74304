"""Samples of models with chains: where a path of them begins, and what it shows along the way."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from genjax.boltzmann.machine import States
from genjax.sampling.gibbs import Gibbs, initial_states
from genjax.typing import Kernel

fresh = jax.jit(
    initial_states, static_argnames=("chains", "compact")
)  # one program, where op by op a hundred are compiled
begin = jax.jit(lambda kernel, key, machine, states: kernel.init(key, machine, states), static_argnums=0)


class Path(NamedTuple):
    """Chains on their way.

    - `shown`: what `show` made of them after each of the times asked for, `(chains, times, values)`.
    - `states`: the last ones, an array a layer, `(chains, units)`.
    - `info`: the sum of the kernel's infos.
    """

    shown: np.ndarray
    states: States
    info: Any


@partial(jax.jit, static_argnums=0)
def more_sweeps(kernel: Kernel, key: Key[Array, ""], machine: Any, state: Any, count: Array) -> tuple[Any, Any]:
    """The kernel's state `count` sweeps on, and the sum of its infos; another count compiles nothing."""

    def one(i: Array, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        state, total = carry
        state, info = kernel.step(jax.random.fold_in(key, i), machine, state)
        return state, jax.tree.map(jnp.add, total, info)

    shape = jax.eval_shape(kernel.step, key, machine, state)[1]
    return jax.lax.fori_loop(0, count, one, (state, jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shape)))


def path(
    key: Key[Array, ""],
    machine: Any,
    chains: int,
    times: Sequence[int],
    show: Callable[[int, States], Array],
    kernel: Kernel | None = None,
    start: States | None = None,
    numbers: Callable[[int], int] = lambda number: number + 1,
) -> Path:
    """Independent chains from fresh starting points (never from training examples), or from those given.

    `show(number, states)` is called after each of the numbers of sweeps in `times`, which rise. The sweeps up to the
    time `number` draw from `fold_in(key, numbers(number))`.
    """
    kernel = kernel or Gibbs()
    here = fresh(jax.random.fold_in(key, 0), machine, chains, isinstance(kernel, Gibbs)) if start is None else start
    state, shown, done, total = begin(kernel, jax.random.fold_in(key, 0), machine, here), [], 0, None
    for number, time in enumerate(times):
        own = jax.random.fold_in(key, numbers(number))
        state, info = more_sweeps(kernel, own, machine, state, jnp.asarray(time - done))
        total = info if total is None else jax.tree.map(jnp.add, total, info)
        shown.append(np.asarray(show(number, floats(kernel.states(state)))))
        done = time
    return Path(np.stack(shown, axis=1), floats(kernel.states(state)), total)


def floats(states: Any) -> Any:
    """States as everything but a chain takes them."""
    return jax.tree.map(lambda x: x.astype(jnp.float32) if x.dtype == jnp.int8 else x, states)
