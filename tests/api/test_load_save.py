"""`save` and `load`: what a folder holds, what it is replaced by, and objects from outside."""

import json
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import genjax
from genjax.boltzmann.units import Bernoulli
from genjax.errors import UserError


@dataclass(frozen=True)
class Own(Bernoulli):
    """A unit type from outside."""

    kind: ClassVar[str] = "own"


@pytest.fixture(scope="module")
def run(fit):
    return fit(steps=5)


def test_what_is_saved_is_loaded(run, tmp_path, same):
    """Bit for bit, with its history and options."""
    assert run.save(tmp_path / "mine") is run
    opened = genjax.load(str(tmp_path / "mine"))
    same(opened.state, run.state)
    assert (opened.config, opened.settings, opened.step) == (run.config, run.settings, run.step)
    assert (opened.record, opened.identity) == (run.record, run.identity)
    for name, values in run.history.items():
        np.testing.assert_array_equal(opened.history[name], values)


def test_a_saved_run_is_as_train_keeps_it(run, fit, tmp_path):
    """The same files as the folder that `out` names."""
    run.save(tmp_path / "saved")
    fit(steps=5, out=tmp_path / "kept")
    saved, kept = ({path.name for path in (tmp_path / name).iterdir()} for name in ("saved", "kept"))
    assert saved == kept


def test_load_needs_no_training_data(run, fit, tmp_path, monkeypatch):
    fit(data="digits", steps=2).save(tmp_path / "digits")

    def refuse(*_, **__):
        raise AssertionError("its data are read")

    monkeypatch.setattr("genjax.data.load", refuse)
    opened = genjax.load(tmp_path / "digits")
    assert opened.sample(2, sweeps=2).shape == (2, 8, 8)
    assert opened.score_samples(np.zeros((1, 8, 8))).shape == (1,)


def test_only_a_folder_of_this_run_is_replaced(fit, tmp_path):
    run, other = fit(steps=5), fit(steps=5)
    run.save(tmp_path / "mine")
    run.save(tmp_path / "mine")
    with pytest.raises(UserError, match="exists and does not hold this run; name another folder"):
        other.save(tmp_path / "mine")
    assert genjax.load(tmp_path / "mine").identity == run.identity
    longer = fit(run, steps=6)
    longer.save(tmp_path / "mine")  # it is the same run, further on
    assert genjax.load(tmp_path / "mine").step == 6


@pytest.mark.parametrize("content", ["letter.txt", "config.json"])
def test_a_folder_of_something_else_stays(run, tmp_path, content):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / content).write_text("dear")
    with pytest.raises(UserError, match="exists and does not hold this run"):
        run.save(tmp_path / "mine")
    assert (tmp_path / "mine" / content).read_text() == "dear"
    (tmp_path / "file").write_text("dear")
    with pytest.raises(UserError, match="exists and does not hold this run"):
        run.save(tmp_path / "file")


def test_an_empty_folder_and_a_new_one_take_it(run, tmp_path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "a" / "b"):
        run.save(place)
        assert genjax.load(place).step == 5
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]  # nothing is left half written


def test_an_evaluation_moves_along(fit, tmp_path):
    """What is kept beside the run is not lost when it is saved anew, or elsewhere."""
    run = fit(steps=5).save(tmp_path / "mine")
    run.write_evaluation(run.evaluation())
    run.save(tmp_path / "mine").save(tmp_path / "copy")
    for name in ("mine", "copy"):
        assert genjax.load(tmp_path / name).evaluated is not None


def test_no_folder_is_no_run(tmp_path):
    with pytest.raises(UserError, match="is not a run folder"):
        genjax.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "optimiser",
    [optax.adam, lambda rate: optax.chain(optax.clip(1.0), optax.sgd(rate))],
    ids=["function", "chain"],
)
@pytest.mark.slow
def test_an_optimiser_from_outside_is_given_again(fit, tmp_path, optimiser, same):
    """A function of the traced rate; the folder holds its repr, and nothing is imported by a name from it."""
    model = genjax.rbm(hidden=4, chains=10, optimiser=optimiser, learning_rate=0.01)
    run = fit(model, steps=3).save(tmp_path / "mine")
    saved = json.loads((tmp_path / "mine" / "config.json").read_text())
    assert saved["config"]["optimiser"] == {"kind": "outside", "repr": repr(optimiser)}
    with pytest.raises(UserError, match=r"`optimiser` of this run was .*give it again: `optimiser=\.\.\.`"):
        genjax.load(tmp_path / "mine")
    opened = genjax.load(tmp_path / "mine", optimiser=optimiser)
    same(opened.state, run.state)


@pytest.mark.slow
def test_a_finished_optimiser_is_used_as_it_is(fit):
    run = fit(genjax.rbm(hidden=4, chains=10, optimiser=optax.adam(0.01)), steps=3)
    assert run.step == 3
    with pytest.raises(UserError, match="`learning_rate`"):
        fit(genjax.rbm(hidden=4, optimiser=optax.adam(0.01), learning_rate=0.3), steps=3)


def test_a_unit_type_from_outside_is_given_again(fit, tmp_path, same):
    run = fit(genjax.rbm(hidden=4, chains=10, visible_type=Own()), steps=3).save(tmp_path / "mine")
    with pytest.raises(UserError, match="`visible_type` of this run was"):
        genjax.load(tmp_path / "mine")
    opened = genjax.load(tmp_path / "mine", visible_type=Own())
    same(opened.state, run.state)
    assert opened.machine.units[0] == Own()
    with pytest.raises(UserError, match="`hidden_type` of this run is not an object from outside"):
        genjax.load(tmp_path / "mine", visible_type=Own(), hidden_type=Own())


def test_a_shipped_machine_is_loaded_by_name(tmp_path, monkeypatch):
    """It answers without data; log Z is known; nothing is written."""
    monkeypatch.chdir(tmp_path)
    run = genjax.load("dbm-mnist")
    assert run.machine.sizes[0] == 784
    x = run.sample(2, sweeps=1)
    assert x.shape == (2, 28, 28)
    score = genjax.load("rbm-mnist").score_samples(jnp.zeros((1, 784)))
    assert np.isfinite(score).all()
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match="is not a run folder"):
        genjax.load("dbm-nobody")
