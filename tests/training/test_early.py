"""A shortened run: its rates go on from where they are and end where the schedule ends."""

import jax.numpy as jnp
import pytest

from genjax.errors import UserError
from genjax.training import early, loop
from genjax.training.optimisers import SCHEDULES, Constant, Linear
from genjax.training.update import learning_rate_at
from genjax.typing import Algorithm, Batch, Stage


@pytest.mark.parametrize("schedule", [kind() for kind in SCHEDULES])
def test_the_rate_goes_on_from_where_it_is_and_ends_with_the_run(schedule):
    hyper = {"learning_rate": jnp.asarray(0.3), "total_steps": jnp.asarray(1000.0), "momentum": jnp.asarray(0.9)}
    new = early.shortened(hyper, schedule, 400, 440)
    before, after = (float(learning_rate_at(schedule, h, jnp.asarray(400))) for h in (hyper, new))
    assert after == pytest.approx(before)
    assert float(learning_rate_at(schedule, new, jnp.asarray(440))) == pytest.approx(
        before if schedule == Constant() else 0.0, abs=1e-6
    )
    assert float(new["momentum"]) == pytest.approx(0.9)


def test_a_stopped_run_ends_a_tenth_later_and_never_after_its_end():
    assert [early.new_end(step, 18_000) for step in (3, 60, 600, 6000)] == [4, 66, 660, 6600]
    assert early.new_end(17_000, 18_000) == 18_000
    assert early.new_end(240, 250) == 250


def test_a_gap_is_too_wide_above_its_limit():
    assert early.too_wide([2.0, 2.0, 2.0], 1.9)
    assert not early.too_wide([2.0, 2.0, 2.0], 2.1)


def test_a_gap_is_not_too_wide_by_its_noise():
    noisy = [-20.0, -13.0, 4.0, -18.0, 18.0]
    assert not any(early.too_wide(noisy[:count], 2.0) for count in range(1, 6))
    assert early.too_wide([*noisy, 40.0, 60.0, 60.0], 2.0)


@pytest.mark.parametrize(("held_out", "gap", "why"), [(False, True, "none to validate on"), (True, False, "no free")])
def test_a_run_that_would_never_be_stopped_is_refused(held_out, gap, why):
    def observe(key, state, train, held_out):
        return {"free_energy_gap" if gap and held_out is not None else "loss": jnp.zeros(())}

    algorithm = Algorithm(lambda key, example, hyper: hyper, lambda *a: None, observe)
    images = jnp.zeros((20, 3))
    batch = Batch(images, jnp.zeros(20, jnp.int32))
    stage = Stage("train", algorithm, {}, 10)
    data = loop.TrainingSet(*batch, batch if held_out else None)
    plan = loop.plan(20, 10, "none")
    with pytest.raises(UserError, match=f"`stop_gap`.*{why}"):
        early.refuse_without_gap(stage, data, plan)
    if gap:
        early.refuse_without_gap(stage, data._replace(held_out=batch), plan)


def test_the_average_of_a_shortened_run_begins_where_it_was_stopped():
    hyper = {"learning_rate": jnp.asarray(0.3), "total_steps": jnp.asarray(1000.0)}
    assert float(early.shortened(hyper, Linear(), 400, 440)["averaged_from"]) == 400


def test_patience_ends_once_where_nothing_has_improved_for_so_long():
    def chunk(step: int, value: float) -> loop.Chunk:
        return loop.Chunk(step, 1.0, 1.0, {"held_out_loss": value}, None, {})

    patience = early.Patience(2)
    for step, value in enumerate((3.0, 2.0, 2.5, 1.9, 1.9)):
        patience(chunk(step, value))  # as little as before is no improvement, less is
    with pytest.raises(early.Stopped) as stopped:
        patience(chunk(5, 2.2))
    assert stopped.value.chunk.step == 5
    patience(chunk(6, 9.0))  # its last tenth is left alone
    with pytest.raises(UserError, match="`metric` held_out_loss is not measured"):
        early.Patience(1)(loop.Chunk(1, 1.0, 1.0, {"loss": 2.0}, None, {}))
    with pytest.raises(UserError, match="`chunks` 0"):
        early.Patience(0)
