"""A training set on the device or on the host: a run is the same to the last bit."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.data.stored import Stored
from genjax.training import feed, loop, sets
from genjax.typing import Algorithm, Batch

RNG = np.random.default_rng(0)
RAW = RNG.integers(0, 256, (60, 5), np.uint8)
FLOATS = RAW / np.float32(255)
TARGET = {"class": np.arange(60, dtype=np.int32) % 3, "goal": RNG.random((60, 2), np.float32)}
KEY = jax.random.key(5)


class Sums(NamedTuple):
    """All that was shown, in an order that matters to the last bit."""

    shown: jax.Array
    noise: jax.Array
    hyper: dict


def remembering() -> Algorithm:
    """Its state depends on every example, target and draw, and on their order."""

    def init(key, example, hyper):
        return Sums(example.mean + example.variance, jnp.zeros(()), dict(hyper))

    def step(key, state, batch):
        goal = batch.target["goal"].sum(1) * (1 + batch.target["class"])
        new = 0.9 * state.shown + (batch.x * jnp.arange(1, 1 + len(goal))[:, None] * goal[:, None]).sum(0)
        noise = jax.random.normal(key) + 0.5 * state.noise
        return Sums(new, noise, state.hyper), {"parameter_max": jnp.ones(()), "first": batch.x[0, 0], "noise": noise}

    def observe(key, state, train_batch, held_out):
        return {"all": train_batch.x.sum(), "goal": train_batch.target["goal"].sum(), "drawn": jax.random.normal(key)}

    return Algorithm(init, step, observe)


ALGORITHM = remembering()


def run(data: sets.TrainingSet, plan: loop.Plan, *ends: int):
    """The last state and all chunks, with a break at each of the `ends` but the last."""
    state, seen, done = loop.initial(KEY, ALGORITHM, data, plan, {}), [], 0
    for end in ends:
        state = loop.train(KEY, ALGORITHM, data, plan, state, end, done, [seen.append])
        state, done = jax.tree.map(np.asarray, state), end
    return state, [(chunk.step, chunk.metrics, chunk.steps) for chunk in seen]


def same(one, other):
    one, other = map(jax.tree.flatten, (one, other))
    assert one[1] == other[1]
    for a, b in zip(one[0], other[0]):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(name="streamed")
def streamed_fixture(monkeypatch):
    """The same examples as a set for which the device has no room."""
    monkeypatch.setattr(sets, "too_large", lambda nbytes: True)
    return sets.training_set(Stored.whole(RAW), TARGET)


@pytest.mark.parametrize(
    ("binarisation", "piece", "ends"),
    [
        ("sampled", 3 * 35, (5, 9, 23)),
        pytest.param("none", 1, (23,), marks=pytest.mark.slow),
        pytest.param("threshold", 10**6, (9, 23), marks=pytest.mark.slow),
    ],
)
def test_from_the_host_as_from_the_device(streamed, binarisation, piece, ends, monkeypatch):
    """Epochs of 8 steps, chunks of 5, pieces of one step, of three and of a whole chunk, ended or going on anywhere."""
    monkeypatch.setattr(feed, "PIECE", piece)
    plan = loop.plan(60, 7, binarisation, longest_chunk=5)
    held = sets.TrainingSet(jnp.asarray(RAW), jax.tree.map(jnp.asarray, TARGET))
    floats = sets.TrainingSet(jnp.asarray(FLOATS), held.target)
    expected = run(floats, plan, *ends)
    assert isinstance(streamed.x, Stored)
    same(run(streamed, plan, *ends), expected)
    same(run(held, plan, *ends), expected)


def test_floats_come_from_the_host_too(streamed):
    data = sets.training_set(FLOATS, TARGET)
    plan = loop.plan(60, 10, "none", longest_chunk=4)
    assert data.x.array is FLOATS
    same(run(data, plan, 9), run(streamed, plan, 9))


def test_the_size_decides(monkeypatch):
    monkeypatch.setattr(sets, "ROOM", RAW.nbytes)
    monkeypatch.setattr(jax, "local_devices", lambda: [Says(None)])
    assert sets.training_set(Stored.whole(RAW), TARGET).x.dtype == jnp.uint8
    assert isinstance(sets.training_set(FLOATS, TARGET).x, Stored)
    for memory, large in ((RAW.nbytes * sets.SHARE, False), (RAW.nbytes * sets.SHARE - 1, True)):
        monkeypatch.setattr(jax, "local_devices", lambda memory=memory: [Says({"bytes_limit": memory})])
        assert isinstance(sets.training_set(Stored.whole(RAW)).x, Stored) is large


class Says:
    """A device with so much memory."""

    def __init__(self, stats):
        self.stats = stats

    def memory_stats(self):
        """What it says of its memory."""
        return self.stats


@pytest.mark.parametrize("together", [1, 200, 10**6])
def test_moments_are_those_of_floats_on_the_device(together, monkeypatch):
    monkeypatch.setattr(sets, "TOGETHER", together)
    raw = RNG.integers(0, 256, (400, 37), np.uint8)
    x = jnp.asarray(raw / np.float32(255))
    for held in (jnp.asarray(raw), Stored.whole(raw), jnp.asarray(raw > 9), Stored.whole(raw > 9)):
        x = jnp.asarray(raw / np.float32(255) if held.dtype != bool else raw > 9, jnp.float32)
        if isinstance(held, Stored):
            x = jnp.asarray(np.asarray(held))
        for ours, theirs in zip(sets.moments(held), (x.mean(0), x.var(0)), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_the_next_piece_is_sent_while_the_device_has_one_to_do(streamed, monkeypatch):
    """It is gathered between the dispatch of a piece and the first look at what became of it."""
    monkeypatch.setattr(feed, "PIECE", 2 * 50)
    plan, order = loop.plan(60, 10, "none", longest_chunk=4), []
    state = loop.initial(KEY, ALGORITHM, streamed, plan, {})
    gather, go = feed.sent, loop.run_piece
    monkeypatch.setattr(feed, "sent", lambda data, index: (order.append("sent"), gather(data, index))[1])
    monkeypatch.setattr(loop, "run_piece", lambda *given: (order.append("run"), go(*given))[1])
    loop.train(KEY, ALGORITHM, streamed, plan, state, 7, 0, [lambda chunk: order.append("chunk")])
    one_chunk = ["run", "sent", "run", "sent", "chunk"]  # three steps, of which two are sent together
    assert order == ["sent", *one_chunk, *one_chunk, "run", "chunk"]


def test_checks_see_every_example_of_the_host(streamed, monkeypatch):
    monkeypatch.setattr(sets, "TOGETHER", 30)
    seen: list[Batch] = []
    loop.check(ALGORITHM._replace(check=seen.append), streamed, loop.plan(60, 10, "none"))
    np.testing.assert_array_equal(np.concatenate([batch.x for batch in seen]), FLOATS)
    np.testing.assert_array_equal(np.concatenate([batch.target["goal"] for batch in seen]), TARGET["goal"])
    assert len(seen) == 10
