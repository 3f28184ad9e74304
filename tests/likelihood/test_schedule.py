"""Temperatures that adapt, and effort chosen for a precision, on machines whose log Z is known."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from genjax.likelihood import ais, exact, schedule
from tests.machines import random_machine


@cache
def hard():
    """A machine with a smaller side of 10 units to enumerate, and 60 that make its path long."""
    machine = random_machine((60, 10), 0.8, seed=4)
    return machine, (machine.uncoupled(jnp.full((1, 60), 0.5)), machine)


@cache
def pilot_of_hard() -> ais.Annealed:
    return schedule.pilot(jax.random.key(0), hard()[1])


def ratio_of_extremes(run: ais.Annealed) -> float:
    return float(run.deviations.max() / run.deviations.min())


@pytest.mark.slow
def test_adapted_temperatures_equalise_the_increments_and_do_not_bias():
    machine, path = hard()
    first = pilot_of_hard()
    run = ais.upward(jax.random.key(1), path, schedule.adapted(first, 60), 1000)
    sine = ais.upward(jax.random.key(1), path, ais.temperatures(60), 1000)
    assert ratio_of_extremes(run) < 1.5
    assert ratio_of_extremes(sine) > 3
    answer = ais.forward_log_z(run)
    assert abs(answer.mean - exact.log_z(machine)) < 5.5 * answer.standard_error


def test_adapted_temperatures_keep_the_ends_and_rise():
    run = ais.Annealed(np.zeros(3), np.linspace(0, 1, 5), np.array([0.0, 1.0, 3.0, 0.0]))
    betas = schedule.adapted(run, 9)
    assert (betas[0], betas[-1], len(betas)) == (0, 1, 9)
    assert np.all(np.diff(betas) > 0)
    np.testing.assert_allclose(betas[1:3], [0.375, 0.5], atol=1e-6)  # length 1 lies between 0.25 and 0.5
    np.testing.assert_allclose(betas[2:8], np.linspace(0.5, 0.5 + 0.25 * 2.5 / 3, 6), atol=1e-6)  # and 3 up to 0.75


@pytest.mark.parametrize("precision", [1.0, 0.1, 0.03, 0.003])
def test_sizes_give_the_standard_error_that_they_are_for(precision):
    count, chains = schedule.sizes(5000.0, precision)
    assert np.sqrt(np.expm1(5000.0 / count) / chains) <= precision * (1 + 1e-9)
    assert schedule.FEWEST <= chains <= schedule.MOST_CHAINS


@pytest.mark.slow
def test_the_requested_standard_error_is_reached(monkeypatch):
    """The scatter of 15 answers around the truth: about what was asked for."""
    monkeypatch.setattr(ais, "BLOCK", 50)  # one program for every number of temperatures
    monkeypatch.setattr(schedule, "PILOT_TEMPERATURES", 200)
    machine, path = hard()
    truth, wanted, errors = exact.log_z(machine), 0.03, []
    for seed in range(15):
        key = jax.random.key(seed)
        run, note = schedule.to_standard_error(key, path, wanted, schedule.pilot(key, path))
        assert ais.forward_log_z(run).standard_error <= wanted
        assert "asked for 0.03" in note
        errors.append(ais.forward_log_z(run).mean - truth)
    scatter = np.sqrt(np.mean(np.square(errors)))
    assert 0.3 * wanted < scatter < wanted * np.sqrt(chi2.isf(1e-6, 15) / 15)


@pytest.mark.slow
def test_a_pilot_that_was_too_hopeful_costs_another_run():
    _, path = hard()
    first = pilot_of_hard()
    hopeful = first._replace(log_weights=0.05 * first.log_weights)
    run, note = schedule.to_standard_error(jax.random.key(1), path, 0.01, hopeful)
    assert ais.forward_log_z(run).standard_error <= 0.01
    assert "NOT" not in note
    assert len(run.betas) >= 2 * schedule.sizes(float(np.var(hopeful.log_weights, ddof=1)) * 999, 0.008)[0]


@pytest.mark.slow
def test_the_cap_is_kept_and_said():
    _, path = hard()
    run, note = schedule.to_standard_error(jax.random.key(0), path, 0.001, pilot_of_hard(), most_sweeps=20_000)
    assert len(run.betas) * len(run.log_weights) <= 20_000
    assert "NOT the 0.001 asked for" in note
