"""The RBM of ratings against the same machine written out in float64, all its states enumerated."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms.recommender import (
    LOADINGS,
    MEANS,
    RecommenderConfig,
    a_rating,
    gradient,
    negative_phase,
    prediction_errors,
    pseudo_gradient,
    recommender,
    trained_machine,
    with_prior,
)
from genjax.boltzmann.rating import (
    Offset,
    RatingMachine,
    draw_offsets,
    draw_ratings,
    energy,
    hidden_fields,
    predict,
    rating_fields,
)
from genjax.data import ratings, tastes
from genjax.data.ratings import WITHHELD
from genjax.training import loop
from genjax.training.config import split
from tests.algorithms.configs import made

ITEMS, LEVELS, HIDDEN = 4, 3, 2
USER = np.array([2.0, 0.0, WITHHELD, 1.0])  # items 0 and 3 rated, item 2 rated but withheld
SETTINGS = [(False, False), (True, False), (True, True)]


def machine_of(conditional=False, withheld=False, seed=0) -> RatingMachine:
    """With an offset where it is not conditional."""
    rng = np.random.default_rng(seed)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    weights, biases, hidden = draw(ITEMS, LEVELS, HIDDEN), draw(ITEMS, LEVELS), draw(HIDDEN)
    if conditional:
        return RatingMachine(weights, biases, hidden, draw(ITEMS, HIDDEN), withheld)
    return RatingMachine(weights, biases, hidden, None, withheld, Offset(draw(ITEMS), draw(ITEMS), jnp.float32(0.7)))


def seen(machine: RatingMachine, x: np.ndarray) -> np.ndarray:
    """Which items the machine knows to be rated, by the definition of each kind."""
    return (x != 0) if machine.withheld else (x >= 1)


def table(machine: RatingMachine, items: list[int], r: np.ndarray, a: float | None = None) -> dict:
    """log of the unnormalised p(levels of these items, hidden units), in float64, term by term; with an offset `a`, or
    over all of them."""
    w, b, c = (np.asarray(a, np.float64) for a in (machine.weights, machine.biases, machine.hidden_biases))
    d = np.zeros((ITEMS, HIDDEN)) if machine.implicit is None else np.asarray(machine.implicit, np.float64)
    entries = {}
    for v in itertools.product(range(LEVELS), repeat=len(items)):
        for h in itertools.product((0, 1), repeat=HIDDEN):
            total = 0.0
            for item, level in zip(items, v):
                total += b[item, level] + sum(h[j] * w[item, level, j] for j in range(HIDDEN))
            for j in range(HIDDEN):
                total += h[j] * (c[j] + sum(r[item] * d[item, j] for item in range(ITEMS)))
            entries[v, h] = total + (0 if machine.offset is None else of_offset(machine.offset, items, v, a))
    return entries


def of_offset(offset: Offset, items: list[int], v: tuple[int, ...], a: float | None) -> float:
    m, t, s = (np.asarray(x, np.float64) for x in (offset.means, offset.loadings, offset.spacing))
    z = [s * (level - (LEVELS - 1) / 2) for level in v]
    pull = sum(t[item] * (z[n] - m[item]) for n, item in enumerate(items))
    precision = 1 + sum(t[item] ** 2 for item in items)
    total = float(sum(m[item] * z[n] for n, item in enumerate(items)))
    return total + (pull**2 / (2 * precision) - np.log(precision) / 2 if a is None else a * pull - a**2 * precision / 2)


def log_sum(values) -> float:
    return float(np.logaddexp.reduce(np.array(list(values))))


def row(x=USER) -> jnp.ndarray:
    return jnp.asarray(x, jnp.float32)[None]


@pytest.mark.parametrize(("conditional", "withheld"), SETTINGS)
def test_conditionals_and_energy_are_those_of_the_enumerated_machine(conditional, withheld):
    machine = machine_of(conditional, withheld)
    entries = table(machine, [0, 3], seen(machine, USER))
    given = {h: value for (v, h), value in entries.items() if v == (1, 0)}  # USER's levels 2 and 1, from 0
    hidden = np.array([np.exp(log_sum(v for h, v in given.items() if h[j]) - log_sum(given.values())) for j in (0, 1)])
    np.testing.assert_allclose(jax.nn.sigmoid(hidden_fields(machine, row()))[0], hidden, atol=1e-6)
    for h in itertools.product((0, 1), repeat=HIDDEN):
        state = jnp.asarray(h, jnp.float32)[None]
        assert float(energy(machine, row(), state)[0]) == pytest.approx(-entries[(1, 0), h], abs=1e-5)
        chance = jax.nn.softmax(rating_fields(machine, state, jnp.array([0.4])))[0]
        given_both = table(machine, [0, 3], seen(machine, USER), a=0.4)
        below = {v: value for (v, other), value in given_both.items() if other == h}
        for place, item in enumerate((0, 3)):
            exact = [log_sum(x for v, x in below.items() if v[place] == k) for k in range(LEVELS)]
            np.testing.assert_allclose(chance[item], np.exp(exact - np.logaddexp.reduce(exact)), atol=1e-6)


@pytest.mark.parametrize(("conditional", "withheld"), SETTINGS)
@pytest.mark.parametrize("item", range(ITEMS))
def test_predictions_are_the_conditional_probabilities(conditional, withheld, item):
    """Of an unrated, a withheld and a rated item; the last from the user's other ratings alone."""
    machine = machine_of(conditional, withheld)
    others = [i for i in (0, 3) if i != item]
    entries = table(machine, [item, *others], seen(machine, USER))
    right = tuple(int(USER[i]) - 1 for i in others)
    exact = np.array([log_sum(x for (v, _), x in entries.items() if v == (k, *right)) for k in range(LEVELS)])
    exact -= np.logaddexp.reduce(exact)
    np.testing.assert_allclose(predict(machine, row(), jnp.array([0]), jnp.array([item]))[0], exact, atol=2e-6)


