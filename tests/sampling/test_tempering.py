"""Tempering against enumeration: histograms after a million swaps, swap rates, round trips, adapted ladders."""

import itertools
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.boltzmann.machine import Machine, States, marginal
from genjax.boltzmann.units import BERNOULLI
from genjax.errors import UserError
from genjax.sampling import gibbs, tempering
from tests.machines import all_states, energies, index_of, probabilities, random_machine

BETAS = jnp.asarray([0.0, 0.2, 0.4, 0.65, 1.0])
OPTIMISED = {"xla_backend_optimization_level": 2}  # for what runs longer than it compiles
CHAINS, ROUNDS = 2000, 250  # of one call; the first call is the burn-in
SIZES = [(4, 3), pytest.param((3, 3, 2), marks=pytest.mark.slow)]  # the deeper one: -m slow
SEEDS = {(4, 3): 36, (3, 3, 2): 7}  # biases that leave both modes in use and make the planted mistake visible


def two_modes(sizes: tuple[int, ...], weight: float = 3.0, tilt: float = 1.5, seed: int | None = None) -> Machine:
    """All units off or all on, nearly symmetrical: plain Gibbs takes hundreds of sweeps from one to the other."""
    rng = np.random.default_rng(SEEDS[sizes] if seed is None else seed)
    weights = tuple(jnp.full(s, weight, jnp.float32) for s in itertools.pairwise(sizes))
    neighbours = [sum(sizes[max(i - 1, 0) : i + 2]) - n for i, n in enumerate(sizes)]
    biases = tuple(-0.5 * weight * k + tilt * rng.normal(size=n) for n, k in zip(sizes, neighbours))
    return Machine(weights, tuple(jnp.asarray(b, jnp.float32) for b in biases), (BERNOULLI,) * len(sizes))


def without_weights(machine: Machine, scale: float = 0.0) -> Machine:
    """A base: no coupling, normal biases of this scale."""
    biases = random_machine(machine.sizes, seed=9).biases
    return Machine((None,) * (machine.depth - 1), tuple(scale * b for b in biases), machine.units)


def stacked(machines: list) -> Any:
    return jax.tree.map(lambda *x: jnp.stack(x), *machines)


def rung_of(ladder: Machine, rung: int) -> Machine:
    return jax.tree.map(lambda x: x[rung], ladder)


def standing(states: list[np.ndarray]) -> tempering.State:
    """These states, one array `(rungs, chains, units)` a layer, with every replica on its own rung."""
    rungs, chains, _ = states[0].shape
    replica = jnp.broadcast_to(jnp.arange(rungs)[:, None], (rungs, chains))
    heading = (replica == 0).astype(jnp.int32)
    return tempering.State(tuple(jnp.asarray(x, jnp.float32) for x in states), replica, heading, jnp.asarray(0))


def exact_draws(ladder: Machine, chains: int, seed: int = 0) -> tempering.State:
    """Chains that stand exactly at the target of every rung."""
    rng = np.random.default_rng(seed)
    targets = [probabilities(rung_of(ladder, r)) for r in range(ladder.biases[0].shape[0])]
    picks = np.stack([rng.choice(len(p), chains, p=p) for p in targets])
    return standing([x[picks] for x in all_states(ladder.sizes)])


# --- the histogram after a million swaps --------------------------------------------------------------------------


def seen(state: tempering.State) -> jax.Array:
    """The number of every joint state, in the order of `all_states`: `(rungs, chains)`."""
    units = jnp.concatenate(state.states, axis=-1).astype(jnp.int32)
    return units @ (2 ** jnp.arange(units.shape[-1])[::-1])


def compiled() -> Callable:
    """`ROUNDS` rounds that return every state's number; a new function, traced with today's acceptance."""

    def go(key, ladder, state):
        return tempering.run(key, ladder, state, ROUNDS, observe=seen)

    return jax.jit(go, compiler_options=OPTIMISED)


compiled_right = cache(compiled)


def standard_errors(index: np.ndarray, target: np.ndarray) -> float:
    """Total variation between the histogram of `index` `(rounds, chains)` and the target, in standard errors.

    A right sampler has a distance too: its histogram is the mean of the chains' own, which are independent whatever
    the correlation within a chain. Centred and summed with normal multipliers they give normal errors with the
    histogram's own covariance; the standard error is the root mean square distance of these.
    """
    (rounds, chains), size = index.shape, len(target)
    cells = np.bincount((index + size * np.arange(chains)).ravel(), minlength=size * chains)
    each = cells.reshape(chains, size) / rounds
    histogram = each.mean(axis=0)
    multipliers = np.random.default_rng(0).normal(size=(500, chains)) / np.sqrt(chains * (chains - 1))
    errors = 0.5 * np.abs(multipliers @ (each - histogram)).sum(axis=1)
    return 0.5 * np.abs(histogram - target).sum() / np.sqrt(np.mean(errors**2))


