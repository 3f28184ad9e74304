"""Feedback alignment against its definition, by hand, and against backpropagation where the two must agree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import genjax
from genjax.networks.feedback import FeedbackPerceptron, aligned, angles, heard

LAYERS, OUTPUTS = (6, 5), 3


@pytest.fixture(name="data", scope="module")
def data_fixture():
    x, y = (jax.random.normal(jax.random.key(n), (7, size)) for n, size in enumerate((4, OUTPUTS)))
    return x, y


def gradient(rule, variables, x, y):
    network = FeedbackPerceptron(LAYERS, OUTPUTS, rule)
    kept = {name: value for name, value in variables.items() if name != "params"}
    return jax.grad(lambda p: 0.5 * jnp.sum((network.apply({"params": p, **kept}, x) - y) ** 2))(variables["params"])


def first(rule, x):
    return FeedbackPerceptron(LAYERS, OUTPUTS, rule).init(jax.random.key(3), x)


@pytest.mark.parametrize("rule", ["backpropagation", "alignment", "direct"])
def test_gradients_are_those_of_the_definition(rule, data):
    """Written out: h = tanh(a); the error at a hidden layer is what comes back times 1 - h^2."""
    x, y = data
    variables = first(rule, x)
    p = variables["params"]
    kernels = [p[f"dense_{n}"]["kernel"] for n in range(3)]
    h1 = jnp.tanh(x @ kernels[0])
    h2 = jnp.tanh(h1 @ kernels[1])
    error = h2 @ kernels[2] - y
    if rule == "backpropagation":
        second = (error @ kernels[2].T) * (1 - h2**2)
        lowest = (second @ kernels[1].T) * (1 - h1**2)
    else:
        fixed = variables["feedback"]
        assert len(jax.tree.leaves(fixed)) == 2
        if rule == "alignment":
            second = (error @ fixed["dense_2"]["kernel"].T) * (1 - h2**2)
            lowest = (second @ fixed["dense_1"]["kernel"].T) * (1 - h1**2)
        else:
            second = (error @ fixed["echo_1"]["kernel"].T) * (1 - h2**2)
            lowest = (error @ fixed["echo_0"]["kernel"].T) * (1 - h1**2)
    found = gradient(rule, variables, x, y)
    for n, (below, above) in enumerate(((x, lowest), (h1, second), (h2, error))):
        np.testing.assert_allclose(found[f"dense_{n}"]["kernel"], below.T @ above, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found[f"dense_{n}"]["bias"], above.sum(0), rtol=1e-4, atol=1e-5)


def test_through_the_transposed_weights_alignment_is_backpropagation(data):
    x, y = data
    variables = first("alignment", x)
    twins = {name: {"kernel": variables["params"][name]["kernel"]} for name in variables["feedback"]}
    one = gradient("alignment", {"params": variables["params"], "feedback": twins}, x, y)
    other = gradient("backpropagation", {"params": variables["params"]}, x, y)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), one, other)
    assert float(angles(one, other)["all"]) < 0.1
    drawn = angles(gradient("alignment", variables, x, y), other)
    assert float(drawn["dense_2"]) < 0.1  # the last layer's gradient is the true one by every rule
    assert float(drawn["dense_0"]) > 5


def test_rules_differ_in_nothing_forwards(data):
    x, _ = data
    shapes = [jax.tree.map(jnp.shape, first(rule, x)["params"]) for rule in ("backpropagation", "alignment", "direct")]
    assert shapes[0] == shapes[1] == shapes[2]
    parameters, fixed = first("alignment", x)["params"], first("direct", x)["feedback"]
    plain = FeedbackPerceptron(LAYERS, OUTPUTS, "backpropagation").apply({"params": parameters}, x)
    direct = FeedbackPerceptron(LAYERS, OUTPUTS, "direct").apply({"params": parameters, "feedback": fixed}, x)
    np.testing.assert_array_equal(plain, direct)


def test_fixed_matrices_get_no_gradient():
    x, kernel, fixed = (jax.random.normal(jax.random.key(n), shape) for n, shape in enumerate(((5, 4), (4, 3), (4, 3))))
    assert not np.any(jax.grad(lambda b: jnp.sum(aligned(x, kernel, b) ** 2))(fixed))
    assert not np.any(jax.grad(lambda b: jnp.sum(heard(x, b)))(fixed))
    np.testing.assert_allclose(jax.grad(lambda x: jnp.sum(heard(x, fixed)))(x), jnp.ones((5, 3)) @ fixed.T, rtol=1e-6)


def test_angles_are_those_of_vectors():
    one = {"a": {"kernel": jnp.array([1.0, 0.0])}, "b": {"kernel": jnp.array([0.0, 2.0])}}
    other = {"a": {"kernel": jnp.array([0.0, 3.0])}, "b": {"kernel": jnp.array([0.0, -1.0])}}
    found = {name: float(value) for name, value in angles(one, other).items()}
    assert found["a"] == pytest.approx(90)
    assert found["b"] == pytest.approx(180)
    assert found["all"] == pytest.approx(np.degrees(np.arccos(-2 / np.sqrt(50))), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["alignment", "direct"])
def test_digits_are_learned_through_random_matrices(rule):
    model = genjax.supervised(network=FeedbackPerceptron((32, 32), 10, rule), learning_rate=0.01)
    run = genjax.fit(model, "digits", steps=150, batch_size=100, progress=False)
    assert run.evaluation()["test"]["error"]["mean"] < 0.12
    assert "feedback/" in " ".join(run.model.arrays(run.parameters))