def exact_log_likelihood(weights: list[np.ndarray], machine: RatingMachine) -> float:
    changed = jax.tree.unflatten(jax.tree.structure(machine), weights)
    entries = table(changed, [0, 3], seen(machine, USER))
    return log_sum(v for (x, _), v in entries.items() if x == (1, 0)) - log_sum(entries.values())


@pytest.mark.parametrize(("conditional", "withheld"), SETTINGS)
def test_the_gradient_is_that_of_the_likelihood(conditional, withheld):
    """With the negative phase replaced by the exact model distribution; against differences in float64."""
    machine = machine_of(conditional, withheld)
    entries = table(machine, [0, 3], seen(machine, USER))
    chance = {v: np.exp(log_sum(x for (w, _), x in entries.items() if w == v) - log_sum(entries.values()))
              for v in itertools.product(range(LEVELS), repeat=2)}  # fmt: skip

    def phase(x):
        return x, jax.nn.sigmoid(hidden_fields(machine, x))

    total = jax.tree.map(jnp.zeros_like, machine)
    for levels, p in chance.items():
        model = USER.copy()
        model[[0, 3]] = np.array(levels) + 1
        part = gradient(machine, phase(row()), phase(row(model)))
        total = jax.tree.map(lambda a, b, p=p: a + p * b, total, part)
    arrays = [np.asarray(x, np.float64) for x in jax.tree.leaves(machine)]
    for number, (array, slope) in enumerate(zip(arrays, jax.tree.leaves(total))):
        for place in np.ndindex(array.shape):
            sides = []
            for step in (1e-5, -1e-5):
                moved = [x.copy() for x in arrays]
                moved[number][place] += step
                sides.append(exact_log_likelihood(moved, machine))
            assert float(slope[place]) == pytest.approx(-(sides[0] - sides[1]) / 2e-5, abs=3e-6)


@pytest.mark.parametrize(("conditional", "withheld"), SETTINGS)
def test_the_pseudo_gradient_is_that_of_the_predictions(conditional, withheld):
    """Predictions are tested against enumeration above; of four items all are drawn, and unrated ones do not count."""
    machine, x = machine_of(conditional, withheld), jnp.asarray([USER, [0, 3, -2, 0]], jnp.float32)
    users, items, levels = (jnp.array(column) for column in ([0, 0, 1], [0, 3, 1], [1, 0, 2]))

    def loss(machine):
        log_p = predict(machine, x, users, items)
        return -jnp.sum(log_p[jnp.arange(3), levels]) / 2  # two users

    exact = jax.jit(jax.grad(loss))(machine)
    for a, b in zip(jax.tree.leaves(jax.jit(pseudo_gradient)(jax.random.key(0), machine, x)), jax.tree.leaves(exact)):
        np.testing.assert_allclose(a, b, atol=2e-6)


