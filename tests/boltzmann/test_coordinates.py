"""Learned coordinates: there and back, the chain rule against `jax.grad`, and pixels in other units of measurement."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms.contrastive import RBMConfig, contrastive
from genjax.algorithms.negative import PCD
from genjax.boltzmann.coordinates import LEAST_DEVIATION, learned, plain, slope
from genjax.boltzmann.machine import Machine, marginal
from genjax.boltzmann.units import BERNOULLI, GAUSSIAN, RECTIFIED, SPIN
from genjax.training.config import split
from genjax.typing import Batch, Example
from tests.boltzmann.test_units import mixed, states_of

MACHINES = {
    "gaussian pixels": mixed((GAUSSIAN, BERNOULLI), (3, 4)),
    "rectified pixels": mixed((RECTIFIED, SPIN), (3, 3)),
    "rectified hidden units": mixed((SPIN, RECTIFIED), (4, 3)),
    "three layers": mixed((GAUSSIAN, BERNOULLI, SPIN), (3, 3, 2)),
}


def offsets_of(machine: Machine) -> tuple[jax.Array, ...]:
    """Any values: where they lie is no matter of correctness."""
    rng = np.random.default_rng(1)
    return tuple(jnp.asarray(rng.normal(0.4, 0.3, size), jnp.float32) for size in machine.sizes)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_there_and_back(machine):
    offsets = offsets_of(machine)
    again = plain(learned(machine, offsets), machine, offsets)
    for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(machine), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_new_precision_leaves_the_mean_and_stays_finite():
    """Weightless pixels: log g moves alone, and the unit's mean b / g stays at its offset if it was there."""
    machine = dataclasses.replace(MACHINES["gaussian pixels"], weights=(jnp.zeros((3, 4)),))
    mu = machine.biases[0] / machine.quadratics[0]
    offsets = (mu, jnp.zeros(4))
    here = learned(machine, offsets)
    there = plain(dataclasses.replace(here, quadratics=(here.quadratics[0] + 1.0, None)), machine, offsets)
    np.testing.assert_allclose(there.quadratics[0], jnp.e * machine.quadratics[0], rtol=1e-5)
    np.testing.assert_allclose(there.biases[0] / there.quadratics[0], mu, rtol=1e-5)
    far = plain(dataclasses.replace(here, quadratics=(here.quadratics[0] + 99.0, None)), machine, offsets)
    np.testing.assert_allclose(far.quadratics[0], LEAST_DEVIATION**-2, rtol=1e-5)


def visited_states(machine: Machine) -> tuple:
    """All joint states of the layers of one parity that can be enumerated."""
    parity = 1 if machine.units[0].states is None else 0
    layers = [states_of(machine.units[i], machine.sizes[i]) for i in machine.layers(parity)]
    numbers = np.indices([len(states) for states in layers]).reshape(len(layers), -1)
    states: list = [None] * machine.depth
    for layer, part, number in zip(machine.layers(parity), layers, numbers):
        states[layer] = jnp.asarray(part[number], jnp.float32)
    return parity, tuple(states)


def log_likelihood(machine: Machine, data: tuple, everything: tuple) -> jax.Array:
    """Mean over states of the even layers; exact, the other parity summed or integrated out."""
    parity, states = everything
    return jnp.mean(marginal(machine, data, 1)) - jax.nn.logsumexp(marginal(machine, states, 1 - parity))


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_the_slope_is_the_chain_rule(machine):
    """The likelihood's gradient by plain parameters, carried over, against that by the coordinates themselves."""
    offsets, everything = offsets_of(machine), visited_states(machine)
    draws = np.random.default_rng(2).normal(0.3, 0.5, (2, 7, machine.sizes[0]))
    x, above = {GAUSSIAN: draws, RECTIFIED: np.abs(draws), SPIN: np.sign(draws)}[machine.units[0]]
    data = tuple(jnp.asarray(a, jnp.float32) for a in (x, x, above[:, :2]))[: machine.depth]

    def of_coordinates(coordinates: Machine) -> jax.Array:
        return log_likelihood(plain(coordinates, machine, offsets), data, everything)

    wanted = jax.jit(jax.grad(of_coordinates))(learned(machine, offsets))
    gradient = jax.jit(lambda machine: jax.grad(log_likelihood)(machine, data, everything))(machine)
    # Biases count from g mu, so where g moves the bias goes with it.
    quadratics = tuple(
        None if g is None else g + mu * b for g, mu, b in zip(gradient.quadratics, offsets, gradient.biases)
    )
    found = slope(machine, dataclasses.replace(gradient, quadratics=quadratics))
    for a, b in zip((*found.weights, *found.biases), (*wanted.weights, *wanted.biases), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)
        assert np.abs(b).max() > 1e-3
    lowest, *upper = found.quadratics
    if lowest is not None:
        np.testing.assert_allclose(lowest, wanted.quadratics[0], rtol=2e-4, atol=2e-5)
    assert all(g is None or not np.any(g) for g in upper)  # a hidden unit's scale is its weights' already


@pytest.mark.parametrize("visible_type", [GAUSSIAN, pytest.param(RECTIFIED, marks=pytest.mark.slow)], ids=repr)
def test_pixels_in_other_units_of_measurement_are_learned_alike(visible_type):
    """Ten times as large everywhere: the same run, its weights a tenth and its precisions a hundredth."""
    x = jnp.asarray(np.random.default_rng(0).gamma(2.0, 1.0, (50, 6)), jnp.float32)
    config = RBMConfig(visible_type=visible_type, hidden=4, negative=PCD(chains=20), learning_rate=0.3, average=0.0)
    static, hyper = split(config, 30)
    algorithm = contrastive(static)
    init, step = jax.jit(algorithm.init), jax.jit(algorithm.step)
    ended = []
    for size in (1.0, 10.0):
        batch = Batch(size * x, jnp.zeros(50, jnp.int32))
        state = init(jax.random.key(0), Example(batch, batch.x.mean(0), batch.x.var(0)), hyper)
        for number in range(10):
            state, _ = step(jax.random.key(number), state, batch)
        ended.append(state.machine)
    one, ten = ended
    np.testing.assert_allclose(10 * ten.weights[0], one.weights[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(10 * ten.biases[0], one.biases[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(ten.biases[1], one.biases[1], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(100 * ten.quadratics[0], one.quadratics[0], rtol=1e-3)
