"""Filters against plain products, maxima against every corner of the cube, mean field with and without its loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.boltzmann.filters import field, maxima, visible_weights
from genjax.boltzmann.mean_field import mean_field, unrolled
from genjax.boltzmann.rbm import with_classes
from tests.machines import random_machine


def test_filters_are_products_of_the_weights():
    machine = random_machine((5, 4, 3, 2))
    first, second, third = (np.asarray(w, np.float64) for w in machine.weights)
    found = visible_weights(machine.weights)
    for weights, truth in zip(found, (first, first @ second, first @ second @ third), strict=True):
        np.testing.assert_allclose(weights, truth, rtol=1e-4, atol=1e-5)


def test_an_rbms_maxima_are_its_positive_weights():
    """A linear function on a ball's part with no negative pixel: along what is positive of its weights."""
    machine = random_machine((9, 7))
    found = maxima(jax.random.key(0), machine, jnp.arange(7), 0.9, field, 1, 9)
    positive = np.maximum(np.asarray(machine.weights[0]).T, 0)
    np.testing.assert_allclose(found, 0.9 * positive / np.linalg.norm(positive, axis=1, keepdims=True), atol=3e-3)


@pytest.mark.parametrize("layer", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_no_image_drives_a_deep_unit_more_than_its_maximum(layer):
    """Against 20,000 images within the same bounds, for every unit of a layer; a label's are log-probabilities."""
    machine = with_classes(jax.random.key(1), random_machine((8, 6, 5), 0.7), 4, scale=1.0)
    rng = np.random.default_rng(0)
    x = rng.random((20_000, 8)) ** rng.choice([0.2, 1, 5], (20_000, 1)) * rng.integers(0, 2, (20_000, 8))
    x *= np.minimum(1, 1.5 / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9))
    others = field(machine, jnp.asarray(x, jnp.float32), layer)
    if layer == 3:
        np.testing.assert_allclose(jnp.exp(others).sum(-1), 1, rtol=1e-4)
    units = jnp.arange(machine.sizes[layer])
    found = maxima(jax.random.key(0), machine, units, 1.5, field, layer, 8)
    assert jnp.all((found >= 0) & (found <= 1))
    assert jnp.all(jnp.linalg.norm(found, axis=1) <= 1.5 + 1e-5)
    reached = jnp.diagonal(field(machine, found, layer))
    np.testing.assert_array_less(others.max(0) - 0.02, reached)
    np.testing.assert_array_equal(found, maxima(jax.random.key(0), machine, units, 1.5, field, layer, 8))


def test_unrolled_mean_field_is_mean_field():
    machine = random_machine((6, 5, 4, 3), 0.5)
    data = (jnp.asarray(np.random.default_rng(0).random((7, 6)), jnp.float32), None, None, None)
    looped = mean_field(machine, data, iterations=200, tolerance=1e-7)
    for a, b in zip(unrolled(machine, data, 200)[1:], looped.fields[1:]):
        np.testing.assert_allclose(a, b, atol=1e-5)
