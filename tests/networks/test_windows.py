"""Windows times a matrix against `lax.conv`, and the course's net against the same by other means."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from genjax.errors import UserError
from genjax.networks.convnet import ConvNet
from genjax.networks.mlp import parameter_count
from genjax.networks.windows import Windows, images_last, pooled


def convolved(x, kernel, stride=1):
    return lax.conv_general_dilated(x, kernel, (stride, stride), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def largest(y):
    return lax.reduce_window(y, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (2, 2), (4, 3)])
def test_windows_are_a_convolution_without_padding(kernel, stride):
    module, x = Windows(5, kernel, stride), jax.random.normal(jax.random.key(0), (3, 7, 9, 2))
    parameters = module.init(jax.random.key(1), images_last(x.reshape(3, -1), (7, 9, 2)))["params"]

    def ours(weights, x):
        y = module.apply({"params": parameters | {"kernel": weights}}, images_last(x.reshape(3, -1), (7, 9, 2)))
        return jnp.moveaxis(y, 2, 0)

    def theirs(weights, x):
        return convolved(x, weights, stride)

    first, second = (
        (
            f(parameters["kernel"], x),
            *jax.grad(lambda w, x, f=f: jnp.sum(jnp.sin(f(w, x))), (0, 1))(parameters["kernel"], x),
        )
        for f in (ours, theirs)
    )
    for a, b in zip(first, second):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_pooling_leaves_an_odd_rest_out():
    y = jax.random.normal(jax.random.key(0), (5, 4, 2, 3))
    np.testing.assert_array_equal(pooled(y), jnp.moveaxis(largest(jnp.moveaxis(y, 2, 0)), 0, 2))


def test_the_courses_net_has_34826_parameters():
    shapes = jax.eval_shape(ConvNet((28, 28, 1), 10).init, jax.random.key(0), jnp.zeros((1, 784)))
    assert parameter_count(shapes) == 34826 == (9 + 1) * 32 + (9 * 32 + 1) * 64 + (5 * 5 * 64 + 1) * 10


def test_the_net_is_convolution_relu_pooling_twice_and_a_last_layer():
    network, shape = ConvNet((14, 12, 1), 3, (4, 6)), (14, 12, 1)
    x = jax.random.uniform(jax.random.key(0), (5, 168))
    variables = network.init(jax.random.key(1), x)
    parameters = jax.tree.map(lambda leaf: leaf + 0.1, variables["params"])  # biases too
    y = x.reshape(5, *shape)
    for name in ("Windows_0", "Windows_1"):
        y = largest(jax.nn.relu(convolved(y, parameters[name]["kernel"]) + parameters[name]["bias"]))
    by_hand = y.reshape(5, -1) @ parameters["Dense_0"]["kernel"] + parameters["Dense_0"]["bias"]
    np.testing.assert_allclose(network.apply({"params": parameters}, x), by_hand, atol=1e-4)
    dropped = network.apply({"params": parameters}, x, train=True, rngs={"dropout": jax.random.key(2)})
    assert float(jnp.abs(dropped - by_hand).max()) > 0.01


def test_images_that_shrink_to_nothing_are_refused():
    with pytest.raises(UserError, match="`kernel` 7 leave no pixel"):
        ConvNet((8, 8, 1), 10, kernel=7).init(jax.random.key(0), jnp.zeros((1, 64)))
