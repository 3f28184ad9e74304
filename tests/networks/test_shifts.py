"""Images moved by whole pixels, in training alone."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from genjax.networks.shifts import Shifted, shifted


def test_images_move_by_whole_pixels():
    shape = (28, 14, 2)
    x = jax.random.uniform(jax.random.key(0), (40, 28 * 14 * 2), minval=0.1)
    images, after = (np.asarray(a).reshape(-1, *shape) for a in (x, shifted(jax.random.key(1), x, shape)))
    shifts = set()
    for image, there in zip(images, after):
        padded = np.pad(image, ((2, 2), (1, 1), (0, 0)))
        places = [(i, j) for i in range(5) for j in range(3) if np.array_equal(padded[i : i + 28, j : j + 14], there)]
        assert len(places) == 1
        shifts |= set(places)
    assert {i for i, _ in shifts} == set(range(5))
    assert {j for _, j in shifts} == set(range(3))


class Same(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        return x


def test_a_network_sees_moved_images_in_training_alone():
    shape = (14, 14, 1)
    x = jax.random.uniform(jax.random.key(0), (6, 196))
    network = Shifted(Same(), shape)
    np.testing.assert_array_equal(network.apply({}, x), x)
    first, again, other = (
        network.apply({}, x, train=True, rngs={"dropout": jax.random.key(seed)}) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert float(jnp.abs(first - other).max()) > 0
    assert float(jnp.abs(first - x).max()) > 0
