"""A run that diverges goes on from its last good state at half the rate, and a resumed one has the same rates."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

import genjax
from genjax.errors import Diverged
from genjax.training import rollback
from genjax.training.folder import read_metrics
from genjax.typing import Algorithm, Measure, Model, Stage
from tests.training.test_checkpoint import state

QUIET = {"steps": 8, "batch_size": 10, "progress": False}


@pytest.fixture(name="bits")
def bits_fixture():
    return np.random.default_rng(0).integers(0, 2, (30, 6)).astype(np.float32)


def test_rates_are_halved_and_nothing_else():
    once = rollback.halved(state()._replace(hyper={"learning_rate": np.float32(0.1), "beta": np.float32(3)}), 2)
    assert once.hyper == {"learning_rate": np.float32(0.1) / 4, "beta": 3}


def test_there_is_an_end_and_without_a_rate_no_beginning():
    own, none = state()._replace(hyper={"learning_rate": 0.1}), state()._replace(hyper={"beta": 1.0})
    one = {"stage": "train", "step": 1}
    assert rollback.possible([one] * 19, own)
    assert not rollback.possible([one] * 20, own)
    assert not rollback.possible([], none)


def test_what_was_decided_after_a_step_happens_again():
    decided = [{"stage": "pretraining", "step": 4}, {"stage": "train", "step": 2}, {"stage": "train", "step": 6}]
    names = ["pretraining", "train"]
    assert rollback.before(decided, names, 0, 3) == []
    assert rollback.before(decided, names, 0, 4) == decided[:1]
    assert rollback.before(decided, names, 1, 2) == decided[:2]
    assert rollback.before(decided, names, 1, 7) == decided


@pytest.mark.slow
def test_a_run_that_diverges_is_trained_at_a_lower_rate(bits, tmp_path, capsys):
    model = genjax.rbm(hidden=2, chains=10, learning_rate=1e6)
    with pytest.raises(Diverged):
        genjax.fit(model, bits, **QUIET)
    run = genjax.fit(model, bits, on_divergence="rollback", out=tmp_path / "run", **QUIET)
    said = capsys.readouterr().err
    times = said.count("and on at half the rate")
    assert 2 < times < 20
    assert run.step == 8
    assert np.isfinite(run.machine.weights[0]).all()
    assert float(run.state.hyper["learning_rate"]) == 1e6 / 2**times
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert steps[-1] == 8
    decided = json.loads((tmp_path / "run" / "config.json").read_text())["decided"]["rolled_back"]
    assert len(decided) == times
    again = genjax.fit(model, bits, on_divergence="rollback", out=Path(tmp_path / "run"), **QUIET)
    assert float(again.state.hyper["learning_rate"]) == 1e6 / 2**times


class Height(NamedTuple):
    p: Any
    hyper: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Climber:
    """Its parameter is the sum of its rates: at 10 a step it is beyond the largest after 1,000."""


def climb(key, state, batch):
    p = state.p + state.hyper["learning_rate"]
    return state._replace(p=p), {"parameter_max": p}


def observe(key, state, train, held_out):
    return {"held_out_loss": jnp.abs(state.p / 5000 - 1)}


ALGORITHM = Algorithm(lambda key, example, hyper: Height(jnp.zeros(()), hyper), climb, observe)
Climber.model = Model(  # type: ignore[attr-defined]
    "climber",
    Climber,
    lambda config, steps, steps_per_epoch: (Stage("train", ALGORITHM, {"learning_rate": jnp.asarray(10.0)}, steps),),
    lambda state: state.p,
    measures=(Measure("held_out_loss", higher=False),),
)


@pytest.mark.slow
def test_a_run_that_goes_on_from_before_or_after_a_rollback_ends_alike(bits, tmp_path):
    """It goes back once to the end of its fourth chunk, and twice to that of its fifth."""

    def fit(**options):
        options = {"on_divergence": "rollback", "steps": 1296, "batch_size": 1} | options
        return genjax.fit(Climber(), np.tile(bits, (10, 1)), progress=False, **options)

    def stop(chunk):
        if chunk.step == fifth:
            raise KeyboardInterrupt

    whole = fit(out=tmp_path / "whole")
    fourth, fifth, last = map(int, whole.history["step"][-3:])
    decided = [{"stage": "train", "step": step} for step in (fourth, fifth, fifth)]
    assert (whole.decided["rolled_back"], last, float(whole.state.p)) == (decided, 1296, 9990)
    part = fit(out=tmp_path / "part", on_chunk=stop)
    assert (part.step, part.decided["rolled_back"]) == (fifth, decided[:1])
    for step in (fifth, last):
        shutil.rmtree(tmp_path / "whole" / "checkpoints" / "train" / str(step))
    for run in (fit(out=tmp_path / "part"), fit(out=tmp_path / "whole")):
        assert (run.decided["rolled_back"], float(run.state.p)) == (decided, 9990)
        assert run.judgement == whole.judgement
        steps = [entry["step"] for entry in read_metrics(run.folder)]
        assert steps == whole.history["step"].tolist()
