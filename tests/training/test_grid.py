"""Runs side by side: padding, neighbours and snapshots change nothing; and the command that trains a grid."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms.contrastive import ContrastiveConfig, contrastive
from genjax.algorithms.padding import cut, sliced
from genjax.cli.grid import axes_of
from genjax.training import grid, loop
from genjax.training.config import split
from tests.algorithms.test_contract import training_set
from tests.cli.conftest import genjax as genjax  # the fixture
from tests.cli.test_commands import one_sentence

PLAN = loop.plan(43, 10, "sampled", longest_chunk=4)
TOTAL = 40


def trained(settings: list[dict], config: ContrastiveConfig, seeds: list[int], widest: int = 10) -> grid.GridState:
    """Runs with these rates and hidden sizes, trained together."""
    hypers, algorithm = [], contrastive(split(dataclasses.replace(config, hidden=widest), 1)[0])
    for setting in settings:
        rates = {name: value for name, value in setting.items() if name != "hidden"}
        hypers.append(split(dataclasses.replace(config, **rates), TOTAL)[1])
    key, data = jax.random.key(0), training_set()
    state = grid.initial(key, algorithm, data, PLAN, hypers, seeds)
    sizes = jnp.asarray([setting.get("hidden", widest) for setting in settings])
    state = state._replace(runs=jax.vmap(cut)(state.runs, sizes))
    return grid.train(key, algorithm, data, PLAN, state, TOTAL)


@pytest.mark.parametrize(
    "options",
    [{"negative": "cd", "k": 2}, {"optimiser": "adam", "momentum": 0.9}],
)
def test_a_padded_run_equals_the_small_one(options):
    """The same arrays cut to six hidden units by hand, so that nothing is padded, take the same steps."""
    config = ContrastiveConfig(chains=7, **options)
    padded = grid.run_of(trained([{"hidden": 6}, {}], config, [0, 1]).runs, 0)
    algorithm = contrastive(split(dataclasses.replace(config, hidden=10), 1)[0])
    key, data = jax.random.key(0), training_set()
    start = grid.initial(key, algorithm, data, PLAN, [split(config, TOTAL)[1]] * 2, [0, 1])

    def by_hand(x):
        """Every axis of ten entries, which only the hidden units have, cut to six."""
        return x[tuple(slice(6) if size == 10 else slice(None) for size in x.shape)]

    runs = jax.tree.map(by_hand, start.runs) if options.get("negative") != "cd" else None
    if runs is None:  # here the batch has ten images too
        chains = tuple(x[..., :6] if layer == 1 else x for layer, x in enumerate(start.runs.chains))
        runs = jax.tree.map(by_hand, start.runs._replace(chains=None))._replace(chains=chains)
    small = grid.train(key, algorithm, data, PLAN, start._replace(runs=runs), TOTAL)
    expected = grid.run_of(small.runs, 0)
    found = sliced(padded.machine, 6)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected.machine)):
        np.testing.assert_allclose(a, b, atol=2e-6)
    assert not np.any(padded.machine.weights[0][:, 6:])
    assert not np.any(padded.chains[1][:, 6:])


def test_neighbours_change_nothing_and_rates_and_seeds_do():
    config = ContrastiveConfig(chains=7)
    alone = trained([{"learning_rate": 0.1}], config, [5])
    settings = [{"learning_rate": 0.3}, {"learning_rate": 0.1}, {"learning_rate": 0.1}]
    together = trained(settings, config, [5, 5, 6])
    weights = np.asarray(together.runs.machine.weights[0])
    np.testing.assert_allclose(weights[1], alone.runs.machine.weights[0][0], atol=2e-6)
    assert np.abs(weights[0] - weights[1]).max() > 1e-3
    assert np.abs(weights[2] - weights[1]).max() > 1e-3
    np.testing.assert_allclose(together.runs.hyper["learning_rate"], [0.3, 0.1, 0.1])


def test_a_run_that_diverges_leaves_the_others_alone():
    config = ContrastiveConfig(chains=7, visible_type="gaussian")
    calm = trained([{"learning_rate": 0.01}], config, [0])
    both = trained([{"learning_rate": 1e6}, {"learning_rate": 0.01}], config, [0, 0])
    assert not np.all(np.isfinite(both.runs.machine.weights[0][0]))
    np.testing.assert_allclose(both.runs.machine.weights[0][1], calm.runs.machine.weights[0][0], atol=2e-6)


def test_large_grids_are_split():
    assert [len(part) for part in grid.split(range(10), 100, 1200)] == [3, 3, 3, 1]
    assert [len(part) for part in grid.split(range(2), 10**9, 1200)] == [1, 1]


def test_options_with_several_values_are_the_axes():
    axes, rest = axes_of(["--hidden", "3", "5", "--json", "--k", "2", "--learning-rate", "0.1", "-0.2"])
    assert axes == {"hidden": ["3", "5"], "learning_rate": ["0.1", "-0.2"]}
    assert rest == ["--json", "--k", "2"]


GRID = ["grid", "rbm", "--hidden", "5", "9", "--epochs", "2", "4", "--learning-rate", "0.05", "0.2", "--seeds", "2"]


def test_the_command_trains_judges_and_draws_a_grid(genjax, tmp_path):
    folder = tmp_path / "grid"
    status, answer, error = genjax(*GRID, "--out", folder, "--schedule", "constant", "--average", "0", "--json")
    assert status == 0, error
    assert answer["runs"] == 16
    assert len(answer["settings"]) == 8
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert [row["seed"] for row in rows] == [0, 1] * 8
    machines = np.load(folder / "machines.npz")
    for number, row in enumerate(rows):
        assert machines[f"weights_{number}"].shape == (64, row["hidden"])
        assert np.all(np.abs(machines[f"hidden_{number}"]) < 100)
        assert -60 < row["log_likelihood"] < -15
    for line in answer["settings"]:
        values = [
            r["log_likelihood"] for r in rows if all(r[k] == line[k] for k in ("hidden", "epochs", "learning_rate"))
        ]
        assert line["log_likelihood"]["mean"] == pytest.approx(np.mean(values))
        assert line["log_likelihood"]["half_interval"] == pytest.approx(
            12.706 * np.std(values, ddof=1) / np.sqrt(2), rel=1e-3
        )
    assert all((folder / "figures" / name).stat().st_size > 5000 for name in ("curves.png", "reconstructions.png"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--hidden-type", "spin"], "takes binary hidden units"),
        (["--negative", "tempered"], "--negative pcd or cd"),
        (["--hidden", "3", "x"], "--hidden"),
        (["--learning-rate", "0.1", "-0.2"], "--learning-rate -0.2 is not positive"),
    ],
)
def test_grids_that_cannot_be_get_one_sentence(genjax, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    assert said in one_sentence(*genjax("grid", "rbm", *options)[::2])
    assert list(tmp_path.iterdir()) == []
