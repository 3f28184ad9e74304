"""Densities of pixels and latents against quadrature and Monte Carlo; backbones for images of any shape."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from genjax.networks import gaussian, pixels
from genjax.networks.backbones import Decoder, Encoder
from genjax.networks.gaussian import Gaussian
from genjax.networks.latent import Architecture, divergence, draw, latent_model, terms

ZERO = jnp.zeros(())


def q(seed: int = 0) -> Gaussian:
    rng = np.random.default_rng(seed)
    mean, log_deviation = (jnp.asarray(rng.normal(size=(3, 4)), jnp.float32) for _ in range(2))
    return Gaussian(mean, 0.5 * log_deviation)


def test_the_normaliser_of_binary_pixels_and_its_slope():
    outputs = np.concatenate([np.linspace(-95, 95, 2001), [-1e-6, -0.0, 0.0, 1e-6]]).astype(np.float32)
    wanted = np.logaddexp(0, outputs.astype(np.float64))
    np.testing.assert_allclose(pixels.softplus(jnp.asarray(outputs)), wanted, rtol=2e-7, atol=2e-7)
    slopes = jax.vmap(jax.grad(pixels.softplus))(jnp.asarray(outputs))
    np.testing.assert_allclose(slopes, 1 / (1 + np.exp(-outputs.astype(np.float64))), atol=2e-7)


def test_the_divergence_is_that_of_monte_carlo():
    one = q()
    z = gaussian.drawn(one, jax.random.normal(jax.random.key(0), (200_000, 3, 4)))
    values = np.asarray(gaussian.log_density(one, z) - gaussian.standard_log_density(z), np.float64)
    error = values.std(0) / math.sqrt(len(values))
    assert (np.abs(values.mean(0) - gaussian.divergence_from_standard(one)) < 5.5 * error).all()
    planted = gaussian.divergence_from_standard(one._replace(log_deviation=1.03 * one.log_deviation))
    assert (np.abs(values.mean(0) - planted) > 5.5 * error).any()


@pytest.mark.slow
def test_the_divergence_of_two_layers_is_that_of_monte_carlo():
    """Analytic on top and drawn below: the same mean as all drawn, and less noise."""
    of = Architecture(shape=(1, 5, 1), latents=(3, 2), layers=(4,), between=(4,))
    model = jax.tree.map(lambda leaf: leaf + 0.3, latent_model(jax.random.key(0), of))
    x, given = jnp.ones((1, 5)), jnp.zeros((1, 0))

    @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 2})
    def both(key, model):
        z, layers = draw(key, model, x, given, 20_000)
        parts = terms(model, x, z, layers, given)
        return parts.posterior - parts.prior, divergence(model, z, layers, parts)

    drawn, mixed = (np.asarray(values, np.float64) for values in both(jax.random.key(1), model))
    assert abs(np.mean(drawn - mixed)) < 5.5 * np.std(drawn - mixed) / math.sqrt(len(drawn))
    assert mixed.std() < drawn.std()


@jax.jit
def of_output(outputs):
    """Of `(1,)` outputs the log-probability at a half, the mean, the normaliser's slope and 100,000 draws."""
    kind = "continuous_bernoulli"
    at_half = pixels.log_probability(kind, outputs, ZERO, jnp.asarray([0.5]))
    slope = jax.grad(lambda o: pixels.continuous_normaliser(o).sum())(outputs)
    drawn = pixels.sample(jax.random.key(0), kind, jnp.broadcast_to(outputs, 100_000), ZERO)
    return at_half, pixels.mean(kind, outputs)[0], slope[0], drawn


@pytest.mark.parametrize("output", [-30.0, -1.0, -0.21, -0.19, 0.0, 0.001, 0.19, 0.21, 4.0, 60.0])
def test_the_continuous_bernoulli_is_a_density_with_its_mean_and_its_draws(output):
    """Around 0.2 the series hands over to the formula."""

    def moment(power: int) -> float:  # of a density that is scaled to be 1 at its highest
        peak = max(output, 0.0)
        return integrate.quad(lambda x: x**power * math.exp(output * x - peak), 0, 1, limit=200)[0]

    at_half, found, slope, many = of_output(jnp.asarray([output]))
    log_normaliser = max(output, 0.0) + math.log(moment(0))
    assert float(at_half) == pytest.approx(output / 2 - log_normaliser, abs=2e-5)
    mean = moment(1) / moment(0)
    assert float(found) == pytest.approx(mean, abs=1e-5)
    assert float(slope) == pytest.approx(mean, abs=1e-4)
    deviation = math.sqrt(max(moment(2) / moment(0) - mean**2, 0.0))
    assert abs(float(many.mean()) - mean) < 5.5 * deviation / math.sqrt(100_000) + 1e-6
    assert (many >= 0).all()
    assert (many <= 1).all()


BACKBONES = [((8, 8, 1), ()), ((5, 7, 3), (3, 4))]
OTHERS = [(s, c) for s in [(8, 8, 1), (28, 28, 1), (32, 32, 3), (5, 7, 3)] for c in [(), (3, 4)]]
SLOW = [pytest.param(*x, marks=pytest.mark.slow) for x in OTHERS if x not in BACKBONES]


@pytest.mark.parametrize(("shape", "channels"), BACKBONES + SLOW)
def test_backbones_take_images_of_any_shape_and_see_what_is_given(shape, channels):
    size = math.prod(shape)
    x, given = jnp.ones((2, size)), jnp.eye(2)
    encoder, decoder = Encoder(shape, (6, 5), channels), Decoder(shape, (6,), channels)
    code = jax.jit(lambda key: encoder.apply(encoder.init(key, x, given), x, given))(jax.random.key(0))
    assert code.shape == (2, 5)
    assert not np.allclose(code[0], code[1])
    parameters = jax.jit(decoder.init)(jax.random.key(1), code, given)
    again = jax.jit(decoder.apply)(parameters, jnp.stack([code, code]), given)
    assert again.shape == (2, 2, size)
    np.testing.assert_array_equal(again[0], again[1])
    positive = jax.tree.map(lambda leaf: jnp.full_like(leaf, 0.1), parameters)
    assert (jax.jit(decoder.apply)(positive, jnp.ones((1, 5)), given[:1]) > 0.1).all()  # every pixel is reached
