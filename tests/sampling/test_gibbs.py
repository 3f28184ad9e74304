"""The sweep against its exact transition matrix: it keeps the target, and it is what the matrix says."""

import dataclasses
from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from genjax import random
from genjax.boltzmann.machine import Machine, rounded
from genjax.boltzmann.units import BERNOULLI, SPIN, Bernoulli, Categorical
from genjax.sampling import fused, fused_triton
from genjax.sampling.gibbs import Gibbs, initial_states, sample, sweep
from tests.machines import all_states, between, float64, index_of, probabilities, random_machine

SMALL, LARGE = [(3, 2), (2, 2, 1)], [(4, 3), (3, 3, 2)]
DRAWS, MANY, ROWS = 20_000, 100_000, 32  # from every state of a small machine, of a large one; states at a time
CASES = ["plain", "beta", "base", "clamp"]
OFFERED = ["counter", "threefry", "rbg", "bfloat16", "fused", "fused bfloat16"]
"""Every generator, dtype of the weights and kernel."""
OPTIMISED = {"xla_backend_optimization_level": 2}  # what draws millions costs more to run than to compile


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def transition_matrix(machine: Machine, clamp: list[np.ndarray]) -> np.ndarray:
    """K[x, y] = p(y) after odd layers given even, then even given odd; clamped units keep x. Float64, by hand."""
    weights, biases = float64(machine)
    states = all_states(machine.sizes)

    def move(parity: int) -> np.ndarray:
        """p(all layers = y | x) where only one parity is drawn."""
        kernel = np.ones((len(states[0]), len(states[0])))
        for layer in range(machine.depth):
            old, new = states[layer][:, None, :], states[layer][None, :, :]
            if layer % 2 != parity:
                kernel *= np.all(old == new, axis=-1)
                continue
            field = np.broadcast_to(biases[layer], states[layer].shape)
            if layer > 0:
                field = field + states[layer - 1] @ weights[layer - 1]
            if layer + 1 < machine.depth:
                field = field + states[layer + 1] @ weights[layer].T
            p = sigmoid(field)[:, None, :]
            free = np.where(new == 1, p, 1 - p)
            kernel *= np.where(clamp[layer], old == new, free).prod(-1)
        return kernel

    return move(1) @ move(0)


def setting(sizes: tuple[int, ...], case: str, offer: str) -> tuple[Machine, dict, Machine, list[np.ndarray]]:
    """A machine with the sweep's options, the machine whose density the sweep should keep, and what is clamped.

    Rounded weights are another machine: its own density is the one that is kept.
    """
    machine = random_machine(sizes, scale=0.8, seed=3)
    if "bfloat16" in offer:
        machine = rounded(machine)
    target = jax.tree.map(lambda x: x.astype(jnp.float32), machine)
    clamp = [np.zeros(n, bool) for n in sizes]
    if case == "beta":
        return machine, {"beta": 0.5}, jax.tree.map(lambda x: 0.5 * x, target), clamp
    if case == "base":
        base = random_machine(sizes, scale=0.0 if "fused" in offer else 0.5, seed=4)
        target = between(base, target, 0.3)
        if "fused" in offer:  # which takes an uncoupled base only
            base = dataclasses.replace(base, weights=(None,) * len(base.weights))
        return machine, {"beta": 0.3, "base": base}, target, clamp
    if case == "clamp":
        clamp[0][1] = clamp[1][0] = True
        masks = (jnp.asarray(clamp[0]), jnp.asarray(clamp[1]), *[None] * (len(sizes) - 2))
        return machine, {"clamp": masks}, target, clamp
    return machine, {}, target, clamp


@pytest.fixture
def large_blocks(monkeypatch):
    """The interpreter copies whole arrays for every block of the fused kernel: let one block be all chains."""
    for name, size in (("CHAINS", ROWS * DRAWS), ("UNITS", 8), ("DEPTH", 8)):
        monkeypatch.setattr(fused_triton, name, size)