def distances(go: Callable, ladder: Machine) -> list[float]:
    """Standard errors from the exact target, rung by rung, after at least a million accepted swaps."""
    state, _, _ = go(jax.random.key(0), ladder, tempering.init(jax.random.key(1), ladder, CHAINS))
    state, first, early = go(jax.random.key(0), ladder, state)
    state, second, late = go(jax.random.key(0), ladder, state)
    assert float(jnp.sum(first.accepted + second.accepted)) * CHAINS > 1e6
    index = np.concatenate([early, late])
    return [standard_errors(index[:, r], probabilities(rung_of(ladder, r))) for r in range(index.shape[1])]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(
    "case", ["path with biases", *(pytest.param(x, marks=pytest.mark.slow) for x in ("path", "unrelated"))]
)
@pytest.mark.slow
def test_a_million_swaps_reach_the_target(sizes, case):
    """Within 3 standard errors at the top (seldom missed under another key: about 1 in 500), 5 elsewhere."""
    machine = two_modes(sizes)
    if case == "unrelated":
        machines = [random_machine(sizes, seed=s) for s in range(5)]
        ladder = stacked([*(jax.tree.map(lambda x: 0.4 * x, m) for m in machines[:4]), machines[4]])
    else:
        base = without_weights(machine, 0.7 if case == "path with biases" else 0.0)
        ladder = tempering.path_ladder(base, machine, BETAS)
    *others, top = distances(compiled_right(), ladder)
    assert top < 3
    assert max(others) < 5


def beta_times_free_energy(ladder: Machine, states: States, partner: jax.Array) -> jax.Array:
    """The planted mistake: log f_beta = beta log f_1 + (1 - beta) log f_0 (constant where the base has no biases)."""
    base, machine = rung_of(ladder, 0), rung_of(ladder, -1)

    def log_f(x: States) -> jax.Array:
        return BETAS[:, None] * marginal(machine, x, 1) + (1 - BETAS[:, None]) * marginal(base, x, 1)

    gain = log_f(jax.tree.map(lambda x: x[partner], states)) - log_f(states)
    return gain + gain[partner]


@pytest.mark.slow
@pytest.mark.parametrize("sizes", SIZES)
def test_beta_times_the_free_energy_at_one_is_caught(sizes, monkeypatch):
    monkeypatch.setattr(tempering, "log_acceptance", beta_times_free_energy)
    machine = two_modes(sizes)
    *_, top = distances(compiled(), tempering.path_ladder(without_weights(machine), machine, BETAS))
    assert top > 3


# --- swaps --------------------------------------------------------------------------------------------------------


swap = jax.jit(tempering.swap)


def log_even(machine: Machine) -> tuple[list[int], np.ndarray, np.ndarray]:
    """For every state of the even layers: the first joint state that has it, its log f, its probability."""
    states = all_states(machine.sizes)
    number = index_of(states[::2])
    log_f = np.full(number.max() + 1, -np.inf)
    np.logaddexp.at(log_f, number, -energies(machine, states))
    return [int(np.argmax(number == k)) for k in range(len(log_f))], log_f, np.exp(log_f - np.logaddexp.reduce(log_f))


def acceptance(log_f: np.ndarray, log_g: np.ndarray) -> np.ndarray:
    """log f(y) + log g(x) - log f(x) - log g(y) for every x (rows) and y."""
    return (log_g - log_f)[:, None] + (log_f - log_g)[None, :]


def mean_acceptance(log_f: np.ndarray, log_g: np.ndarray) -> float:
    p, q = (np.exp(x - np.logaddexp.reduce(x)) for x in (log_f, log_g))
    return float(p @ np.exp(np.minimum(acceptance(log_f, log_g), 0)) @ q)


@pytest.mark.parametrize("sizes", SIZES)
def test_log_acceptance_of_every_pair_of_states(sizes):
    """It looks at the even layers alone."""
    machines = [random_machine(sizes, 1.5, seed=s) for s in (0, 1)]
    (rows, log_f, _), (_, log_g, _) = (log_even(m) for m in machines)
    x, y = (a.ravel() for a in np.meshgrid(rows, rows, indexing="ij"))
    states = tuple(jnp.asarray(np.stack([s[x], s[y]]), jnp.float32) for s in all_states(sizes))
    states = tuple(s if layer % 2 == 0 else jnp.full_like(s, jnp.nan) for layer, s in enumerate(states))
    got = tempering.log_acceptance(stacked(machines), states, jnp.asarray([1, 0]))
    expected = acceptance(log_f, log_g).ravel()
    np.testing.assert_allclose(got, [expected, expected], atol=2e-5)
    np.testing.assert_array_equal(tempering.log_acceptance(stacked(machines), states, jnp.asarray([0, 1])), 0)


