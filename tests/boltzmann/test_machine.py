"""The machine against brute force: energy, conditionals, either parity summed out, layers clamped."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.boltzmann import machine as m
from genjax.boltzmann.path import interpolate, with_zeros
from genjax.boltzmann.rbm import free_energy, rbm
from genjax.errors import UserError
from tests.machines import all_states, between, energies, float64, index_of, log_sum_exp, probabilities, random_machine

SHAPES = [(4, 3), (3, 5), (3, 3, 2), (2, 3, 2, 3)]
energy, mean = jax.jit(m.energy), jax.jit(m.mean, static_argnums=2)  # op by op they compile far more
marginal = jax.jit(m.marginal, static_argnums=2)


def as_jax(states: list[np.ndarray]) -> tuple:
    return tuple(jnp.asarray(x, jnp.float32) for x in states)


@pytest.mark.parametrize("sizes", SHAPES)
def test_energy(sizes):
    machine = random_machine(sizes)
    states = all_states(sizes)
    np.testing.assert_allclose(energy(machine, as_jax(states)), energies(machine, states), atol=1e-5)


@pytest.mark.parametrize("parity", [0, 1])
@pytest.mark.parametrize("sizes", SHAPES)
def test_marginal_sums_out_either_parity(sizes, parity):
    machine = random_machine(sizes)
    states, log_p = all_states(sizes), -energies(machine, all_states(sizes))
    kept = [layer for layer in range(len(sizes)) if layer % 2 != parity]
    groups = index_of([states[layer] for layer in kept])
    rows = [np.flatnonzero(groups == g)[0] for g in range(groups.max() + 1)]
    state = tuple(jnp.asarray(x[rows], jnp.float32) if layer in kept else None for layer, x in enumerate(states))
    truth = [log_sum_exp(log_p[groups == g]) for g in range(groups.max() + 1)]
    np.testing.assert_allclose(marginal(machine, state, parity), truth, atol=1e-5)


@pytest.mark.parametrize(("sizes", "summed"), [((4, 3), 0), ((3, 5), 1), ((3, 4, 2), 0), ((2, 5, 2), 1)])
def test_the_larger_side_is_summed_out_by_default(sizes, summed):
    machine = random_machine(sizes)
    state = tuple(jnp.ones((1, n)) if layer % 2 != summed else None for layer, n in enumerate(sizes))
    np.testing.assert_array_equal(marginal(machine, state), marginal(machine, state, summed))


@pytest.mark.parametrize("sizes", SHAPES)
def test_conditional_means(sizes):
    """p(x_i = 1 | the other layers) from the joint density, for every unit and every state of its neighbours."""
    machine = random_machine(sizes)
    states, p = all_states(sizes), probabilities(machine)
    for layer in range(len(sizes)):
        others = index_of([x for other, x in enumerate(states) if other != layer])
        total = np.bincount(others, p)
        own = np.stack([np.bincount(others, p * states[layer][:, i]) for i in range(sizes[layer])], 1) / total[:, None]
        np.testing.assert_allclose(mean(machine, as_jax(states), layer), own[others], atol=2e-6)


@pytest.mark.parametrize("sizes", SHAPES)
def test_condition_is_the_conditional_machine(sizes):
    """p(rest | x_l) of the joint equals p of the smaller machine, for each layer and several clamped states."""
    machine = random_machine(sizes)
    states, log_p = all_states(sizes), -energies(machine, all_states(sizes))
    for layer in range(len(sizes)):
        group = index_of([states[layer]])

        @jax.jit
        def joint(machine, x, rest, layer=layer):
            """The conditional machine's log density, and what the clamped layer adds."""
            smaller = m.condition(machine, layer, x)
            alone = tuple(x if i == layer else None for i in range(len(sizes)))
            return -m.energy(smaller, rest) + m.own_terms(machine, alone, [layer])

        for g in (0, group.max(), group.max() // 2):
            rows = group == g
            x = jnp.asarray(states[layer][rows][0], jnp.float32)
            rest = [y[rows] for other, y in enumerate(states) if other != layer]
            np.testing.assert_allclose(joint(machine, x, as_jax(rest)), log_p[rows], atol=1e-5)
        smaller = m.condition(machine, layer, x)
        assert smaller.check() is smaller


def test_free_energy_does_not_overflow():
    machine = random_machine((4, 3), scale=500.0)
    states = all_states((4,))[0]
    weights, (b, c) = float64(machine)
    truth = -states @ b - np.logaddexp(0, states @ weights[0] + c).sum(1)
    np.testing.assert_allclose(free_energy(machine, jnp.asarray(states, jnp.float32)), truth, rtol=1e-6)


def test_an_rbm_starts_at_the_base_rates():
    mean = jnp.asarray([0.1, 0.5, 0.9])
    machine = rbm(jax.random.key(0), 7, mean)
    np.testing.assert_allclose(jax.nn.sigmoid(machine.biases[0]), mean, atol=1e-6)
    assert machine.sizes == (3, 7)
    assert 0.003 < float(machine.weights[0].std()) < 0.03
    never = rbm(jax.random.key(0), 2, jnp.asarray([0.0, 1.0]))
    assert np.all(np.isfinite(never.biases[0]))


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_path_fields_are_those_of_the_machine_between(beta):
    machine, base = random_machine((3, 4, 2)), random_machine((3, 4, 2), seed=1)
    state = as_jax(all_states((3, 4, 2)))
    for a, b in zip(jax.tree.leaves(interpolate(base, machine, beta)), jax.tree.leaves(between(base, machine, beta))):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for layer in range(3):
        expected = m.fields(between(base, machine, beta), state, layer)
        np.testing.assert_allclose(m.path_fields(machine, state, layer, beta, base), expected, atol=1e-5)


def test_the_uncoupled_base_has_the_datas_means():
    machine = random_machine((4, 3, 2))
    images = jnp.asarray([[0.1, 0.3, 0.5, 0.7], [0.3, 0.5, 0.7, 0.9]])
    base = machine.uncoupled(images)
    assert base.weights == (None, None)
    np.testing.assert_allclose(jax.nn.sigmoid(base.biases[0]), [0.2, 0.4, 0.6, 0.8], atol=1e-6)
    first = jax.nn.sigmoid(images @ machine.weights[0] + machine.biases[1])
    second = jax.nn.sigmoid(first @ machine.weights[1] + machine.biases[2])
    for bias, expected in zip(base.biases[1:], (first, second)):
        np.testing.assert_allclose(jax.nn.sigmoid(bias), expected.mean(0), atol=1e-3)


def test_check_names_what_does_not_fit():
    machine = random_machine((4, 3))
    wrong = m.Machine((machine.weights[0].T,), machine.biases, machine.units)
    with pytest.raises(UserError, match=r"weights\[0\] has shape \(3, 4\).*must be \(4, 3\)"):
        wrong.check()
    with pytest.raises(UserError, match="1 weights and 1 unit types"):
        m.Machine(machine.weights, machine.biases, machine.units[:1]).check()


def test_a_machine_is_a_pytree_that_stacks():
    machines = [random_machine((4, 3), seed=s) for s in range(3)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *machines)
    visible = jnp.ones(4)
    together = jax.vmap(free_energy, (0, None))(stacked, visible)
    np.testing.assert_allclose(together, [free_energy(x, visible) for x in machines], rtol=1e-5)


def test_log_z_and_draws_are_of_machines_without_weights():
    machine = random_machine((4, 3, 2))
    for question in (machine.log_z, lambda: machine.draw(jax.random.key(0), 2)):
        with pytest.raises(UserError, match="of machines without weights"):
            question()
    alone = machine.uncoupled()
    assert alone.biases == machine.biases
    visible, *_ = jax.jit(alone.draw, static_argnums=1)(jax.random.key(0), 20_000)
    np.testing.assert_allclose(visible.mean(0), jax.nn.sigmoid(machine.biases[0]), atol=0.02)


def test_parameters_that_a_base_lacks_are_zero():
    machine = random_machine((4, 3, 2))
    base = machine.uncoupled()
    filled = with_zeros(base, machine)
    assert jax.tree.structure(filled) == jax.tree.structure(machine)
    assert all(not np.any(w) for w in filled.weights)
    for a, b in zip(
        jax.tree.leaves(interpolate(base, machine, 0.3)), jax.tree.leaves(interpolate(filled, machine, 0.3))
    ):
        np.testing.assert_array_equal(a, b)
