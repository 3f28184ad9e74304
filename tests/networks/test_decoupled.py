"""Gradients at cuts: which are the true ones, which are none, and what the predictor is taught."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.networks.decoupled import DecoupledLSTM, interface, predicted, predictor

BITS = jnp.sign(jax.random.normal(jax.random.key(1), (3, 6)))


def network(cut="synthetic", segment=2):
    return DecoupledLSTM(3, segment, cut, guess=5)


PARAMETERS = jax.jit(network().init)(jax.random.key(0), BITS)["params"]


@jax.jit
def slopes(parameters, x):
    """By way of cutting: the gradient of the last segment's outputs, in the interface's scale."""

    def of(cut):
        return jax.grad(lambda p: jnp.sum(network(cut).apply({"params": p}, x)[:, 4:]) / x.size)(parameters)

    return {cut: of(cut) for cut in ("none", "zero", "synthetic")}


def close(a, b):
    return all(np.allclose(x, y, atol=1e-6) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b)))


def of_the_cell(found):
    return {name: value for name, value in found.items() if name != "guess"}


def test_what_a_cut_takes_away():
    """An output of the second segment knows the inputs of the second segment alone; uncut, all before it."""

    def reached(cut, segment):
        slope = jax.grad(lambda x: network(cut, segment).apply({"params": PARAMETERS}, x)[:, 3].sum())
        return np.asarray(jax.jit(slope)(BITS) != 0).all(0).tolist()

    assert reached("zero", 2) == [False] * 2 + [True] * 2 + [False] * 2
    assert reached("none", 2) == [True] * 4 + [False] * 2


def test_a_predictor_that_knows_nothing_is_truncation():
    found = slopes(PARAMETERS, BITS)
    assert close(of_the_cell(found["synthetic"]), of_the_cell(found["zero"]))
    assert not close(of_the_cell(found["zero"]), of_the_cell(found["none"]))
    assert np.abs(found["synthetic"]["guess"]["offset"]).max() > 0  # and it is taught


def test_cuts_and_segments_leave_the_outputs():
    shown = (("none", 2), ("zero", 2), ("synthetic", 2), ("none", 6))
    ways = [network(*how) for how in shown]
    first, *others = jax.jit(lambda: [way.apply({"params": PARAMETERS}, BITS) for way in ways])()
    for other in others:
        np.testing.assert_allclose(first, other, atol=1e-6)


def test_the_interface_by_its_definition():
    """Forwards the state; backwards the prediction, and half the squared error's gradient for the predictor."""
    guess = jax.tree.map(lambda w: w + 0.1, predictor(jax.random.key(0), 6, 5))
    state = jax.random.normal(jax.random.key(2), (3, 6))
    arrived = jax.random.normal(jax.random.key(3), (3, 6))
    scale = 0.25

    @jax.jit
    def both(guess, state):
        value, back = jax.vjp(lambda guess, state: interface(guess, state, scale), guess, state)
        return value, back(arrived)

    value, (taught, sent) = both(guess, state)
    np.testing.assert_array_equal(value, state)
    np.testing.assert_allclose(sent, scale * predicted(guess, state), rtol=1e-6)

    def half_error(guess):
        return 0.5 * jnp.mean(jnp.sum((predicted(guess, state) - arrived / scale) ** 2, axis=1))

    assert close(taught, jax.jit(jax.grad(half_error))(guess))


def test_a_predictor_is_taught_the_true_gradient():
    """Of one example, with all losses after the last cut, what teaches the offset is the gradient at that cut.

    There the predictor that has learned it gives the true gradient of what lies between the last two cuts.
    """
    x = BITS[:1, :4]

    @jax.jit
    def slope(guess):
        def of(cut):
            found = lambda p: jnp.sum(network(cut).apply({"params": p}, x)[:, 2:]) / x.size  # noqa: E731
            return jax.grad(found)({**PARAMETERS, "guess": guess})

        return of("synthetic"), of("none")

    first, goal = slope(PARAMETERS["guess"])
    assert not close(of_the_cell(first), of_the_cell(goal))
    taught, _ = slope({**PARAMETERS["guess"], "offset": -first["guess"]["offset"]})
    assert close(of_the_cell(taught), of_the_cell(goal))


def test_steps_are_whole_segments():
    with pytest.raises(ValueError, match="whole number of segments"):
        network(segment=4).init(jax.random.key(0), BITS)