@pytest.mark.parametrize("sizes", SIZES)
def test_swap_rates_are_the_exact_ones(sizes):
    """Mean probabilities and the share that swapped, from exact draws; and summing out raises every rate."""
    machines = [random_machine(sizes, seed=s) for s in range(4)]
    ladder = stacked(machines)
    marginals = [mean_acceptance(log_even(a)[1], log_even(b)[1]) for a, b in itertools.pairwise(machines)]
    log_joint = [-energies(m, all_states(sizes)) for m in machines]
    joint = [mean_acceptance(a, b) for a, b in itertools.pairwise(log_joint)]
    assert all(a > b for a, b in zip(marginals, joint))

    chains = 100_000
    before = exact_draws(ladder, chains)
    state, even = swap(jax.random.key(1), ladder, before)
    taken = state.replica[:-1] != jnp.arange(3)[:, None]
    np.testing.assert_array_equal(np.sort(state.replica, axis=0), before.replica)  # both of a pair swap, or none
    np.testing.assert_array_equal(state.states[0], jnp.take_along_axis(before.states[0], state.replica[..., None], 0))
    state, odd = swap(jax.random.key(2), ladder, exact_draws(ladder, chains, seed=1)._replace(round=state.round))
    assert even.attempts.tolist() == [1, 0, 1]
    assert odd.attempts.tolist() == [0, 1, 0]
    limit = 5.5 * np.sqrt(np.multiply(marginals, np.subtract(1, marginals)) / chains)
    rates = tempering.report(jax.tree.map(jnp.add, even, odd)).swap_rate
    assert np.all(np.abs(rates - np.asarray(marginals)) < limit)
    assert np.all(np.abs(taken.mean(axis=1) - np.asarray(marginals))[::2] < limit[::2])


@pytest.mark.parametrize("rungs", [2, 4, 5])
def test_even_and_odd_rounds_swap_their_own_pairs(rungs):
    """Rungs that never refuse: every replica goes one way, turns at an end, and is home after 2 rungs rounds."""
    ladder = stacked([random_machine((4, 3))] * rungs)
    state = standing([np.zeros((rungs, 3, units)) for units in ladder.sizes])
    replicas, trips, total = [], [], None
    for index in range(8 * rungs):
        state, info = swap(jax.random.key(index), ladder, state)
        total = info if total is None else jax.tree.map(jnp.add, total, info)
        replicas.append(np.asarray(state.replica[:, 1]))
        trips.append(total.trips.tolist())
    home = list(range(rungs))
    np.testing.assert_array_equal(replicas[0], [k ^ 1 if k ^ 1 < rungs else k for k in home])
    np.testing.assert_array_equal(replicas[2 * rungs - 1 :: 2 * rungs], [home] * 4)
    path = [int(np.argmax(row == 0)) for row in replicas[: 2 * rungs]]
    assert path == [*range(1, rungs), *reversed(range(rungs)), 0]
    assert total is not None
    np.testing.assert_array_equal(total.attempts, [4 * rungs] * (rungs - 1))
    np.testing.assert_allclose(tempering.report(total).swap_rate, 1, atol=1e-6)

    # Replica 0 leaves the bottom at once and is back first; in the end every replica once in 2 rungs rounds.
    assert trips[2 * rungs - 3] == [0] * 3
    assert trips[2 * rungs - 2] == [1] * 3
    for end in (6 * rungs, 7 * rungs, 8 * rungs):
        assert np.subtract(trips[end - 1], trips[end - 2 * rungs - 1]).tolist() == [rungs] * 3


def test_rungs_far_apart_never_swap():
    machine = random_machine((4, 3), 0.1)
    ladder = stacked(
        [Machine(machine.weights, (jnp.full(4, b), machine.biases[1]), machine.units) for b in (-30.0, 30.0)]
    )
    state, info = swap(jax.random.key(0), ladder, exact_draws(ladder, 5))
    summary = tempering.report(info)
    np.testing.assert_array_equal(state.replica, np.repeat([[0], [1]], 5, axis=1))
    assert float(summary.barrier) == pytest.approx(1)
    assert int(summary.round_trips) == 0


