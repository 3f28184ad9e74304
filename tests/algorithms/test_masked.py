"""The masked process on nine pixels, against every order and every image."""

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from genjax.algorithms.denoiser import Denoiser, Range
from genjax.algorithms.masked import Masked, turns, unmask
from genjax.evaluation.orders import orders
from genjax.typing import Batch

SIDE, PIXELS = 3, 9
IMAGES = ((np.arange(2**PIXELS)[:, None] >> np.arange(PIXELS)) & 1).astype(np.float32)
SIGMAS = 5.0  # missed by a right program once in 1.7 million


@pytest.fixture(name="model", scope="module")
def model_fixture() -> Denoiser:
    """Whose weights are large, so that pixels depend on each other, and orders differ."""
    process, shape = Masked(layers=(12,), channels=()), (SIDE, SIDE, 1)
    network = process.network(shape)
    parameters = process.first(jax.random.key(0), network, shape, jnp.full(PIXELS, 0.4))
    parameters = jax.tree.map(lambda leaf: 2.5 * leaf, parameters)
    one = jnp.ones(())
    return Denoiser(parameters, Range(one, one, one, one), network, process, shape)


@pytest.fixture(name="conditionals", scope="module")
def conditionals_fixture(model) -> np.ndarray:
    """log p(x_k | the pixels of a set), `(sets, images, pixels)` float64; a set is a number whose bits are pixels."""
    every = jax.jit(jax.vmap(lambda shown: model(jnp.asarray(IMAGES), jnp.broadcast_to(~shown, IMAGES.shape))))
    logits = np.asarray(every(jnp.asarray(IMAGES, bool)), np.float64)
    return logits * IMAGES - np.logaddexp(0, logits)


def weigh(conditionals: np.ndarray, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Over all orders of the pixels outside `start`: log of the mean of p(x in that order), and the mean of log p.

    Both by dynamic programming over sets: an order goes through sets that grow by a pixel, each next one as likely.
    """
    p, mean = {start: np.ones(len(IMAGES))}, {start: np.zeros(len(IMAGES))}
    full = 2**PIXELS - 1
    for size in range(start.bit_count(), PIXELS):
        level = [s for s in p if s.bit_count() == size]
        paths = 1 / (PIXELS - size)
        reached = {s: math.comb(PIXELS - start.bit_count(), size - start.bit_count()) for s in level}
        for s in level:
            for k in (k for k in range(PIXELS) if not s >> k & 1):
                larger, own = s | 1 << k, conditionals[s, :, k]
                p[larger] = p.get(larger, 0.0) + paths * p[s] * np.exp(own)
                mean[larger] = mean.get(larger, 0.0) + paths * (mean[s] + own / reached[s])
    return np.log(p[full]), mean[full]


def test_orders_by_sets_are_orders_by_hand(conditionals):
    """Of the last four pixels, whose 24 orders can be listed."""
    start = 0b11111
    each = []
    for order in itertools.permutations(range(5, PIXELS)):
        shown, total = start, np.zeros(len(IMAGES))
        for k in order:
            total += conditionals[shown, :, k]
            shown |= 1 << k
        each.append(total)
    exact, bound = weigh(conditionals, start)
    np.testing.assert_allclose(exact, np.log(np.mean(np.exp(each), 0)), rtol=1e-9)
    np.testing.assert_allclose(bound, np.mean(each, 0), rtol=1e-9)


def test_the_mixture_of_all_orders_sums_to_one_and_the_bound_lies_below_it(conditionals):
    exact, bound = weigh(conditionals)
    assert abs(np.exp(exact).sum() - 1) < 1e-5
    assert np.all(bound < exact)
    assert np.mean(exact - bound) > 0.01  # there is something to be missed


def test_the_interval_of_the_bound_holds(model, conditionals):
    """Of all images together and of each; a weight of D / m in place of (D + 1) / m would be noticed."""
    bound = weigh(conditionals)[1]
    answer = orders(jax.random.key(1), model, masks=256)
    scores: Any = answer.score(Batch(jnp.asarray(IMAGES)))
    estimate = answer.estimate(scores)
    assert estimate.kind == "lower_bound"
    assert estimate.trusted
    assert abs(estimate.mean - bound.mean()) < SIGMAS * estimate.standard_error
    assert abs(0.9 * estimate.mean - bound.mean()) > SIGMAS * estimate.standard_error
    z = (scores - bound) / scores.errors
    freedom = scores.sets - 1
    spread = np.mean(z**2) * (freedom - 2) / freedom  # of Student's t
    assert abs(spread - 1) < SIGMAS * math.sqrt(2 / len(z)) * 1.5
    few = answer.estimate(scores[:100])
    assert few.low < few.mean < few.high
    assert abs(few.mean - bound[:100].mean()) < SIGMAS * few.standard_error


def frequencies(drawn: jnp.ndarray) -> np.ndarray:
    """How often each of all images was drawn."""
    return np.bincount(np.asarray(drawn).astype(int) @ (1 << np.arange(PIXELS)), minlength=2**PIXELS)


def refuted(counts: np.ndarray, p: np.ndarray) -> bool:
    """By a chi-squared test at 1e-6, rare images taken together."""
    expected = counts.sum() * p / p.sum()
    rare = expected < 5
    pairs = [(counts[~rare], expected[~rare]), (counts[rare].sum(), max(expected[rare].sum(), 1e-9))]
    statistic = sum(np.sum((c - e) ** 2 / e) for c, e in pairs)
    return bool(statistic > chi2.isf(1e-6, np.sum(~rare)))


def test_unmasking_draws_the_mixture_of_all_orders(model, conditionals):
    """One pixel a step; all pixels at once are another distribution, which the same test refutes."""
    exact = np.exp(weigh(conditionals)[0])
    draw = jax.jit(unmask, static_argnames="steps")
    x = jnp.zeros((40_000, PIXELS))
    hidden = jnp.ones(x.shape, bool)
    assert not refuted(frequencies(draw(jax.random.key(2), model, x, hidden)), exact)
    assert refuted(frequencies(draw(jax.random.key(2), model, x, hidden, steps=1)), exact)


def test_completions_are_drawn_given_the_rest(model, conditionals):
    """By orders that begin with what is given."""
    missing = np.arange(PIXELS) >= 5
    given = np.array([1, 0, 1, 1, 0], np.float32)
    fits = np.all(IMAGES[:, :5] == given, 1)
    exact = np.where(fits, np.exp(weigh(conditionals, 0b11111)[0]), 0.0)
    x = jnp.where(missing, 7.0, jnp.pad(jnp.asarray(given), (0, 4)))  # what stands in a hole is not read
    drawn = jax.jit(model.process.complete)(
        jax.random.key(3), model, jnp.broadcast_to(x, (20_000, PIXELS)), jnp.broadcast_to(missing, (20_000, PIXELS))
    )
    counts = frequencies(drawn)
    assert counts[fits].sum() == 20_000
    assert not refuted(counts, exact)


def test_every_missing_value_has_its_turn():
    missing = jnp.asarray(np.random.default_rng(0).random((50, 12)) < 0.6)
    for steps in (1, 3, 12):
        turn = np.asarray(turns(jax.random.key(0), missing, jnp.asarray(steps)))
        assert np.array_equal(turn >= 0, missing)
        for row, count in zip(turn, np.asarray(missing.sum(-1)), strict=True):
            each = np.bincount(row[row >= 0], minlength=steps)
            assert each[: min(steps, count)].max() - each[: min(steps, count)].min() <= 1
            assert each[min(steps, count) :].sum() == 0
