"""Every `Algorithm` of the table through the same trials: jit, vmap, one compilation, finite metrics, resume."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms import greedy
from genjax.algorithms.autoencoder import AutoencoderConfig, autoencoder
from genjax.algorithms.autoregressive import AutoregressiveConfig, autoregressive
from genjax.algorithms.contrastive import DBMConfig, RBMConfig, contrastive
from genjax.algorithms.conv import ConvRBMConfig, conv
from genjax.algorithms.diffusion import DiffusionConfig, diffusion
from genjax.algorithms.discriminative import DiscriminativeConfig, discriminative
from genjax.algorithms.gan import gan
from genjax.algorithms.gan_game import GANConfig
from genjax.algorithms.negative import CD
from genjax.algorithms.recommender import RecommenderConfig, recommender
from genjax.algorithms.supervised import SupervisedConfig, supervised
from genjax.algorithms.vae import VAEConfig, vae
from genjax.errors import UserError
from genjax.evaluation.classifier import ClassifierConfig, classifier
from genjax.training import loop
from genjax.training.config import split
from genjax.typing import Algorithm
from tests.algorithms.configs import made


def second_layer(config: RBMConfig, axis_name: str | None = None) -> Algorithm:
    """The top of a stack: its hidden units twice, on an RBM whose visible ones are there twice."""
    below = made(RBMConfig, hidden=5, chains=7)
    return greedy.on_top(config, (1, 2), ((split(below, 1)[0], (2, 1)),), axis_name)


SMALL = {"layers": (6,), "between": (4,), "latents": (3, 2)}


def small_images(config: GANConfig, axis_name: str | None = None) -> Algorithm:
    """Images of 3 by 4 pixels in three classes."""
    return gan(config, (3, 4, 1), 3, axis_name=axis_name)


CASES = {
    "pcd": (contrastive, made(RBMConfig, hidden=5, chains=7)),
    "cd": (contrastive, made(RBMConfig, hidden=5, negative="cd", k=2, average=0.5, schedule="constant")),
    "plain": (
        contrastive,
        made(RBMConfig, hidden=5, centred=False, optimiser="adam", momentum=0.9, schedule="cosine", average=0.0),
    ),
    "tempered": (contrastive, made(RBMConfig, hidden=5, chains=7, negative="tempered", rungs=3)),
    "trajectory": (
        contrastive,
        made(RBMConfig, hidden=5, chains=7, negative="trajectory", rungs=3, swap_every=2),
    ),
    "gaussian": (contrastive, made(RBMConfig, hidden=5, visible_type="gaussian", hidden_type="spin")),
    "classes": (contrastive, made(RBMConfig, hidden=5, visible_type="categorical", levels=3, classes=3)),
    "deep": (
        contrastive,
        made(DBMConfig, layers=(5, 4, 3), classes=3, negative="tempered", rungs=3, damping=0.2),
    ),
    "second layer": (second_layer, made(RBMConfig, hidden=8, chains=7)),
    "recommender": (recommender, made(RecommenderConfig, hidden=5, conditional="rated")),
    "recommender, cd": (recommender, made(RecommenderConfig, hidden=5, objective="cd", k_end=3, average=0.0)),
    "fine-tuning": (discriminative, made(DiscriminativeConfig, layers=(5, 4, 3), classes=3)),
    "vae": (partial(vae, shape=(3, 4, 1), classes=3), made(VAEConfig, **SMALL, channels=(4,), warm_up=0.5)),
    "iwae": (vae, made(VAEConfig, **SMALL, bound="iwae", gradient="doubly", draws=4, average=0.0)),
    "autoencoder": (
        autoencoder,
        made(AutoencoderConfig, layers=(6, 4), error="bernoulli", corruption="salt_and_pepper"),
    ),
    "autoregressive": (autoregressive, made(AutoregressiveConfig, hidden=5, ordering="random")),
    "convolutional": (partial(conv, shape=(3, 4, 1)), made(ConvRBMConfig, filters=3, width=2, chains=7)),
    "supervised": (
        partial(supervised, outputs=3),
        made(SupervisedConfig, layers=(5,), dropout=0.3, batch_norm=True, l2=0.01),
    ),
    "second pair": (
        partial(autoencoder, pair=1, classes=3),
        made(AutoencoderConfig, layers=(6, 4), corruption="gaussian"),
    ),
    "diffusion": (partial(diffusion, shape=(3, 4, 1)), made(DiffusionConfig, layers=(6,), channels=())),
    "diffusion, flow": (
        # By SGD: Adam's first step divides a gradient by its own size, and rounding with it where that is near nothing.
        partial(diffusion, shape=(3, 4, 1), limits=(0.0, 1.0)),
        made(DiffusionConfig, process="flow", layers=(6,), channels=(2, 3), average=0.0, optimiser="sgd"),
    ),
    "gan": (
        small_images,
        made(
            GANConfig,
            latent=3,
            layers=(6, 5),
            conditioning="projection",
            penalty="none",
            normalisation="batch",
            optimiser="sgd",
            discriminator_optimiser="sgd",
        ),
    ),
    "gan, wasserstein": (
        small_images,
        made(
            GANConfig,
            loss="wasserstein",
            penalty="gradient",
            backbone="conv",
            channels=(2, 3),
            latent=3,
            discriminator_steps=5,
            schedule="linear",
            optimiser="sgd",
            discriminator_optimiser="sgd",
        ),
    ),
    "classifier": (classifier, ClassifierConfig(shape=(3, 4, 1), classes=3)),
}


EACH = [name if name == "pcd" else pytest.param(name, marks=pytest.mark.slow) for name in CASES]


@pytest.fixture(params=EACH, name="case", scope="module")
def case_fixture(request):
    """All trials of one algorithm after each other, so that they share its programs."""
    return CASES[request.param]


def training_set(seed: int = 0) -> loop.TrainingSet:
    rng = np.random.default_rng(seed)
    images = jnp.asarray(rng.random((43, 12)), jnp.float32)
    labels = jnp.asarray(rng.integers(0, 3, 43), jnp.int32)
    held_out = loop.Batch(jnp.asarray(rng.integers(0, 2, (9, 12)), jnp.float32), jnp.zeros(9, jnp.int32))
    return loop.TrainingSet(images, labels, held_out)


def start(case, total=40, **rates):
    factory, config = case
    static, hyper = split(made(config, **rates), total)
    algorithm = factory(static)
    data = training_set()
    plan = loop.plan(43, 10, "sampled", longest_chunk=4)
    return algorithm, data, plan, loop.initial(jax.random.key(0), algorithm, data, plan, hyper)


def same(a, b) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def test_the_state_keeps_its_shape_and_metrics_are_finite_scalars(case):
    algorithm, data, plan, state = start(case)
    lines = []
    new = loop.train(jax.random.key(1), algorithm, data, plan, state, 1, 0, [lines.append])
    assert jax.tree.map(jnp.shape, new) == jax.tree.map(jnp.shape, state)
    assert jax.tree.map(jnp.result_type, new) == jax.tree.map(jnp.result_type, state)
    (chunk,) = lines
    assert "parameter_max" in chunk.steps
    assert all(values.shape == (1,) for values in chunk.steps.values())
    assert all(np.isfinite(value) for value in chunk.metrics.values())
    assert set(chunk.metrics) > set(chunk.steps)
    assert not same(new, state)


def test_new_rates_parameters_data_and_lengths_never_compile_again(case):
    algorithm, data, plan, state = start(case)
    loop.train(jax.random.key(0), algorithm, data, plan, state, 4)
    before = loop.run_chunk._cache_size(), loop.run_observation._cache_size()
    for seed, rate in enumerate((0.3, 0.02)):
        again, _, _, state = start(case, total=100 + seed, learning_rate=rate, weight_decay=rate / 10)
        assert (again.step, again.observe) == (algorithm.step, algorithm.observe)
        loop.train(jax.random.key(seed), again, training_set(seed), plan, state, 3 + seed)
    assert (loop.run_chunk._cache_size(), loop.run_observation._cache_size()) == before


def test_a_run_cut_in_two_is_the_whole_run_bit_for_bit_and_another_key_another_run(case):
    algorithm, data, plan, state = start(case)
    key, lines, again = jax.random.key(3), [], []
    whole = loop.train(key, algorithm, data, plan, state, 12, 0, [lambda chunk: lines.append(chunk.metrics)])
    first = loop.train(key, algorithm, data, plan, state, 6)
    saved = jax.tree.map(jnp.asarray, jax.tree.map(np.asarray, first))
    second = loop.train(key, algorithm, data, plan, saved, 12, 6, [lambda chunk: again.append(chunk.metrics)])
    assert same(whole, second)
    assert lines[-1] == again[-1]
    assert not same(whole, loop.train(jax.random.key(4), algorithm, data, plan, state, 12))


@pytest.mark.parametrize("case", EACH, indirect=True)
def test_vmap_over_keys_is_each_alone(case):
    algorithm, data, plan, state = start(case)
    batch = loop.example(data, plan).batch
    keys = jax.random.split(jax.random.key(1), 3)
    together = jax.jit(jax.vmap(algorithm.step, (0, None, None)))(keys, state, batch)[0]
    alone = jax.jit(algorithm.step)(keys[2], state, batch)[0]
    for a, b in zip(jax.tree.leaves(together), jax.tree.leaves(alone)):
        np.testing.assert_allclose(a[2], b, atol=1e-5)


@pytest.mark.parametrize("case", EACH, indirect=True)
def test_the_step_runs_over_devices_by_an_axis_name(case):
    """Two devices: averaged gradients keep one model, and each draws its own noise."""
    factory, config = case
    static, hyper = split(config, 40)
    algorithm = factory(static, axis_name="devices")
    data = training_set()
    plan = loop.plan(43, 10, "sampled")
    state = loop.initial(jax.random.key(0), algorithm, data, plan, hyper)
    batch = loop.example(data, plan).batch
    stacked = jax.tree.map(lambda x: jnp.stack([x, x]), state)
    halves = jax.tree.map(lambda x: x.reshape(2, 5, *x.shape[1:]), batch)
    if isinstance(getattr(config, "negative", None), CD):
        stacked = stacked._replace(chains=jax.tree.map(lambda x: x[:, :5], stacked.chains))
    both = jax.jit(jax.vmap(algorithm.step, (None, 0, 0), axis_name="devices"))
    new, metrics = both(jax.random.key(1), stacked, halves)
    for leaf in jax.tree.leaves(new.parameters if hasattr(new, "parameters") else new.machine):
        np.testing.assert_array_equal(leaf[0], leaf[1])
    for leaf in jax.tree.leaves(getattr(new, "average", ())):  # of a GAN also the statistics of its batches
        np.testing.assert_array_equal(leaf[0], leaf[1])
    if hasattr(state, "chains"):
        assert any(not np.array_equal(x[0], x[1]) for x in jax.tree.leaves(new.chains))
    assert np.isfinite(metrics["parameter_max"]).all()


UNLABELLED = [name for name in CASES if name not in ("classes", "deep", "vae", "fine-tuning", "second pair", "gan",
                                                      "classifier", "supervised")]  # fmt: skip


@pytest.mark.parametrize("name", UNLABELLED)
@pytest.mark.parametrize("target", [None, {"weight": jnp.ones((43, 2))}])
@pytest.mark.slow
def test_an_algorithm_that_ignores_targets_takes_any(name, target):
    factory, config = CASES[name]
    algorithm, plan = factory(config), loop.plan(43, 10, "sampled")
    data = training_set()._replace(target=target, held_out=None)
    algorithm.check(loop.Batch(jnp.round(data.x), target))
    example = jax.tree.map(jnp.asarray, loop.example(data, plan))
    state = jax.eval_shape(algorithm.init, jax.random.key(0), example, {"total_steps": 10})
    new, _ = jax.eval_shape(algorithm.step, jax.random.key(0), state, example.batch)
    jax.eval_shape(algorithm.observe, jax.random.key(0), new, example.batch, example.batch)


@pytest.mark.parametrize("target", [None, jnp.zeros((43, 2), jnp.int32), jnp.zeros(43), {"class": jnp.zeros(43, int)}])
@pytest.mark.parametrize("name", [name for name in CASES if name not in UNLABELLED])
def test_an_algorithm_of_labels_refuses_what_are_no_class_numbers(name, target):
    factory, config = CASES[name]
    said = "have no labels" if target is None else "are not class numbers"
    with pytest.raises(UserError, match=said):
        factory(config).check(loop.Batch(jnp.round(training_set().x), target))
