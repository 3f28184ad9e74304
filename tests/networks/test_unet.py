"""The networks of diffusion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.networks.unet import TimedUNet
from genjax.networks.unmasking import Unmasking


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(7, 5, 2), (1, 6, 1)])
def test_sides_need_not_be_even_and_what_is_hidden_is_not_read(shape):
    network = Unmasking(shape, (6,), (4, 6))
    x = jax.random.normal(jax.random.key(0), (3, int(np.prod(shape))))
    hidden = jax.random.uniform(jax.random.key(1), x.shape) < 0.5
    parameters = network.init(jax.random.key(2), x, hidden)
    logits = network.apply(parameters, x, hidden)
    assert logits.shape == x.shape
    assert np.array_equal(logits, network.apply(parameters, jnp.where(hidden, 9.0, x), hidden))
    assert not np.allclose(logits, network.apply(parameters, jnp.where(hidden, x, 0.5), hidden))


@pytest.mark.slow
def test_time_matters():
    network = TimedUNet((6, 6, 1), (4, 6))
    z = jax.random.normal(jax.random.key(0), (2, 36))
    parameters = network.init(jax.random.key(1), z, jnp.zeros(2))
    outputs = [network.apply(parameters, z, jnp.full(2, t)) for t in (0.0, 0.5)]
    assert outputs[0].shape == z.shape
    assert not np.allclose(*outputs)