@pytest.mark.slow
def test_the_pseudo_gradient_of_a_part_is_unbiased():
    """A user with more ratings than are drawn: the mean over draws is the slope over all of them."""
    rated, _ = tastes.generate(0, users=4, items=64, density=0.8)
    x = jnp.asarray(ratings.split(rated).train)
    config = made(RecommenderConfig, hidden=2)
    example = loop.Example(loop.Batch(x, jnp.zeros(4, int)), x.mean(0), x.var(0))
    state = jax.jit(recommender(config).init)(jax.random.key(0), example, split(config, 1)[1])
    users, items = jnp.nonzero(x >= 1)
    assert np.all(np.bincount(users) > 32)

    def loss(machine):
        return -jnp.sum(predict(machine, x, users, items)[jnp.arange(len(users)), x[users, items].astype(int) - 1]) / 4

    exact = jax.jit(jax.grad(loss))(state.machine).biases
    keys = jax.random.split(jax.random.key(1), 400)
    slopes = jax.jit(jax.vmap(pseudo_gradient, (0, None, None)))(keys, state.machine, x).biases
    error = np.asarray(slopes.std(0) / np.sqrt(400))
    assert np.all(np.abs(slopes.mean(0) - exact) < 6.5 * error + 1e-5)  # 320 numbers: 1e-6 / 320 each
    assert error.max() > 0


@pytest.mark.slow
@pytest.mark.parametrize("conditional", [True, False])
def test_the_negative_phase_samples_the_users_own_machine(conditional):
    """Long chains of one user: every pair of levels as often as the enumerated machine has it; the rest untouched."""
    machine, count = machine_of(conditional, conditional), 40_000
    machine = dataclasses.replace(machine, weights=2 * machine.weights)
    x = jnp.tile(row(), (count, 1))
    run = jax.jit(negative_phase, static_argnums=4)
    drawn, hidden = run(jax.random.key(0), machine, x, hidden_fields(machine, x), 40)
    assert np.all(np.asarray(drawn)[:, 1] == 0)
    assert np.all(np.asarray(drawn)[:, 2] == np.float32(WITHHELD))
    np.testing.assert_allclose(hidden, jax.nn.sigmoid(hidden_fields(machine, drawn)), atol=1e-6)
    entries = table(machine, [0, 3], seen(machine, USER))
    p = np.zeros((LEVELS, LEVELS))
    for (v, _), value in entries.items():
        p[v] += np.exp(value - log_sum(entries.values()))
    counts = np.zeros((LEVELS, LEVELS))
    np.add.at(counts, tuple(np.asarray(drawn)[:, [0, 3]].astype(int).T - 1), 1)

    def chi_square(p):
        return np.sum((counts - count * p) ** 2 / (count * p))

    assert chi_square(p) < 43  # 8 degrees of freedom: exceeded once in 1e6
    independent = p.sum(1, keepdims=True) * p.sum(0, keepdims=True)
    assert chi_square(independent) > 100  # a sampler that forgets the hidden units would be caught


def test_levels_are_drawn_as_their_probabilities_say_and_never_outside():
    machine = machine_of()
    hidden = jnp.tile(jnp.array([[1.0, 0.0]]), (30_000, 1))
    where = jnp.tile(jnp.array([[True, False, True, True]]), (30_000, 1))
    drawn = np.asarray(draw_ratings(jax.random.key(1), machine, hidden, where))
    assert np.all(drawn[:, 1] == 0)
    chance = np.asarray(jax.nn.softmax(rating_fields(machine, hidden[:1]))[0], np.float64)
    for item in (0, 2, 3):
        counts = np.bincount(drawn[:, item].astype(int), minlength=LEVELS + 1)
        assert counts[0] == 0
        assert np.sum((counts[1:] - 30_000 * chance[item]) ** 2 / (30_000 * chance[item])) < 28  # 2 degrees, 1e-6
    extreme = dataclasses.replace(machine, biases=jnp.array([[0.0, 0.0, 1e4]] * ITEMS))
    assert np.all(np.asarray(draw_ratings(jax.random.key(2), extreme, hidden, where))[:, 0] == LEVELS)


