"""`compare`: a table of settings, means over seeds with intervals."""

import numpy as np
import pytest
from scipy.stats import t

import genjax
from genjax.errors import UserError


@pytest.fixture(scope="module")
def runs(bits):
    model = genjax.rbm(hidden=4, chains=10)
    options = {"steps": 8, "batch_size": 20, "progress": False}
    return genjax.grid(model, bits, learning_rate=[0.01, 0.2], seeds=3, **options)


@pytest.mark.slow
def test_a_row_a_setting_with_the_mean_over_seeds(runs):
    table = genjax.compare(runs)
    assert [(row["learning_rate"], row["seeds"]) for row in table] == [(0.01, 3), (0.2, 3)]
    values = np.array([run.history["held_out_reconstruction_error"][-1] for run in runs[:3]])
    cell = table[0]["held_out_reconstruction_error"]
    assert cell["mean"] == pytest.approx(values.mean())
    assert cell["half_interval"] == pytest.approx(t.ppf(0.975, 2) * values.std(ddof=1) / np.sqrt(3))


def test_scores_may_be_chosen(runs):
    assert set(genjax.compare(runs, ["free_energy_gap"])[0]) == {"learning_rate", "seeds", "free_energy_gap"}


def test_it_is_shown_as_a_table(runs):
    table = genjax.compare(runs)
    header, *rows = repr(table).splitlines()
    assert header.split()[:2] == ["learning_rate", "seeds"]
    assert len(rows) == 2
    assert "+-" in rows[0]
    assert table._repr_html_().count("<tr>") == 3


def test_runs_under_another_binarisation_stand_apart(fit, runs):
    other = fit(steps=8, binarisation="threshold")
    table = genjax.compare([runs[3], other])
    assert {row["binarisation"] for row in table} == {"sampled", "threshold"}


def test_a_likelihood_is_shown_where_all_have_been_evaluated(fit):
    runs = [fit(steps=3, seed=seed) for seed in (0, 1)]
    assert "log_likelihood" not in genjax.compare(runs)[0]
    numbers = [run.evaluation()["log_likelihood"]["test"]["mean"] for run in runs]
    assert genjax.compare(runs)[0]["log_likelihood"]["mean"] == pytest.approx(np.mean(numbers))


def test_evaluated_runs_without_a_likelihood_are_compared_by_their_errors(bits):
    run = genjax.fit(genjax.autoencoder(layers=(3,)), bits, steps=2, batch_size=20, progress=False)
    run.evaluation()
    assert run.evaluated is not None
    (row,) = genjax.compare(run)
    assert "log_likelihood" not in row
    assert row["held_out_reconstruction_error"]["mean"] > 0


def test_a_single_run_has_no_interval(fit):
    (row,) = genjax.compare(fit(steps=3))
    assert row["seeds"] == 1
    assert row["held_out_reconstruction_error"]["half_interval"] is None


def test_paired_over_common_seeds(runs):
    mean, low, high = genjax.paired(runs[:3], runs[3:], "held_out_reconstruction_error")
    last = [run.history["held_out_reconstruction_error"][-1] for run in runs]
    assert mean == pytest.approx(np.mean(np.subtract(last[:3], last[3:])))
    assert low < mean < high
    with pytest.raises(UserError, match="other seeds"):
        genjax.paired(runs[:2], runs[3:], "held_out_reconstruction_error")


def test_no_runs_are_refused():
    with pytest.raises(UserError, match="`runs` is empty"):
        genjax.compare([])
