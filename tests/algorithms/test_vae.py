"""A linear-Gaussian model, whose likelihood is known; the order of the bounds; the two gradients of one bound."""

import dataclasses
import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from genjax import data
from genjax.algorithms.vae import IWAE, BoundInputs, VAEConfig, divergence_weight, elbo, iwae, vae
from genjax.evaluation.latent import latent_activity
from genjax.likelihood.importance import effective, importance, total
from genjax.networks.latent import Architecture, LatentModel, generated, latent_model, log_weight
from genjax.training import loop
from genjax.training.config import split
from genjax.typing import Batch, Example
from tests.algorithms.configs import made

PIXELS, LATENTS, DEVIATION = 6, 2, 0.5


@partial(jax.jit, static_argnums=(0, 1))
def value_of(bound: Callable, draws: int, key: jax.Array, model: LatentModel, x: jax.Array) -> jax.Array:
    """The bound itself; one for each key where there are many."""
    seen = BoundInputs(x, jnp.zeros((len(x), 0)), draws, jnp.ones(()))
    return bound(key, model, seen)[1] if not key.ndim else jax.vmap(lambda one: bound(one, model, seen)[1])(key)


def linear(astray: float = 0.0) -> tuple[LatentModel, Batch, np.ndarray]:
    """x = W z + b + noise with orthogonal columns, so that the exact posterior factorises; its encoder is that
    posterior, or `astray` from it. Images, and their exact log-likelihoods."""
    rng = np.random.default_rng(0)
    columns = np.linalg.qr(rng.normal(size=(PIXELS, LATENTS)))[0] * [1.5, 0.7]
    b, x = rng.normal(size=PIXELS), rng.normal(size=(50, PIXELS))
    variance = 1 / (1 + (columns**2).sum(0) / DEVIATION**2)
    up = columns * variance / DEVIATION**2
    of = Architecture(shape=(1, PIXELS, 1), latents=(LATENTS,), layers=(), pixels="gaussian")
    kernel = np.concatenate([up, np.zeros_like(up)], 1)
    bias = np.concatenate([-b @ up + astray, np.log(variance) + astray])
    model = latent_model(jax.random.key(0), of)
    recognition = {"params": {"lowest": {"MLP_0": {"Dense_0": {"kernel": kernel, "bias": bias}}}}}
    image = {"MLP_0": {"Dense_0": {"kernel": columns.T}}, "bias": b}
    generation = {"params": {"image": image, "log_deviation": np.log(DEVIATION)}}
    one = dataclasses.replace(model, recognition=recognition, generation=generation)
    assert jax.tree.map(jnp.shape, one) == jax.tree.map(jnp.shape, model)
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), one)
    covariance = columns @ columns.T + DEVIATION**2 * np.eye(PIXELS)
    truth = stats.multivariate_normal(b, covariance).logpdf(x)
    return one, Batch(jnp.asarray(x, jnp.float32), jnp.zeros(50, jnp.int32)), truth


@pytest.mark.parametrize("draws", [1, 30])
@pytest.mark.slow
def test_with_the_exact_posterior_every_bound_is_the_likelihood(draws):
    model, batch, truth = linear()
    found = importance(jax.random.key(0), model, batch, log_weight, draws, block=25, at_once=7)
    np.testing.assert_allclose(found.estimates, truth, atol=1e-4)
    np.testing.assert_allclose(found.bounds, truth, atol=1e-4)
    assert float(value_of(iwae, draws, jax.random.key(1), model, batch.x)) == pytest.approx(truth.mean(), abs=1e-4)


@pytest.mark.slow
def test_with_another_encoder_many_draws_meet_the_likelihood():
    model, batch, truth = linear(astray=0.3)
    found = importance(jax.random.key(0), model, batch, log_weight, 20_000, at_once=100)
    assert (np.abs(found.estimates - truth) < 5.5 * found.standard_errors + 1e-4).all()
    assert (found.bounds < truth - 0.02).all()
    whole = total(found)
    assert whole.low - 1e-4 < truth.mean() < whole.high + 1e-4
    assert whole.trusted


