"""Diagnostics against chains whose autocorrelation is known, exact mean energies, and ArviZ on the same traces."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import chi2

from genjax.sampling.diagnostics import (
    add_values,
    bulk_effective_samples,
    effective_samples,
    energy_and_projections,
    init_blocks,
    measure,
    split_r_hat,
    summarise,
)
from genjax.sampling.gibbs import initial_states, sample
from tests.machines import all_states, energies, probabilities, random_machine


def autoregressive(rho: float, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Stationary AR(1) along axis 0, mean 0 and variance 1: tau = (1 + rho) / (1 - rho)."""
    noise = np.random.default_rng(seed).normal(size=shape)
    noise[1:] *= np.sqrt(1 - rho**2)
    return np.asarray(lfilter([1], [1, -rho], noise, axis=0))


@partial(jax.jit, compiler_options={"xla_backend_optimization_level": 2})
def streamed(values):
    """`(sweeps, chains, quantities)` through the accumulator."""
    blocks, _ = jax.lax.scan(lambda b, x: (add_values(b, x), None), init_blocks(values[0]), values)
    return summarise(blocks)


@pytest.mark.parametrize(("rho", "seed"), [(-0.3, 0), (0.0, 1), (0.5, 2), (0.95, 3)])
def test_autocorrelation_time_and_error_of_known_chains(rho, seed):
    """32 independent quantities: their tau is unbiased to 5 %, and the errors of their means are those claimed."""
    values = autoregressive(rho, (20_000, 4, 32), seed)
    summary = streamed(jnp.asarray(values, jnp.float32))
    tau = np.asarray(summary.autocorrelation_time, np.float64)
    right = (1 + rho) / (1 - rho)
    assert abs(tau.mean() - right) < 0.05 * right + 5 * tau.std() / np.sqrt(32)
    np.testing.assert_allclose(summary.effective_samples, 80_000 / tau, rtol=1e-5)
    deviation = np.asarray(summary.mean, np.float64)
    in_errors = np.sum((deviation / summary.error) ** 2)
    assert chi2.ppf(1e-6, 32) < in_errors < chi2.isf(1e-6, 32)
    if rho == 0.95:  # errors as if draws were independent are found out
        assert np.sum(deviation**2 * 80_000 / summary.variance) > chi2.isf(1e-6, 32)


@pytest.mark.parametrize("sweeps", [2, 3, 64, 1003])
def test_mean_and_variance_are_those_of_all_values(sweeps):
    values = (-400 + 10 * np.random.default_rng(sweeps).normal(size=(sweeps, 3, 2))).astype(np.float32)
    summary, exact = streamed(jnp.asarray(values)), values.astype(np.float64)
    np.testing.assert_allclose(summary.mean, exact.mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(summary.variance, exact.reshape(-1, 2).var(0, ddof=1), rtol=1e-5)


@pytest.mark.slow
def test_a_million_sweeps_in_float32():
    """Mean -400, deviation 10, origin 0: the mean to a float32's last digits, the variance to five."""
    values = (-400 + 10 * autoregressive(0.8, (1_100_000, 1, 1), 4)).astype(np.float32)

    @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 2})
    def run(values):
        empty = init_blocks(jnp.zeros((1, 1)))
        return summarise(jax.lax.scan(lambda b, x: (add_values(b, x), None), empty, values)[0])

    summary, exact = run(jnp.asarray(values)), values.astype(np.float64)
    np.testing.assert_allclose(summary.mean, exact.mean(), atol=1e-4)
    np.testing.assert_allclose(summary.variance, exact.var(), rtol=1e-5)
    np.testing.assert_allclose(summary.autocorrelation_time, 9.0, rtol=0.1)


def test_sums_grow_past_the_digits_of_a_float32():
    """8,192 joins of 2 each on top of 2^30, where a plain float32 sum (spacing 128) would stand still."""
    blocks = init_blocks(jnp.zeros((1, 1)))
    blocks = blocks._replace(joined=blocks.joined.at[0].set(2.0**30))
    values = jnp.tile(jnp.array([1.0, -1.0]), 8192).reshape(-1, 1, 1)
    blocks = jax.jit(lambda b, v: jax.lax.scan(lambda b, x: (add_values(b, x), None), b, v)[0])(blocks, values)
    assert float(blocks.joined[0, 0, 0]) == 2.0**30 + 2 * 8192


def test_chains_that_disagree_count_as_one_or_two_samples_each():
    values = autoregressive(0.0, (1000, 4, 1), 5) + 10 * np.arange(4)[:, None]
    summary = streamed(jnp.asarray(values, jnp.float32))
    assert 2 < float(summary.effective_samples[0]) < 8


def test_a_quantity_that_never_moves():
    still = streamed(jnp.full((100, 4, 1), 3.0))
    assert (float(still.effective_samples[0]), float(still.mean[0]), float(still.error[0])) == (400, 3, 0)


@pytest.mark.slow
def test_errors_cover_the_exact_mean_energy():
    """40 runs that start at the target, under `vmap`: their errors against the enumerated mean add to a chi-square."""
    machine = random_machine((4, 3), scale=4.0, seed=13)
    p, states = probabilities(machine), all_states((4, 3))
    exact = p @ energies(machine, states)
    start = np.random.default_rng(7).choice(len(p), (40, 8), p=p)
    state = tuple(jnp.asarray(x[start], jnp.float32) for x in states)
    keys = jax.random.split(jax.random.key(8), 40)
    _, summary = jax.vmap(lambda k, s: measure(k, machine, s, 2000))(keys, state)
    deviation = np.asarray(summary.mean[:, 0], np.float64) - exact
    assert chi2.ppf(1e-6, 40) < np.sum((deviation / summary.error[:, 0]) ** 2) < chi2.isf(1e-6, 40)
    # Errors as if draws were independent are found out: tau is about 5 here.
    assert np.sum(deviation**2 * 16_000 / summary.variance[:, 0]) > chi2.isf(1e-6, 40)


