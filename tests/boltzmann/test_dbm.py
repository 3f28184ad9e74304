"""Stacks of RBMs with copied layers, and what becomes of them when they are composed."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import random
from genjax.boltzmann.copies import merged, tied
from genjax.boltzmann.dbm import composed, dbm
from genjax.boltzmann.machine import Machine, fields
from genjax.boltzmann.rbm import first_weights, rbm, with_classes
from tests.machines import random_machine


def doubled(machine: Machine, copies: tuple[int, int]) -> Machine:
    """An RBM with so many copies of its layers, written out."""
    lower, upper = copies
    weights, (below, above) = machine.weights[0], machine.biases
    biases = (jnp.tile(below, lower), jnp.tile(above, upper))
    return Machine((jnp.tile(weights, (lower, upper)),), biases, machine.units)


@pytest.mark.parametrize("copies", [(2, 1), (1, 2), (1, 1)])
def test_tied_copies_are_equal_and_merge_to_one(copies):
    machine = random_machine((4, 3))
    wide = doubled(machine, copies)
    noisy = jax.tree.map(lambda x: x + jax.random.normal(jax.random.key(x.size), x.shape), wide)
    equal = tied(noisy, copies)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), doubled(merged(equal, copies), copies), equal
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), merged(wide, copies), machine)
    one = noisy.weights[0].reshape(copies[0], 4, copies[1], 3).mean((0, 2))
    np.testing.assert_allclose(merged(noisy, copies).weights[0], one, atol=1e-6)


def test_a_doubled_layer_sends_twice_and_gets_once():
    machine = random_machine((4, 3))
    wide, x, h = doubled(machine, (2, 1)), jnp.array([[1.0, 0, 1, 1]]), jnp.array([[1.0, 1, 0]])
    state = (jnp.tile(x, (1, 2)), h)
    np.testing.assert_allclose(fields(wide, state, 1), machine.biases[1] + 2 * x @ machine.weights[0], atol=1e-6)
    once = machine.biases[0] + h @ machine.weights[0].T
    np.testing.assert_allclose(fields(wide, state, 0), jnp.tile(once, (1, 2)), atol=1e-6)


@pytest.mark.parametrize("sizes", [(5, 4, 3), (5, 4, 3, 2)])
def test_a_shared_layers_field_is_half_of_what_each_rbm_gives(sizes):
    stack = [random_machine(pair, seed=n) for n, pair in enumerate(pairwise(sizes))]
    copies = [(2, 1), *[(1, 1)] * (len(stack) - 2), (1, 2)]
    wide = [doubled(machine, parts) for machine, parts in zip(stack, copies)]
    deep = composed(stack).check()
    rng = np.random.default_rng(0)
    state = tuple(jnp.asarray(rng.integers(0, 2, (6, size)), jnp.float32) for size in sizes)

    def of_rbm(number: int, layer: int) -> jax.Array:
        seen = [jnp.tile(x, (1, parts)) for x, parts in zip(state[number : number + 2], copies[number])]
        return fields(wide[number], tuple(seen), layer)[:, : sizes[number + layer]]

    for layer in range(1, len(sizes) - 1):
        half = 0.5 * (of_rbm(layer - 1, 1) + of_rbm(layer, 0))
        np.testing.assert_allclose(fields(deep, state, layer), half, atol=1e-5)
    np.testing.assert_allclose(fields(deep, state, 0), of_rbm(0, 0), atol=1e-5)
    np.testing.assert_allclose(fields(deep, state, len(sizes) - 1), of_rbm(len(stack) - 1, 1), atol=1e-5)


@pytest.mark.slow
def test_a_new_deep_machine_is_at_the_datas_base_rates():
    mean = jnp.array([0.1, 0.5, 0.8, 0.3])
    machine = dbm(jax.random.key(0), (3, 5, 2), mean).check()
    assert machine.sizes == (4, 3, 5, 2)
    np.testing.assert_allclose(jax.nn.sigmoid(machine.biases[0]), mean, atol=1e-5)
    assert all(0 < float(jnp.std(w)) < 0.03 for w in machine.weights)
    assert not np.array_equal(machine.weights[1][:2, :2], machine.weights[2][:2, :2])


@pytest.mark.parametrize("generator", ["counter", "threefry", "rbg"])
@pytest.mark.slow
def test_first_weights_are_drawn_by_global_index(generator):
    """Fewer hidden units have the first columns, fewer units below the first rows, bit for bit, with any key."""
    key, mean = random.key(3, generator), jnp.full(6, 0.4)
    small, large = dbm(key, (3, 2), mean), dbm(key, (8, 5), mean)
    np.testing.assert_array_equal(small.weights[0], large.weights[0][:, :3])
    np.testing.assert_array_equal(small.weights[1], large.weights[1][:3, :2])
    np.testing.assert_array_equal(rbm(key, 3, mean[:4]).weights[0], large.weights[0][:4, :3])
    few, many = (with_classes(key, machine, classes).weights[-1] for machine, classes in ((small, 2), (large, 4)))
    np.testing.assert_array_equal(few, many[:2, :2])


def test_first_weights_are_normal():
    """Mean, deviation and shares beyond one and two deviations of 100,000 draws."""
    x = np.asarray(first_weights(jax.random.key(0), 200, 500, 0.01), np.float64).ravel() / 0.01
    assert abs(x.mean()) < 5.5 / np.sqrt(1e5)
    assert abs(x.std() - 1) < 5.5 / np.sqrt(2e5)
    for limit, share in ((1, 0.3173105), (2, 0.0455003)):
        assert abs(np.mean(np.abs(x) > limit) - share) < 5.5 * np.sqrt(share * (1 - share) / 1e5)
