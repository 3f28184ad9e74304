"""A run answers with what was best on held-out examples, goes on from the last, and says that it over-fits."""

import dataclasses
import shutil
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

import genjax
from genjax.errors import UserError
from genjax.training.settings import RunConfig
from genjax.typing import Algorithm, Measure, Model, Stage

STEPS, CHUNK = 4800, 240


class State(NamedTuple):
    p: Any
    hyper: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Climber:
    """Its parameter is the number of its steps, and 2,400 is the best on held-out examples."""


def step(key, state, batch):
    return state._replace(p=state.p + 1), {"parameter_max": jnp.zeros(())}


def observe(key, state, train, held_out):
    return {} if held_out is None else {"held_out_loss": jnp.abs(state.p / 2400 - 1)}


ALGORITHM = Algorithm(lambda key, example, hyper: State(jnp.zeros(()), hyper), step, observe)
Climber.model = Model(  # type: ignore[attr-defined]
    "climber",
    Climber,
    lambda config, steps, steps_per_epoch: (Stage("train", ALGORITHM, {}, steps),),
    lambda state: state.p,
    measures=(Measure("held_out_loss", higher=False),),
)
X = np.random.default_rng(0).integers(0, 2, (400, 3)).astype(np.uint8)


def fit(steps=STEPS, **options):
    data = genjax.Dataset.from_arrays(X, test=0.2, validation=0.25)
    return genjax.fit(Climber(), data, steps=steps, batch_size=10, progress=False, **options)


@pytest.fixture(scope="module")
def run():
    return fit()


def test_the_best_answers_where_the_last_is_worse(run):
    assert (run.step, float(run.state.p)) == (STEPS, STEPS)
    assert float(run.parameters) == run.judgement.step == 2640  # of three chunks about the turn the last one
    assert run.keeps_best
    assert "best at step 2640 (epoch 110)" in run.over_fitting
    assert "the best parameters answer" in repr(run)
    last = fit(keep="last")
    assert float(last.parameters) == STEPS
    assert "the last parameters answer" in str(last.over_fitting)


def test_the_last_answers_where_it_is_as_good():
    run = fit(2400)
    assert float(run.parameters) == 2400
    assert run.over_fitting is None


def test_curves_are_shaded_after_the_best(run):
    (axes, *_) = run.plot.curves().axes
    (shade,) = [patch for patch in axes.patches if patch.get_label() == "over-fitting"]
    left, right = shade.get_extents().transformed(axes.transData.inverted()).intervalx
    np.testing.assert_allclose((left, right), (110, 200))


def test_patience_ends_a_run_a_tenth_later(capsys):
    run = fit(patience=30)
    stopped = run.decided["stopped_early"]["step"]
    assert stopped == 2640 + 3 * 240
    assert run.step == round(1.1 * stopped)
    assert "no better held_out_loss since step 2640" in capsys.readouterr().err
    with pytest.raises(UserError, match="`patience` 0"):
        RunConfig(patience=0).check()


def test_the_bar_says_it(capsys):
    data = genjax.Dataset.from_arrays(X, test=0.2, validation=0.25)
    genjax.fit(Climber(), data, steps=STEPS, batch_size=10)
    assert "ALARM: over-fitting since epoch 110" in capsys.readouterr().err


@pytest.mark.slow
def test_it_is_kept_goes_on_from_the_last_and_ends_as_if_never_interrupted(run, tmp_path):
    def stop(chunk):
        if chunk.step >= 3600:
            raise KeyboardInterrupt

    part = fit(out=tmp_path / "run", on_chunk=stop)
    assert part.step == 3600
    loaded = genjax.load(tmp_path / "run", model=Climber)
    assert (float(loaded.parameters), float(loaded.state.p)) == (2640, 3600)
    whole = fit(out=tmp_path / "run")
    again = genjax.load(tmp_path / "run", model=Climber)
    for found in (whole, again):
        assert (float(found.parameters), float(found.state.p)) == (2640, STEPS)
        assert found.judgement == run.judgement
    data = genjax.Dataset.from_arrays(X, test=0.2, validation=0.25)
    on = genjax.fit(run, data, steps=6000, progress=False)
    assert (float(on.state.p), float(on.parameters), float(run.parameters)) == (6000, 2640, 2640)
    copied = genjax.load(run.save(tmp_path / "copy").folder, model=Climber)
    assert (float(copied.parameters), float(copied.state.p)) == (2640, STEPS)


@pytest.mark.slow
def test_a_run_that_falls_back_to_before_its_early_stop_is_stopped_again(tmp_path, capsys):
    """Its rates are not those after the stop: as where the checkpoints after it are damaged."""
    run = fit(patience=30, out=tmp_path / "run")
    said = capsys.readouterr().err
    for step in (run.decided["stopped_early"]["step"], run.step):
        shutil.rmtree(tmp_path / "run" / "checkpoints" / "train" / str(step))
    again = fit(patience=30, out=tmp_path / "run")
    assert capsys.readouterr().err == said
    assert (again.step, again.decided) == (run.step, run.decided)
