"""AIS against enumeration: its interval covers as often as it says, and it admits when it fails."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.boltzmann.machine import Machine, marginal
from genjax.boltzmann.path import interpolate
from genjax.boltzmann.units import BERNOULLI
from genjax.likelihood import ais, exact
from genjax.likelihood.estimate import exact_log_z, from_log_weights, log_likelihood, refute
from tests.machines import all_states, random_machine

CHAINS = 200


@jax.jit
def base_of(machine: Machine) -> Machine:
    return machine.uncoupled(jnp.full((1, machine.sizes[0]), 0.5))


def weigh(machine: Machine, base: Machine, temperatures: int, seed: int, chains: int = CHAINS) -> np.ndarray:
    return ais.log_weights(jax.random.key(seed), machine, base, ais.temperatures(temperatures), chains)


def run(machine: Machine, base: Machine, temperatures: int, seed: int, chains: int = CHAINS):
    return from_log_weights(weigh(machine, base, temperatures, seed, chains), "AIS")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "scale", "temperatures", "deviation", "runs", "fewest", "most"),
    [
        ((8, 6), 1.5, 20, 0.6, 300, 265, 299),
        pytest.param((8, 6), 1.5, 60, 0.3, 1000, 913, 980, marks=pytest.mark.slow),
        pytest.param((10, 8), 2.0, 10, 1.0, 1000, 913, 980, marks=pytest.mark.slow),
    ],
)
def test_the_interval_covers_the_truth_in_95_of_100(sizes, scale, temperatures, deviation, runs, fewest, most):
    """Of `runs` answers from `fewest` to `most`: a binomial of 95 % lies outside about once in a million."""
    machine = random_machine(sizes, scale, seed=1)
    truth, base = exact.log_z(machine), base_of(machine)
    weights = [weigh(machine, base, temperatures, seed) for seed in range(runs)]
    answers = [from_log_weights(values, "AIS") for values in weights]
    covered = sum(a.low <= truth <= a.high for a in answers)
    assert fewest <= covered <= most
    spread = np.mean([np.std(values, ddof=1) for values in weights])
    assert 0.6 * deviation < spread < 1.5 * deviation
    assert np.mean([a.trusted for a in answers]) > 0.97
    ratio = np.exp([a.mean - truth for a in answers])  # Z itself is estimated without bias
    assert abs(ratio.mean() - 1) < 5.5 * ratio.std() / np.sqrt(len(ratio))


def test_it_says_so_where_it_fails():
    """Strong couplings and six temperatures: hardly a chain arrives, and the verdict says why."""
    machine = random_machine((10, 8), 8.0, seed=1)
    answers = [run(machine, base_of(machine), 6, seed) for seed in range(50)]
    assert sum(not a.trusted for a in answers) >= 48
    assert "too few: more temperatures" in next(a.reason for a in answers if not a.trusted)


def test_a_missed_mode_is_refuted_by_the_images():
    """Two far modes, and a base that reaches only the lesser: the weights look fine, the states' own sum does not."""
    pull = jnp.full((12, 12), 3.0)
    machine = Machine((pull,), (jnp.full(12, -16.0), jnp.full(12, -16.0)), (BERNOULLI, BERNOULLI))
    base = machine.uncoupled(jnp.full((1, 12), 0.01))
    weights = ais.log_weights(jax.random.key(0), machine, base, ais.temperatures(50), CHAINS)
    answer = from_log_weights(weights, "AIS")
    assert answer.high < exact.log_z(machine) - 5
    states = jnp.asarray(all_states((12,))[0][-20:], jnp.float32)
    refuted = refute(answer, np.asarray(marginal(machine, (states, None), 1)))
    assert not refuted.trusted
    assert "missed a mode" in refuted.reason
    honest = exact_log_z(exact.log_z(machine), "enumeration")
    assert refute(honest, np.asarray(marginal(machine, (states, None), 1))).trusted


