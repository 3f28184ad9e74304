"""Tempered negative phases: chains that are at the target though their temperatures move."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms.contrastive import RBMConfig, contrastive, trained_machine
from genjax.algorithms.negative import CD, PCD, Tempered, sweeps
from genjax.algorithms.trajectory import Trajectory
from genjax.boltzmann.rbm import with_classes
from genjax.errors import UserError
from genjax.likelihood import exact
from genjax.sampling import tempering
from genjax.training import loop
from genjax.training.config import split
from tests.algorithms.test_contrastive import images_with_structure, score
from tests.machines import all_states, energies, random_machine

PLAIN = PCD(chains=200)


def learned(negative=PLAIN):
    """A small machine on three noisy prototypes, 2000 steps."""
    images = images_with_structure(1000)
    total = 2000
    static, hyper = split(RBMConfig(hidden=6, average=0.0, negative=negative), total)
    algorithm = contrastive(static)
    data = loop.TrainingSet(jnp.asarray(images), jnp.zeros(1000, jnp.int32), None)
    plan = loop.plan(1000, 100, "none")
    state = loop.initial(jax.random.key(0), algorithm, data, plan, hyper)
    seen = []
    state = loop.train(jax.random.key(0), algorithm, data, plan, state, total, 0, [lambda c: seen.append(c.metrics)])
    return state, images, seen


@pytest.mark.slow
def test_tempered_chains_are_at_the_target():
    """Their temperatures move as the machine learns; at the end the top rung has the machine's moments."""
    state, images, _ = learned(Tempered(rungs=4))
    machine = trained_machine(state)
    plain, _, _ = learned()
    assert score(machine, images) > score(trained_machine(plain), images) - 0.1
    assert not np.allclose(state.chains.betas, np.linspace(0, 1, 4), atol=1e-3)
    ladder = tempering.path_ladder(state.chains.base, machine, state.chains.betas)
    _, _, top = jax.jit(
        lambda key: tempering.run(key, ladder, state.chains.chains, 2000, observe=lambda s: s.states[0][-1])
    )(jax.random.key(5))
    x = np.asarray(top[500:]).reshape(-1, 200, 9).mean(0)
    right = np.asarray(exact.moments(machine).biases[0])
    assert np.all(np.abs(x.mean(0) - right) < 6 * x.std(0, ddof=1) / np.sqrt(200))


@pytest.mark.slow
def test_temperatures_come_to_refuse_at_one_rate():
    """Evenly spaced ones refuse at rates that differ several times over; adapted by what they refuse, they do not."""
    machine, phase = random_machine((8, 6), 2.5, seed=1), Tempered(1, 200, 5)
    carried = phase.start(jax.random.key(0), machine, 1)

    @jax.jit
    def advanced(key, carried, count):
        data = (jnp.zeros((1, 8)), None)

        def one(number, carried):
            return phase.advance(jax.random.fold_in(key, number), machine, carried, data)[0]

        return jax.lax.fori_loop(0, count, one, carried)

    def spread(carried) -> float:
        ladder = tempering.path_ladder(carried.base, machine, carried.betas)
        refused = 1 - np.asarray(rates(jax.random.key(9), ladder, carried.chains))
        return float(refused.max() / refused.min())

    rates = jax.jit(lambda key, ladder, chains: tempering.report(tempering.run(key, ladder, chains, 300)[1]).swap_rate)
    even = advanced(jax.random.key(1), carried, 50)
    np.testing.assert_array_equal(even.betas, carried.betas)
    adapted = advanced(jax.random.key(2), even, 800)
    assert spread(even) > 2
    assert spread(adapted) < 1.3
    assert adapted.betas[0] == 0
    assert adapted.betas[-1] == 1
    top = np.asarray(adapted.chains.states[0][-1]).mean(0)  # of 200 chains, still at the target
    assert np.all(np.abs(top - exact.moments(machine).biases[0]) < 5.5 * 0.5 / np.sqrt(200))


