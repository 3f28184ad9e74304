"""Per-image AIS against enumeration, and the bound under it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.likelihood.conditional import tightness
from tests.boltzmann.test_mean_field import exact, images
from tests.machines import random_machine


@pytest.mark.parametrize("sizes", [(4, 3, 3), pytest.param((3, 2, 3, 2), marks=pytest.mark.slow)])
def test_the_estimate_is_the_truth_and_the_bound_below_it(sizes):
    machine, x = random_machine(sizes, scale=1.5), images(4, sizes[0])
    found = tightness(jax.random.key(0), machine, jnp.asarray(x), 200, 400)
    truth = exact(machine, x)
    assert (np.abs(found.estimates - truth) < 5.5 * found.standard_errors + 1e-4).all()
    assert (found.bounds <= truth + 1e-5).all()
    summary = found.summary()
    assert summary["images"] == 4
    assert abs(summary["mean_gap"] - (truth - found.bounds).mean()) < 5.5 * summary["estimator_se"] + 1e-4