SLOW = [pytest.param(sizes, marks=pytest.mark.slow) for sizes in [(5, 4), (4, 6), (3, 4, 3, 3)]]


@pytest.mark.parametrize("sizes", [(4, 4, 3), *SLOW])
def test_any_depth_and_either_side(sizes):
    machine = random_machine(sizes, 1.0, seed=2)
    answer = run(machine, base_of(machine), 300, 0, chains=2000)
    assert answer.trusted
    assert abs(answer.mean - exact.log_z(machine)) < 5.5 * answer.standard_error
    assert answer.standard_error < 0.01


def test_the_bases_log_z_and_the_log_ratio():
    machine = random_machine((4, 3, 2), seed=3)
    base = machine.uncoupled(jnp.full((1, 4), 0.3))
    assert float(base.log_z()) == pytest.approx(exact.log_z(base), abs=1e-5)
    state = tuple(jnp.asarray(x, jnp.float32) for x in all_states((4, 3, 2)))

    @partial(jax.jit, static_argnums=2)
    def both(machine, state, parity):
        now, before = (marginal(interpolate(base, machine, beta), state, parity) for beta in (0.7, 0.4))
        return now - before, ais.log_ratio(machine, base, state, parity, jnp.asarray(0.7), jnp.asarray(0.4))

    for parity in (0, 1):
        difference, ratio = both(machine, state, parity)
        np.testing.assert_allclose(ratio, difference, atol=1e-5)


def test_blocks_change_nothing(monkeypatch):
    machine = random_machine((6, 5))
    base = base_of(machine)
    whole = ais.log_weights(jax.random.key(0), machine, base, ais.temperatures(24), 10)
    said = []
    monkeypatch.setattr(ais, "BLOCK", 10)  # the last block is shorter than the others
    parts = ais.log_weights(jax.random.key(0), machine, base, ais.temperatures(24), 10, said.append)
    np.testing.assert_allclose(parts, whole, atol=1e-4)
    assert said[-1] == 1.0


def test_the_interval_leans_to_the_side_of_the_missing_weights():
    """Skewed weights: the mean is sooner too low than too high, so the interval reaches further up."""
    answers = [from_log_weights(np.random.default_rng(seed).normal(0.0, 1.0, 200), "AIS") for seed in range(5)]
    assert np.mean([(a.high - a.mean) / (a.mean - a.low) for a in answers]) > 1.15


def test_weights_that_are_not_finite_are_not_trusted():
    answer = from_log_weights(np.array([0.0, np.nan, 1.0]), "AIS")
    assert not answer.trusted
    assert "not finite" in answer.reason


def test_log_likelihood_carries_the_interval_over():
    log_z = from_log_weights(np.random.default_rng(0).normal(3.0, 0.5, 400), "AIS")
    answer = log_likelihood(np.array([1.0, 2.0, 3.0]), log_z)
    assert answer.mean == pytest.approx(2.0 - log_z.mean)
    assert (answer.low, answer.high) == pytest.approx((2.0 - log_z.high, 2.0 - log_z.low))
    assert answer.low < answer.mean < answer.high
    assert answer.examples_se == pytest.approx(1 / np.sqrt(3))


def test_no_temperature_waits_for_all_chains():
    """Where chains are on many devices: how far increments spread is asked once a dispatch, not at each step."""
    machine, chains = random_machine((4, 3)), 7
    states = machine.uncoupled().draw(jax.random.key(0), chains)
    arguments = jax.random.key(1), machine, machine.uncoupled(), states, jnp.linspace(0, 1, 6), jnp.int32(0)
    (program,) = jax.make_jaxpr(lambda *given: ais._anneal(*given, parity=1))(*arguments).eqns
    (loop,) = (equation for equation in program.params["jaxpr"].eqns if equation.primitive.name == "scan")
    assert all(chains in x.aval.shape for x in loop.outvars)