def interpreted(key, machine, state, **options):
    """One sweep of the fused kernel that needs no particular GPU."""
    return fused.by_layer(fused_triton, key, machine, state, 1, interpret=True, **options)


def parts(offer: str) -> tuple:
    """The key, the update and the dtype of the states of what is offered."""
    key = random.key(11, "threefry" if offer == "threefry" else "rbg" if offer == "rbg" else "counter")
    return key, interpreted if "fused" in offer else sweep, jnp.bfloat16 if "bfloat16" in offer else jnp.float32


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("sizes", SMALL + LARGE)
def test_the_exact_matrix_keeps_the_target(sizes, case):
    _, _, target, clamp = setting(sizes, case, "counter")
    p = probabilities(target)
    np.testing.assert_allclose(p @ transition_matrix(target, clamp), p, atol=1e-6)


def agrees(sizes: tuple[int, ...], case: str, offer: str, draws: int) -> None:
    """Sweeps from every state; cells that expect fewer than 5 are pooled; one chi-square over all rows."""
    machine, options, target, clamp = setting(sizes, case, offer)
    key, move, dtype = parts(offer)
    matrix = transition_matrix(target, clamp)
    states = all_states(sizes)

    @partial(jax.jit, compiler_options=OPTIMISED)
    def landed(key, machine, start):
        """The number of the state that each chain comes to, `(ROWS * draws,)`."""
        state = tuple(jnp.repeat(x, draws, axis=0) for x in start)
        drawn = jnp.concatenate(move(key, machine, state, **options), axis=-1).astype(jnp.int32)
        return drawn @ (2 ** jnp.arange(drawn.shape[-1])[::-1])

    statistic, freedom = 0.0, 0
    for first in range(0, len(matrix), ROWS):
        start = tuple(jnp.asarray(x[first : first + ROWS], dtype) for x in states)
        index = np.asarray(landed(jax.random.fold_in(key, first), machine, start)).reshape(ROWS, draws)
        for row, of_row in enumerate(index, start=first):
            seen = np.bincount(of_row, minlength=len(matrix)).astype(np.float64)
            expected = draws * matrix[row]
            assert seen[expected == 0].sum() == 0
            rare = expected < 5
            seen = np.append(seen[~rare], seen[rare].sum())
            expected = np.append(expected[~rare], expected[rare].sum())
            keep = expected > 1e-3
            statistic += np.sum((seen - expected)[keep] ** 2 / expected[keep])
            freedom += keep.sum() - 1
    assert chi2.sf(statistic, freedom) > 1e-6


@pytest.mark.parametrize(
    ("sizes", "case", "offer"),
    [(SMALL[0], c, "counter") for c in CASES]
    + [(SMALL[1], c, "counter") for c in ("base", "clamp")]
    + [(SMALL[0], "plain", o) for o in OFFERED[1:]]
    + [(SMALL[0], c, "fused") for c in CASES[1:]],
)
def test_the_sweep_follows_its_matrix(sizes, case, offer, large_blocks):
    """20,000 sweeps from every state of a machine of 32 states."""
    agrees(sizes, case, offer, DRAWS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "case", "offer"),
    [(s, c, "counter") for s in LARGE for c in CASES]
    + [(LARGE[0], c, o) for o in OFFERED[1:] for c in CASES]
    + [(LARGE[1], "plain", o) for o in OFFERED[1:]],
)
def test_the_sweep_follows_its_matrix_to_more_digits(sizes, case, offer, large_blocks):
    """100,000 sweeps from every state of machines of 128 and 256 states."""
    agrees(sizes, case, offer, MANY)