def two_layers() -> tuple[LatentModel, Batch, np.ndarray]:
    """z2 standard, z1 = V z2 + c + noise, x = W z1 + b + noise; an encoder that is wide enough. The exact
    log-likelihoods, which none of the terms may be left out of."""
    rng = np.random.default_rng(1)
    of = Architecture(shape=(1, 4, 1), latents=(3, 2), layers=(), between=(), pixels="gaussian")
    down, c, columns, b = (rng.normal(size=size) for size in ((2, 3), 3, (3, 4), 4))
    noise = 0.4 + 0.4 * rng.random(3)
    model = latent_model(jax.random.key(0), of)

    def dense(kernel, *bias):
        return {"MLP_0": {"Dense_0": {"kernel": kernel} | ({"bias": bias[0]} if bias else {})}}

    inverse = np.linalg.pinv(columns)
    first = dense(np.concatenate([0.8 * inverse, np.zeros((4, 3))], 1), np.r_[-0.8 * b @ inverse, np.full(3, 0.3)])
    back = np.linalg.pinv(down)
    second = dense(np.concatenate([0.8 * back, np.zeros((3, 2))], 1), np.r_[-0.8 * c @ back, np.full(2, 0.3)])
    recognition = {"params": {"lowest": first, "upper_0": second["MLP_0"]}}
    lower = dense(np.concatenate([down, np.zeros((2, 3))], 1), np.r_[c, np.log(noise)])
    image = dense(columns) | {"bias": b}
    generation = {"params": {"image": image, "lower_0": lower["MLP_0"], "log_deviation": np.log(DEVIATION)}}
    one = dataclasses.replace(model, recognition=recognition, generation=generation)
    assert jax.tree.map(jnp.shape, one) == jax.tree.map(jnp.shape, model)
    mean, covariance = c @ columns + b, columns.T @ (down.T @ down + np.diag(noise)) @ columns
    covariance += DEVIATION**2 * np.eye(4)
    x = rng.multivariate_normal(mean, covariance, 20)
    batch = Batch(jnp.asarray(x, jnp.float32), jnp.zeros(20, jnp.int32))
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), one)
    return one, batch, stats.multivariate_normal(mean, covariance).logpdf(x)


