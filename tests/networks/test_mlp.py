"""The perceptron against its own matrices, and the count of its parameters."""

import jax
import jax.numpy as jnp
import numpy as np

from genjax.networks.mlp import MLP, parameter_count


def test_layers_and_activation():
    network = MLP((5, 3), activation=jnp.tanh)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 2)), jnp.float32)
    variables = network.init(jax.random.key(0), x)
    first, last = variables["params"]["Dense_0"], variables["params"]["Dense_1"]
    by_hand = jnp.tanh(x @ first["kernel"] + first["bias"]) @ last["kernel"] + last["bias"]
    np.testing.assert_allclose(network.apply(variables, x), by_hand, atol=1e-6)
    assert parameter_count(variables) == 2 * 5 + 5 + 5 * 3 + 3
    assert parameter_count(jax.eval_shape(network.init, jax.random.key(0), x)) == parameter_count(variables)
