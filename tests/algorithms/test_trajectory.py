"""Tempering along the run's own past: its polyline, ratios of partition functions, and the log-likelihood it yields."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms import trajectory
from genjax.algorithms.contrastive import trained_machine
from genjax.likelihood import exact
from tests.algorithms.test_contrastive import score
from tests.algorithms.test_negative import learned
from tests.machines import all_states, probabilities, random_machine

PAST = trajectory.PAST


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
    found = trajectory.log_ratios(*trajectory.log_changes(stacked(machines), exact_states(machines, 50_000)))
    log_z = np.array([exact.log_z(m) for m in machines])
    np.testing.assert_allclose(found, np.diff(log_z), atol=0.04)


def carried(places: list[float]) -> trajectory.PastState:
    """Corners, smooth and present machine told apart by their parameters, which are 0, 1, ..., PAST + 1."""

    def marked(value: float):
        return jax.tree.map(lambda x: jnp.full_like(x, value), random_machine((4, 3)))

    phase = trajectory.Trajectory(chains=6, rungs=len(places))
    state = jax.jit(phase.start, static_argnums=2)(jax.random.key(0), marked(PAST + 1.0), 1)
    past = stacked([marked(float(corner)) for corner in range(PAST)])
    return state._replace(past=past, smooth=marked(float(PAST)), places=jnp.asarray(places))


def present(state: trajectory.PastState):
    return jax.tree.map(lambda x: jnp.full_like(x[0], PAST + 1), state.past)


def marks(state: trajectory.PastState):
    """The first bias of each rung's machine."""
    return jax.jit(trajectory.ladder_at)(state.past, state.smooth, present(state), state.places).biases[0][:, 0]


def test_rungs_stand_along_the_polyline():
    places = [0.0, 0.25, 1.0, 3.5, PAST - 0.5, PAST, PAST + 0.75, PAST + 1]
    np.testing.assert_allclose(marks(carried(places)), places, atol=1e-5)


def test_a_new_corner_moves_only_the_rungs_beside_the_lost_one():
    """Corner 1 goes, so that what lay at 0.5 and 1.5 of the way 0, 1, 2 now lies on the line from 0 to 2."""
    before = carried([0.0, 0.5, 1.5, 2.0, 3.25, PAST - 0.5, PAST, PAST + 0.5, PAST + 1])
    after = jax.jit(trajectory.close_window)(present(before), before)
    np.testing.assert_allclose(after.past.biases[0][:, 0], [0, *range(2, PAST + 1)])
    np.testing.assert_allclose(marks(after), marks(before), atol=1e-5)
    np.testing.assert_allclose(after.places[-1], PAST + 1)
    assert int(after.until) == trajectory.LONGER * int(before.until)
    assert int(after.window) == 0


def test_windows_hold_the_means_of_the_steps_they_cover():
    state = carried([0.0, float(PAST + 1)])

    def one(state, value):
        return trajectory.extend_window(jax.tree.map(lambda x: jnp.full_like(x[0], value), state.past), state), None

    values = np.random.default_rng(0).normal(size=trajectory.LONGER * trajectory.FIRST).astype(np.float32)
    state, _ = jax.jit(partial(jax.lax.scan, one))(state, jnp.asarray(values))
    first, second = state.past.biases[0][-2:, 0]
    assert first == pytest.approx(values[: trajectory.FIRST].mean(), abs=1e-5)
    assert second == pytest.approx(values[trajectory.FIRST :].mean(), abs=1e-5)


@pytest.mark.slow
def test_the_trajectorys_log_likelihood_is_the_exact_one():
    """At the end of a run, along it, with the machine fixed: the error is under a tenth of a nat, on a scale of 5."""
    state, images, metrics = learned(trajectory.Trajectory(rungs=6, swap_every=2))
    machine = trained_machine(state)
    right = exact.log_z(machine)
    assert float(trajectory.log_z(state.chains, machine)) == pytest.approx(right, abs=0.1)
    truth = score(machine, images)
    assert metrics[-1]["log_likelihood"] == pytest.approx(truth, abs=0.1)
    assert metrics[0]["log_likelihood"] < truth - 0.3
    rest = jax.jit(trajectory.repeated_log_z, static_argnames="rounds")
    _, _, estimates = rest(jax.random.key(1), state.chains, machine, rounds=200)
    assert float(estimates.mean()) == pytest.approx(right, abs=0.03)
    machines = trajectory.ladder_at(state.chains.past, state.chains.smooth, machine, state.chains.places)
    each = np.array([exact.log_z(jax.tree.map(lambda x, r=r: x[r], machines)) for r in range(6)])
    np.testing.assert_allclose(state.chains.log_ratios, np.diff(each), atol=0.1)
    assert np.ptp(each) > 1  # the ladder is one


@pytest.mark.slow
def test_it_observes_the_log_likelihood():
    """Of a machine without weights log Z is exact whatever the chains do."""
    machine = random_machine((4, 3), 0.0)
    phase = trajectory.Trajectory(chains=5, rungs=3)
    state = phase.start(jax.random.key(0), machine, 1)
    metrics = phase.observe(state, machine, {"": jnp.asarray([-1.0, -2.0]), "held_out_": jnp.asarray([-4.0])})
    right = exact.log_z(machine)
    assert metrics["log_likelihood"] == pytest.approx(-1.5 - right, abs=1e-4)
    assert metrics["held_out_log_likelihood"] == pytest.approx(-4.0 - right, abs=1e-4)
