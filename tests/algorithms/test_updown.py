"""Deep belief networks against enumeration: what the bound and the estimate are, and that fine-tuning raises them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.algorithms.updown import DBNConfig, loss, stages, trained_network
from genjax.boltzmann.dbn import DBN, downward, log_down, log_up, log_weight, log_weight_of, stacked, upward
from genjax.boltzmann.machine import marginal
from genjax.likelihood import exact
from genjax.likelihood.estimate import exact_log_z
from genjax.likelihood.importance import Importance, importance, missed, normalised, refuted, total
from genjax.training import loop
from genjax.training.stages import begin, key_of
from genjax.typing import Estimate
from tests.algorithms.configs import made
from tests.machines import energies, random_machine


def network(scale: float = 1.0) -> DBN:
    """4-3-2 with an untied recognition model."""
    tied = stacked((random_machine((4, 3), scale), random_machine((3, 2), scale, seed=1)))
    return DBN(tied.generation, (random_machine((4, 3), 0.7 * scale, seed=2),), tied.top)


def binary(size: int) -> jax.Array:
    return jnp.asarray(list(itertools.product((0.0, 1.0), repeat=size)), jnp.float32)


def all_pairs(net: DBN) -> tuple[jax.Array, jax.Array]:
    """Every image with every state of the first hidden layer, `(images, hidden states, units)`."""
    x, h = binary(net.sizes[0]), binary(net.sizes[1])
    return jnp.repeat(x[:, None], len(h), 1), jnp.repeat(h[None], len(x), 0)


def joint(net: DBN) -> tuple[np.ndarray, np.ndarray]:
    """log p(x, h1) normalised and log q(h1 | x), `(images, hidden states)`."""
    x, h = all_pairs(net)
    top = marginal(net.top, (h, None), 1) - exact.log_z(net.top)
    return np.asarray(log_down(net, (x, h)) + top, np.float64), np.asarray(log_up(net, (x, h)), np.float64)


def test_the_pieces_are_probabilities():
    log_p, log_q = joint(network())
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(np.exp(log_q).sum(1), 1, atol=1e-5)


def test_bound_and_estimate_are_those_of_enumeration():
    net = network()
    log_p, log_q = joint(net)
    bound = (np.exp(log_q) * (log_p - log_q)).sum(1)
    truth = np.logaddexp.reduce(log_p, axis=1)
    found = importance(jax.random.key(0), net, binary(4), log_weight, 20_000)
    spread = np.sqrt((np.exp(log_q) * (log_p - log_q - bound[:, None]) ** 2).sum(1) / 20_000)
    log_z = exact.log_z(net.top)
    assert (np.abs(found.bounds - log_z - bound) < 5.5 * spread + 1e-4).all()
    assert (np.abs(found.estimates - log_z - truth) < 5.5 * found.standard_errors + 1e-4).all()
    assert (bound < truth).all()


def test_draws_upwards_and_downwards_follow_their_layers():
    net = network()
    x = jnp.tile(binary(4)[5], (50_000, 1))
    up = upward(jax.random.key(0), net, x)
    np.testing.assert_allclose(
        up[1].mean(0), jax.nn.sigmoid(net.recognition[0].biases[1] + x[0] @ net.recognition[0].weights[0]), atol=0.015
    )
    h = jnp.tile(binary(3)[3], (50_000, 1))
    expected = jax.nn.sigmoid(net.generation[0].biases[0] + net.generation[0].weights[0] @ h[0])
    np.testing.assert_allclose(downward(jax.random.key(1), net, h)[0][0], expected, atol=1e-5)
    drawn = downward(jax.random.key(1), net, h, expect=False)[0]
    assert set(np.unique(drawn)) == {0.0, 1.0}
    np.testing.assert_allclose(drawn.mean(0), expected, atol=0.015)


def test_the_loss_is_the_sum_of_its_parts():
    """Written out in float64: directed layers awake, the way up asleep, and the contrast of the top's energies."""
    net, rng = network(), np.random.default_rng(0)
    layers = (4, 3), (4, 3), (3, 2), (3, 2)  # awake, asleep, positive, negative
    states = [[rng.integers(0, 2, (6, size)).astype(float) for size in sizes] for sizes in layers]
    (x, h), (dream, cause), positive, negative = states

    def log_p(drawn, field):
        return np.sum(drawn * field - np.logaddexp(0, field), axis=1).mean()

    down, up = net.generation[0], net.recognition[0]
    wanted = energies(net.top, positive).mean() - energies(net.top, negative).mean()
    wanted -= log_p(x, h @ np.asarray(down.weights[0]).T + np.asarray(down.biases[0]))
    wanted -= log_p(cause, dream @ np.asarray(up.weights[0]) + np.asarray(up.biases[1]))
    narrow = [tuple(jnp.asarray(layer, jnp.float32) for layer in part) for part in states]
    assert float(jax.jit(loss)(net, *narrow)) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.slow
