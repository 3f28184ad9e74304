"""Knots of averaged moments against enumeration, and paths through them."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.boltzmann.machine import Machine
from genjax.boltzmann.path import interpolate
from genjax.errors import UserError
from genjax.likelihood import ais, averaging, exact
from tests.machines import exact_draws, random_machine

SIZES = [(5, 4), (4, 3, 3)]


@jax.jit
def base_of(machine):
    return machine.uncoupled(jnp.full((1, machine.sizes[0]), 0.3))


def off_by(found, wanted) -> float:
    """The largest difference of two machines' entries."""
    return max(float(jnp.max(jnp.abs(a - b))) for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted)))


@cache
def exact_path(sizes: tuple[int, ...]) -> ais.Path:
    """To a strongly coupled machine, with three inner knots."""
    machine = random_machine(sizes, 1.5, seed=1)
    return averaging.averaged_path(jax.random.key(0), base_of(machine), machine, 3)


def averages(base, machine, knots: int):
    """(1 - b) m0 + b m1, by its definition."""
    ends = exact.moments(without_weights(base, machine)), exact.moments(machine)
    for number in range(1, knots + 1):
        b = number / (knots + 1)
        yield jax.tree.map(lambda m0, m1, b=b: (1 - b) * m0 + b * m1, *ends)


def without_weights(base, machine):
    return Machine(tuple(jnp.zeros_like(w) for w in machine.weights), base.biases, machine.units)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [SIZES[1], pytest.param(SIZES[0], marks=pytest.mark.slow)])
def test_moments_of_the_knots(sizes):
    base, *inner, machine = exact_path(sizes)
    for knot, wanted in zip(inner, averages(base, machine, 3), strict=True):
        assert off_by(exact.moments(knot), wanted) < 1e-3


def test_the_geometric_path_has_other_moments():
    """So that the test above says something."""
    machine = random_machine((6, 5), 1.5, seed=1)
    base = base_of(machine)
    (wanted,) = averages(base, machine, 1)
    assert off_by(exact.moments(interpolate(base, machine, 0.5)), wanted) > 0.05


@pytest.mark.parametrize("sizes", SIZES)
def test_moments_of_the_base_and_of_samples(sizes):
    machine = random_machine(sizes, seed=3)
    base = base_of(machine)
    assert off_by(averaging.moments_of_base(base, machine), exact.moments(without_weights(base, machine))) < 1e-5
    draws = averaging.moments_of_samples(machine, exact_draws(machine, 20_000))
    assert off_by(draws, exact.moments(machine)) < 5.5 * 0.5 / np.sqrt(20_000)


@pytest.mark.slow
def test_stochastic_knots_come_close(monkeypatch):
    machine = random_machine((6, 5), 1.0, seed=1)
    base = base_of(machine)
    monkeypatch.setattr(averaging, "EXACT_STATES", 0)
    with pytest.raises(UserError, match="give samples"):
        averaging.averaged_path(jax.random.key(0), base, machine, 2)
    draws = exact_draws(machine, 20_000)
    path = averaging.averaged_path(jax.random.key(0), base, machine, 2, draws, steps=1500)
    for knot, wanted in zip(path[1:-1], averages(base, machine, 2), strict=True):
        assert off_by(exact.moments(knot), wanted) < 0.05


@pytest.mark.slow
def test_a_path_through_knots_is_unbiased_both_ways():
    path = exact_path((4, 3, 3))
    machine, betas = path[-1], np.linspace(0, 1, 11)
    truth = exact.log_z(machine)
    up = ais.upward(jax.random.key(0), path, betas, 20_000)
    down = ais.downward(jax.random.key(1), path, betas, exact_draws(machine, 20_000))
    np.testing.assert_allclose(up.betas, np.union1d(betas, [0.25, 0.5, 0.75]), atol=1e-12)
    np.testing.assert_allclose(down.betas, up.betas[::-1], atol=1e-12)
    for run, log in ((up, truth), (down, -truth)):
        ratio = np.exp(run.log_weights - log)
        assert abs(ratio.mean() - 1) < 5.5 * ratio.std() / np.sqrt(len(ratio))
        assert run.log_weights.std() > 0.1


@pytest.mark.slow
def test_with_two_far_modes_the_log_weights_spread_less():
    """One mode per field: the geometric path lets go of the lesser one, and 100 temperatures do not bring it back."""
    pull = jnp.full((10, 8), 1.0)
    machine = Machine((pull,), (jnp.full(10, -4.2), jnp.full(8, -5.0)), random_machine((10, 8)).units)
    base = machine.uncoupled(jnp.full((1, 10), 0.5))
    paths = ((base, machine), averaging.averaged_path(jax.random.key(0), base, machine, 4))
    runs = [ais.upward(jax.random.key(1), path, np.linspace(0, 1, 101), 1000) for path in paths]
    assert all(len(run.betas) == 101 for run in runs)
    geometric, averaged = (run.log_weights.std() for run in runs)
    assert averaged < 0.8 * geometric