def test_a_chain_that_starts_at_the_target_stays_there():
    """Exact draws as starting points, 20 sweeps: the histogram is the target's (tells broken from slow)."""
    machine = random_machine((4, 3), scale=1.5, seed=5)
    p = probabilities(machine)
    start = np.random.default_rng(0).choice(len(p), 200_000, p=p)
    state = tuple(jnp.asarray(x[start], jnp.float32) for x in all_states((4, 3)))
    state, *_ = jax.jit(lambda k, m, s: sample(k, m, s, 20))(jax.random.key(0), machine, state)
    seen = np.bincount(index_of(list(state)), minlength=len(p))
    expected = 200_000 * p
    statistic = np.sum((seen - expected) ** 2 / expected)
    assert chi2.sf(statistic, len(p) - 1) > 1e-6


LONG = [((4, 4, 3), "counter")]
REST = [(sizes, offer) for sizes in [(6, 5), (4, 4, 3)] for offer in OFFERED if (sizes, offer) not in LONG]


@pytest.mark.parametrize(("sizes", "offer"), LONG + [pytest.param(*x, marks=pytest.mark.slow) for x in REST])
def test_long_runs_have_the_enumerated_moments(sizes, offer):
    """Means of all units and products of all pairs over 512 chains and 500 sweeps, errors from the chains' spread.

    A run starts where no chain would: all units on. It mixes within a few sweeps, and the first 50 are left out.
    """
    machine, _, target, _ = setting(sizes, "plain", offer)
    key, move, dtype = parts(offer)
    chains, sweeps = 512, 500

    @jax.jit
    def moments(key, machine, state):
        """Of each chain, `(chains, units, units)`: means on the diagonal."""

        def one(carry, index):
            state, total = carry
            state = move(jax.random.fold_in(key, index), machine, state)
            x = jnp.concatenate(state, axis=-1).astype(jnp.float32)
            return (state, total + (index >= 50) * x[:, :, None] * x[:, None, :]), None

        units = sum(machine.sizes)
        carry, _ = jax.lax.scan(one, (state, jnp.zeros((chains, units, units))), jnp.arange(50 + sweeps))
        return carry[1] / sweeps

    state = tuple(jnp.ones((chains, units), dtype) for units in sizes)
    of_chains = np.asarray(moments(key, machine, state), np.float64)
    x = np.concatenate(all_states(sizes), axis=1)
    exact = np.einsum("s,si,sj->ij", probabilities(target), x, x)
    z = (of_chains.mean(0) - exact) / (of_chains.std(0, ddof=1) / np.sqrt(chains))
    assert np.abs(z).max() < 6  # at most 66 of them differ: below 1e-6 together, with the tails of Student's t


fresh, one_sweep = jax.jit(initial_states, static_argnums=2), jax.jit(sweep)  # op by op they compile far more


def test_sample_observes_every_few_sweeps_and_is_the_sweep_repeated():
    machine = random_machine((4, 3))
    key = jax.random.key(2)
    state = fresh(jax.random.key(3), machine, 5)
    last, observed, info = jax.jit(lambda k, m, s: sample(k, m, s, 7, every=2, observe=lambda s: s[0]))(
        key, machine, state
    )
    history = []
    for i in range(7):
        state = one_sweep(jax.random.fold_in(key, i), machine, state)
        history.append(np.asarray(state[0]))
    assert info == ()
    assert observed.shape == (3, 5, 4)
    np.testing.assert_array_equal(observed, [history[1], history[3], history[5]])
    np.testing.assert_array_equal(last[0], history[6])
    np.testing.assert_array_equal(last[1], state[1])


def test_observations_differ_between_sweeps_and_chains():
    machine = random_machine((30, 20), scale=0.1)
    state = fresh(jax.random.key(0), machine, 50)
    _, seen, _ = jax.jit(lambda k, m, s: sample(k, m, s, 4, observe=lambda s: s))(jax.random.key(1), machine, state)
    flat = np.concatenate([np.asarray(x).reshape(200, -1) for x in seen], axis=1)
    assert len(np.unique(flat, axis=0)) == 200