@pytest.mark.slow
def test_the_round_trip_rate_follows_the_swap_rates():
    """Where sweeps forget a rung's past, 1 / (2 + 2 sum r / (1 - r)) (Syed et al. 2022), to 2 %."""
    machine = random_machine((4, 3), 1.0, seed=2)
    ladder = tempering.path_ladder(without_weights(machine), machine, jnp.linspace(0.0, 1.0, 5))

    def rounds(key, ladder, state):
        return tempering.run(key, ladder, state, 100, sweeps=8)

    go = jax.jit(rounds, compiler_options=OPTIMISED)
    state, _, _ = go(jax.random.key(3), ladder, tempering.init(jax.random.key(3), ladder, CHAINS))
    summary = tempering.report(go(jax.random.key(3), ladder, state)[1])
    rate = np.asarray(summary.swap_rate)
    assert float(summary.round_trip_rate) == pytest.approx(1 / (2 + 2 * np.sum((1 - rate) / rate)), rel=0.02)
    assert float(summary.round_trip_rate) == pytest.approx(float(summary.round_trips) / (100 * CHAINS))


@pytest.mark.slow
def test_tempering_finds_the_mode_that_gibbs_does_not():
    """All rungs begin in one mode, of a machine with weights of 5; the same number of sweeps for both."""
    machine = two_modes((4, 3), weight=5.0, tilt=0.1, seed=0)
    on = np.concatenate(all_states((4, 3)), axis=1).sum(axis=1) >= 4
    share = float(probabilities(machine)[on].sum())
    ladder = tempering.path_ladder(without_weights(machine), machine, BETAS)
    state = standing([np.zeros((len(BETAS), CHAINS, units)) for units in ladder.sizes])

    tempered = compiled_right()(jax.random.key(1), ladder, state)[2][-1, -1]
    start = tuple(x[-1] for x in state.states)
    sample = jax.jit(gibbs.sample, static_argnums=3, compiler_options=OPTIMISED)
    plain, *_ = sample(jax.random.key(1), machine, start, ROUNDS * len(BETAS))
    found = on[np.asarray(tempered)].mean(), on[index_of(list(plain))].mean()
    assert 0.2 < share < 0.8
    assert abs(found[0] - share) < 5 * np.sqrt(share * (1 - share) / CHAINS)
    assert found[1] < 0.1 * share


# --- ladders that adapt -------------------------------------------------------------------------------------------


def test_adapt_divides_a_known_barrier_evenly():
    """The barrier 1.5 beta^2 from 0 to beta: nine rungs come to sqrt(k / 8)."""
    betas = jnp.linspace(0.0, 1.0, 9)
    for _ in range(12):
        betas = tempering.adapt(betas, 1.5 * jnp.diff(betas**2))
        assert betas[0] == 0
        assert betas[-1] == 1
        assert jnp.all(jnp.diff(betas) > 0)
    np.testing.assert_allclose(betas, np.sqrt(np.arange(9) / 8), atol=1e-3)


def test_adapt_where_nothing_is_refused():
    betas = jnp.asarray([0.0, 0.1, 0.7, 1.0])
    np.testing.assert_allclose(tempering.adapt(betas, jnp.zeros(3)), betas, atol=1e-6)
    np.testing.assert_allclose(tempering.adapt(betas, jnp.asarray([0.0, 0.5, 0.0])), [0, 0.3, 0.5, 1], atol=1e-3)


@pytest.mark.slow
def test_tuned_rungs_refuse_at_one_rate():
    machine = two_modes((3, 3, 2))
    base = without_weights(machine)
    start = jnp.asarray([0.0, 0.5, 0.8, 0.9, 1.0])

    def exact_spread(betas):
        ladder = tempering.path_ladder(base, machine, betas)
        log_f = [log_even(rung_of(ladder, r))[1] for r in range(len(betas))]
        return np.ptp([mean_acceptance(a, b) for a, b in itertools.pairwise(log_f)])

    go = jax.jit(lambda *arguments: tempering.tuned(*arguments, chains=500, rounds=50, iterations=6))
    betas, state, reports = go(jax.random.key(0), base, machine, start)
    assert reports.swap_rate.shape == (6, 4)
    assert int(state.round) == 300
    assert betas[0] == 0
    assert betas[-1] == 1
    assert jnp.all(jnp.diff(betas) > 0)
    assert exact_spread(start) > 0.5
    assert exact_spread(betas) < 0.05


# --- what every function of the package keeps ----------------------------------------------------------------------


def four_rounds(key, ladder, state):
    return tempering.run(key, ladder, state, 4, sweeps=2, observe=lambda s: s.states[0])


