"""The Hopfield net through the front door: stored, retrieved, completed, scored, kept, varied."""

import itertools
from typing import Any

import numpy as np
import pytest

import genjax
from genjax.errors import UserError

SIDE = 3
RNG = np.random.default_rng(0)
IMAGES = np.where(RNG.random((3, SIDE, SIDE)) < 0.5, 1.0, 0.0).astype(np.float32)
FAR = (RNG.random((5, 10, 10)) < 0.5).astype(np.float32)
EVERY = np.array(list(itertools.product((0.0, 1.0), repeat=SIDE * SIDE)), np.float32).reshape(-1, SIDE, SIDE)
QUIET: dict[str, Any] = {"progress": False}


@pytest.fixture(scope="module", name="run")
def run_fixture():
    return genjax.fit(genjax.hopfield(), FAR, **QUIET)


def test_an_array_is_stored_whole(run):
    """None is set aside, one step is enough, and all are recalled from noise."""
    assert run.step == 1
    assert run.record.counts["train"] == 5
    stored = 0.5 * (np.asarray(run.parameters.patterns) + 1)
    assert {tuple(x) for x in stored} == {tuple(x.ravel()) for x in FAR}
    assert run.history["stable"][-1] == 1
    assert run.history["recalled"][-1] == 1
    noisy = np.where(np.random.default_rng(1).random(FAR.shape) < 0.15, 1 - FAR, FAR)
    np.testing.assert_array_equal(run.reconstruct(noisy), FAR)
    loud = FAR + np.random.default_rng(2).normal(scale=0.5, size=FAR.shape).astype(
        np.float32
    )  # a spin's deviation is 1
    np.testing.assert_array_equal(run.reconstruct(loud), FAR)


@pytest.mark.slow
def test_what_is_missing_is_retrieved_and_what_is_given_stays(run):
    hole = np.zeros((10, 10), bool)
    hole[6:] = True
    np.testing.assert_array_equal(run.reconstruct(FAR, hole), FAR)
    damaged = FAR[:1].copy()
    damaged[0, 0, 0] = 1 - damaged[0, 0, 0]
    assert run.reconstruct(damaged, hole)[0, 0, 0] == damaged[0, 0, 0]  # clamped, also where it is wrong
    np.testing.assert_array_equal(run.sample(2, given=FAR[1], missing=hole), FAR[[1, 1]])
    overlaps = run.encode(FAR)
    assert overlaps.shape == (5, 5)
    np.testing.assert_allclose(np.sort(overlaps, axis=1)[:, -1], 1.0, atol=1e-6)


@pytest.mark.slow
def test_samples_are_attractors(run):
    drawn = run.sample(6)
    assert drawn.shape == (6, 10, 10)
    np.testing.assert_array_equal(drawn, run.sample(6))
    np.testing.assert_array_equal(run.reconstruct(drawn), drawn)


@pytest.mark.slow
def test_the_energy_is_a_score():
    """log p = - beta E - log Z, exact for few spins: it sums to 1 over all states."""
    run = genjax.fit(genjax.hopfield(rule="hebbian", beta=1.7), IMAGES, **QUIET)
    scores = run.score_samples(EVERY)
    assert run.log_likelihood(IMAGES).kind == "exact"
    np.testing.assert_allclose(np.logaddexp.reduce(scores), 0.0, atol=1e-4)
    spins = 2 * EVERY.reshape(len(EVERY), -1) - 1
    stored = 2 * IMAGES.reshape(3, -1) - 1
    energies = -0.5 * ((spins @ stored.T) ** 2).sum(1) / SIDE**2
    differences = scores + 1.7 * energies
    np.testing.assert_allclose(differences, differences[0], atol=1e-4)


@pytest.mark.slow
def test_it_is_saved_loaded_and_added_to(tmp_path, run):
    """Patterns that come later are added to the weights of those before; dense rules refuse that."""
    opened = genjax.load(run.save(tmp_path / "net").folder)
    np.testing.assert_array_equal(opened.sample(3), run.sample(3))
    first = genjax.fit(genjax.hopfield(), FAR[:3], **QUIET)
    both = genjax.fit(genjax.hopfield(), FAR[3:], start=first.parameters, **QUIET)
    np.testing.assert_allclose(both.parameters.net.weights, run.parameters.net.weights, atol=1e-5)
    with pytest.raises(UserError, match="stores all patterns at once"):
        genjax.fit(genjax.hopfield(rule="modern"), FAR[3:], start=first.parameters, **QUIET)


@pytest.mark.slow
def test_minus_one_and_one_come_back_as_they_are():
    run = genjax.fit(genjax.hopfield(dynamics="synchronous"), 2 * FAR - 1, **QUIET)
    assert run.parameters.signed
    np.testing.assert_array_equal(np.abs(run.parameters.patterns), 1)
    np.testing.assert_array_equal(run.reconstruct(2 * FAR - 1), 2 * FAR - 1)
    assert set(np.unique(run.sample(4))) == {-1.0, 1.0}


@pytest.mark.slow
def test_one_of_each_class_is_stored_and_a_grid_varies_the_rule():
    runs = genjax.grid(genjax.hopfield(), "digits", rule=["hebbian", "projection", "modern"], seeds=2, **QUIET)
    assert len(runs) == 6
    assert [run.config.rule.kind for run in runs[::2]] == ["hebbian", "projection", "modern"]
    for run in runs:
        assert np.asarray(run.parameters.labels).tolist() == list(range(10))
        assert run.parameters.patterns.shape == (10, 64)
    assert runs[0].history["stable"][-1] < 0.5  # digits are alike: outer products drown
    assert runs[2].history["stable"][-1] == runs[4].history["stable"][-1] == 1
    numbers = runs[2].evaluation(temperatures=100, ais_chains=50)
    assert numbers["recall"]["0.0"]["recalled"]["mean"] == 1
    shares = [numbers["from_random_states"][name]["mean"] for name in ("stored", "reversed", "spurious")]
    assert sum(shares) == pytest.approx(1)
    thermal = runs[2].sample(20, kernel=genjax.sampling.gibbs.GIBBS, sweeps=20)
    assert thermal.shape == (20, 8, 8)


@pytest.mark.slow
def test_grey_patterns_in_a_modern_net():
    """Real-valued patterns are retrieved by attention."""
    model = genjax.hopfield(rule="modern", sharpness=4.0, dynamics="saturating", per_class=1)
    run = genjax.fit(model, "digits", binarisation="none", **QUIET)
    stored = 0.5 * (np.asarray(run.parameters.patterns) + 1).reshape(-1, 8, 8)
    assert 0 < np.mean((stored > 0.05) & (stored < 0.95)) < 1
    assert np.abs(run.reconstruct(stored) - stored).max() < 0.05


@pytest.mark.parametrize(
    ("options", "run_options", "says"),
    [
        ({}, {"batch_size": 2}, "`batch_size` 2"),
        ({}, {"binarisation": "none"}, "takes binary values"),
        ({"rule": "saturated"}, {"one": True}, "at least two patterns"),
        ({}, {"many": True}, "leave nothing to be told apart"),
    ],
)
def test_what_does_not_go_together_is_refused_before_work(options, run_options, says):
    own = dict(run_options)
    x = FAR * 0.5 if "binarisation" in own else FAR[:1] if own.pop("one", False) else FAR
    x = np.tile(x, (40, 1, 1)) if own.pop("many", False) else x
    with pytest.raises(UserError, match=says):
        genjax.fit(genjax.hopfield(**options), x, **own, **QUIET)
