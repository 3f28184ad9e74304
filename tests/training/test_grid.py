"""Runs side by side: padding, neighbours and snapshots change nothing; and the command that trains a grid."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import random
from genjax.algorithms.contrastive import RBMConfig, contrastive
from genjax.algorithms.padding import padded, sliced
from genjax.training import grid, loop
from genjax.training.config import split
from genjax.typing import Algorithm
from tests.algorithms.configs import made
from tests.algorithms.test_contract import training_set

PLAN = loop.plan(43, 10, "sampled", longest_chunk=4)
TOTAL = 20
SEEDS = [3, 2**31 + 5]


def trained(settings: list[dict], config: RBMConfig, seeds: list[int], widest: int = 10) -> Any:
    """Runs with these rates and hidden sizes, each drawn at its own size, trained together."""
    keys, data, states = [random.key(seed) for seed in seeds], training_set(), []
    for key, setting in zip(keys, settings):
        static, hyper = split(made(config, **setting), TOTAL)
        (state,) = unstacked(grid.initial(grid.stacked([key]), contrastive(static), data, PLAN, [hyper]))
        states.append(padded(state, widest))
    algorithm = contrastive(split(made(config, hidden=widest), 1)[0])
    return grid.train(grid.stacked(keys), algorithm, data, PLAN, grid.stacked(states), TOTAL)


def unstacked(states: Any) -> list[Any]:
    return [grid.run_of(states, number) for number in range(len(jax.tree.leaves(states)[0]))]


def alone(setting: dict, config: RBMConfig, seed: int) -> Any:
    """The run that the loop makes of this seed."""
    static, hyper = split(made(config, **setting), TOTAL)
    algorithm, key, data = contrastive(static), random.key(seed), training_set()
    state = loop.initial(key, algorithm, data, PLAN, hyper)
    return loop.train(key, algorithm, data, PLAN, state, TOTAL)


@pytest.mark.parametrize(
    "options",
    [
        {"chains": 7},
        {"negative": "cd", "k": 2},
        {"chains": 7, "optimiser": "adam", "momentum": 0.9, "average": 0.0},
    ],
)
@pytest.mark.slow
def test_a_run_of_a_grid_is_the_run_of_its_seed(options):
    """Its weights, batches, binarisation and noise are those of the run alone, also in a larger machine's arrays."""
    config = made(RBMConfig, **options)
    settings = [{"hidden": 6, "learning_rate": 0.1}, {"hidden": 10, "learning_rate": 0.3}]
    together = trained(settings, config, SEEDS)
    for run, setting, seed in zip(unstacked(together), settings, SEEDS):
        expected = alone(setting, config, seed)
        found = sliced(run.machine, setting["hidden"])
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected.machine), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
        assert not np.any(run.machine.weights[0][:, setting["hidden"] :])
        assert not np.any(run.chains[1][:, setting["hidden"] :])
        np.testing.assert_allclose(run.hyper["learning_rate"], setting["learning_rate"])


@pytest.mark.slow
def test_seeds_differ_in_everything_that_is_random():
    """Of two seeds neither order nor binarisation is common, as an interval over seeds takes for granted."""
    shown = []

    def step(key, state, batch):
        return state, {"parameter_max": jnp.ones(()), "first": batch.x[0], "labels": batch.target}

    algorithm = Algorithm(lambda key, example, hyper: hyper["rate"], step, lambda *a: {})
    keys = grid.stacked([random.key(seed) for seed in (0, 1, 0)])
    images = jnp.full((43, 60), 0.5)
    data = loop.TrainingSet(images, jnp.arange(43), None)
    states = grid.initial(keys, algorithm, data, PLAN, [{"rate": jnp.ones(())}] * 3)
    grid.train(keys, algorithm, data, PLAN, states, 4, [lambda chunk: shown.append(chunk.steps)])
    (steps,) = shown
    for values in steps["first"], steps["labels"]:
        np.testing.assert_array_equal(values[0], values[2])
        assert np.mean(values[0] != values[1]) > 0.3


@pytest.mark.slow
def test_a_run_that_diverges_leaves_the_others_alone_and_is_told():
    config, told = made(RBMConfig, chains=7, visible_type="gaussian"), []
    keys = grid.stacked([random.key(seed) for seed in (0, 1)])
    static, _ = split(config, TOTAL)
    hypers = [split(made(config, learning_rate=rate), TOTAL)[1] for rate in (1e6, 0.01)]
    algorithm, data = contrastive(static), training_set()
    states = grid.initial(keys, algorithm, data, PLAN._replace(binarisation="none"), hypers)
    watch = [lambda chunk: told.append([grid.diverged(chunk, run) for run in (0, 1)])]
    states = grid.train(keys, algorithm, data, PLAN._replace(binarisation="none"), states, 8, watch)
    assert "Training diverged at step" in told[0][0]
    assert [said for _, said in told] == [None, None]
    assert np.all(np.isfinite(states.machine.weights[0][1]))


def test_chunks_end_where_a_caller_wants_to_keep_runs():
    ends = []
    algorithm = Algorithm(lambda *a: jnp.zeros(()), lambda k, s, b: (s, {"x": jnp.ones(())}), lambda *a: {})
    keys = grid.stacked([random.key(0)])
    states = grid.initial(keys, algorithm, training_set(), PLAN, [{"rate": jnp.ones(())}])
    watch = [lambda chunk: ends.append((chunk.step, chunk.steps["x"].shape))]
    grid.train(keys, algorithm, training_set(), PLAN, states, 10, watch, [3, 6, 10, 40])
    assert ends == [(3, (1, 3)), (4, (1, 1)), (6, (1, 2)), (8, (1, 2)), (10, (1, 2))]


def test_large_grids_are_split():
    assert [len(part) for part in grid.split(range(10), 100, 1200)] == [3, 3, 3, 1]
    assert [len(part) for part in grid.split(range(2), 10**9, 1200)] == [1, 1]


def test_runs_begin_each_with_its_own_key_and_rates():
    algorithm = Algorithm(lambda key, example, hyper: (jax.random.uniform(key), hyper), lambda *a: None, lambda *a: {})
    keys, hypers = [random.key(seed) for seed in (0, 1)], [{"rate": jnp.asarray(rate)} for rate in (0.25, 0.5)]
    draws, rates = grid.initial(grid.stacked(keys), algorithm, training_set(), PLAN, hypers)
    expected = [loop.initial(key, algorithm, training_set(), PLAN, hyper) for key, hyper in zip(keys, hypers)]
    np.testing.assert_array_equal(draws, [draw for draw, _ in expected])
    assert draws[0] != draws[1]
    np.testing.assert_array_equal(rates["rate"], [0.25, 0.5])
