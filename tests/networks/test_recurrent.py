"""The LSTM against its equations, in both directions; noise in training alone."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.networks.recurrent import LSTM, Noisy

WINDOWS = np.random.default_rng(1).normal(size=(3, 7)).astype(np.float32)


def shapes(network):
    return jax.eval_shape(network.init, jax.random.key(0), WINDOWS)["params"]


def made(network):
    """Parameters with biases that count."""
    drawn = np.random.default_rng(0)
    return jax.tree.map(lambda w: 0.5 * drawn.normal(size=w.shape).astype(np.float32), shapes(network))


def outputs(network, parameters, **options):
    return np.asarray(jax.jit(lambda p, x: network.apply({"params": p}, x, **options))(parameters, WINDOWS))


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


@pytest.mark.parametrize("both", [False, True])
def test_it_is_the_equations_from_both_ends(both):
    network = LSTM((5,), outputs=2, bidirectional=both)
    parameters = made(network)
    windows = (WINDOWS, WINDOWS[:, ::-1]) if both else (WINDOWS,)
    ends = [by_the_equations(parameters[f"OptimizedLSTMCell_{number}"], x, 5) for number, x in enumerate(windows)]
    readout = parameters["Dense_0"]
    expected = np.concatenate(ends, axis=1) @ readout["kernel"] + readout["bias"]
    np.testing.assert_allclose(outputs(network, parameters), expected, atol=1e-5)


@pytest.mark.parametrize(("both", "weights"), [(False, 4 * (6 + 36 + 6) + 7), (True, 8 * (6 + 36 + 6) + 13)])
def test_parameters_are_counted(both, weights):
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes(LSTM((6,), bidirectional=both)))) == weights


def test_a_second_layer_reads_both_directions_of_the_first():
    assert shapes(LSTM((4, 3), bidirectional=True))["OptimizedLSTMCell_2"]["ii"]["kernel"].shape == (8, 3)


class Same(nn.Module):
    """What it reads."""

    def __call__(self, x):
        return x


def test_noise_is_of_training_alone_and_has_its_deviation():
    x, network = jnp.zeros((400, 100)), Noisy(Same(), 0.3)
    noise = jax.jit(lambda key: network.apply({}, x, train=True, rngs={"dropout": key}))
    first, second = noise(jax.random.key(0)), noise(jax.random.key(1))
    assert float(first.std()) == pytest.approx(0.3, rel=0.02)
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(network.apply({}, x), x)
