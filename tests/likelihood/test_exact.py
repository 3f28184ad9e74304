"""Enumeration against brute force in float64, to 1e-5 of the largest entry."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms.contrastive import gradient
from genjax.boltzmann.machine import marginal, mean
from genjax.boltzmann.rbm import free_energy
from genjax.errors import UserError
from genjax.likelihood import exact
from tests.machines import all_states, energies, float64, log_sum_exp, probabilities, random_machine

SHAPES = [(4, 3), (3, 7), (3, 3, 2), (2, 4, 3, 2)]


def close(value, truth) -> None:
    truth = np.asarray(truth, np.float64)
    np.testing.assert_allclose(value, truth, atol=1e-5 * np.abs(truth).max(), rtol=0)


@pytest.mark.parametrize("sizes", SHAPES)
def test_log_z(sizes):
    for scale in (0.1, 1.0, 5.0):
        machine = random_machine(sizes, scale)
        close(exact.log_z(machine), log_sum_exp(-energies(machine, all_states(sizes))))


def test_log_z_over_many_blocks(monkeypatch):
    machine = random_machine((9, 8))
    truth = exact.log_z(machine)
    monkeypatch.setattr(exact, "BLOCK", 24)  # 256 states: ten blocks and a part of one
    close(exact.log_z(machine), truth)
    for block, whole in zip(jax.tree.leaves(exact.moments(machine)), jax.tree.leaves(jax.grad(brute_log_z)(machine))):
        close(block, whole)


def brute_log_z(machine):
    visible = jnp.asarray(all_states((machine.sizes[0],))[0], jnp.float32)
    return jax.nn.logsumexp(marginal(machine, (visible, None), 1))


@pytest.mark.parametrize("sizes", SHAPES)
def test_moments(sizes):
    machine = random_machine(sizes)
    p, states = probabilities(machine), all_states(sizes)
    found = exact.moments(machine)
    for layer, bias in enumerate(found.biases):
        close(bias, p @ states[layer])
    for layer, weights in enumerate(found.weights):
        close(weights, np.einsum("s,si,sj->ij", p, states[layer], states[layer + 1]))


def test_log_likelihood_and_its_gradient_against_float64():
    """d/dW mean log p(v) of data, differences of the exact float64 log-likelihood against the learning gradient."""
    machine = random_machine((4, 3))
    data = np.random.default_rng(0).integers(0, 2, (20, 4)).astype(np.float64)

    def log_likelihood(parameters):
        w, b, c = parameters
        states = all_states((4,))[0]
        log_z = log_sum_exp(states @ b + np.logaddexp(0, states @ w + c).sum(1))
        return np.mean(data @ b + np.logaddexp(0, data @ w + c).sum(1)) - log_z

    (w,), (b, c) = float64(machine)
    visible = jnp.asarray(data, jnp.float32)
    ours = float(jnp.mean(-free_energy(machine, visible))) - exact.log_z(machine)
    assert ours == pytest.approx(log_likelihood((w, b, c)), abs=1e-5)
    slopes = []
    for k, array in enumerate((w, b, c)):
        slope = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            moved = [x.copy() for x in (w, b, c)]
            for sign in (1, -1):
                moved[k][index] = array[index] + sign * 1e-5
                slope[index] += sign * log_likelihood(moved) / 2e-5
        slopes.append(slope)
    positive = (visible, mean(machine, (visible, None), 1))
    none = (jnp.zeros(4), jnp.zeros(3))
    data_part = gradient(machine, positive, tuple(x * 0 for x in positive), none)
    model_part = exact.moments(machine)
    for data_slope, model, truth in zip(jax.tree.leaves(data_part), jax.tree.leaves(model_part), slopes):
        close(-data_slope - model, truth)


def test_too_many_states_are_refused():
    with pytest.raises(UserError, match=r"2\^25 states; use AIS"):
        exact.log_z(random_machine((25, 30)))
    assert exact.enumerable(random_machine((24, 30)))
    assert not exact.enumerable(random_machine((25, 30)))
