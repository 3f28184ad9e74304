"""Samples of a variational autoencoder follow its prior: of linear decoders mean and covariance are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.models import vae
from genjax.networks.latent import Architecture, LatentModel, latent_model
from tests.algorithms.test_vae import DEVIATION, linear, two_layers

COUNT = 50_000


def moments(model: LatentModel) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of expected pixels under the prior, by the decoder's own matrices."""
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), model.generation["params"])
    columns, b = params["image"]["MLP_0"]["Dense_0"]["kernel"], params["image"]["bias"]
    mean, covariance = np.zeros(len(columns)), np.eye(len(columns))
    if "lower_0" in params:
        down = params["lower_0"]["Dense_0"]
        kernel, size = down["kernel"], len(columns)
        mean = down["bias"][:size]
        covariance = kernel[:, :size].T @ kernel[:, :size] + np.diag(np.exp(down["bias"][size:]))
    return b + mean @ columns, columns.T @ covariance @ columns


@pytest.mark.parametrize("model", [linear()[0], two_layers()[0]], ids=["one layer", "two layers"])
def test_samples_follow_the_prior(model):
    """Every mean and covariance within 5.5 standard errors: a right sampler misses one of them less than 1e-6 often."""
    drawn = vae.sample(jax.random.key(0), model, COUNT)
    mean, covariance = moments(model)
    for name, noise in (("means", 0.0), ("samples", DEVIATION**2)):
        x = np.asarray(drawn[name], np.float64)
        wanted = covariance + noise * np.eye(len(mean))
        variance = np.diag(wanted)
        assert (np.abs(x.mean(0) - mean) < 5.5 * np.sqrt(variance / COUNT)).all()
        error = np.sqrt((np.outer(variance, variance) + wanted**2) / COUNT)  # of normal draws
        assert (np.abs(np.cov(x.T) - wanted) < 5.5 * error).all()


@pytest.mark.slow
def test_each_class_is_drawn_with_its_own_condition():
    """A decoder that answers with the label alone: draws without a label take the classes in turn."""
    of = Architecture(shape=(1, 3, 1), latents=(2,), layers=(), classes=3)
    model = latent_model(jax.random.key(0), of)
    kernel = jnp.concatenate([jnp.zeros((2, 3)), 40 * jnp.eye(3) - 20])
    image = model.generation["params"]["image"] | {"MLP_0": {"Dense_0": {"kernel": kernel}}}
    generation = {"params": model.generation["params"] | {"image": image}}
    model = LatentModel(model.recognition, generation, of)
    drawn = vae.sample(jax.random.key(0), model, 6)
    np.testing.assert_array_equal(drawn["labels"], [0, 1, 2, 0, 1, 2])
    np.testing.assert_array_equal(drawn["samples"], np.eye(3)[drawn["labels"]])
    np.testing.assert_array_equal(vae.sample(jax.random.key(1), model, 4, 2)["samples"], np.tile(np.eye(3)[2], (4, 1)))
