"""Filling in against the exact conditional expectation by enumeration."""

import jax
import jax.numpy as jnp
import numpy as np

from genjax.sampling.inpainting import inpaint
from tests.machines import all_states, probabilities, random_machine


def test_expected_pixels_given_the_others():
    machine = random_machine((5, 4), scale=0.8, seed=2)
    p, visible = probabilities(machine), all_states((5, 4))[0]
    truth = np.array([[1, 0, 1, 1, 0], [0, 1, 0, 0, 1]], np.float32)
    removed = np.array([[True, False, False, True, False], [False, False, True, True, True]])
    expected = truth.astype(np.float64)
    for row, (v, gone) in enumerate(zip(truth, removed)):
        match = np.all(visible[:, ~gone] == v[~gone], axis=1)
        expected[row, gone] = (p[match] @ visible[match] / p[match].sum())[gone]
    copies = 400  # chains of each image, averaged
    images, masks = (jnp.asarray(np.repeat(x, copies, axis=0)) for x in (truth, removed))
    filled = np.asarray(inpaint(jax.random.key(0), machine, images, masks, sweeps=200, burn_in=50))
    np.testing.assert_array_equal(filled[~np.asarray(masks)], np.asarray(images)[~np.asarray(masks)])
    mean = filled.reshape(2, copies, 5)
    error = mean.std(1) / np.sqrt(copies) + 1e-6
    assert np.all(np.abs(mean.mean(1) - expected) < 5.5 * error)