@pytest.mark.parametrize("draws", [20_000, pytest.param(200_000, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_two_stochastic_layers_meet_the_likelihood(draws):
    model, batch, truth = two_layers()
    found = importance(jax.random.key(0), model, batch, log_weight, draws, at_once=1000)
    wider = math.sqrt(200_000 / draws)
    assert found.standard_errors.max() < 0.1 * wider
    np.testing.assert_allclose(found.estimates, truth, atol=5.5 * found.standard_errors.max())
    assert abs(found.estimates.mean() - truth.mean()) < 0.02 * wider
    assert (found.bounds < truth).all()
    assert float(value_of(iwae, 2000, jax.random.key(1), model, batch.x)) == pytest.approx(truth.mean(), abs=0.1)
    keys = jax.random.split(jax.random.key(2), 2000)
    values = np.asarray(value_of(elbo, 1, keys, model, batch.x), np.float64)
    assert values.mean() == pytest.approx(found.bounds.mean(), abs=5.5 * values.std() / math.sqrt(len(values)) + 1e-3)


@pytest.mark.slow
def test_errors_are_those_of_repetitions_and_few_draws_are_not_trusted():
    model, batch, _ = linear(astray=0.3)
    repeated = [importance(jax.random.key(i), model, batch, log_weight, 200, at_once=100) for i in range(60)]
    spread = np.std([found.estimates for found in repeated], 0, ddof=1)
    said = np.mean([found.standard_errors for found in repeated], 0)
    assert 0.85 < np.median(spread / said) < 1.15
    for draws in (1, 2, 50):
        assert not total(importance(jax.random.key(0), model, batch, log_weight, draws)).trusted


def test_active_units_are_those_whose_means_vary():
    """Of a linear encoder the variances are those of its products, over all blocks of images."""
    model, batch, _ = linear()
    dense = model.recognition["params"]["lowest"]["MLP_0"]["Dense_0"]
    means = np.asarray(batch.x @ dense["kernel"] + dense["bias"])[:, :LATENTS]
    (found,) = latent_activity(jax.random.key(0), model, batch, block=20)
    np.testing.assert_allclose(found, means.var(0), rtol=1e-5)
    model, batch, _ = two_layers()
    upper = latent_activity(jax.random.key(0), model, batch, draws=2000)[1]
    params = model.recognition["params"]
    first, second = params["lowest"]["MLP_0"]["Dense_0"], params["upper_0"]["Dense_0"]
    below = np.asarray(batch.x @ first["kernel"] + first["bias"])[:, :3]
    exact = (below @ np.asarray(second["kernel"]) + np.asarray(second["bias"]))[:, :2].var(0)
    np.testing.assert_allclose(upper, exact, rtol=0.05)


def test_bounds_are_ordered():
    """ELBO, IWAE of 5 and of 25 draws, the likelihood: each apart from the next by more than its error."""
    model, batch, truth = linear(astray=0.5)
    keys = jax.random.split(jax.random.key(1), 500)

    def mean_of(bound: Callable, draws: int) -> tuple[float, float]:
        values = np.asarray(value_of(bound, draws, keys, model, batch.x), np.float64)
        return values.mean(), values.std() / math.sqrt(len(values))

    means, errors = zip(mean_of(elbo, 1), mean_of(iwae, 5), mean_of(iwae, 25), (truth.mean(), 0.0))
    assert (np.diff(means) > 5.5 * np.add(errors[:-1], errors[1:])).all()


def test_the_divergence_is_subtracted_with_its_weight():
    """On the same draws: beta times KL(q || standard normal), which is known, and none of it in the second value."""
    model, batch, _ = linear(astray=0.3)
    dense = model.recognition["params"]["lowest"]["MLP_0"]["Dense_0"]
    mean, log_variance = np.split(np.asarray(batch.x @ dense["kernel"] + dense["bias"], np.float64), 2, axis=1)
    known = 0.5 * np.sum(np.exp(log_variance) + mean**2 - 1 - log_variance, axis=1).mean()
    seen = [BoundInputs(batch.x, jnp.zeros((50, 0)), 1, jnp.asarray(beta)) for beta in (0.0, 0.3)]
    none, some = (elbo(jax.random.key(0), model, one) for one in seen)
    assert float(some[0] - none[0]) == pytest.approx(-0.3 * known, rel=1e-4)
    assert float(none[1] - none[0]) == pytest.approx(-known, rel=1e-4)
    assert float(none[1]) == float(some[1])


def test_the_divergences_weight_rises_over_the_first_part_of_the_run():
    hyper = {name: jnp.asarray(value) for name, value in {"beta": 2.0, "warm_up": 0.4, "total_steps": 10.0}.items()}
    found = [float(divergence_weight(hyper, jnp.asarray(step))) for step in range(6)]
    assert found == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0, 2.0])
    assert float(divergence_weight(hyper | {"warm_up": jnp.zeros(())}, jnp.asarray(0))) == 2


def test_kernels_decay_and_biases_do_not():
    model, batch, _ = linear()
    static, hyper = split(made(VAEConfig, latents=(2,), layers=(), pixels="gaussian", average=0.0), 10)
    algorithm = vae(static)
    example = Example(batch, batch.x.mean(0), batch.x.var(0))
    state = jax.jit(algorithm.init)(jax.random.key(0), example, hyper)._replace(model=model)
    step = jax.jit(algorithm.step)
    ended = [
        step(jax.random.key(1), state._replace(hyper=hyper | {"weight_decay": jnp.asarray(decay)}), batch)[0].model
        for decay in (0.0, 0.5)
    ]
    for before, plain, decayed in zip(*map(jax.tree.leaves, (model, *ended))):
        lost = float(hyper["learning_rate"]) * 0.5 * before if before.ndim > 1 else 0 * before
        np.testing.assert_allclose(plain - decayed, lost, atol=1e-6)


@pytest.mark.slow
def test_both_gradients_of_the_bound_have_one_mean_and_the_doubly_reparameterised_less_noise():
    model, batch, _ = linear(astray=0.5)
    seen = BoundInputs(batch.x[:3], jnp.zeros((3, 0)), 20, jnp.asarray(0.8))
    found = {}
    for name in ("reparameterised", "doubly"):
        climb = IWAE(20, name).climb
        one = jax.jit(jax.vmap(lambda key, climb=climb: climb(key, model, seen)[:2]))
        slope, bound = one(jax.random.split(jax.random.key(0), 5000))
        found[name] = (slope, np.asarray(bound))
    np.testing.assert_allclose(found["doubly"][1], found["reparameterised"][1], atol=1e-4)  # the same draws
    flat = {
        name: np.concatenate([np.asarray(leaf).reshape(5000, -1) for leaf in jax.tree.leaves(slope.recognition)], 1)
        for name, (slope, _) in found.items()
    }
    difference = (flat["doubly"] - flat["reparameterised"]).astype(np.float64)
    error = difference.std(0) / math.sqrt(len(difference))
    np.testing.assert_array_less(np.abs(difference.mean(0)), 5.5 * error + 1e-5)
    assert (flat["doubly"].std(0) < flat["reparameterised"].std(0)).mean() > 0.8
    plain, doubly = (found[name][0].generation for name in ("reparameterised", "doubly"))
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(doubly)):
        np.testing.assert_allclose(a, b, atol=1e-3)


