"""Reverse AIS against enumeration, from exact draws and from long chains; what the bracket says where it fails."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.boltzmann.machine import Machine
from genjax.boltzmann.units import BERNOULLI
from genjax.likelihood import ais, exact
from genjax.likelihood.bidirectional import bracket, long_run, starting_points
from genjax.likelihood.estimate import contradict, exact_log_z, from_log_weights
from tests.machines import exact_draws, random_machine


@jax.jit
def path_to(machine: Machine) -> ais.Path:
    return (machine.uncoupled(jnp.full((1, machine.sizes[0]), 0.5)), machine)


def bias_in_errors(log_weights: np.ndarray, truth: float) -> float:
    """How many standard errors the mean weight lies from exp(truth)."""
    ratio = np.exp(log_weights - truth)
    return float((ratio.mean() - 1) / (ratio.std() / np.sqrt(len(ratio))))


@pytest.mark.parametrize("sizes", [pytest.param((5, 7), marks=pytest.mark.slow), (4, 4, 3)])
def test_both_ways_are_unbiased_and_their_logs_lie_on_either_side(sizes):
    """Few temperatures, many chains: the means of the weights are Z and 1 / Z, those of the logs far to the sides."""
    machine = random_machine(sizes, 1.5, seed=1)
    truth, path, betas = exact.log_z(machine), path_to(machine), ais.temperatures(8)
    up = ais.upward(jax.random.key(0), path, betas, 20_000).log_weights
    down = ais.downward(jax.random.key(1), path, betas, exact_draws(machine, 20_000)).log_weights
    assert abs(bias_in_errors(up, truth)) < 5.5
    assert abs(bias_in_errors(down, -truth)) < 5.5
    for low, high in ((up.mean(), truth), (truth, -down.mean())):
        assert high - low > 10 * max(up.std(), down.std()) / np.sqrt(20_000)


@pytest.mark.slow
def test_the_interval_of_reverse_ais_covers_the_truth_in_95_of_100():
    machine = random_machine((8, 6), 1.5, seed=1)
    truth, path, betas = exact.log_z(machine), path_to(machine), ais.temperatures(20)
    draws = jax.tree.map(lambda x: x.reshape(300, 200, -1), exact_draws(machine, 60_000))
    answers = [
        ais.reverse_log_z(ais.downward(jax.random.key(seed), path, betas, tuple(x[seed] for x in draws)))
        for seed in range(300)
    ]
    assert 265 <= sum(a.low <= truth <= a.high for a in answers) <= 299
    assert np.mean([a.low < a.mean < a.high for a in answers]) == 1
    assert "reverse AIS, 20 temperatures, 200 chains" in answers[0].estimator


def moved_before_it_is_weighed(key, machine, base, state, betas, first, parity, kernel=None):
    """The mistake: the chains go to the new temperature, and then the increment is taken where they have come to."""
    total, spreads = 0.0, []
    for step in range(len(betas) - 1):
        here = jax.random.fold_in(key, first + step)
        for side in (parity, 1 - parity):
            state = machine.update(here, state, side, betas[step + 1], base)
        increment = ais.log_ratio(machine, base, state, parity, betas[step + 1], betas[step])
        total, spreads = total + increment, [*spreads, jnp.std(increment)]
    return state, total, jnp.stack(spreads)


def of_the_wrong_sign(key, machine, base, state, betas, first, parity, kernel=None):
    """The mistake: a run down the path weighed as if it went up."""
    state, total, spreads = RIGHT(key, machine, base, state, betas, first, parity, kernel=None)
    return state, -total, spreads


RIGHT = ais._anneal


@pytest.mark.parametrize(
    "mistake", [pytest.param(moved_before_it_is_weighed, marks=pytest.mark.slow), of_the_wrong_sign]
)
def test_mistakes_are_caught(monkeypatch, mistake):
    machine = random_machine((8, 6), 1.5, seed=1)
    truth, path, betas = exact.log_z(machine), path_to(machine), ais.temperatures(8)
    monkeypatch.setattr(ais, "_anneal", mistake)
    down = ais.downward(jax.random.key(1), path, betas, exact_draws(machine, 20_000)).log_weights
    assert abs(bias_in_errors(down, -truth)) > 15


def test_samples_are_not_given_away():
    machine = random_machine((5, 4))
    draws = exact_draws(machine, 50)
    runs = [ais.downward(jax.random.key(1), path_to(machine), ais.temperatures(8), draws) for _ in range(2)]
    np.testing.assert_array_equal(runs[0].log_weights, runs[1].log_weights)
    np.testing.assert_allclose(runs[0].betas, ais.temperatures(8)[::-1])


@pytest.mark.slow
def test_a_bracket_holds_the_truth():
    """From chains that began on images; 200 images, so at most 200 chains come back."""
    machine = random_machine((5, 4, 3), 1.0, seed=2)
    images = jnp.asarray(np.random.default_rng(0).integers(0, 2, (200, 5)), jnp.float32)
    said = []
    both = bracket(jax.random.key(0), machine, images, temperatures=200, chains=250, progress=said.append)
    truth = exact.log_z(machine)
    for side in both:
        assert side.trusted
        assert abs(side.mean - truth) < 5.5 * side.standard_error < 0.1
    assert "200 chains after 1000 sweeps" in both.reverse.estimator
    assert said == sorted(said)
    assert said[-1] == pytest.approx(1)
    assert contradict(*both).trusted


def test_where_long_chains_begin():
    machine = random_machine((6, 5))
    images, given = jnp.ones((300, 6)), exact_draws(machine, 150)
    for chains, expected in ((100, 100), (500, 150)):
        start = starting_points(jax.random.key(0), machine, images, given, chains)
        np.testing.assert_array_equal(start[0], given[0][:expected])
    few = tuple(x[:20] for x in given)
    start = starting_points(jax.random.key(0), machine, images, few, 200)
    assert start[0].shape == (200, 6)
    assert start[1].shape == (200, 5)
    assert float(start[0].min()) == 1


def test_long_chains_forget_where_they_began():
    machine = random_machine((5, 4), 1.0)
    start = tuple(jnp.ones((4000, n)) for n in (5, 4))
    state = long_run(jax.random.key(0), machine, start, 150)
    truth = np.asarray(exact.moments(machine).biases[0])
    error = np.sqrt(truth * (1 - truth) / 4000)
    assert np.all(np.abs(np.asarray(state[0]).mean(0) - truth) < 5.5 * error)


def test_sides_that_disagree_are_not_trusted():
    """A far mode that the base does not reach and the samples know: the bracket gapes, and the verdict says so."""
    pull = jnp.full((12, 12), 3.0)
    machine = Machine((pull,), (jnp.full(12, -16.0), jnp.full(12, -16.0)), (BERNOULLI, BERNOULLI))
    images = jnp.concatenate([jnp.zeros((190, 12)), jnp.ones((10, 12))])
    start = tuple(jnp.ones((200, 12)) for _ in range(2))
    both = bracket(jax.random.key(0), machine, images[:190], start, temperatures=50, chains=200)
    assert both.forward.trusted  # by its own weights alone
    judged = contradict(*both)
    assert not judged.trusted
    assert "more temperatures" in judged.reason
    assert judged.mean == both.forward.mean
    below = from_log_weights(np.random.default_rng(0).normal(3.0, 0.1, 200), "AIS")
    assert "not the machine's" in contradict(both.reverse, below).reason
    assert contradict(below, below).trusted


def test_an_exact_answer_contradicts_what_lies_far_from_it():
    forward = from_log_weights(np.random.default_rng(0).normal(3.0, 0.1, 200), "AIS")
    assert contradict(forward, exact_log_z(forward.mean, "enumeration")).trusted
    assert not contradict(forward, exact_log_z(forward.high + 1, "enumeration")).trusted
