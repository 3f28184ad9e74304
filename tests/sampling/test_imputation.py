"""Filled-in pixels of a linear-Gaussian model, whose conditional means are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.sampling.imputation import impute
from tests.algorithms.test_vae import DEVIATION, linear


@pytest.mark.slow
def test_removed_pixels_are_their_conditional_means_whatever_the_encoder():
    """The encoder is astray: taking every proposal would miss the means, the Metropolis rule does not."""
    model, batch, _ = linear(astray=0.4)
    image = model.generation["params"]["image"]
    b, columns = np.asarray(image["bias"], float), np.asarray(image["MLP_0"]["Dense_0"]["kernel"], float)
    covariance = columns.T @ columns + DEVIATION**2 * np.eye(len(b))
    x = np.asarray(batch.x[:5], float)
    gone, kept = [0, 3, 4], [1, 2, 5]
    gain = covariance[np.ix_(gone, kept)] @ np.linalg.inv(covariance[np.ix_(kept, kept)])
    truth = b[gone] + (x[:, kept] - b[kept]) @ gain.T
    removed = jnp.zeros((200, 5, 6), bool).at[..., jnp.asarray(gone)].set(True).reshape(-1, 6)
    many = jnp.tile(batch.x[:5], (200, 1))  # chains of each image
    found = np.asarray(impute(jax.random.key(0), model, many, removed, 100, 40), float).reshape(200, 5, 6)
    np.testing.assert_array_equal(found[0][:, kept], np.asarray(batch.x)[:5][:, kept])
    error = found[:, :, gone].std(0) / np.sqrt(200)
    assert (np.abs(found[:, :, gone].mean(0) - truth) < 5.5 * error).all()
