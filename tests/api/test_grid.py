"""`grid`: settings times seeds, each run as it is alone."""

import inspect

import numpy as np
import pytest

import genjax
from genjax.errors import UserError
from genjax.training import grid as side_by_side

QUIET = {"batch_size": 20, "progress": False}


@pytest.fixture(scope="module")
def model():
    return genjax.rbm(hidden=4, chains=10)


@pytest.mark.slow
def test_settings_times_seeds_in_that_order(model, bits, same, fit):
    """The last axis runs fastest, seeds within a setting; each run bit-equal to the one alone."""
    runs = genjax.grid(model, bits, learning_rate=[0.01, 0.2], weight_decay=[0.0, 0.1], seeds=2, steps=20, **QUIET)
    made = [(run.config.learning_rate, run.config.weight_decay, run.settings.seed) for run in runs]
    assert made == [(rate, decay, seed) for rate in (0.01, 0.2) for decay in (0.0, 0.1) for seed in (0, 1)]
    for run in (runs[0], runs[3], runs[6]):
        alone = fit(run.config, steps=20, seed=run.settings.seed)
        same(run.state, alone.state)
        np.testing.assert_allclose(run.history["pseudo_likelihood"], alone.history["pseudo_likelihood"], rtol=1e-5)


@pytest.mark.slow
def test_seeds_are_a_number_or_a_list(model, bits):
    def seeds(given):
        return [run.settings.seed for run in genjax.grid(model, bits, seeds=given, steps=1, **QUIET)]

    assert seeds([3, 5]) == [3, 5]
    assert seeds(2) == [0, 1]
    assert inspect.signature(genjax.grid).parameters["seeds"].default == 8
    for given in (0, []):
        with pytest.raises(UserError, match="`seeds`"):
            seeds(given)
    with pytest.raises(UserError, match="`seed` 3: a grid takes `seeds`"):
        genjax.grid(model, bits, seed=3, steps=1)


@pytest.mark.slow
def test_a_tuple_is_a_value_and_a_list_or_an_array_an_axis(bits):
    model, options = genjax.dbm(chains=10, pretraining=1), {"seeds": 1, "steps": 2, **QUIET}
    runs = genjax.grid(model, bits, layers=[(4, 3), (3, 2)], **options)
    assert [run.machine.sizes for run in runs] == [(12, 4, 3), (12, 3, 2)]
    (run,) = genjax.grid(model, bits, layers=(4, 3), **options)
    assert run.machine.sizes == (12, 4, 3)
    with pytest.raises(UserError, match="`learning_rate` is an empty axis"):
        genjax.grid(model, bits, learning_rate=[], **options)


@pytest.mark.slow
def test_an_array_is_an_axis(model, bits):
    runs = genjax.grid(model, bits, learning_rate=np.array([0.1, 0.2]), seeds=1, steps=2, **QUIET)
    assert [run.config.learning_rate for run in runs] == [0.1, 0.2]


@pytest.mark.slow
def test_the_options_of_fit_may_be_axes(model, bits, same, fit):
    runs = genjax.grid(model, bits, steps=[2, 5], binarisation=["sampled", "threshold"], seeds=1, **QUIET)
    assert [(run.step, run.settings.binarisation) for run in runs] == [
        (2, "sampled"), (2, "threshold"), (5, "sampled"), (5, "threshold"),
    ]  # fmt: skip
    for run in runs:
        same(run.state, fit(model, steps=run.step, binarisation=run.settings.binarisation).state)


@pytest.mark.slow
def test_padded_runs_are_those_alone_but_for_rounding(model, bits, fit):
    """Of several sizes in one program: 1e-5 after 20 steps."""
    runs = genjax.grid(model, bits, hidden=[3, 4], seeds=2, steps=20, **QUIET)
    assert [run.machine.sizes[1] for run in runs] == [3, 3, 4, 4]
    for run in runs:
        alone = fit(run.config, steps=20, seed=run.settings.seed)
        for one, other in zip(run.machine.weights + run.machine.biases, alone.machine.weights + alone.machine.biases):
            np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.slow
def test_as_few_programs_as_possible(model, bits, monkeypatch):
    """Rates and sizes share one; the number of Gibbs steps does not."""
    calls, whole = [], side_by_side.train

    def counted(keys, *args):
        calls.append(len(keys))
        return whole(keys, *args)

    monkeypatch.setattr(side_by_side, "train", counted)
    genjax.grid(model, bits, hidden=[3, 4], learning_rate=[0.1, 0.2], seeds=2, steps=1, **QUIET)
    assert calls == [8]
    genjax.grid(model, bits, k=[1, 2], seeds=2, steps=1, **QUIET)
    assert calls == [8, 2, 2]


@pytest.mark.slow
def test_common_batches_share_order_and_binarisation(model, bits):
    """And intervals over seeds say so."""
    grey = 0.6 * bits + 0.2
    runs = genjax.grid(model, grey, seeds=2, steps=20, common_batches=True, **QUIET)
    apart = genjax.grid(model, grey, seeds=2, steps=20, **QUIET)
    assert not np.array_equal(runs[1].machine.weights[0], apart[1].machine.weights[0])
    np.testing.assert_array_equal(runs[0].machine.weights[0], apart[0].machine.weights[0])
    assert "share order and binarisation" in repr(genjax.compare(runs))
    assert "share" not in repr(genjax.compare(apart))


@pytest.mark.slow
def test_a_run_of_a_grid_is_a_run(model, bits, tmp_path, fit):
    run = genjax.grid(model, bits, seeds=2, steps=20, **QUIET)[1]
    assert run.log_likelihood().kind == "exact"
    run.save(tmp_path / "mine")
    assert genjax.load(tmp_path / "mine").settings.seed == 1
    assert fit(run, steps=25).step == 25


@pytest.mark.slow
def test_one_that_diverges_leaves_the_others_alone(model, bits, same):
    runs = genjax.grid(model, bits, learning_rate=[0.2, 1e9], seeds=1, steps=20, **QUIET)
    assert runs[0].diverged is None
    assert "diverged at step" in runs[1].diverged
    alone = genjax.grid(model, bits, learning_rate=[0.2, 0.1], seeds=1, steps=20, **QUIET)
    same(runs[0].state, alone[0].state)
    assert [row.get("diverged", 0) for row in genjax.compare(runs)] == [0, 1]


def test_what_fits_no_setting_is_refused_before_any_work(model, bits, monkeypatch):
    monkeypatch.setattr("genjax.api.grid.together", None)
    for options, words in (
        ({"nothing": [1, 2]}, "`nothing` is no option"),
        ({"hidden": [4, 0]}, "`hidden` 0"),
        ({"steps": [1, 0]}, "`steps` 0"),
        ({"rungs": [3]}, "`rungs` 3 has no effect"),
        ({"devices": 2}, "`devices` 2"),
    ):
        with pytest.raises(UserError, match=words):
            genjax.grid(model, bits, **{"seeds": 1, "steps": 1} | options)
