"""A step on 8 forced devices, under pmap, shard_map and vmap: the mean of 8 gradients, one model, noise of their own.

JAX makes its devices once a process, so that the trials are a program: `tests.training.eight_devices`.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.training.devices import averaged, own_copy, own_key
from tests.eight import run
from tests.training.eight_devices import CASES
from tests.xla_flags import UNOPTIMISED

FAST = ["autoencoder", "mistakes"]
GANS = [name for name in CASES if name.startswith("gan")]
OTHERS = [name for name in CASES if name not in GANS]
PROGRAM = "tests.training.eight_devices"


def test_each_device_has_its_own_key_and_all_have_the_mean():
    key, x, w = jax.random.key(3), jnp.arange(6.0).reshape(3, 2), jnp.asarray([2.0, -1.0])

    def step(x: jax.Array) -> tuple[jax.Array, ...]:
        slope = jax.grad(lambda w: jnp.sum(x * w**2))(own_copy(w, "axis"))
        return jax.random.key_data(own_key(key, "axis")), averaged(slope, "axis"), own_copy(w, "axis")

    keys, slope, copy = jax.vmap(step, axis_name="axis")(x)
    assert len(np.unique(keys, axis=0)) == 3
    np.testing.assert_allclose(slope, np.tile(2 * w * x.mean(0), (3, 1)), rtol=1e-6)
    np.testing.assert_array_equal(copy, np.tile(w, (3, 1)))
    assert own_key(key, None) is key
    assert own_copy(w, None) is averaged(w, None) is w


@pytest.mark.slow
def test_a_step_of_an_autoencoder_is_the_mean_of_eight_and_wrong_means_are_seen():
    assert run(PROGRAM, FAST) == dict.fromkeys(FAST, "right")


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_a_step_of_every_family_is_the_mean_of_eight(part):
    names = OTHERS[part::4]
    assert run(PROGRAM, names) == dict.fromkeys(names, "right")


@pytest.mark.slow
def test_a_step_of_every_gan_is_the_mean_of_eight():
    # with QUICK the gradients of a GAN are rounded more coarsely
    assert run(PROGRAM, GANS, UNOPTIMISED) == dict.fromkeys(GANS, "right")
