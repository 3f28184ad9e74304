"""The convolutional RBM against enumeration on 4x4 images, and through code that has never heard of it."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from genjax.algorithms.negative import CD, PCD, Tempered
from genjax.algorithms.trajectory import Trajectory
from genjax.boltzmann.conv import ConvRBM, conv_rbm
from genjax.boltzmann.windows import Places
from genjax.errors import UserError
from genjax.likelihood import ais
from genjax.likelihood.partition import log_partition
from genjax.sampling import tempering
from genjax.sampling.gibbs import sample
from genjax.sampling.inpainting import completed, inpaint
from genjax.typing import Energy
from tests.machines import all_states

FOUR = Places((4, 4), 3)
POOLED = Places((4, 4), 3, pooling=2)
TINY = Places((3, 3), 2, pooling=2)  # 9 pixels and 4 places: all joint states are few


@cache
def machine(places: Places, filters: int = 2, shared: bool = False, scale: float = 1.0) -> ConvRBM:
    rng = np.random.default_rng(0)
    arrays = (
        scale * rng.normal(size=(filters, places.width, places.width)),
        0.7 * rng.normal(size=1 if shared else places.visible),
        0.7 * rng.normal(size=filters),
    )
    return ConvRBM(*(jnp.asarray(x, jnp.float32) for x in arrays), places)


def hidden_states(model: ConvRBM) -> np.ndarray:
    """All of them that pooling allows, `(states, hidden)`."""
    (every,), size, (rows, columns) = all_states((model.sizes[1],)), model.places.pooling, model.places.grid
    on = every.reshape(len(every), rows // size, size, columns // size, size, -1).sum((2, 4))
    return every[np.all(on <= 1, axis=(1, 2, 3))]


def fields(model: ConvRBM, v: np.ndarray) -> np.ndarray:
    """What acts on the hidden units, float64 `(states, hidden)`, window by window."""
    p, w = model.places, np.asarray(model.weights, np.float64)
    image = np.pad(v.reshape(-1, *p.shape), [(0, 0)] + 2 * [(p.padding, p.padding)])
    found = np.empty((len(v), *p.grid, len(w)))
    for row in range(p.grid[0]):
        for column in range(p.grid[1]):
            top, left = row * p.stride, column * p.stride
            window = image[:, top : top + p.width, left : left + p.width]
            found[:, row, column] = np.einsum("nij,kij->nk", window, w) + np.asarray(model.filter_biases, np.float64)
    return found.reshape(len(v), -1)


def log_p(model: ConvRBM) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All visible and hidden states, and -E of every pair, float64 `(visible states, hidden states)`."""
    (v,), h = all_states((model.sizes[0],)), hidden_states(model)
    return v, h, (v @ np.asarray(model.pixel_biases(), np.float64))[:, None] + fields(model, v) @ h.T


