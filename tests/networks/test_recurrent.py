"""The LSTM against its equations, in both directions; noise in training alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.networks.perceptron import Perceptron
from genjax.networks.recurrent import LSTM, Noisy

WINDOWS = jax.random.normal(jax.random.key(1), (3, 7))


def made(network):
    """Parameters that are not what they begin with: biases count, too."""
    parameters = network.init(jax.random.key(0), WINDOWS)["params"]
    return jax.tree.map(lambda w: w + 0.3 * jax.random.normal(jax.random.key(w.size), w.shape), parameters)


def by_the_equations(weights, x, units):
    """The last state of Hochreiter and Schmidhuber's cell with a forget gate, value by value."""
    c = h = np.zeros((len(x), units))
    sigmoid = lambda a: 1 / (1 + np.exp(-a))  # noqa: E731
    for value in np.asarray(x).T:
        gate = {
            g: value[:, None] @ weights[f"i{g}"]["kernel"] + h @ weights[f"h{g}"]["kernel"] + weights[f"h{g}"]["bias"]
            for g in "ifgo"
        }
        c = sigmoid(gate["f"]) * c + sigmoid(gate["i"]) * np.tanh(gate["g"])
        h = sigmoid(gate["o"]) * np.tanh(c)
    return h


def test_one_way_is_the_equations():
    network = LSTM((5,), outputs=2)
    parameters = made(network)
    end = by_the_equations(parameters["OptimizedLSTMCell_0"], WINDOWS, 5)
    readout = parameters["Dense_0"]
    expected = end @ readout["kernel"] + readout["bias"]
    np.testing.assert_allclose(network.apply({"params": parameters}, WINDOWS), expected, atol=1e-5)


def test_both_ways_read_from_both_ends():
    network = LSTM((5,), bidirectional=True)
    parameters = made(network)
    ends = [
        by_the_equations(parameters[f"OptimizedLSTMCell_{number}"], x, 5)
        for number, x in enumerate((WINDOWS, WINDOWS[:, ::-1]))
    ]
    readout = parameters["Dense_0"]
    expected = np.concatenate(ends, axis=1) @ readout["kernel"] + readout["bias"]
    np.testing.assert_allclose(network.apply({"params": parameters}, WINDOWS), expected, atol=1e-5)


@pytest.mark.parametrize(("both", "weights"), [(False, 4 * (6 + 36 + 6) + 7), (True, 8 * (6 + 36 + 6) + 13)])
def test_parameters_are_counted(both, weights):
    parameters = LSTM((6,), bidirectional=both).init(jax.random.key(0), WINDOWS)
    assert sum(leaf.size for leaf in jax.tree.leaves(parameters)) == weights


def test_a_second_layer_reads_both_directions_of_the_first():
    network = LSTM((4, 3), bidirectional=True)
    parameters = made(network)
    assert parameters["OptimizedLSTMCell_2"]["ii"]["kernel"].shape == (8, 3)
    slope = jax.grad(lambda x: network.apply({"params": parameters}, x).sum())(WINDOWS)
    assert (np.abs(slope) > 0).all()


def test_noise_is_of_training_alone():
    plain = Perceptron((4,), 1, "tanh")
    network = Noisy(plain, 0.5)
    variables = network.init(jax.random.key(0), WINDOWS)
    still = network.apply(variables, WINDOWS)
    np.testing.assert_array_equal(still, plain.apply({"params": variables["params"]["network"]}, WINDOWS))
    moved = [network.apply(variables, WINDOWS, train=True, rngs={"dropout": jax.random.key(k)}) for k in (0, 0, 1)]
    np.testing.assert_array_equal(moved[0], moved[1])
    assert not np.allclose(moved[0], moved[2])
    assert not np.allclose(moved[0], still)


def test_noise_has_the_deviation_it_was_given():
    class Same(Perceptron):
        def __call__(self, x, train=False):
            return x

    x = jnp.zeros((400, 100))
    seen = Noisy(Same((), 1), 0.3).apply({}, x, train=True, rngs={"dropout": jax.random.key(0)})
    assert float(seen.std()) == pytest.approx(0.3, rel=0.02)
