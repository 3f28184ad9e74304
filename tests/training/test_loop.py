"""The loop: how a run is cut, what it sees, and when it stops."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.errors import Diverged
from genjax.training import loop
from genjax.typing import Algorithm


class Seen(NamedTuple):
    images: jax.Array  # how often each image was shown
    hyper: dict


def counting(breaks_at: int | None = None, name: str = "value") -> Algorithm:
    """Counts the images that it is shown (their first pixel is their number); may break at a step."""

    def init(key, example, hyper):
        return Seen(jnp.zeros(64), {**hyper, "step": jnp.zeros(())})

    def step(key, state, batch):
        images = state.images.at[jnp.round(batch.x[:, 0] * 64).astype(int)].add(1)
        count = state.hyper["step"] + 1
        bad = -1 if breaks_at is None else breaks_at
        broken = jnp.inf if name == "parameter_max" else jnp.nan
        metrics = {"parameter_max": jnp.ones(()), "value": jnp.ones(())}
        metrics[name] = jnp.where(count == bad, broken, 1.0)
        return Seen(images, {**state.hyper, "step": count}), metrics

    def observe(key, state, train_batch, held_out):
        return {"total": state.images.sum()}

    return Algorithm(init, step, observe)


def data(images: int) -> loop.TrainingSet:
    x = np.zeros((images, 3), np.float32)
    x[:, 0] = np.arange(images) / 64
    return loop.TrainingSet(jnp.asarray(x), jnp.zeros(images, jnp.int32), None)


@pytest.mark.parametrize(
    ("images", "batch", "longest", "expected"),
    [
        (55_000, 100, 250, (550, 110, 1)),
        (60_000, 100, 250, (600, 200, 1)),
        (1294, 100, 250, (12, 12, 20)),
        (30, 100, 250, (1, 1, 250)),
        (557, 1, 250, (557, 557, 1)),
    ],
)
def test_how_a_run_is_cut(images, batch, longest, expected):
    plan = loop.plan(images, batch, "none", longest)
    assert (plan.steps_per_epoch, plan.part, plan.parts) == expected


def test_every_epoch_shows_every_image_once():
    algorithm, plan = counting(), loop.plan(60, 10, "none", longest_chunk=3)
    state = loop.initial(jax.random.key(0), algorithm, data(60), plan, {})
    orders = []
    for epoch in range(3):
        state = loop.train(jax.random.key(1), algorithm, data(60), plan, state, 6 * (epoch + 1), 6 * epoch)
        orders.append(np.asarray(state.images)[:60])
    assert [set(x) for x in orders] == [{1.0}, {2.0}, {3.0}]


def test_permutations_differ_between_epochs():
    """Of 60 images only 50 are shown an epoch: the ones left out must change."""
    algorithm, plan = counting(), loop.plan(60, 25, "none")
    state = loop.initial(jax.random.key(0), algorithm, data(60), plan, {})
    state = loop.train(jax.random.key(1), algorithm, data(60), plan, state, 2 * 40)
    assert np.asarray(state.images)[:60].min() > 20


def test_chunks_report_and_a_callable_can_end_the_run():
    algorithm, plan = counting(), loop.plan(60, 10, "none", longest_chunk=3)
    state = loop.initial(jax.random.key(0), algorithm, data(60), plan, {})
    steps = []

    def stop(chunk: loop.Chunk) -> None:
        steps.append((chunk.step, chunk.epoch, chunk.metrics["total"]))
        if chunk.step == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.train(jax.random.key(1), algorithm, data(60), plan, state, 60, 0, [stop])
    assert steps == [(3, 0.5, 30.0), (6, 1.0, 60.0), (9, 1.5, 90.0)]


@pytest.mark.parametrize("name", ["value", "parameter_max"])
def test_divergence_names_the_step(name):
    algorithm, plan = counting(8, name), loop.plan(60, 10, "none", longest_chunk=3)
    state = loop.initial(jax.random.key(0), algorithm, data(60), plan, {})
    seen = []
    with pytest.raises(Diverged, match=f"step 8: {name}"):
        loop.train(jax.random.key(1), algorithm, data(60), plan, state, 60, 0, [lambda c: seen.append(c.step)])
    assert seen == [3, 6]


def test_every_step_has_a_key_of_its_own():
    seen = []

    def step(key, state, batch):
        return state, {"parameter_max": jnp.ones(()), "draw": jax.random.uniform(key)}

    algorithm = Algorithm(lambda key, example, hyper: Seen(jnp.zeros(1), hyper), step, lambda *a: {})
    plan = loop.plan(60, 20, "none", longest_chunk=1)
    state = loop.initial(jax.random.key(0), algorithm, data(60), plan, {})
    loop.train(jax.random.key(0), algorithm, data(60), plan, state, 9, 0, [lambda c: seen.append(c.metrics["draw"])])
    assert len(set(seen)) == 9


def test_binarisation_is_drawn_anew_at_each_showing():
    images = jnp.full((10, 2000), 0.3)
    seen = []

    def step(key, state, batch):
        return state, {"parameter_max": jnp.ones(()), "mean": batch.x.mean(), "first": batch.x[0, :30].sum()}

    algorithm = Algorithm(lambda key, example, hyper: Seen(jnp.zeros(1), hyper), step, lambda *a: {})
    plan = loop.plan(10, 10, "sampled", longest_chunk=1)
    training = loop.TrainingSet(images, jnp.zeros(10, jnp.int32), None)
    state = loop.initial(jax.random.key(0), algorithm, training, plan, {})
    loop.train(jax.random.key(0), algorithm, training, plan, state, 8, 0, [lambda c: seen.append(c.metrics)])
    assert len({m["mean"] for m in seen}) == 8
    assert abs(np.mean([m["mean"] for m in seen]) - 0.3) < 0.006
