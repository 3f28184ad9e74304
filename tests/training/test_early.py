"""A shortened run: its rates go on from where they are and end where the schedule ends."""

import jax.numpy as jnp
import pytest

from genjax.training import early, loop
from genjax.training.optimiser import learning_rate_at


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_the_rate_goes_on_from_where_it_is_and_ends_with_the_run(schedule):
    hyper = {"learning_rate": jnp.asarray(0.3), "total_steps": jnp.asarray(1000.0), "momentum": jnp.asarray(0.9)}
    new = early.shortened(hyper, schedule, 400, 440)
    before, after = (float(learning_rate_at(schedule, h, jnp.asarray(400))) for h in (hyper, new))
    assert after == pytest.approx(before)
    assert float(learning_rate_at(schedule, new, jnp.asarray(440))) == pytest.approx(
        before if schedule == "constant" else 0.0, abs=1e-6
    )
    assert float(new["momentum"]) == pytest.approx(0.9)


def test_a_stopped_run_ends_a_tenth_later_in_whole_chunks():
    plan = loop.Plan(batch_size=10, steps_per_epoch=30, part=30, parts=2, binarisation="none")
    assert [early.new_end(step, plan) for step in (60, 600, 1200, 6000)] == [120, 660, 1320, 6600]


def test_a_gap_is_too_wide_above_its_limit():
    chunk = loop.Chunk(1, 1.0, 1.0, {"free_energy_gap": 2.0}, None, {})
    assert early.too_wide(chunk, 1.9)
    assert not early.too_wide(chunk, 2.1)
    assert not early.too_wide(chunk._replace(metrics={}), 2.1)


def test_the_average_of_a_shortened_run_begins_where_it_was_stopped():
    hyper = {"learning_rate": jnp.asarray(0.3), "total_steps": jnp.asarray(1000.0)}
    assert float(early.shortened(hyper, "linear", 400, 440)["averaged_from"]) == 400
