"""A machine with lateral connections against enumeration, and through code that has never heard of it."""

import dataclasses
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from genjax.algorithms.negative import CD, PCD, Tempered
from genjax.algorithms.trajectory import Trajectory, log_z
from genjax.boltzmann.semi_restricted import SemiRestricted, semi_restricted
from genjax.errors import UserError
from genjax.likelihood import ais
from genjax.likelihood.bidirectional import bracket, long_run
from genjax.sampling import tempering
from genjax.sampling.diagnostics import diagnose
from genjax.sampling.gibbs import initial_states, sample
from genjax.typing import Energy
from tests.machines import all_states, index_of, random_machine

VISIBLE, HIDDEN = 4, 3
STATES = all_states((VISIBLE, HIDDEN))


@cache
def machine() -> SemiRestricted:
    rng = np.random.default_rng(0)
    arrays = (
        rng.normal(size=(VISIBLE, HIDDEN)),
        1.5 * rng.normal(size=(VISIBLE, VISIBLE)),
        0.7 * rng.normal(size=VISIBLE),
        0.7 * rng.normal(size=HIDDEN),
    )
    return SemiRestricted(*(jnp.asarray(x, jnp.float32) for x in arrays))


def log_p(model: SemiRestricted) -> np.ndarray:
    """-E of every joint state, float64, written out."""
    w, lateral, b, c = (np.asarray(x, np.float64) for x in jax.tree.leaves(model))
    v, h = STATES
    total = v @ b + h @ c + np.einsum("si,ij,sj->s", v, w, h)
    for i in range(VISIBLE):
        for j in range(i):
            total += 0.5 * (lateral[i, j] + lateral[j, i]) * v[:, i] * v[:, j]
    return total


def probabilities(model: SemiRestricted) -> np.ndarray:
    return np.exp(log_p(model) - np.logaddexp.reduce(log_p(model)))


def exact_draws(count: int) -> tuple:
    index = np.random.default_rng(1).choice(len(STATES[0]), count, p=probabilities(machine()))
    return tuple(jnp.asarray(x[index], jnp.float32) for x in STATES)


def base() -> SemiRestricted:
    return machine().uncoupled(jnp.full((1, VISIBLE), 0.4))


def test_both_machines_answer_the_interface():
    assert isinstance(machine(), Energy)
    assert isinstance(random_machine((4, 3)), Energy)


def test_energy_and_marginal():
    states = tuple(jnp.asarray(x, jnp.float32) for x in STATES)
    np.testing.assert_allclose(-machine().energy(states), log_p(machine()), atol=1e-5)
    of_visible = np.logaddexp.reduce(log_p(machine()).reshape(2**VISIBLE, -1), axis=1)
    visible = states[0].reshape(2**VISIBLE, -1, VISIBLE)[:, 0]
    np.testing.assert_allclose(machine().marginal((visible, None), 1), of_visible, atol=1e-5)
    with pytest.raises(UserError, match="sum out the hidden ones"):
        machine().marginal(states, 0)


def test_without_couplings_log_z_is_exact_and_draws_are_independent():
    alone = base()
    by_hand = sum(np.logaddexp(0, np.asarray(x, np.float64)).sum() for x in jax.tree.leaves(alone))
    assert float(alone.log_z()) == pytest.approx(by_hand, abs=1e-5)
    visible, hidden = jax.jit(alone.draw, static_argnums=1)(jax.random.key(0), 20_000)
    np.testing.assert_allclose(visible.mean(0), 0.4, atol=0.02)
    assert hidden.shape == (20_000, HIDDEN)
    for question in (machine().log_z, lambda: machine().draw(jax.random.key(0), 2)):
        with pytest.raises(UserError, match="without couplings"):
            question()


@pytest.mark.parametrize("case", ["plain", "path", "beta", "clamp"])
@pytest.mark.slow
def test_a_chain_at_the_target_stays_there(case):
    """From exact draws of the density at beta, 3 sweeps: the histogram is the target's."""
    beta = {"path": 0.6, "beta": 0.5}.get(case, 1.0)
    target = machine()
    if case == "path":
        filled = dataclasses.replace(base(), weights=jnp.zeros((VISIBLE, HIDDEN)), lateral=jnp.zeros((VISIBLE,) * 2))
        target = jax.tree.map(lambda m, b: 0.6 * m + 0.4 * b, machine(), filled)
    if case == "beta":
        target = jax.tree.map(lambda m: 0.5 * m, machine())
    p, chains = probabilities(target), 100_000
    if case == "clamp":
        p = np.where(STATES[0][:, 1] == 1, p, 0) / p[STATES[0][:, 1] == 1].sum()
    clamp = (jnp.arange(VISIBLE) == 1, None) if case == "clamp" else None
    index = np.random.default_rng(2).choice(len(p), chains, p=p)
    states = tuple(jnp.asarray(x[index], jnp.float32) for x in STATES)
    options = {"beta": beta, "base": base() if case == "path" else None, "clamp": clamp}
    last = jax.jit(lambda key: sample(key, machine(), states, 3, **options).states)(jax.random.key(0))
    counts, expected = np.bincount(index_of(list(last)), minlength=len(p)), chains * p
    assert counts[expected == 0].sum() == 0
    there = expected > 0
    statistic = np.sum((counts - expected)[there] ** 2 / expected[there])
    assert chi2.sf(statistic, there.sum() - 1) > 1e-6
    assert np.mean(np.asarray(last[0]) != np.asarray(states[0])) > 0.1  # it moves