@pytest.mark.slow
def test_both_gradients_agree_with_two_layers():
    model, batch, _ = two_layers()
    seen = BoundInputs(batch.x[:3], jnp.zeros((3, 0)), 20, jnp.ones(()))
    flat = {}
    for name in ("reparameterised", "doubly"):
        climb = IWAE(20, name).climb
        one = jax.jit(jax.vmap(lambda key, climb=climb: climb(key, model, seen).gradient.recognition))
        slope = one(jax.random.split(jax.random.key(0), 5000))
        flat[name] = np.concatenate([np.asarray(x, np.float64).reshape(5000, -1) for x in jax.tree.leaves(slope)], 1)
    difference = flat["doubly"] - flat["reparameterised"]
    error = difference.std(0) / math.sqrt(len(difference))
    np.testing.assert_array_less(np.abs(difference.mean(0)), 5.5 * error + 1e-5)
    assert (flat["doubly"].std(0) < flat["reparameterised"].std(0)).mean() > 0.6


@pytest.mark.slow
def test_learning_finds_the_likelihood_of_linear_data():
    """Probabilistic principal components: with a linear encoder the ELBO tends to the likelihood of the best model."""
    rng = np.random.default_rng(1)
    images = (rng.normal(size=(2000, 2)) @ (rng.normal(size=(2, 8))) + 0.3 * rng.normal(size=(2000, 8))).astype("f4")
    covariance = np.cov(images.T, bias=True)
    values = np.sort(np.linalg.eigvalsh(covariance))[::-1]
    noise = values[2:].mean()
    best = -0.5 * (8 * math.log(2 * math.pi) + np.log(values[:2]).sum() + 6 * math.log(noise) + 8)
    data = loop.TrainingSet(jnp.asarray(images), jnp.zeros(2000, jnp.int32), None)
    plan = loop.plan(2000, 100, "none")
    config = made(VAEConfig, latents=(2,), layers=(), pixels="gaussian", learning_rate=0.03, warm_up=0.1)
    static, hyper = split(config, 3000)
    algorithm = vae(static)
    state = loop.initial(jax.random.key(0), algorithm, data, plan, hyper)
    seen = []
    loop.train(jax.random.key(0), algorithm, data, plan, state, 3000, 0, [lambda chunk: seen.append(chunk.metrics)])
    assert seen[-1]["bound"] == pytest.approx(best, abs=0.05)
    assert seen[0]["beta"] < seen[-1]["beta"] == 1


@pytest.mark.slow
def test_many_latents_do_not_kill_rectified_units():
    """On digits: with q as wide as its prior from the first step on, nothing was ever learned by 300 latents."""
    found = data.load("digits")
    training = loop.TrainingSet(jnp.asarray(found.train), jnp.asarray(found.labels.train), None)
    plan, steps = loop.plan(len(found.train), 50, "sampled"), 200
    static, hyper = split(
        made(VAEConfig, latents=(300,), layers=(64, 64), activation="relu", learning_rate=3e-3), steps
    )
    key, algorithm, seen = jax.random.key(0), vae(static), []
    state = loop.initial(key, algorithm, training, plan, hyper)
    loop.train(key, algorithm, training, plan, state, steps, 0, [lambda chunk: seen.append(chunk.metrics)])
    assert seen[-1]["divergence"] > 2


@pytest.mark.slow
def test_every_image_has_to_have_draws_that_count():
    """An untrained model of one latent, against quadrature: the mean may look fine where single images are far off."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.integers(0, 2, (30, 64)), jnp.float32)
    batch = Batch(x, jnp.zeros(30, jnp.int32))
    of = Architecture(shape=(1, 64, 1), latents=(1,), layers=(200,))
    model = latent_model(jax.random.key(0), of, jnp.full(64, 0.5))
    z = np.linspace(-9, 9, 20_001)
    for scale, good in ((1.0, True), (12.0, False)):
        steep = jax.tree.map(lambda w, s=scale: s * w if w.ndim > 1 else w, model.generation)
        here = dataclasses.replace(model, generation=steep)
        outputs = np.asarray(generated(here, (jnp.asarray(z[:, None], jnp.float32),), jnp.zeros((len(z), 0)))[1][0])
        log_p = x @ -np.logaddexp(0, -outputs).T + (1 - x) @ -np.logaddexp(0, outputs).T
        log_p = np.asarray(log_p, np.float64) - 0.5 * z**2 - 0.5 * np.log(2 * np.pi)
        truth = np.logaddexp.reduce(log_p, axis=1) + np.log(z[1] - z[0])
        found = importance(jax.random.key(1), here, batch, log_weight, 1000, at_once=100)
        answer, away = total(found), np.abs(found.estimates - truth) / found.standard_errors
        assert answer.trusted == good, answer.reason
        assert (effective(found) >= 10).all() == good
        assert (away < 5.5).all() or not good
    assert "images are worth fewer than 10" in answer.reason or "more draws" in answer.reason