compiled_four_rounds: Any = jax.jit(four_rounds)


def three_rungs(seed: int) -> Machine:
    return stacked([random_machine((4, 3), seed=10 * seed + s) for s in range(3)])


@pytest.mark.slow
def test_two_parts_are_the_whole_and_info_adds_up():
    ladder = three_rungs(0)
    state, key = exact_draws(ladder, 5), jax.random.key(1)
    go = jax.jit(lambda *arguments: tempering.run(*arguments, rounds=8, sweeps=2, observe=lambda s: s.states[0]))
    whole, info, observed = go(key, ladder, state)
    middle, first, _ = compiled_four_rounds(key, ladder, state)
    last, second, _ = compiled_four_rounds(key, ladder, middle)
    jax.tree.map(np.testing.assert_array_equal, whole, last)
    jax.tree.map(lambda a, b, c: np.testing.assert_allclose(a, b + c, rtol=1e-6), info, first, second)
    assert observed.shape == (8, 3, 5, 4)
    np.testing.assert_array_equal(observed[-1], whole.states[0])
    np.testing.assert_array_equal(observed[3], middle.states[0])
    assert info.attempts.tolist() == [4, 4]


def test_noise_belongs_to_its_chain():
    """A round of the first 20 chains alone does what it does to them among 300."""
    ladder = three_rungs(0)
    state = exact_draws(ladder, 300)
    few = jax.tree.map(lambda x: x[:, :20] if x.ndim else x, state)
    whole, part = (swap(jax.random.key(1), ladder, s)[0] for s in (state, few))
    assert np.unique(np.asarray(part.replica[0])).tolist() == [0, 1]
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[:, :20] if a.ndim else a, b), whole, part)


def test_vmap_over_ladders_and_no_second_compilation():
    ladders = [three_rungs(i) for i in range(3)]
    keys = jax.random.split(jax.random.key(0), 3)
    states = [exact_draws(ladder, 5) for ladder in ladders]
    compiled_four_rounds(keys[0], ladders[0], states[0])
    compilations = compiled_four_rounds._cache_size()
    state, info, _ = compiled_four_rounds(keys[1], ladders[1], states[1])
    assert compiled_four_rounds._cache_size() == compilations

    together = jax.jit(jax.vmap(four_rounds))(keys, stacked(ladders), stacked(states))
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[1], b), together[0], state)
    rates = jax.vmap(tempering.report)(together[1]).swap_rate
    np.testing.assert_allclose(rates[1], tempering.report(info).swap_rate, rtol=1e-6)


def test_what_cannot_work_is_refused():
    ladder = three_rungs(0)
    state = exact_draws(ladder, 2)
    with pytest.raises(UserError, match="sweeps must be at least 1"):
        tempering.step(jax.random.key(0), ladder, state, sweeps=0)
    with pytest.raises(UserError, match="at least two rungs"):
        tempering.init(jax.random.key(0), stacked([random_machine((4, 3))]), 2)
    machine = random_machine((4, 3))
    with pytest.raises(UserError, match="rounds must be at least 2"):
        tempering.tuned(jax.random.key(0), without_weights(machine), machine, BETAS, 4, 1, 2)


def test_a_clamp_is_kept_on_even_layers_and_refused_on_odd_ones():
    """Half of the visible units held: what the others do, against enumeration."""
    machine = random_machine((4, 3), scale=1.5, seed=3)
    base = random_machine((4, 3), scale=0.0, seed=3)
    ladder = tempering.path_ladder(base, machine, jnp.asarray([0.0, 0.5, 1.0]))
    state = tempering.init(jax.random.key(0), ladder, 4000)
    held = jnp.asarray([True, True, False, False])
    values = jnp.asarray([1.0, 0.0, 0.0, 0.0])
    state = state._replace(states=(jnp.where(held, values, state.states[0]), state.states[1]))
    with pytest.raises(UserError, match="`clamp` holds units of layer 1"):
        tempering.run(jax.random.key(1), ladder, state, 2, clamp=(None, jnp.ones(3, bool)))
    run = jax.jit(lambda key, state: tempering.run(key, ladder, state, 30, clamp=(held, None))[0])
    visible = run(jax.random.key(1), state).states[0][-1]
    np.testing.assert_array_equal(visible[:, :2], jnp.broadcast_to(values[:2], (4000, 2)))
    states = all_states((4, 3))
    there = (states[0][:, 0] == 1) & (states[0][:, 1] == 0)
    p = probabilities(machine)[there]
    np.testing.assert_allclose(visible[:, 2:].mean(0), p @ states[0][there, 2:] / p.sum(), atol=0.04)
