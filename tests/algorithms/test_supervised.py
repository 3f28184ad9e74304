"""Supervised learning: any network, any targets, what dropout and batch normalisation keep, and losses of one's own."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import genjax
from genjax.algorithms.supervised import Predictor, SupervisedConfig, penalty
from genjax.errors import UserError
from genjax.networks.classifier import FeatureClassifier
from genjax.networks.perceptron import Perceptron
from genjax.training import early

FINISHED = optax.sgd(0.3, momentum=0.5)


def raises_at_once(chunk):
    raise early.Stopped(chunk)


def curve(count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).uniform(-1, 1, (count, 2)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1]).astype(np.float32)


def fit(data=None, steps: int = 60, batch_size: int = 50, **options):
    model = genjax.supervised(**options)
    return genjax.fit(model, data or curve(), steps=steps, batch_size=batch_size, progress=False)


@pytest.mark.slow
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


@pytest.mark.slow
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

    class Sum:
        kind = "sum"

        def losses(self, outputs, target):
            return sum((outputs[name] - target[name]) ** 2 for name in target)

        def metrics(self, outputs, target):
            return {"of_sum": jnp.mean((outputs["sum"] - target["sum"]) ** 2)}

        def outputs(self, target):
            return 2

        def check_targets(self, target):
            assert set(target) == {"sum", "product"}

    x, y = curve()
    run = fit((x, {"sum": x.sum(1), "product": y}), network=Both(), loss=Sum(), learning_rate=0.05, steps=200)
    assert run.history["train_loss"][-1] < 0.3 * x.sum(1).var()
    assert run.history["held_out_of_sum"][-1] < 0.01


def test_a_line_search_runs_on_the_same_loop():
    run = fit(loss="squared_error", layers=(16,), activation="tanh", optimiser=optax.lbfgs(), batch_size=216)
    assert run.history["train_loss"][-1] < 0.02 * curve()[1].var()


@pytest.mark.slow
def test_after_training_nothing_is_dropped_and_running_moments_serve():
    run = fit(loss="squared_error", layers=(8,), dropout=0.5, batch_norm=True)
    x, model = curve()[0], run.parameters
    np.testing.assert_allclose(run.predict(x[:7]), run.predict(x)[:7], rtol=1e-5)
    moments = model.variables["batch_stats"]["BatchNorm_0"]
    assert float(jnp.abs(moments["mean"]).max()) > 0
    outputs, kept = model.in_training(jax.random.key(0), model.parameters, jnp.asarray(x))
    assert float(jnp.abs(outputs[:, 0] - model(jnp.asarray(x))[:, 0]).max()) > 1e-3
    assert jax.tree.map(jnp.shape, kept) == jax.tree.map(jnp.shape, model.variables)


def test_a_network_that_drops_in_training_predicts_alike():
    network, x = Perceptron((50,), 1, dropout=0.5), jnp.ones((2, 3))
    variables = network.init(jax.random.key(0), x)
    model = Predictor(variables["params"], {}, network, None)
    np.testing.assert_array_equal(model(x)[0], model(x)[1])
    np.testing.assert_allclose(model(x), network.apply(variables, x), rtol=1e-6)


def test_dropout_keeps_the_mean():
    network = Perceptron((4000,), 1, dropout=0.4)
    x = jnp.ones((1, 2))
    parameters = jax.tree.map(jnp.abs, network.init(jax.random.key(0), x))
    whole = network.apply(parameters, x)
    dropped = network.apply(parameters, x, train=True, rngs={"dropout": jax.random.key(1)})
    assert float(whole[0, 0]) == pytest.approx(float(dropped[0, 0]), rel=0.05)


def test_penalties_are_of_weights_and_draw_them_to_zero():
    parameters = {"kernel": jnp.array([[1.0, -2.0]]), "bias": jnp.array([5.0])}
    assert float(penalty(parameters, {"l1": jnp.float32(0.5), "l2": jnp.float32(2)})) == 0.5 * 3 + 2.0 * 5
    free, held = (fit(loss="squared_error", layers=(8,), l1=l1, steps=200, learning_rate=0.02) for l1 in (0.0, 0.1))
    sizes = [sum(np.abs(leaf).sum() for leaf in map(np.asarray, jax.tree.leaves(r.parameters))) for r in (free, held)]
    assert sizes[1] < 0.5 * sizes[0]


@pytest.mark.parametrize(
    ("options", "classes", "message"),
    [
        ({}, False, "not class numbers, .* squared_error is the loss"),
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


@pytest.mark.slow
def test_a_finished_optimiser_finds_least_squares_in_a_grid_and_going_on(capsys):
    """On all examples a step; its run goes on without a word about a schedule, which it does not have."""
    x, _ = curve(60)
    y = (x @ np.array([2.0, -3.0]) + 0.5 + np.sin(9 * x[:, 0])).astype(np.float32)
    data = genjax.Dataset.from_arrays(x, y, test=0, validation=0)
    model = genjax.supervised(network=nn.Dense(1), loss="squared_error", optimiser=FINISHED, average=0.0)
    design = np.column_stack([x, np.ones(60)])
    exact = np.linalg.lstsq(design, y, rcond=None)[0]
    alone = genjax.fit(model, data, steps=50, seed=3, batch_size=60, progress=False)
    alone = genjax.fit(alone, steps=200, progress=False)
    together = genjax.grid(model, data, steps=200, seeds=[2, 3], batch_size=60, progress=False)
    for run in (alone, *together):
        np.testing.assert_allclose(run.parameters.parameters["kernel"][:, 0], exact[:2], atol=2e-3)
        np.testing.assert_allclose(run.parameters.parameters["bias"], exact[2:], atol=2e-3)
    assert "learning rate" not in capsys.readouterr().err


def test_a_run_that_patience_would_stop_at_its_last_step_ends_as_it_would_have():
    model = genjax.supervised(layers=(4,), loss="squared_error", schedule="linear")
    options = {"steps": 10, "batch_size": 50, "progress": False}
    plain = genjax.fit(model, curve(), **options)
    stopped = genjax.fit(model, curve(), **options, on_chunk=raises_at_once)
    assert stopped.step == 10
    assert "stopped_early" not in stopped.decided
    for a, b in zip(*(jax.tree.leaves(run.parameters.parameters) for run in (plain, stopped))):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
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