def exact_draws(model: ConvRBM, count: int) -> tuple[jax.Array, jax.Array]:
    v, h, log = log_p(model)
    p = np.exp(log - np.logaddexp.reduce(log, axis=None)).ravel()
    index = np.random.default_rng(1).choice(p.size, count, p=p / p.sum())
    return jnp.asarray(v[index // len(h)], jnp.float32), jnp.asarray(h[index % len(h)], jnp.float32)


@pytest.mark.parametrize(
    "places",
    [
        POOLED,
        pytest.param(FOUR, marks=pytest.mark.slow),
        pytest.param(Places((3, 4), 3, stride=2, padding=1), marks=pytest.mark.slow),
        pytest.param(Places((4, 2), 3, padding=1, pooling=2), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_both_sides_are_summed_out_exactly(places):
    model = machine(places, 1 if places.padding else 2)
    v, h, log = log_p(model)
    assert isinstance(model, Energy)
    some = np.random.default_rng(3).integers(len(v), size=50), np.random.default_rng(4).integers(len(h), size=50)
    pairs = tuple(jnp.asarray(x[i], jnp.float32) for x, i in zip((v, h), some))
    np.testing.assert_allclose(-model.energy(pairs), log[some], atol=2e-5)
    np.testing.assert_allclose(model.marginal((pairs[0], None), 1), np.logaddexp.reduce(log[some[0]], 1), atol=5e-5)
    np.testing.assert_allclose(model.marginal((None, pairs[1]), 0), np.logaddexp.reduce(log[:, some[1]], 0), atol=5e-5)
    given_v = np.exp(log[some[0]] - np.logaddexp.reduce(log[some[0]], 1)[:, None]) @ h
    np.testing.assert_allclose(model.expected((pairs[0], None))[1], given_v, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("places", [FOUR, POOLED], ids=str)
@pytest.mark.parametrize("shared", [False, True])
def test_log_z_by_annealed_importance_sampling_from_both_sides(places, shared):
    """With and without pooling, along a path from the base rates of exact draws."""
    model, chains = machine(places, 2, shared), 5000
    truth, draws = np.logaddexp.reduce(log_p(model)[2], axis=None), exact_draws(model, chains)
    path, betas = (model.uncoupled(draws[0]), model), ais.temperatures(50)
    up = ais.forward_log_z(ais.upward(jax.random.key(0), path, betas, chains))
    down = ais.reverse_log_z(ais.downward(jax.random.key(1), path, betas, draws))
    for side in (up, down):
        assert side.trusted
        assert abs(side.mean - truth) < 5.5 * side.standard_error + 1e-4 < 0.2


@pytest.mark.slow
def test_log_z_is_asked_in_one_call():
    model = machine(FOUR)
    forward, reverse = log_partition(jax.random.key(0), model, jnp.full(16, 0.4), temperatures=200, ais_chains=200)
    truth = np.logaddexp.reduce(log_p(model)[2], axis=None)
    assert reverse is not None
    for side in (forward, reverse):
        assert abs(side.mean - truth) < 5.5 * side.standard_error + 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("places", [FOUR, POOLED], ids=str)
def test_without_weights_log_z_is_exact_and_draws_are_independent(places):
    images = exact_draws(machine(places), 500)[0]
    alone = machine(places).uncoupled(images)
    by_hand = float(np.logaddexp(0, np.asarray(alone.pixel_biases(), np.float64)).sum())
    biases = np.asarray(alone.place_biases(), np.float64)
    by_hand += np.logaddexp.reduce(hidden_states(alone) @ biases)
    assert float(alone.log_z()) == pytest.approx(by_hand, abs=1e-4)
    visible, hidden = alone.draw(jax.random.key(0), 20_000)
    np.testing.assert_allclose(visible.mean(0), jax.nn.sigmoid(alone.visible_biases), atol=0.02)
    np.testing.assert_allclose(hidden.mean(0), alone.expected((visible[:1], None))[1][0], atol=0.02)
    np.testing.assert_allclose(alone.pooled(hidden).max(), 1.0)
    for question in (machine(places).log_z, lambda: machine(places).draw(jax.random.key(0), 2)):
        with pytest.raises(UserError, match="without weights"):
            question()


@pytest.mark.slow
@pytest.mark.parametrize("case", ["plain", "path", "beta", "clamp"])
def test_a_chain_at_the_target_stays_there(case):
    """From exact draws of the pooled machine at beta, 3 sweeps: the histogram of the joint states is the target's."""
    model, chains = machine(TINY), 100_000
    base = machine(TINY).uncoupled(jnp.full((1, 9), 0.4))
    beta = {"path": 0.6, "beta": 0.5}.get(case, 1.0)
    filled = jax.tree.map(jnp.zeros_like, model)
    if case == "path":
        filled = ConvRBM(filled.weights, base.visible_biases, base.filter_biases, TINY)
    target = jax.tree.map(lambda m, b: beta * m + (1 - beta) * b, model, filled)
    v, h, log = log_p(target)
    if case == "clamp":
        log = np.where(v[:, 1:2] == 1, log, -np.inf)
    p = np.exp(log - np.logaddexp.reduce(log, axis=None)).ravel()
    index = np.random.default_rng(2).choice(p.size, chains, p=p / p.sum())
    states = jnp.asarray(v[index // len(h)], jnp.float32), jnp.asarray(h[index % len(h)], jnp.float32)
    options = {"beta": beta, "base": base if case == "path" else None}
    options["clamp"] = (jnp.arange(9) == 1, None) if case == "clamp" else None
    last = jax.jit(lambda key: sample(key, model, states, 3, **options).states)(jax.random.key(0))
    number = {x.tobytes(): i for i, x in enumerate(h.astype(np.float32))}
    of_v = np.asarray(last[0]).astype(int) @ (2 ** np.arange(9)[::-1])
    of_h = np.array([number[np.ascontiguousarray(x).tobytes()] for x in np.asarray(last[1])])
    counts, expected = np.bincount(of_v * len(h) + of_h, minlength=p.size), chains * p
    assert counts[expected == 0].sum() == 0
    order = np.argsort(expected)[::-1]  # rare states together, so that each cell expects some
    cells = np.minimum(np.cumsum(expected[order]) // 20, chains / 20 - 1).astype(int)
    observed, wanted = np.bincount(cells, counts[order]), np.bincount(cells, expected[order])
    there = wanted > 0
    assert chi2.sf(np.sum((observed - wanted)[there] ** 2 / wanted[there]), there.sum() - 1) > 1e-6
    assert np.mean(np.asarray(last[0]) != np.asarray(states[0])) > 0.1  # it moves


@pytest.mark.slow
def test_tempering_keeps_the_marginals():
    model = machine(POOLED)
    v, _, log = log_p(model)
    p = np.exp(np.logaddexp.reduce(log, 1) - np.logaddexp.reduce(log, axis=None))
    kernel = tempering.Tempered(rungs=4, burn_in=0)
    states = exact_draws(model, 4000)
    last, _, info = jax.jit(lambda key: sample(key, model, states, 30, kernel=kernel))(jax.random.key(0))
    assert np.all(np.abs(np.asarray(last[0]).mean(0) - p @ v) < 5.5 * 0.5 / np.sqrt(4000))
    assert np.all(np.abs(np.asarray(last[0]).T @ last[0] / 4000 - v.T * p @ v) < 5.5 * 0.5 / np.sqrt(4000))
    assert np.all(tempering.report(info).swap_rate > 0.2)


@pytest.mark.slow
@pytest.mark.parametrize("phase", [PCD(2, 4000), CD(200), Tempered(1, 4000, 4), Trajectory(1, 4000, 4, 2)], ids=repr)
def test_negative_phases_take_it(phase):
    model = machine(POOLED)
    v, _, log = log_p(model)
    p = np.exp(np.logaddexp.reduce(log, 1) - np.logaddexp.reduce(log, axis=None))
    data = (jnp.tile(jnp.arange(16) % 2.0, (4000, 1)), None)

    @jax.jit
    def go(key):
        def one(carried, index):
            return phase.advance(jax.random.fold_in(key, index), model, carried, data)[0], None

        carried, _ = jax.lax.scan(one, phase.start(key, model, 4000), jnp.arange(1 if phase.kind == "cd" else 60))
        return phase.advance(jax.random.fold_in(key, 99), model, carried, data)[1]

    visible = np.asarray(go(jax.random.key(3))[0], np.float64)
    assert np.all(np.abs(visible.T @ visible / 4000 - v.T * p @ v) < 5.5 * 0.5 / np.sqrt(4000))


@pytest.mark.slow
@pytest.mark.parametrize("places", [FOUR, POOLED], ids=str)
def test_missing_pixels_have_their_exact_expectation(places):
    model, missing = machine(places, scale=0.7), jnp.arange(16) >= 10
    v, _, log = log_p(model)
    given = (jnp.arange(16) % 3 == 0).astype(jnp.float32)
    log = np.where(np.all((v == given) | missing, axis=1), np.logaddexp.reduce(log, 1), -np.inf)
    truth = np.exp(log - np.logaddexp.reduce(log)) @ v
    filled = inpaint(jax.random.key(0), model, jnp.tile(given, (500, 1)), missing, 200, 50)
    np.testing.assert_allclose(filled.mean(0), truth, atol=0.02)
    drawn = completed(jax.random.key(1), model, given, missing, 5000, 50)
    np.testing.assert_allclose(drawn.mean(0), truth, atol=5.5 * 0.5 / np.sqrt(5000))


@pytest.mark.slow
def test_a_stack_sees_what_is_pooled():
    """Drawn upwards: blocks with a unit on; their means are what the machine expects."""
    model = machine(POOLED)
    x = exact_draws(model, 1)[0]
    drawn = model.upwards(jax.random.key(0), jnp.repeat(x, 20_000, 0))
    assert drawn.shape == (20_000, 2)
    np.testing.assert_allclose(drawn.mean(0), model.pooled(model.expected((x, None))[1])[0], atol=0.02)
    assert set(np.unique(drawn)) <= {0.0, 1.0}


def test_what_does_not_fit_is_refused():
    for places, words in (
        (Places((4, 4), 5), "`width` 5 is more"),
        (Places((4, 4), 3, pooling=3), "`pooling` 3 does not divide the 2 x 2 places"),
        (Places((4, 4), 2, padding=2), "`padding` 2 lets"),
        (Places((4, 4), 2, stride=0), "`stride` 0 is out of range"),
    ):
        with pytest.raises(UserError, match=words):
            places.check()
    states = (jnp.zeros((1, 16)), jnp.zeros((1, 8)))
    with pytest.raises(UserError, match="`clamp` holds hidden units that are pooled"):
        machine(POOLED).update(jax.random.key(0), states, 1, clamp=(None, jnp.ones(8, bool)))


@pytest.mark.slow
def test_a_new_one_is_at_the_base_rates():
    new = conv_rbm(jax.random.key(0), 3, FOUR, jnp.linspace(0.1, 0.9, 16))
    np.testing.assert_allclose(jax.nn.sigmoid(new.visible_biases), np.linspace(0.1, 0.9, 16), atol=1e-5)
    assert new.weights.shape == (3, 3, 3)
    assert conv_rbm(jax.random.key(0), 3, FOUR, jnp.full(16, 0.3), True).visible_biases.shape == (1,)
    assert "3 filters of 3 at 2 x 2" in repr(new)