def test_annealed_importance_sampling_from_both_sides():
    truth, path, betas = np.logaddexp.reduce(log_p(machine())), (base(), machine()), ais.temperatures(20)
    up = ais.forward_log_z(ais.upward(jax.random.key(0), path, betas, 5000))
    down = ais.reverse_log_z(ais.downward(jax.random.key(1), path, betas, exact_draws(5000)))
    for side in (up, down):
        assert side.trusted
        assert abs(side.mean - truth) < 5.5 * side.standard_error < 0.1


@pytest.mark.slow
def test_a_bracket_holds_the_truth():
    images = exact_draws(200)[0]
    both = bracket(jax.random.key(0), machine(), images, temperatures=100, chains=200)
    truth = np.logaddexp.reduce(log_p(machine()))
    for side in both:
        assert abs(side.mean - truth) < 5.5 * side.standard_error
    with pytest.raises(UserError, match="`path` averaged takes a layered Machine"):
        bracket(jax.random.key(0), machine(), images, temperatures=10, chains=100, path="averaged")


@pytest.mark.slow
def test_tempering_keeps_the_marginals():
    states = exact_draws(4000)
    kernel = tempering.Tempered(rungs=4, burn_in=0)
    last, _, info = jax.jit(lambda key: sample(key, machine(), states, 30, kernel=kernel))(jax.random.key(0))
    mean = probabilities(machine()) @ STATES[0]
    assert np.all(np.abs(np.asarray(last[0]).mean(0) - mean) < 5.5 * 0.5 / np.sqrt(4000))
    assert np.all(tempering.report(info).swap_rate > 0.2)
    _, answer = diagnose(jax.random.key(1), machine(), tuple(x[:50] for x in states), 200, kernel)
    assert float(answer["r_hat"]) < 1.05


def test_the_gradient_of_the_energy_is_the_difference_of_moments():
    """Of the data by hand, each pair's half in either place; of the machine at exact draws, by enumeration."""
    data = tuple(jnp.asarray(x[:40], jnp.float32) for x in STATES)
    slope = jax.grad(lambda m: jnp.mean(m.energy(data)))(machine())
    v, h = (np.asarray(x, np.float64) for x in data)
    np.testing.assert_allclose(-slope.weights, v.T @ h / 40, atol=1e-6)
    np.testing.assert_allclose(-slope.lateral, 0.5 * (v.T @ v / 40) * (1 - np.eye(VISIBLE)), atol=1e-6)
    np.testing.assert_allclose(-slope.visible_biases, v.mean(0), atol=1e-6)

    def log_z_of(model):
        every = jnp.asarray(all_states((VISIBLE,))[0], jnp.float32)
        return jax.nn.logsumexp(model.marginal((every, None), 1))

    exactly, draws = jax.grad(log_z_of)(machine()), exact_draws(100_000)
    drawn = jax.grad(lambda m: -jnp.mean(m.energy(draws)))(machine())
    for a, b in zip(jax.tree.leaves(drawn), jax.tree.leaves(exactly), strict=True):
        np.testing.assert_allclose(a, b, atol=5.5 * 0.5 / np.sqrt(100_000))


@pytest.mark.parametrize("phase", [PCD(2, 4000), CD(200), Tempered(1, 4000, 4), Trajectory(1, 4000, 4, 2)], ids=repr)
@pytest.mark.slow
def test_negative_phases_take_it(phase):
    """After 60 steps their samples have the machine's moments, of the pairs too; CD-200 has forgotten its data."""
    data = (jnp.tile(jnp.asarray([[1.0, 0.0, 1.0, 1.0]]), (4000, 1)), None)

    @jax.jit
    def go(key):
        def one(carried, index):
            return phase.advance(jax.random.fold_in(key, index), machine(), carried, data)[0], None

        carried, _ = jax.lax.scan(one, phase.start(key, machine(), 4000), jnp.arange(1 if phase.kind == "cd" else 60))
        return carried, phase.advance(jax.random.fold_in(key, 99), machine(), carried, data)[1]

    carried, states = go(jax.random.key(3))
    v, h = (np.asarray(x, np.float64) for x in states)
    p, limit = probabilities(machine()), 5.5 * 0.5 / np.sqrt(4000)
    assert np.all(np.abs(v.T @ v / 4000 - STATES[0].T * p @ STATES[0]) < limit)
    assert np.all(np.abs(h.mean(0) - p @ STATES[1]) < limit)
    chains = phase.chains_of(carried)
    assert (chains is None) == (phase.kind == "cd")
    if isinstance(phase, Trajectory):
        assert float(log_z(carried, machine())) == pytest.approx(np.logaddexp.reduce(log_p(machine())), abs=0.1)


@pytest.mark.slow
def test_a_new_one_is_at_the_base_rates_and_long_runs_take_it():
    new = semi_restricted(jax.random.key(0), 5, jnp.asarray([0.2, 0.5, 0.7]))
    np.testing.assert_allclose(jax.nn.sigmoid(new.visible_biases), [0.2, 0.5, 0.7], atol=1e-5)
    states = long_run(jax.random.key(1), new, initial_states(jax.random.key(2), new, 2000), 100)
    np.testing.assert_allclose(states[0].mean(0), [0.2, 0.5, 0.7], atol=0.07)
