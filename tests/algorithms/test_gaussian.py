"""Gaussian diffusion against data whose posteriors are known: Gaussian ones."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms.denoiser import Denoiser, Range
from genjax.algorithms.gaussian import COSINE, DDPM, STRAIGHT, Flow, Guess, draw, forwards, inpaint, posterior

MEAN, DEVIATION = 0.7, 0.4
BOTH = pytest.mark.parametrize("process", [DDPM(), Flow()], ids=["ddpm", "flow"])


def guess_of_gaussian(path, z, t, mean=MEAN, variance=DEVIATION**2) -> Guess:
    """E[x | z_t] and E[e | z_t] where x is Gaussian with independent values."""
    alpha, sigma = path.alpha(t), path.sigma(t)
    alpha, sigma = (a[:, None] if jnp.ndim(a) else a for a in (alpha, sigma))
    gain = alpha * variance / (alpha**2 * variance + sigma**2)
    x = mean + gain * (z - alpha * mean)
    return Guess(x, (z - alpha * x) / sigma)


@pytest.mark.parametrize("path", [COSINE, STRAIGHT], ids=["cosine", "straight"])
def test_posteriors_are_bayes_rule(path):
    """q(z_s | z_t, x) as the product of two Gaussians in z_s; and noise in two steps is noise in one."""
    s, t = jnp.asarray(0.3), jnp.asarray(0.6)
    z, x = jnp.full((1, 1), 0.8), jnp.full((1, 1), -0.5)
    ratio, variance = forwards(path, s, t)
    np.testing.assert_allclose(ratio * path.alpha(s), path.alpha(t), rtol=1e-5)
    np.testing.assert_allclose(ratio**2 * path.sigma(s) ** 2 + variance, path.sigma(t) ** 2, rtol=1e-5)
    precision = 1 / path.sigma(s) ** 2 + ratio**2 / variance
    mean = (path.alpha(s) * x / path.sigma(s) ** 2 + ratio * z / variance) / precision
    found = posterior(path, z, x, s, t)
    np.testing.assert_allclose(found[0], mean, rtol=1e-4)
    np.testing.assert_allclose(found[1], 1 / precision, rtol=1e-4)


@pytest.mark.parametrize(
    ("process", "churn"),
    [
        (DDPM(), 1.0),
        (Flow(), 0.0),
        *(pytest.param(p, churn, marks=pytest.mark.slow) for p, churn in ((DDPM(), 0.0), (DDPM(), 0.5), (Flow(), 1.0))),
    ],
)
def test_samples_have_the_mean_and_variance_of_the_data(process, churn):
    guesser = lambda z, t: guess_of_gaussian(process.path, z, t)  # noqa: E731
    drawn = np.asarray(draw(jax.random.key(0), guesser, process.path, (4000, 2), 150, churn), np.float64)
    assert abs(drawn.mean() - MEAN) < 5 * DEVIATION / 89 + 0.01
    assert abs(drawn.std() - DEVIATION) < 5 * DEVIATION / 126 + 0.02  # 150 steps are not infinitely many


class Exact(nn.Module):
    """The network that minimises the loss on those Gaussian data, less `error`."""

    process: DDPM
    error: float = 0.0

    @nn.compact
    def __call__(self, z, t):
        x, noise = guess_of_gaussian(self.process.path, z, t)
        return self.process.target(x, noise) - self.error


def denoiser(process, network) -> Denoiser:
    zero, one, infinity = jnp.zeros(()), jnp.ones(()), jnp.asarray(jnp.inf)
    return Denoiser({}, Range(zero, one, -infinity, infinity), network, process, (1, 2, 1))


@BOTH
def test_the_loss_at_its_minimum_is_the_posterior_variance_of_what_is_predicted(process):
    """The mean over times of Var(target | z_t), by quadrature; any other prediction loses by its error squared."""
    x = MEAN + DEVIATION * jax.random.normal(jax.random.key(1), (50_000, 2))
    t = jnp.linspace(0.0005, 0.9995, 1000)
    alpha, sigma, variance = process.path.alpha(t), process.path.sigma(t), DEVIATION**2
    a, b = (0.0, 1.0) if process.kind == "ddpm" else (-1.0, 1.0)  # target = a x + b e
    covariance = a * alpha * variance + b * sigma
    exact = float(jnp.mean(a**2 * variance + b**2 - covariance**2 / (alpha**2 * variance + sigma**2)))
    loss = float(process.loss(jax.random.key(2), denoiser(process, Exact(process)), x))
    worse = float(process.loss(jax.random.key(2), denoiser(process, Exact(process, 0.3)), x))
    assert abs(loss - exact) < 5 * 2 * exact / 316
    assert abs(worse - loss - 0.09) < 5 * 2 * 0.3 / 316


@BOTH
def test_guesses_undo_the_prediction(process):
    """From the prediction of a clean z_t both parts come back; values outside the limits do not."""
    x, noise, t = jnp.array([[0.2, -0.4]]), jnp.array([[1.1, 0.3]]), jnp.array([0.4])
    guess = process.guess(process.path.at(x, noise, t), t, process.target(x, noise))
    np.testing.assert_allclose(guess.x, x, atol=1e-6)
    np.testing.assert_allclose(guess.noise, noise, atol=1e-6)
    limited = denoiser(process, Exact(process))
    limited = Denoiser({}, limited.range._replace(high=jnp.asarray(0.5)), limited.network, process, (1, 2, 1))
    z = jnp.full((1, 2), 3.0)
    found = process.guesser(limited)(z, jnp.asarray(0.1))
    np.testing.assert_allclose(found.x, 0.5)
    np.testing.assert_allclose(process.path.at(*found, jnp.asarray(0.1)), z, rtol=1e-5)


@pytest.mark.slow
def test_missing_values_are_drawn_given_the_rest():
    """Two values of correlation 0.8: the second given the first is known; never repeating a level loses it."""
    covariance = jnp.array([[1.0, 0.8], [0.8, 1.0]])

    def guesser(z, t):
        alpha, sigma = STRAIGHT.alpha(t), STRAIGHT.sigma(t)
        gain = alpha * covariance @ jnp.linalg.inv(alpha**2 * covariance + sigma**2 * jnp.eye(2))
        x = z @ gain.T
        return Guess(x, (z - alpha * x) / sigma)

    x = jnp.broadcast_to(jnp.array([1.5, 0.0]), (1000, 2))
    missing = jnp.broadcast_to(jnp.array([False, True]), x.shape)
    often, once = (
        np.asarray(inpaint(jax.random.key(3), guesser, STRAIGHT, x, missing, 50, repeats)) for repeats in (8, 1)
    )
    assert np.all(often[:, 0] == 1.5)
    assert abs(often[:, 1].mean() - 1.2) < 5 * 0.6 / 31 + 0.08  # 50 levels and 8 repeats are not infinitely many
    assert abs(often[:, 1].std() - 0.6) < 5 * 0.6 / 44 + 0.05
    assert abs(once[:, 1].mean() - 1.2) > 0.4