@pytest.mark.slow
def test_measuring_agrees_with_the_stored_traces_of_the_same_chains():
    """A machine whose energy and projections have tau from 1.5 to 5."""
    machine = random_machine((12, 8), scale=1.5, seed=3)

    @jax.jit
    def stored(key, machine, state):
        state, *_ = sample(jax.random.key(10), machine, state, 500)
        return state, *sample(key, machine, state, 8192, observe=lambda x: energy_and_projections(machine, x))[:2]

    start, last, traces = stored(jax.random.key(11), machine, initial_states(jax.random.key(12), machine, 64))
    measured, summary = measure(jax.random.key(11), machine, start, 8192)
    np.testing.assert_array_equal(measured[0], last[0])
    np.testing.assert_allclose(summary.mean, np.asarray(traces, np.float64).mean((0, 1)), atol=1e-4)
    assert summary.autocorrelation_time.min() > 1.3
    assert summary.autocorrelation_time.max() > 4
    right = jax.vmap(effective_samples, 2)(traces.transpose(1, 0, 2))
    np.testing.assert_allclose(summary.effective_samples, right, rtol=0.15)


@pytest.mark.slow
def test_memory_does_not_grow_with_sweeps():
    machine = random_machine((6, 5))
    state = initial_states(jax.random.key(0), machine, 16)

    def temporary(sweeps):
        memory = measure.lower(jax.random.key(1), machine, state, sweeps).compile().memory_analysis()
        assert memory is not None
        return memory.temp_size_in_bytes

    assert 0 < temporary(10_000) <= temporary(100)


@pytest.mark.slow
def test_new_parameters_compile_nothing():
    traced = []

    def observe(machine, state):
        traced.append(machine)
        return state[0]

    counts = []
    for seed in range(3):
        machine = random_machine((5, 4), seed=seed)
        measure(jax.random.key(seed), machine, initial_states(jax.random.key(0), machine, 2), 5, observe)
        counts.append(len(traced))
    assert counts[0] == counts[2] > 0


def traces_of(case: str) -> np.ndarray:
    """`(chains, draws)` in float32."""
    rng = np.random.default_rng(13)
    values = {
        "independent": lambda: rng.normal(size=(4, 1000)),
        "slow": lambda: autoregressive(0.95, (1000, 4), 14).T,
        "alternating": lambda: autoregressive(-0.6, (1000, 4), 15).T,
        "offset": lambda: -400 + 10 * autoregressive(0.9, (1000, 4), 16).T,
        "ties": lambda: rng.poisson(2.0, size=(4, 1000)),
        "heavy tails": lambda: rng.standard_cauchy(size=(4, 1000)),
        "different means": lambda: rng.normal(size=(4, 1000)) + 3 * np.arange(4)[:, None],
        "different spreads": lambda: rng.normal(size=(4, 1000)) * np.array([1, 1, 1, 10])[:, None],
        "a drift": lambda: rng.normal(size=(4, 1000)) + np.linspace(0, 3, 1000),
        "short and odd": lambda: rng.integers(0, 100, size=(3, 9)),
    }
    return values[case]().astype(np.float32)


CASES = ["independent", "slow", "alternating", "offset", "ties", "heavy tails"]
UNMIXED = ["different means", "different spreads", "a drift"]


@pytest.mark.parametrize("case", [*CASES, *UNMIXED, "short and odd"])
def test_stored_traces_agree_with_arviz(case):
    arviz = pytest.importorskip("arviz", reason="ArviZ is the reference; it comes with the test extra")
    traces = traces_of(case)
    device, host = jnp.asarray(traces), traces.astype(np.float64)
    np.testing.assert_allclose(split_r_hat(device), arviz.rhat(host, method="rank"), rtol=1e-4)
    np.testing.assert_allclose(effective_samples(device), arviz.ess(host, method="mean"), rtol=1e-3)
    np.testing.assert_allclose(bulk_effective_samples(device), arviz.ess(host, method="bulk"), rtol=1e-3)


@pytest.mark.parametrize("case", UNMIXED)
def test_r_hat_sees_chains_that_have_not_mixed(case):
    assert float(split_r_hat(jnp.asarray(traces_of("independent")))) < 1.01
    assert float(split_r_hat(jnp.asarray(traces_of(case)))) > 1.05


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_constant_traces():
    """As ArviZ: nothing to compare, so R-hat is NaN (not 1, which would be praise), and every draw counts."""
    arviz = pytest.importorskip("arviz", reason="ArviZ is the reference; it comes with the test extra")
    traces = np.full((4, 1000), 3.7, np.float32)
    device = jnp.asarray(traces)
    assert np.isnan(split_r_hat(device))
    assert np.isnan(split_r_hat(device[:, :1]))  # and of fewer than 4 draws
    assert np.isnan(arviz.rhat(traces, method="rank"))
    assert float(effective_samples(device)) == float(bulk_effective_samples(device)) == 4000
    assert float(arviz.ess(traces, method="mean")) == float(arviz.ess(traces, method="bulk")) == 4000
    stuck = device + jnp.arange(4)[:, None]
    assert float(split_r_hat(stuck)) > 100
    assert float(effective_samples(stuck)) < 8