def test_chains_start_independent_in_every_layer():
    machine = jax.tree.map(jnp.zeros_like, random_machine((50, 50, 50)))
    layers = [np.asarray(x) for x in fresh(jax.random.key(0), machine, 40)]
    for i, a in enumerate(layers):
        assert abs(a.mean() - 0.5) < 0.06
        for b in layers[:i]:
            assert abs(np.mean(a == b) - 0.5) < 0.06


def test_clamped_units_keep_their_values_for_each_chain():
    machine = random_machine((6, 4))
    state = fresh(jax.random.key(0), machine, 8)
    mask = np.random.default_rng(1).random((8, 6)) < 0.5
    go = jax.jit(lambda k, m, s, mask: sample(k, m, s, 10, clamp=(mask, None)))
    last, *_ = go(jax.random.key(2), machine, state, jnp.asarray(mask))
    np.testing.assert_array_equal(np.asarray(last[0])[mask], np.asarray(state[0])[mask])
    assert not np.array_equal(last[0], state[0])


@pytest.mark.slow
def test_vmap_over_machines_and_no_second_compilation():
    count = 0

    @jax.jit
    def run(key, machine, state, beta):
        nonlocal count
        count += 1
        return sample(key, machine, state, 3, beta=beta)[0]

    for seed in range(3):
        machine = random_machine((5, 4), seed=seed)
        run(jax.random.key(seed), machine, fresh(jax.random.key(0), machine, 2), jnp.asarray(0.1 * seed))
    assert count == 1
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *[random_machine((5, 4), seed=s) for s in range(3)])
    keys = jax.random.split(jax.random.key(0), 3)
    states = jax.vmap(fresh, (0, 0, None))(keys, stacked, 2)
    together = jax.jit(jax.vmap(sweep))(keys, stacked, states)
    alone = one_sweep(keys[1], random_machine((5, 4), seed=1), tuple(x[1] for x in states))
    np.testing.assert_array_equal(together[0][1], alone[0])


MIXED = (SPIN, BERNOULLI, Categorical(3), BERNOULLI)


@pytest.mark.parametrize(
    ("sweeps", "batch"),
    [pytest.param(3, (), marks=pytest.mark.slow, id="few, one chain"), pytest.param(70, (5,), id="blocks, chains")],
)
def test_noise_prepared_for_many_sweeps_is_the_noise_of_each(batch, sweeps):
    sizes, own = (4, 5, 6, 3), np.random.default_rng(0)
    weights = tuple(jnp.asarray(0.3 * own.standard_normal(shape), jnp.float32) for shape in pairwise(sizes))
    biases = tuple(jnp.asarray(own.standard_normal(size), jnp.float32) for size in sizes)
    machine = Machine(weights, biases, MIXED)
    states = tuple(x[0] if batch == () else x for x in initial_states(jax.random.key(1), machine.uncoupled(), 5))
    key, expected = jax.random.key(2), states
    one = jax.jit(sweep)
    for index in range(2, 2 + sweeps):
        expected = one(jax.random.fold_in(key, index), machine, expected)
    together, _ = jax.jit(Gibbs().step, static_argnames="sweeps")(key, machine, states, sweeps=sweeps, first=2)
    for a, b in zip(together, expected):
        np.testing.assert_array_equal(a, b)


def test_a_unit_with_draws_of_its_own_keeps_its_key():
    class Own(Bernoulli):
        def sample(self, key, field, quadratic):
            return jax.random.bernoulli(key, jax.nn.sigmoid(field)).astype(field.dtype)

    machine = Machine((jnp.zeros((2, 3)),), (jnp.zeros(2), jnp.zeros(3)), (BERNOULLI, Own()))
    states = (jnp.zeros((4, 2)), jnp.zeros((4, 3)))
    assert machine.noise(jax.random.split(jax.random.key(0), 2), states) is None
    drawn = sample(jax.random.key(3), machine, states, 1).states[1]
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(3), 0), 1)
    np.testing.assert_array_equal(drawn, jax.random.bernoulli(key, 0.5, (4, 3)))
