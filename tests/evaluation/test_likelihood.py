"""Likelihoods of machines against enumeration, from the training mean alone; what is estimated, and what is refused."""

import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import pretrained
from genjax.boltzmann.machine import Machine
from genjax.boltzmann.semi_restricted import SemiRestricted
from genjax.boltzmann.units import BERNOULLI, SPIN, Categorical
from genjax.evaluation.likelihood import (
    answer_of,
    boltzmann,
    pseudo,
    refuted_by_states,
    report,
    sides,
    tightness,
)
from genjax.likelihood import exact, partition
from genjax.likelihood.bidirectional import Bracket
from genjax.likelihood.estimate import both_from_numbers, exact_log_z, plain
from genjax.likelihood.partition import visible_mean
from genjax.typing import Batch, Estimate
from tests.machines import all_states, energies, exact_draws, log_sum_exp, random_machine

AIS = Estimate(2.0, 1.9, 2.1, 0.05, float("nan"), "estimate", "AIS", True, "enough")


def batch_of(count: int, size: int, seed: int = 0) -> Batch:
    return Batch(jnp.asarray(np.random.default_rng(seed).integers(0, 2, (count, size)), jnp.float32))


def log_p(machine: Machine, x: np.ndarray) -> np.ndarray:
    """By brute force: the sum over all states that begin with x, less log Z."""
    states = all_states(machine.sizes)
    values = -energies(machine, states)
    match = [np.all(states[0] == row, axis=1) for row in np.asarray(x)]
    return np.array([log_sum_exp(values[rows]) for rows in match]) - log_sum_exp(values)


def test_scores_are_log_p_and_their_mean_is_exact():
    machine, batch = random_machine((5, 4)), batch_of(40, 5)
    answer = boltzmann(jax.random.key(0), machine, np.full(5, 0.5))
    scores = answer.score(batch)
    np.testing.assert_allclose(scores, log_p(machine, batch.x), atol=1e-5)
    assert scores.dtype == np.float64
    mean = answer.estimate(scores)
    assert (mean.kind, mean.low, mean.high, mean.standard_error) == ("exact", mean.mean, mean.mean, 0.0)
    assert mean.mean == pytest.approx(scores.mean())
    assert mean.examples_se == pytest.approx(scores.std(ddof=1) / np.sqrt(40))
    assert answer.log_z is not None
    assert answer.log_z[1] is None
    found, kept = report(answer, batch, batch)
    assert "bracket" not in found
    assert found["log_likelihood"]["train"] == mean
    np.testing.assert_array_equal(kept["test"], scores)
    assert sides(mean, answer.log_z) == (mean.mean, mean.mean)
    assert boltzmann(jax.random.key(0), machine, np.full(5, 0.5), known=(AIS, None)).log_z == (AIS, None)