def test_k_sweeps_are_k_steps_of_the_exact_chain():
    """From one state of a slow machine: means of the hidden units after k sweeps, by powers of the exact kernel."""
    machine, chains = random_machine((4, 3), 1.5, seed=3), 100_000
    x, h = all_states((4,))[0], all_states((3,))[0]
    pairs = [np.repeat(x, len(h), 0), np.tile(h, (len(x), 1))]
    log_p = -energies(machine, pairs).reshape(len(x), len(h))
    up, down = (np.exp(log_p - np.logaddexp.reduce(log_p, axis=axis, keepdims=True)) for axis in (1, 0))
    kernel = down.T @ up
    start = int(np.argmax(np.abs((kernel - np.linalg.matrix_power(kernel, 4)) @ h).max(1)))  # where k matters most
    state = (jnp.zeros((chains, 4)), jnp.tile(jnp.asarray(h[start], jnp.float32), (chains, 1)))
    exactly = [np.linalg.matrix_power(kernel, k)[start] @ h for k in (1, 4)]
    assert np.abs(exactly[0] - exactly[1]).max() > 0.1
    for k, mean in zip((1, 4), exactly):
        found = jax.jit(sweeps, static_argnums=3)(jax.random.key(k), machine, state, k)[0][1]
        assert np.all(np.abs(np.asarray(found).mean(0) - mean) < 5.5 * 0.5 / np.sqrt(chains))


def test_a_phase_is_a_value_whose_options_are_checked():
    phases = [PCD(), CD(), Tempered(), Trajectory()]
    assert [phase.kind for phase in phases] == ["pcd", "cd", "tempered", "trajectory"]
    assert {Tempered(rungs=4), Tempered(1, 200, 4)} == {Tempered(rungs=4)}
    for make in (lambda: PCD(k=0), lambda: Trajectory(swap_every=0), lambda: Tempered(rungs=1), lambda: PCD(chains=0)):
        with pytest.raises(UserError, match="is out of range"):
            make()


@pytest.mark.slow
def test_chains_near_the_data_have_its_visible_units_and_hidden_ones_of_one_pass():
    """Of a deep machine with labels: hidden units far in saturation say what one pass upwards gives."""
    machine = with_classes(jax.random.key(0), random_machine((4, 3, 3), 40.0), 2)
    x = jnp.asarray(all_states((4,))[0][3:9], jnp.float32)
    label = machine.units[-1].encode(jnp.arange(6)[:, None] % 2)
    phase, data = PCD(chains=9), (x, None, None, label)
    first = phase.start(jax.random.key(1), machine, 6)
    chains = phase.from_data(jax.random.key(2), machine, data, first)
    order = np.arange(9) % 6
    np.testing.assert_array_equal(chains[0], x[order])
    np.testing.assert_array_equal(chains[3], label[order])
    np.testing.assert_array_equal(chains[1], (machine.biases[1] + 2 * x @ machine.weights[0] > 0)[order])
    assert [c.shape for c in chains] == [c.shape for c in first] == [(9, 4), (9, 3), (9, 3), (9, 2)]
    for other in (CD(), Tempered(chains=9, rungs=2), Trajectory(chains=9, rungs=2)):
        carried = jax.eval_shape(lambda other=other: other.start(jax.random.key(1), machine, 6))
        assert other.from_data(jax.random.key(2), machine, data, carried) is carried


def test_cd_starts_at_the_data_and_keeps_nothing():
    """Strong weights: one sweep leaves binary data where they are, whatever was carried."""
    machine = random_machine((4, 3), 0.0)
    machine = type(machine)(
        (machine.weights[0],), (jnp.asarray([50.0, -50.0, 50.0, -50.0]), jnp.zeros(3)), machine.units
    )
    phase, data = CD(), (jnp.ones((6, 4)), None)
    carried = phase.start(jax.random.key(0), machine, 6)
    after, samples = jax.jit(phase.advance)(jax.random.key(1), machine, carried, data)
    other, same = jax.jit(phase.advance)(jax.random.key(1), machine, tuple(1 - x for x in carried), data)
    jax.tree.map(np.testing.assert_array_equal, (after, samples), (other, same))
    np.testing.assert_array_equal(samples[0], jnp.tile(jnp.asarray([1.0, 0.0, 1.0, 0.0]), (6, 1)))
    assert phase.chains_of(after) is None
    assert phase.observe(after, machine, {"": jnp.zeros(6)}) == {}
