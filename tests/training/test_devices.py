"""A step on 8 forced devices, under pmap, shard_map and vmap: the mean of 8 gradients, one model, noise of their own.

JAX makes its devices once a process, so that the trials are a program: `tests.training.eight_devices`.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.training.devices import averaged, own_copy, own_key
from tests.training.eight_devices import CASES
from tests.xla_flags import QUICK, UNOPTIMISED

FAST = ["autoencoder", "mistakes"]
GANS = [name for name in CASES if name.startswith("gan")]
OTHERS = [name for name in CASES if name not in GANS]
FLAGS = f"--xla_force_host_platform_device_count=8 {UNOPTIMISED}"
QUICKER = FLAGS.replace(UNOPTIMISED, QUICK)  # as in conftest; gradients of a GAN are rounded more coarsely


def run(names: list[str], flags: str = QUICKER) -> dict[str, str]:
    """What the program says of each."""
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "tests.training.eight_devices", *names]
    here = Path(__file__).parent.parent.parent
    result = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    return dict(re.findall(r"^(\S.*?): (.*(?:\n    .*)*)", result.stdout, re.MULTILINE))


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
    assert run(FAST) == dict.fromkeys(FAST, "right")


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_a_step_of_every_family_is_the_mean_of_eight(part):
    names = OTHERS[part::4]
    assert run(names) == dict.fromkeys(names, "right")


@pytest.mark.slow
def test_a_step_of_every_gan_is_the_mean_of_eight():
    assert run(GANS, FLAGS) == dict.fromkeys(GANS, "right")