def test_fine_tuning_raises_the_likelihood():
    """On digits: the stack with the exact log Z of its top RBM, before and after."""
    images = data.binarise_fixed(data.load("digits").train, "threshold", 0)
    training = loop.TrainingSet(jnp.asarray(images), jnp.zeros(len(images), jnp.int32), None)
    plan = loop.plan(len(images), 100, "none")
    config = made(DBNConfig, layers=(10, 8), pretraining=30, pretraining_rate=0.1)
    parts = stages(config, 150 * plan.steps_per_epoch, plan.steps_per_epoch)
    key, state, scores = jax.random.key(0), None, []
    for stage in parts:
        state = begin(key, stage, training, plan, state)
        if stage.name == "train":
            scores.append(score(state, training.x))
        state = loop.train(key_of(key, stage), stage.algorithm, training, plan, state, stage.steps)
    scores.append(score(state, training.x))
    assert scores[1] > scores[0] + 0.5
    assert not np.allclose(state.network.generation[0].weights[0], state.network.recognition[0].weights[0], atol=1e-3)


def score(state, images) -> float:
    net = trained_network(state)
    found = importance(jax.random.key(0), net, images, log_weight, 20)
    return float(found.estimates.mean()) - exact.log_z(net.top)


def with_recognition(net: DBN, recognition) -> DBN:
    return DBN(net.generation, recognition, net.top)


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "trusted"), [(0.7, True), (3.0, False), (-3.0, False), (30.0, False)])
def test_the_error_of_importance_sampling_is_in_the_interval(scale, trusted):
    """A recognition model that is good, wrong, and so sure of what is wrong that its weights are all alike."""
    net = network()
    (up,) = net.recognition if scale != 0.7 else net.generation
    net = with_recognition(net, (jax.tree.map(lambda w: w if scale == 0.7 else scale * w, up),))
    log_p, _ = joint(net)
    truth = np.logaddexp.reduce(log_p, axis=1)
    log_z = exact_log_z(exact.log_z(net.top), "enumeration")
    found = importance(jax.random.key(0), net, binary(4), log_weight, 100)
    top = jnp.asarray(
        np.repeat(binary(3), np.round(200 * np.exp(np.logaddexp.reduce(log_p, axis=0))).astype(int), axis=0),
        jnp.float32,
    )
    dreams = downward(jax.random.key(1), net, top, expect=False)
    own = importance(jax.random.key(2), net, dreams[0], log_weight, 100)
    gap = missed(own, np.asarray(log_weight_of(net, dreams), np.float64))
    answer = refuted(normalised(total(found), log_z), gap)
    assert answer.trusted == trusted, answer.reason
    assert answer.low < answer.mean < answer.high or not trusted
    if trusted:
        assert answer.low - 0.02 < truth.mean() < answer.high + 0.02


def test_errors_of_both_estimates_add_up_as_squares():
    one = total(Importance(np.zeros(1), np.full(1, -3.0), np.full(1, 0.3 / 1.96), 1000))
    log_z = Estimate(2.0, 1.6, 2.4, 0.2, np.nan, "estimate", "AIS", True, "enough")
    both = normalised(one, log_z)
    np.testing.assert_allclose([both.mean, both.low, both.high], [-5.0, -5.5, -4.5], atol=1e-6)
    assert both.trusted
    assert not normalised(one, log_z._replace(trusted=False)).trusted
    assert not normalised(one._replace(trusted=False), log_z).trusted
