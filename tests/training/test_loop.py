"""The loop: how a run is cut, what it sees, and when it stops."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.errors import Diverged, UserError
from genjax.training import loop
from genjax.typing import Algorithm, Batch


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
        (55_000, 100, 250, (550, 110)),
        (60_000, 100, 250, (600, 200)),
        (1294, 100, 250, (12, 240)),
        (30, 100, 250, (1, 250)),
        (557, 1, 250, (557, 250)),  # a prime number
    ],
)
def test_how_a_run_is_cut(images, batch, longest, expected):
    plan = loop.plan(images, batch, "none", longest)
    assert (plan.steps_per_epoch, plan.chunk) == expected


@pytest.mark.parametrize(
    ("first", "total", "expected"),
    [
        (0, 5, [(0, 5)]),
        (0, 25, [(0, 10), (10, 10), (20, 5)]),
        (7, 25, [(7, 3), (10, 10), (20, 5)]),
        (20, 20, []),
    ],
)
def test_chunks_end_at_the_same_steps_wherever_a_run_begins(first, total, expected):
    plan = loop.Plan(batch_size=1, steps_per_epoch=5, chunk=10, binarisation="none")
    assert list(loop.chunks(first, total, plan)) == expected


@pytest.mark.parametrize("asked", [0, 1, 5, 13, 100])
def test_a_run_takes_exactly_the_steps_asked_for_and_leaves_its_argument_alive(asked):
    """An epoch has 17 steps, a prime number, so that no length is a round one; a second call does the same again."""
    algorithm, plan = counting(), loop.plan(51, 3, "none", longest_chunk=7)
    before = loop.initial(jax.random.key(0), algorithm, data(51), plan, {})
    lengths = []
    for _ in range(2):
        after = loop.train(
            jax.random.key(1),
            algorithm,
            data(51),
            plan,
            before,
            asked,
            0,
            [lambda c: lengths.append(len(c.steps["value"]))],
        )
        assert float(after.images.sum()) == 3 * asked
        assert float(before.images.sum()) == 0
    assert sum(lengths) == 2 * asked


def test_fewer_steps_than_are_done_are_refused():
    algorithm, plan = counting(), loop.plan(60, 10, "none")
    state = loop.initial(jax.random.key(0), algorithm, data(60), plan, {})
    with pytest.raises(UserError, match="`total_steps` 4 is less than the 5 steps done"):
        loop.train(jax.random.key(1), algorithm, data(60), plan, state, 4, 5)


def test_another_length_compiles_nothing_and_cut_runs_are_whole_ones():
    algorithm, plan = counting(), loop.plan(60, 10, "none", longest_chunk=4)
    state = loop.initial(jax.random.key(0), algorithm, data(60), plan, {})
    whole = loop.train(jax.random.key(1), algorithm, data(60), plan, state, 23)
    programs = loop.run_chunk._cache_size()
    for cut in (1, 6, 17):
        first = loop.train(jax.random.key(1), algorithm, data(60), plan, state, cut)
        second = loop.train(jax.random.key(1), algorithm, data(60), plan, first, 23, cut)
        np.testing.assert_array_equal(second.images, whole.images)
    assert loop.run_chunk._cache_size() == programs


def test_programs_are_those_of_step_and_observe():
    """Another `init`, as other rates in the config make one, compiles no step anew."""
    algorithm, plan = counting(), loop.plan(60, 10, "none")
    state = loop.initial(jax.random.key(0), algorithm, data(60), plan, {})
    loop.train(jax.random.key(1), algorithm, data(60), plan, state, 6)
    programs = loop.run_chunk._cache_size(), loop.run_observation._cache_size()
    other = algorithm._replace(init=lambda key, example, hyper: algorithm.init(key, example, hyper))
    loop.train(jax.random.key(1), other, data(60), plan, state, 6)
    assert (loop.run_chunk._cache_size(), loop.run_observation._cache_size()) == programs


@pytest.mark.parametrize(("binarisation", "told"), [("none", {0.25, 0.75}), ("sampled", {0.0, 1.0})])
def test_what_cannot_be_learned_is_refused_before_work_begins(binarisation, told):
    """The algorithm is shown all images as it will see them, and those held out."""
    shown = []

    def check(batch):
        shown.append(set(np.unique(batch.x).tolist()))
        raise UserError("no")

    algorithm = counting()._replace(init=None, check=check)
    images = jnp.tile(jnp.asarray([[0.25, 0.75, 0.75]]), (30, 1))
    training = loop.TrainingSet(images, jnp.zeros(30, jnp.int32), None)
    with pytest.raises(UserError, match="no"):
        loop.initial(jax.random.key(0), algorithm, training, loop.plan(30, 10, binarisation), {})
    assert shown == [told]


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


def test_an_infinite_metric_is_no_divergence():
    """What an algorithm says of images that it holds to be impossible."""
    refused = {"log_likelihood": np.array([1.0, -np.inf]), "parameter_max": np.array([1.0, 1.0])}
    loop.refuse_divergence(refused, 0)
    with pytest.raises(Diverged, match="step 2: parameter_max is inf"):
        loop.refuse_divergence(refused | {"parameter_max": np.array([1.0, np.inf])}, 0)


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


def test_labels_are_those_of_the_images_shown():
    def step(key, state, batch):
        apart = jnp.abs(jnp.round(64 * batch.x[:, 0]) - batch.target).max()
        return state, {"parameter_max": jnp.ones(()), "apart": apart, "least": batch.target.min()}

    algorithm = Algorithm(lambda key, example, hyper: Seen(jnp.zeros(1), hyper), step, lambda *a: {})
    plan, seen = loop.plan(60, 10, "none"), []
    training = data(60)._replace(target=jnp.arange(60))
    state = loop.initial(jax.random.key(0), algorithm, training, plan, {})
    loop.train(jax.random.key(1), algorithm, training, plan, state, 12, 0, [lambda c: seen.append(c.steps)])
    assert not seen[0]["apart"].any()
    assert len(set(seen[0]["least"])) > 1


@pytest.mark.parametrize("target", [None, (jnp.arange(60), {"weight": jnp.ones((60, 2))})])
def test_a_target_is_any_pytree_or_none(target):
    def step(key, state, batch):
        apart = [jnp.abs(jnp.round(64 * batch.x[:, 0]) - leaf).max() for leaf in jax.tree.leaves(batch.target)[:1]]
        assert jax.tree.structure(batch.target) == jax.tree.structure(target)
        assert all(len(leaf) == 10 for leaf in jax.tree.leaves(batch.target))
        return state, {"parameter_max": jnp.ones(()), "apart": sum(apart, jnp.zeros(()))}

    algorithm = Algorithm(lambda key, example, hyper: Seen(jnp.zeros(1), hyper), step, lambda *a: {})
    plan, chunks = loop.plan(60, 10, "none"), []
    training = data(60)._replace(target=target)
    state = loop.initial(jax.random.key(0), algorithm, training, plan, {})
    loop.train(jax.random.key(1), algorithm, training, plan, state, 12, 0, [lambda c: chunks.append(c.steps)])
    assert not chunks[0]["apart"].any()


def test_images_held_out_are_checked_before_work_begins():
    shown = []
    algorithm = counting()._replace(check=lambda batch: shown.append(float(batch.x.min())))
    held_out = Batch(jnp.full((4, 3), -7.0), jnp.zeros(4, jnp.int32))
    loop.initial(jax.random.key(0), algorithm, data(60)._replace(held_out=held_out), loop.plan(60, 10, "none"), {})
    assert shown == [0.0, -7.0]


def test_a_parameter_that_is_finite_can_be_too_large():
    loop.refuse_divergence({"value": np.full(3, 1e30), "parameter_max": np.full(3, 0.9e4)}, 5)
    with pytest.raises(Diverged, match=r"step 7: parameter_max is 1\.1e\+04"):
        loop.refuse_divergence({"parameter_max": np.array([1.0, 1.1e4, 2e4])}, 5)
