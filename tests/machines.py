"""Small machines, and everything about them by brute force in float64 numpy: the truth that tests compare with."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from genjax.boltzmann.machine import Machine
from genjax.boltzmann.units import BERNOULLI


def random_machine(sizes: tuple[int, ...], scale: float = 1.0, seed: int = 0) -> Machine:
    """Normal weights of this scale, normal biases."""
    rng = np.random.default_rng(seed)
    weights = tuple(jnp.asarray(scale * rng.normal(size=s), jnp.float32) for s in itertools.pairwise(sizes))
    biases = tuple(jnp.asarray(0.7 * rng.normal(size=s), jnp.float32) for s in sizes)
    return Machine(weights, biases, (BERNOULLI,) * len(sizes))


def between(base: Machine, machine: Machine, beta: float) -> Machine:
    """The machine on the path, by its definition: (1 - beta) base + beta machine in every parameter."""
    return jax.tree.map(lambda b, m: (1 - beta) * b + beta * m, base, machine)


def float64(machine: Machine) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Weights and biases in float64."""
    return [np.asarray(w, np.float64) for w in machine.weights], [np.asarray(b, np.float64) for b in machine.biases]


def all_states(sizes: tuple[int, ...]) -> list[np.ndarray]:
    """Every joint state, as one array `(states, units)` a layer."""
    grid = np.array(list(itertools.product((0.0, 1.0), repeat=sum(sizes))))
    return np.split(grid, np.cumsum(sizes)[:-1], axis=1)


def energies(machine: Machine, states: list[np.ndarray]) -> np.ndarray:
    """E(x) = -sum b x - sum x W y, written out."""
    weights, biases = float64(machine)
    total = -sum(x @ b for x, b in zip(states, biases))
    return total - sum(np.einsum("si,ij,sj->s", x, w, y) for x, w, y in zip(states, weights, states[1:]))


def log_sum_exp(values: np.ndarray) -> float:
    """In float64."""
    return float(np.logaddexp.reduce(values))


def probabilities(machine: Machine, beta: float = 1.0) -> np.ndarray:
    """p(x) of every joint state at an inverse temperature."""
    log_p = -beta * energies(machine, all_states(machine.sizes))
    return np.exp(log_p - log_sum_exp(log_p))


def index_of(states: list[np.ndarray]) -> np.ndarray:
    """The number of each state in the order of `all_states`."""
    bits = np.concatenate([np.asarray(x) for x in states], axis=-1).astype(np.int64)
    return bits @ (2 ** np.arange(bits.shape[-1])[::-1])


def exact_draws(machine: Machine, count: int, seed: int = 0) -> tuple[jax.Array, ...]:
    """Independent joint states with their exact probabilities."""
    p = probabilities(machine)
    index = np.random.default_rng(seed).choice(len(p), count, p=p / p.sum())
    return tuple(jnp.asarray(x[index], jnp.float32) for x in all_states(machine.sizes))
