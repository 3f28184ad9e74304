"""A grid goes on where it was interrupted, and a run that fails costs no other."""

import contextlib
import json

import jax
import numpy as np
import pytest

import genjax
from genjax.api import grid as grids
from genjax.api.grid_training import FAILED, refuse_all_failed, whole_or_halves
from genjax.cli.grid import again, placed
from genjax.errors import UserError
from genjax.training.folder import read_metrics
from genjax.training.lock import hold

QUIET = {"batch_size": 20, "progress": False, "seeds": 1}
AXES = {"steps": [4, 10], "learning_rate": [0.1, 1e6]}  # ends apart, and two runs diverge


@pytest.fixture(scope="module")
def model():
    return genjax.rbm(hidden=4, chains=10)


def same_runs(runs, others):
    for run, other in zip(runs, others, strict=True):
        assert (run.diverged, run.entries) == (other.diverged, other.entries)
        if run.diverged is None:
            for a, b in zip(jax.tree.leaves(run.state), jax.tree.leaves(other.state), strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_an_interrupted_grid_ends_as_it_would_have(model, bits, tmp_path, monkeypatch):
    """After its first chunk, and then after its second; what was written after the checkpoint is written again."""
    whole = genjax.grid(model, bits, **AXES, **QUIET)
    assert [run.diverged is None for run in whole] == [True, False, True, False]
    out, train = tmp_path / "grid", grids.train_members
    monkeypatch.setattr(grids, "train_members", lambda *given: train(*given[:5], lambda: True))
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            genjax.grid(model, bits, **AXES, **QUIET, out=out)
        with open(out / "metrics.jsonl", "a") as file:
            file.write(json.dumps({"run": 2, "step": 10, "epoch": 1.0}) + "\n" + '{"run": 2, "st')
    monkeypatch.setattr(grids, "train_members", train)
    same_runs(genjax.grid(model, bits, **AXES, **QUIET, out=out), whole)
    same_runs(genjax.grid(model, bits, **AXES, **QUIET, out=out), whole)  # it is done: nothing is left to do
    lines = [(line["run"], line["step"]) for line in read_metrics(out)]
    assert len(lines) == len(set(lines))
    with pytest.raises(UserError, match="holds a grid of other runs"):
        genjax.grid(model, bits, steps=4, **QUIET, out=out)
    with pytest.raises(UserError, match="holds a grid of other data"):
        genjax.grid(model, 1 - bits, **AXES, **QUIET, out=out)
    with pytest.raises(UserError, match="holds a grid of other batches"):
        genjax.grid(model, bits, **AXES, **QUIET, out=out, common_batches=True)
    lock = hold(out)
    with pytest.raises(UserError, match="by another process"):
        genjax.grid(model, bits, **AXES, **QUIET, out=out)
    lock.release()


@pytest.mark.slow
def test_stages_and_sizes_go_on_as_well(bits, tmp_path, monkeypatch):
    """A deep machine within its first stage and its last; machines of two sizes in one program."""
    deep, padded = genjax.dbm(layers=(4, 3), chains=10, pretraining=1), genjax.rbm(chains=10)
    train = grids.train_members
    for name, model, axes in (("deep", deep, {"learning_rate": [0.1, 0.01]}), ("padded", padded, {"hidden": [3, 4]})):
        whole = genjax.grid(model, bits, **axes, steps=6, **QUIET)
        for _ in range(4):
            monkeypatch.setattr(grids, "train_members", lambda *given: train(*given[:5], lambda: True))
            with contextlib.suppress(KeyboardInterrupt):
                genjax.grid(model, bits, **axes, steps=6, **QUIET, out=tmp_path / name)
        monkeypatch.setattr(grids, "train_members", train)
        same_runs(genjax.grid(model, bits, **axes, steps=6, **QUIET, out=tmp_path / name), whole)


def test_a_run_that_fails_costs_no_other():
    def train(rows):
        if 3 in rows:
            raise MemoryError("none left\nmore")
        return [(row, None) for row in rows]

    made = whole_or_halves(train, [5, 4, 3, 2, 1])
    assert made == [(5, None), (4, None), (None, f"{FAILED}MemoryError: none left"), (2, None), (1, None)]
    refuse_all_failed(dict(enumerate(made)))
    with pytest.raises(UserError, match="None of the 1 runs could be trained; the first one failed: MemoryError"):
        refuse_all_failed({0: made[2]})


def test_what_concerns_all_runs_is_raised_at_once():
    def full(rows):
        raise UserError(f"no room for {rows}")

    with pytest.raises(UserError, match=r"no room for \[1, 2\]"):
        whole_or_halves(full, [1, 2])


def test_the_line_of_a_grid_that_goes_on_is_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.npy").touch()
    data = ["--dataset", "own.npy", "digits", "--k", "own.npy"]
    assert placed(data) == ["--dataset", str(tmp_path / "own.npy"), *data[2:]]
    line = ["--hidden", "3", "4", "--out", "grid", "--json"]
    assert again("rbm", line) == (line, None)
    (tmp_path / "grid").mkdir()
    config = tmp_path / "grid" / "config.json"
    config.write_text(json.dumps({"format": 2, "model": "grid rbm", "decided": {"arguments": line}}))
    assert again("rbm", ["--resume", "grid"]) == (["--hidden", "3", "4", "--json"], config.parent.relative_to(tmp_path))
    assert again("rbm", ["--devices", "2", "--resume=grid"])[0] == ["--hidden", "3", "4", "--json", "--devices", "2"]
    for name, rest, said in (("rbm", ["--k", "2"], "--k does not go"), ("vae", [], "no grid of vae")):
        with pytest.raises(UserError, match=said):
            again(name, ["--resume", "grid", *rest])


@pytest.mark.slow
def test_runs_that_fail_together_are_trained_apart_and_go_on_apart(model, bits, tmp_path, monkeypatch):
    """Four runs fail after a chunk as there is no room for them, and two do not; no line is lost or written twice."""
    together, interrupted, tried = grids.together, [True], []

    def small(members, entries, batches, shown, mesh, keeper):
        def full(steps, runs):
            if len(members) > 2:
                raise MemoryError
            shown(steps, runs)

        tried.append(len(members))
        keeper.ending = lambda: len(members) == 2 and not interrupted and not interrupted.append(True)
        return together(members, entries, batches, full, mesh, keeper)

    grid = {"steps": 500, **QUIET | {"seeds": 4}}
    monkeypatch.setattr(grids, "together", small)
    whole = genjax.grid(model, bits, **grid, out=tmp_path / "whole")
    interrupted.clear()
    with pytest.raises(KeyboardInterrupt):
        genjax.grid(model, bits, **grid, out=tmp_path / "grid")
    same_runs(genjax.grid(model, bits, **grid, out=tmp_path / "grid"), whole)
    assert tried == [4, 2, 2, 4, 2, 2, 2]
    lines = [(line["run"], line["step"]) for line in read_metrics(tmp_path / "grid")]
    assert len(lines) == len(set(lines)) == sum(len(run.entries) for run in whole)
