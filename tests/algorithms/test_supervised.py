"""Supervised learning: any network, any targets, what dropout and batch normalisation keep, and losses of one's own."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import genjax
from genjax.algorithms.supervised import SquaredError, SupervisedConfig, penalty
from genjax.errors import UserError
from genjax.networks.classifier import FeatureClassifier
from genjax.networks.perceptron import Perceptron


def curve(count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).uniform(-1, 1, (count, 2)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1]).astype(np.float32)


def fit(data=None, steps: int = 60, **options):
    return genjax.fit(genjax.supervised(**options), data or curve(), steps=steps, batch_size=50, progress=False)


def test_numbers_are_learned_by_squared_error_and_without_an_end_at_the_data():
    run = fit(steps=400, layers=(32,), activation="tanh", loss="squared_error", learning_rate=0.02)
    x, y = curve()
    found = run.predict(x)
    assert found.shape == (300, 1)
    assert np.mean((found[:, 0] - y) ** 2) < 0.02 * y.var()
    test = run.evaluation()["test"]["loss"]
    assert test["mean"] < 0.03 * y.var()
    assert run.history["held_out_loss"][-1] == pytest.approx(test["mean"], rel=1.0)
    with pytest.raises(UserError, match="not classes; ask it with `predict`"):
        run.classify(x)


def test_classes_are_learned_by_cross_entropy():
    x, y = curve()
    run = fit((x, (y > 0).astype(int)), steps=400, layers=(32,), learning_rate=0.02)
    assert run.evaluation()["test"]["error"]["mean"] < 0.1
    np.testing.assert_allclose(np.exp(run.classify(x[:5])).sum(1), 1.0, rtol=1e-5)


def test_a_network_from_outside_may_take_targets_and_losses_of_its_own():
    class Both(nn.Module):
        @nn.compact
        def __call__(self, x):
            return {"sum": nn.Dense(1)(x)[:, 0], "product": nn.Dense(1)(nn.tanh(nn.Dense(8)(x)))[:, 0]}

    class Sum(SquaredError):
        kind = "sum"

        def losses(self, outputs, target):
            return sum((outputs[name] - target[name]) ** 2 for name in target)

        def check_targets(self, target):
            assert set(target) == {"sum", "product"}

    x, y = curve()
    run = fit((x, {"sum": x.sum(1), "product": y}), network=Both(), loss=Sum(), learning_rate=0.05, steps=200)
    assert run.history["loss"][-1] < 0.5 * run.history["loss"][0]


def test_a_line_search_runs_on_the_same_loop():
    run = fit(loss="squared_error", layers=(16,), activation="tanh", optimiser=optax.lbfgs(), steps=40)
    assert run.history["train_loss"][-1] < 0.02 * curve()[1].var()


def test_after_training_nothing_is_dropped_and_running_moments_serve():
    run = fit(loss="squared_error", layers=(8,), dropout=0.5, batch_norm=True)
    x, model = curve()[0], run.parameters
    np.testing.assert_array_equal(run.predict(x[:7]), run.predict(x)[:7])
    moments = model.variables["batch_stats"]["BatchNorm_0"]
    assert float(jnp.abs(moments["mean"]).max()) > 0
    outputs, kept = model.in_training(jax.random.key(0), model.parameters, jnp.asarray(x))
    assert float(jnp.abs(outputs[:, 0] - model(jnp.asarray(x))[:, 0]).max()) > 1e-3
    assert jax.tree.map(jnp.shape, kept) == jax.tree.map(jnp.shape, model.variables)


def test_dropout_keeps_the_mean():
    network = Perceptron((4000,), 1, dropout=0.4)
    x = jnp.ones((1, 2))
    parameters = jax.tree.map(jnp.abs, network.init(jax.random.key(0), x))
    whole = network.apply(parameters, x)
    dropped = network.apply(parameters, x, train=True, rngs={"dropout": jax.random.key(1)})
    assert float(whole[0, 0]) == pytest.approx(float(dropped[0, 0]), rel=0.05)


def test_penalties_are_of_weights_and_draw_them_to_zero():
    parameters = {"kernel": jnp.array([[1.0, -2.0]]), "bias": jnp.array([5.0])}
    assert float(penalty(parameters, {"l1": 0.5, "l2": 2.0})) == 0.5 * 3 + 2.0 * 5
    free, held = (fit(loss="squared_error", layers=(8,), l1=l1, steps=200, learning_rate=0.02) for l1 in (0.0, 0.1))
    sizes = [sum(np.abs(leaf).sum() for leaf in map(np.asarray, jax.tree.leaves(r.parameters))) for r in (free, held)]
    assert sizes[1] < 0.5 * sizes[0]


@pytest.mark.parametrize(
    ("options", "classes", "message"),
    [
        ({}, False, "there are none; try squared_error"),
        ({"loss": "squared_error"}, True, "these are classes; try cross_entropy"),
        ({"loss": "squared_error", "dropout": 1.0}, False, "`dropout` 1.0 is out of range"),
        ({"loss": "squared_error", "l1": -1.0}, False, "`l1` -1.0"),
    ],
)
def test_what_cannot_be_learned_is_refused(options, classes, message):
    x, y = curve(40)
    with pytest.raises(UserError, match=message):
        fit((x, (y > 0).astype(int) if classes else y), **options)


def test_targets_that_are_not_finite_are_refused():
    x, y = curve(40)
    y[3] = np.nan
    with pytest.raises(UserError, match="NaN"):
        fit((x, y), loss="squared_error")


def test_a_config_is_hashed_by_its_values():
    assert SupervisedConfig() == SupervisedConfig()
    assert hash(SupervisedConfig()) == hash(SupervisedConfig())


def test_features_are_what_the_networks_own_method_says():
    network = FeatureClassifier((8, 8, 1), 10, channels=(4,), size=6)
    run = genjax.fit(genjax.supervised(network=network), "digits", steps=2, batch_size=20, progress=False)
    x, last = run.prepared.dataset.test, run.parameters.parameters["last"]
    found = run.features(x)
    assert found.shape == (360, 6)
    assert found.min() >= 0
    np.testing.assert_allclose(found @ last["kernel"] + last["bias"], run.predict(x), rtol=1e-4, atol=1e-5)
    with pytest.raises(UserError, match="has no method `features`"):
        fit(loss="squared_error", steps=1).features(curve()[0])