def test_what_is_missing_changes_nothing():
    """Items that a user did not rate: their parameters get no slope from him and their values no say."""
    machine = machine_of(True)
    x = jnp.tile(row(), (20, 1))

    def phase(x):
        return x, jax.nn.sigmoid(hidden_fields(machine, x))

    drawn = negative_phase(jax.random.key(0), machine, x, hidden_fields(machine, x), 3)
    slope = gradient(machine, phase(x), drawn)
    for part in (slope.weights, slope.biases, slope.implicit):
        assert np.all(np.asarray(part)[[1, 2]] == 0)
    assert np.any(np.asarray(slope.weights)[[0, 3]] != 0)
    other = dataclasses.replace(machine, weights=machine.weights.at[1].add(9.0), biases=machine.biases.at[1].add(9.0))
    np.testing.assert_array_equal(hidden_fields(other, x), hidden_fields(machine, x))
    again = negative_phase(jax.random.key(0), other, x, hidden_fields(other, x), 3)
    np.testing.assert_array_equal(again[0], drawn[0])


def test_an_empty_user_is_harmless_and_predicted_by_the_hidden_prior():
    machine = machine_of()
    empty = row(np.zeros(ITEMS))
    entries = table(machine, [2], np.zeros(ITEMS))
    exact = np.array([log_sum(x for (v, _), x in entries.items() if v == (k,)) for k in range(LEVELS)])
    exact -= np.logaddexp.reduce(exact)
    np.testing.assert_allclose(predict(machine, empty, jnp.array([0]), jnp.array([2]))[0], exact, atol=1e-6)


def test_the_offset_is_a_shrunk_bias():
    """With equal loadings: the mean deviation as if 1 / t^2 ratings more were at the mean, and as sure as their number.

    In levels from the columns' means, by many draws.
    """
    means, t, s = np.array([0.5, -0.2, 0.1, 0.3]), 0.5, 0.7
    offset = Offset(jnp.asarray(means, jnp.float32), jnp.full(ITEMS, t), jnp.float32(s))
    machine = dataclasses.replace(machine_of(), offset=offset)
    drawn = np.asarray(draw_offsets(jax.random.key(0), machine, jnp.tile(row(), (20_000, 1)))) * t / s
    deviations = USER[[0, 3]] - (LEVELS + 1) / 2 - means[[0, 3]] / s
    expected, spread = deviations.sum() / (2 + 1 / t**2), 1 / s / np.sqrt(2 + 1 / t**2)
    assert abs(drawn.mean() - expected) < 5 * spread / np.sqrt(20_000)
    assert abs(drawn.std() / spread - 1) < 5 / np.sqrt(2 * 20_000)