@pytest.mark.slow
def test_ais_from_the_mean_alone(monkeypatch):
    """No chains and no images: both sides are right, and the same mean gives the same numbers."""
    machine, batch = random_machine((9, 7), 1.0, seed=2), batch_of(100, 9)
    truth = exact.log_z(machine)
    monkeypatch.setattr(partition, "EXACT_STATES", 0)
    monkeypatch.setattr(partition, "FRESH_SWEEPS", 500)
    said = []
    first, again = (
        boltzmann(jax.random.key(0), machine, mean, temperatures=100, ais_chains=200, progress=said.append)
        for mean in (np.full(9, 0.5), jnp.full(9, 0.5))
    )
    assert first.log_z is not None
    assert again.log_z is not None
    for side in first.log_z:
        assert side is not None
        assert abs(side.mean - truth) < 5.5 * side.standard_error < 0.2
    assert [side.mean for side in first.log_z] == [side.mean for side in again.log_z]
    assert said[: len(said) // 2] == sorted(said[: len(said) // 2])
    assert said[-1] == pytest.approx(1)
    found, _ = report(first, batch, batch)
    gap = abs(first.log_z[1].mean - first.log_z[0].mean)
    for split, mean in found["log_likelihood"].items():
        low, high = found["bracket"][split]
        assert low - 0.05 <= log_p(machine, batch.x).mean() <= high + 0.05
        assert mean.mean in (low, high)
        assert high - low == pytest.approx(gap)
    assert both_from_numbers(plain(found)["log_z"])[1].mean == first.log_z[1].mean


def test_reverse_ais_begins_at_chains_if_there_are_enough(monkeypatch):
    machine = random_machine((6, 5))
    monkeypatch.setattr(partition, "EXACT_STATES", 0)
    monkeypatch.setattr(partition, "FRESH_SWEEPS", 100)
    given = []

    def recorded(key, machine, images, start, *args, **options):
        given.append((np.asarray(images), start))
        return Bracket(AIS, AIS)

    monkeypatch.setattr(partition, "both_sides", recorded)
    monkeypatch.setattr(partition, "judged", lambda found, strangers: found)
    mean, draws = np.linspace(0.1, 0.6, 6), exact_draws(machine, 150)
    few = tuple(x[:20] for x in draws)
    for chains in (draws, few, None):
        boltzmann(jax.random.key(0), machine, mean, chains, ais_chains=200)
    for images, _ in given:
        np.testing.assert_allclose(images, mean[None].astype(np.float32))
    assert given[0][1] is draws
    for _, start in given[1:]:
        assert start[0].shape == (200, 6)
    np.testing.assert_array_equal(given[1][1][0], given[2][1][0])


def test_a_deep_machines_scores_are_bounds():
    machine, batch = random_machine((4, 3, 3), 1.5), batch_of(30, 4)
    answer = boltzmann(jax.random.key(0), machine, np.full(4, 0.5))
    scores, truth = answer.score(batch), log_p(machine, batch.x)
    assert (scores <= truth + 1e-5).all()
    mean = answer.estimate(scores)
    assert mean.kind == "lower_bound"
    assert mean.estimator.startswith("mean-field bound and enumeration")
    found = tightness(jax.random.key(0), machine, batch, images=2)
    assert found is not None
    gap = found["gap"]
    assert abs(gap.mean - (truth - scores)[:2].mean()) < 5.5 * gap.standard_error + 1e-4
    assert pseudo(jax.random.key(0), machine, batch) is None
    flat = random_machine((4, 3))
    assert tightness(jax.random.key(0), flat, batch) is None
    answers = pseudo(jax.random.key(0), flat, batch)
    assert answers is not None
    assert abs(answers["exact"].mean - answers["one_pixel"].mean) < 5.5 * answers["one_pixel"].standard_error
    assert answers["exact"].kind == "exact"


def test_examples_that_add_up_to_more_refute_log_z():
    machine = random_machine((5, 4))
    every = Batch(jnp.asarray(list(itertools.product((0.0, 1.0), repeat=5)), jnp.float32))
    twice = Batch(jnp.concatenate([every.x, every.x]))
    truth = exact.log_z(machine)
    for offset, trusted in ((0.0, True), (-0.5, False)):
        log_z = AIS._replace(mean=truth + offset, low=truth + offset - 0.1, high=truth + offset + 0.1)
        answer = answer_of(machine, (log_z, None))
        batches = {"test": every, "train": twice}
        scores = {name: answer.score(batch) for name, batch in batches.items()}
        checked = refuted_by_states(machine, answer, batches, scores)
        assert checked.log_z is not None
        assert checked.log_z[0].trusted == trusted
        assert checked.estimate(scores["test"]).trusted == trusted
    ideal = answer_of(machine, (exact_log_z(truth, "enumeration"), None))
    assert refuted_by_states(machine, ideal, {"test": every}, {"test": ideal.score(every)}).log_z[0].trusted


def test_the_mean_in_the_units_own_values():
    mean = np.array([0.0, 0.02, 0.5, 0.9, 1.0], np.float32)
    np.testing.assert_array_equal(visible_mean(BERNOULLI, mean), mean)
    np.testing.assert_allclose(visible_mean(SPIN, mean), 2 * mean - 1)
    grey = Categorical(8)
    shares = np.asarray(visible_mean(grey, mean)).reshape(5, 8)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(grey.intensities(jnp.asarray(shares.reshape(-1))), mean, atol=2e-3)
    np.testing.assert_allclose(shares[2], 1 / 8, atol=1e-4)


def test_the_numbers_of_shipped_machines_are_read():
    import json

    for name in pretrained.names():
        content = json.loads((Path(pretrained.folder(name)) / "evaluation.json").read_text())
        forward, reverse = both_from_numbers(content["log_z"])
        assert forward.mean == content["log_z"]["mean"]
        assert np.isnan(forward.examples_se)
        assert reverse is not None
        assert reverse.standard_error == content["log_z"]["reverse"]["standard_error"]


def test_a_machine_with_other_connections_is_answered_alike(monkeypatch):
    """Lateral connections among the visible units: log p by brute force, and where its path and its chains begin."""
    rng = np.random.default_rng(0)
    parts = [jnp.asarray(rng.normal(0, 0.5, shape), jnp.float32) for shape in ((4, 3), (4, 4), 4, 3)]
    machine = SemiRestricted(*parts)
    every = Batch(jnp.asarray(all_states((4,))[0], jnp.float32))
    values = np.asarray(machine.marginal((every.x, None), 1), np.float64)
    given = []

    def recorded(key, machine, images, start, *args, **options):
        given.append((np.asarray(images), start))
        return Bracket(*[AIS._replace(mean=log_sum_exp(values))] * 2)

    monkeypatch.setattr(partition, "long_run", lambda key, machine, start, *args: start)
    monkeypatch.setattr(partition, "both_sides", recorded)
    monkeypatch.setattr(partition, "judged", lambda found, strangers: found)
    answer = boltzmann(jax.random.key(0), machine, np.full(4, 0.5), ais_chains=200)
    ((images, start),) = given
    np.testing.assert_array_equal(images, np.full((1, 4), 0.5))
    assert [x.shape for x in start] == [(200, 4), (200, 3)]
    scores = answer.score(every)
    np.testing.assert_allclose(np.logaddexp.reduce(scores), 0, atol=1e-5)
    np.testing.assert_allclose(scores, values - log_sum_exp(values), atol=1e-5)
    assert answer.estimate(scores).kind == "estimate"
