"""Tempered negative phases: ladders, ratios of partition functions, and the log-likelihood that comes along."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms import negative
from genjax.algorithms.contrastive import ContrastiveConfig, contrastive, trained_machine
from genjax.likelihood import exact
from genjax.sampling import tempering
from genjax.training import loop
from genjax.training.config import split
from tests.algorithms.test_contrastive import images_with_structure, score
from tests.machines import all_states, probabilities, random_machine


def exact_states(machines: list, chains: int) -> tuple:
    """Independent draws from every machine, `(rungs, chains, units)` a layer."""
    rng = np.random.default_rng(0)
    joint = all_states(machines[0].sizes)
    rows = [rng.choice(len(joint[0]), chains, p=probabilities(m)) for m in machines]
    return tuple(jnp.asarray(np.stack([x[r] for r in rows]), jnp.float32) for x in joint)


def stacked(machines: list):
    return jax.tree.map(lambda *x: jnp.stack(x), *machines)


@pytest.mark.parametrize("sizes", [(4, 3), (3, 3, 2)])
def test_log_ratios_are_those_of_the_partition_functions(sizes):
    """From 50,000 exact draws of each machine: a standard error of about 0.005."""
    machines = [random_machine(sizes, 0.6, seed=s) for s in range(4)]
    found = negative.log_ratios(*negative.log_changes(stacked(machines), exact_states(machines, 50_000)))
    log_z = np.array([exact.log_z(m) for m in machines])
    np.testing.assert_allclose(found, np.diff(log_z), atol=0.04)


def carried(rates: list[float], log_ratios: list[float]):
    """A trajectory of four machines, told apart by their first bias; the smooth one has 9."""
    machine = random_machine((4, 3))

    def marked(value):
        return jax.tree.map(lambda x: jnp.full_like(x, value), machine)

    past = stacked([marked(float(r)) for r in range(4)])
    phase = negative.trajectory(1, 4, 1)
    state = phase.init(jax.random.key(0), machine, 6)
    mark = tuple(jnp.broadcast_to(jnp.arange(6.0)[:, None, None], (6, 6, n)) for n in (4, 3))
    chains = state.chains._replace(states=mark)
    values = [jnp.asarray([*x, 0.1]) for x in (rates, log_ratios, [4.0, 3.0, 2.0, 1.0])]
    return state._replace(
        past=past, smooth=marked(9.0), chains=chains, rates=values[0], log_ratios=values[1], measured=values[2]
    )


@pytest.mark.parametrize(
    ("rates", "gone", "new_rates", "new_ratios"),
    [
        ([0.9, 0.8, 0.5, 0.2], 1, [0.72, 0.5, 0.2, 1.0], [3.0, 3.0, 4.0, 0.0]),
        ([0.5, 0.9, 0.8, 0.2], 2, [0.5, 0.72, 0.2, 1.0], [1.0, 5.0, 4.0, 0.0]),
        ([0.4, 0.3, 0.9, 0.9], 3, [0.4, 0.3, 0.81, 1.0], [1.0, 2.0, 7.0, 0.0]),
    ],
)
def test_a_machine_joins_where_it_is_missed_least(rates, gone, new_rates, new_ratios):
    after = negative.joined(carried(rates, [1.0, 2.0, 3.0, 4.0]))
    stays = [r for r in (0.0, 1.0, 2.0, 3.0) if r != gone]
    np.testing.assert_array_equal(after.past.biases[0][:, 0], [*stays, 9.0])
    np.testing.assert_array_equal(after.chains.states[1][:, 0, 0], [*stays, 4.0, 4.0, 5.0])
    np.testing.assert_allclose(after.rates, [*new_rates, 0.1], rtol=1e-6)
    np.testing.assert_allclose(after.log_ratios, [*new_ratios, 0.1], rtol=1e-6)
    assert float(after.log_ratios.sum()) == pytest.approx(10.1)


def learned(**options):
    """A small machine on three noisy prototypes, 2000 steps."""
    images = images_with_structure(1000)
    total = 2000
    static, hyper = split(ContrastiveConfig(hidden=6, chains=200, average=0.0, **options), total)
    algorithm = contrastive(static)
    data = loop.TrainingSet(jnp.asarray(images), jnp.zeros(1000, jnp.int32), None)
    plan = loop.plan(1000, 100, "none")
    state = loop.initial(jax.random.key(0), algorithm, data, plan, hyper)
    seen = []
    state = loop.train(jax.random.key(0), algorithm, data, plan, state, total, 0, [lambda c: seen.append(c.metrics)])
    return state, images, seen


def test_the_trajectorys_log_likelihood_is_the_exact_one():
    """At the end of a run, and along it: the error stays under a tenth of a nat, on a scale of 5."""
    state, images, seen = learned(negative="trajectory", rungs=6, swap_every=2)
    machine = trained_machine(state)
    assert float(negative.log_z(state.chains, machine, machine)) == pytest.approx(exact.log_z(machine), abs=0.1)
    truth = score(machine, images)
    assert seen[-1]["log_likelihood"] == pytest.approx(truth, abs=0.1)
    assert seen[0]["log_likelihood"] < truth - 0.3
    past = [exact.log_z(jax.tree.map(lambda x, r=r: x[r], state.chains.past)) for r in range(6)]
    np.testing.assert_allclose(state.chains.log_ratios[:-2], np.diff(past), atol=0.1)
    assert np.ptp(past) > 1  # the ladder is one


def test_tempered_chains_are_at_the_target():
    """Their temperatures move as the machine learns; at the end the top rung has the machine's moments."""
    state, images, _ = learned(negative="tempered", rungs=4)
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