def test_the_prior_of_an_offset_and_of_its_biases():
    machine, rows = machine_of(), 7
    slope = with_prior(jax.tree.map(jnp.zeros_like, machine), machine, jnp.asarray(0.3), jnp.asarray(0.7), rows)

    def prior(machine):
        offset, biases = machine.offset, machine.biases - jax.lax.stop_gradient(machine.biases.mean(0))
        bend = jnp.diff(biases, n=2, axis=1)
        held = offset.loadings - jax.lax.stop_gradient(offset.loadings.mean())
        total = 0.3 * jnp.sum(biases**2) + 0.7 * jnp.sum(bend**2)
        return (total + MEANS * jnp.sum(offset.means**2) + LOADINGS * jnp.sum(held**2)) / (2 * rows)

    exact = jax.grad(prior)(machine)
    assert slope.offset is not None
    np.testing.assert_allclose(slope.biases, exact.biases, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(slope.offset.means, exact.offset.means, rtol=1e-5)
    np.testing.assert_allclose(slope.offset.loadings, exact.offset.loadings, rtol=1e-4, atol=1e-6)
    assert float(slope.offset.spacing) == 0


def test_data_and_prior_are_divided_alike():
    machine, share = machine_of(True), jnp.array([0.5, 0.001, 1.0, 0.1])
    slope = with_prior(jax.tree.map(jnp.zeros_like, machine), machine, jnp.asarray(0.3), jnp.asarray(0.0))
    np.testing.assert_allclose(slope.weights, 0.3 * machine.weights, rtol=1e-6)
    np.testing.assert_allclose(slope.biases, 0.3 * (machine.biases - machine.biases.mean(0)), rtol=1e-5, atol=1e-7)
    bent = with_prior(jax.tree.map(jnp.zeros_like, machine), machine, jnp.asarray(0.0), jnp.asarray(0.7)).weights
    by_definition = jax.grad(lambda w: 0.35 * jnp.sum((w[:, 0] - 2 * w[:, 1] + w[:, 2]) ** 2))(machine.weights)
    np.testing.assert_allclose(bent, by_definition, atol=1e-5)
    divided = a_rating(slope, share, 0.01)
    scale = np.array([2.0, 100.0, 1.0, 10.0])
    for part in ("weights", "biases", "implicit"):
        before, after = (np.asarray(getattr(s, part)).reshape(ITEMS, -1) for s in (slope, divided))
        np.testing.assert_allclose(after, scale[:, None] * before, rtol=1e-6)


def test_the_learning_curves_errors_by_hand():
    """Fewer ratings than the limit, so all of them count."""
    machine = machine_of()
    x = np.array([[2, -1, 3, 0], [0, -3, -2, 1]], np.float32)
    algorithm = recommender(made(RecommenderConfig, hidden=HIDDEN), values=(1.0, 2.0, 4.0))
    example = loop.Example(loop.Batch(jnp.asarray(x), jnp.zeros(2, int)), jnp.zeros(ITEMS), jnp.zeros(ITEMS))
    _, hyper = split(RecommenderConfig(), 10)
    state = jax.jit(algorithm.init)(jax.random.key(0), example, hyper)._replace(machine=machine, average=machine)
    values = np.array([1.0, 2.0, 4.0])
    places = [(0, 1, 1.0), (1, 1, 4.0), (1, 2, 2.0)]
    guesses = [
        float(np.exp(predict(machine, jnp.asarray(x), jnp.array([u]), jnp.array([i]))[0]) @ values)
        for u, i, _ in places
    ]
    errors = np.array(guesses) - [value for *_, value in places]
    got = jax.jit(prediction_errors, static_argnums=4)(
        jax.random.key(1), state, jnp.asarray(x), jnp.asarray(x <= -1), "held_out_"
    )
    assert float(got["held_out_rmse"]) == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-5)
    assert float(got["held_out_mae"]) == pytest.approx(np.mean(np.abs(errors)), rel=1e-5)


@pytest.mark.slow
def test_sweeps_rise_evenly_over_the_run_and_devices_share_one_machine():
    config, hyper = split(made(RecommenderConfig, hidden=3, objective="cd", k=2, k_end=4), 30)
    rated, _ = tastes.generate(0, users=40, items=8)
    x = jnp.asarray(ratings.split(rated).train)
    batch = loop.Batch(x, jnp.zeros(40, jnp.int32))
    example = loop.Example(batch, x.mean(0), x.var(0))
    algorithm = recommender(config)
    state = jax.jit(algorithm.init)(jax.random.key(0), example, hyper)
    step = jax.jit(algorithm.step)
    sweeps = [int(step(jax.random.key(1), state._replace(step=jnp.asarray(n)), batch)[1]["sweeps"]) for n in range(31)]
    assert sweeps == [2] * 10 + [3] * 10 + [4] * 11
    spread = recommender(config, axis_name="devices")
    halves = jax.tree.map(lambda a: a.reshape(2, 20, *a.shape[1:]), batch)
    new, _ = jax.jit(jax.vmap(spread.step, (None, None, 0), axis_name="devices"))(jax.random.key(1), state, halves)
    for leaf in jax.tree.leaves(trained_machine(new)):
        np.testing.assert_array_equal(leaf[0], leaf[1])
    np.testing.assert_allclose(new.share[0], np.mean(np.asarray(x) >= 1, axis=0), atol=1e-6)
