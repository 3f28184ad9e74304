"""Gradients at cuts: which are the true ones, which are none, and what the predictor is taught."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.networks.decoupled import DecoupledLSTM, interface, predicted, predictor

BITS = jnp.sign(jax.random.normal(jax.random.key(1), (3, 8)))


def gradient(cut, segment, loss, guess=None):
    network = DecoupledLSTM(4, segment, cut, guess=5)
    variables = network.init(jax.random.key(0), BITS)["params"]
    variables = variables if guess is None else {**variables, "guess": guess}
    return jax.grad(lambda p: loss(network.apply({"params": p}, BITS)))(variables)


def mean_square(outputs):
    return jnp.mean((outputs[:, 1:] - BITS[:, :-1]) ** 2)


def close(a, b):
    return all(np.allclose(x, y, atol=1e-6) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b)))


def of_the_cell(found):
    return {name: value for name, value in found.items() if name != "guess"}


def test_without_a_cut_segments_change_nothing():
    assert close(gradient("none", 2, mean_square), gradient("none", 8, mean_square))


def test_a_cut_at_the_end_alone_is_no_cut():
    assert close(of_the_cell(gradient("zero", 8, mean_square)), of_the_cell(gradient("none", 8, mean_square)))


def test_what_a_cut_takes_away():
    """The gradient of an output in the third segment knows the third segment alone."""
    cut, whole = (gradient(how, 2, lambda outputs: outputs[:, 5].sum()) for how in ("zero", "none"))
    assert not close(of_the_cell(cut), of_the_cell(whole))
    network = DecoupledLSTM(4, 2, "zero", guess=5)
    parameters = network.init(jax.random.key(0), BITS)
    slope = jax.grad(lambda x: network.apply(parameters, x)[:, 5].sum())(BITS)
    np.testing.assert_array_equal(np.asarray(slope != 0).all(0), [False] * 4 + [True] * 2 + [False] * 2)


def test_a_predictor_that_knows_nothing_is_truncation():
    synthetic, zero = gradient("synthetic", 2, mean_square), gradient("zero", 2, mean_square)
    assert close(of_the_cell(synthetic), of_the_cell(zero))
    assert np.abs(synthetic["guess"]["offset"]).max() > 0  # and it is taught


def test_all_cuts_have_the_same_outputs():
    networks = [DecoupledLSTM(4, 2, cut, guess=5) for cut in ("none", "zero", "synthetic")]
    parameters = networks[0].init(jax.random.key(0), BITS)
    outputs = [network.apply(parameters, BITS) for network in networks]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(outputs[0], outputs[2])


def test_the_interface_by_its_definition():
    """Forwards the state; backwards the prediction, and half the squared error's gradient for the predictor."""
    guess = jax.tree.map(lambda w: w + 0.1, predictor(jax.random.key(0), 6, 5))
    state = jax.random.normal(jax.random.key(2), (3, 6))
    arrived = jax.random.normal(jax.random.key(3), (3, 6))
    scale = 0.25
    value, back = jax.vjp(lambda guess, state: interface(guess, state, scale), guess, state)
    taught, sent = back(arrived)
    np.testing.assert_array_equal(value, state)
    np.testing.assert_allclose(sent, scale * predicted(guess, state), rtol=1e-6)

    def half_error(guess):
        return 0.5 * jnp.mean(jnp.sum((predicted(guess, state) - arrived / scale) ** 2, axis=1))

    assert close(taught, jax.grad(half_error)(guess))


def test_a_predictor_that_is_right_gives_the_true_gradient():
    """Of a single example the gradient at the one cut is a constant, which the predictor's offset can hold."""
    x = BITS[:1]
    variables = DecoupledLSTM(4, 4, guess=5).init(jax.random.key(0), x)["params"]

    def slope(cut, variables):
        network = DecoupledLSTM(4, 4, cut, guess=5)
        return jax.grad(lambda p: jnp.sum(network.apply({"params": p}, x)[:, 4:]) / x.size)(variables)

    first, goal = slope("synthetic", variables), slope("none", variables)
    assert not close(of_the_cell(first), of_the_cell(goal))
    right = {**variables["guess"], "offset": -first["guess"]["offset"]}
    assert close(of_the_cell(slope("synthetic", {**variables, "guess": right})), of_the_cell(goal))


def test_steps_are_whole_segments():
    with pytest.raises(ValueError, match="whole number of segments"):
        DecoupledLSTM(4, 3).init(jax.random.key(0), BITS)
