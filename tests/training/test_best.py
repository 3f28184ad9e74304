"""What was best on held-out examples, and whether the last is worse beyond noise."""

import jax.numpy as jnp
import numpy as np
import pytest

from genjax.training import best
from genjax.training.best import Tracker
from genjax.training.loop import Chunk
from genjax.typing import Measure

LOSS = (Measure("held_out_loss", higher=False),)


def entries(values, metric="held_out_loss"):
    return [{"step": 10 * (i + 1), metric: float(value)} for i, value in enumerate(values)]


def judged(values, measures=LOSS):
    found = Tracker(measures, None, entries(values)).judgement()
    assert found is not None
    return found


def test_noise_is_that_about_a_trend():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.3, 4000) + np.linspace(0, 500, 4000)
    assert best.noise(values.tolist()) == pytest.approx(0.3, rel=0.1)


def test_noise_alone_is_no_over_fitting():
    rng = np.random.default_rng(1)
    assert sum(judged(rng.normal(0, 1, 80)).worse for _ in range(40)) <= 1
    assert not any(judged(1 / np.arange(1, 60) + rng.normal(0, 0.01, 59)).worse for _ in range(20))


def test_a_rise_beyond_noise_is_over_fitting_and_the_best_is_at_the_turn():
    rng = np.random.default_rng(2)
    turn = np.abs(np.arange(60) - 30) / 30
    for _ in range(20):
        found = judged(turn + rng.normal(0, 0.05, 60))
        assert found.worse
        assert abs(found.step / 10 - 32) < 7  # a mean of three is one step late
        assert found.last > found.best
    up = Tracker((Measure("held_out_elbo"),), None, entries(-turn, "held_out_elbo")).judgement()
    assert up is not None
    assert up.worse
    assert up.best > up.last


def test_nothing_is_said_before_enough_is_measured_or_of_what_is_no_number():
    assert Tracker(LOSS, None, entries(range(7))).judgement() is None
    assert Tracker((), None, entries(range(70))).judgement() is None
    assert not judged([*np.linspace(1, 0, 20), np.inf, np.nan]).worse


def test_another_stage_is_not_counted():
    before = [entry | {"stage": "layer-1"} for entry in entries(np.zeros(20))]
    assert Tracker(LOSS, None, before).judgement() is None


def chunk(step, value, state=None, steps=10):
    return Chunk(step, 1.0, 1.0, {"held_out_loss": float(value)}, state, {"loss": np.zeros(steps)})


def test_the_state_that_was_best_is_copied_and_a_run_that_goes_on_ends_alike():
    values = np.abs(np.arange(30) - 12) / 10
    whole = Tracker(LOSS)
    for i, value in enumerate(values):
        state = {"p": jnp.full(3, float(i))}
        whole.follow(chunk(10 * i + 10, value, state), 0, 300)
        state["p"].delete()  # as the loop gives the buffers away
    assert whole.kept is not None
    assert whole.kept.step == whole.best_step == 140
    np.testing.assert_array_equal(whole.kept.state["p"], 13.0)
    half = Tracker(LOSS, None, entries(values[:20]), whole.kept)
    for i, value in enumerate(values[20:], 20):
        half.follow(chunk(10 * i + 10, value), 0, 300)
    assert (half.judgement(), half.kept) == (whole.judgement(), whole.kept)
    assert half.waited() == 160


def test_what_has_to_be_taken_is_taken_every_thousand_steps_and_at_the_end():
    measures = (Measure("held_out_ais", take=lambda config, state, m: {"held_out_ais": m["a"] + 1.0}, needs="a"),)

    def taken(total, needs="a"):
        tracker, found = Tracker(measures), []
        for step in [*range(400, total, 400), total]:
            given = Chunk(step, 1.0, 1.0, {needs: 2.0}, {}, {"loss": np.zeros(400 if step < total else total % 400)})
            found += [step] if tracker.follow(given, 0, total) == {"held_out_ais": 3.0} else []
        return found

    assert taken(8300) == [1200, 2000, 3200, 4000, 5200, 6000, 7200, 8000, 8300]
    assert taken(7300) == []  # too short to be judged
    assert taken(8300, "b") == []
