"""The network whose units are spread over the inputs' range."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.networks.spread import SpreadPerceptron


@pytest.mark.parametrize("inputs", [1, 3])
def test_weights_and_biases_begin_as_nguyen_and_widrow_say(inputs):
    network = SpreadPerceptron(20, 2, 0.0, 5.0)
    first = network.init(jax.random.key(0), jnp.zeros((1, inputs)))["params"]["Dense_0"]
    norm = 0.7 * 20 ** (1 / inputs)
    np.testing.assert_allclose(np.linalg.norm(first["kernel"], axis=0), norm, rtol=1e-5)
    np.testing.assert_allclose(np.sort(first["bias"]), np.linspace(-norm, norm, 20), rtol=1e-5)


def test_of_one_input_the_steep_places_are_spread_over_its_range():
    network = SpreadPerceptron(9, 1, 2.0, 6.0)
    first = network.init(jax.random.key(1), jnp.zeros((1, 1)))["params"]["Dense_0"]
    places = 4 + 2 * np.sort(-first["bias"] / first["kernel"][0])
    assert places.min() >= 2
    assert places.max() <= 6
    assert len(np.unique(np.round(np.abs(places - 4), 3))) >= 5  # either side of the middle


def test_a_range_is_a_change_of_units():
    x = jnp.linspace(-1, 1, 7)[:, None]
    outputs = [
        network.apply(network.init(jax.random.key(0), x), at)
        for network, at in ((SpreadPerceptron(5), x), (SpreadPerceptron(5, 1, 10.0, 30.0), 20 + 10 * x))
    ]
    np.testing.assert_allclose(*outputs, atol=1e-5)
