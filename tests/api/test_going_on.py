"""Going on with a run: counted from its beginning, on its data, and what is refused."""

import jax
import numpy as np
import pytest

import genjax
from genjax.errors import UserError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def old(fit):
    """Two epochs of four steps, the average over the last half."""
    return fit(genjax.rbm(hidden=4, chains=10, average=0.5), epochs=2)


def test_epochs_and_steps_count_from_the_beginning(fit, old):
    calls = []
    run = fit(old, epochs=5, on_chunk=lambda chunk: calls.append(chunk.step))
    assert (run.step, int(run.state.step), calls) == (20, 20, [20])
    assert fit(old, steps=9).step == 9


def test_going_on_from_steps_to_epochs_and_back(fit):
    run = fit(steps=3)
    run = fit(run, epochs=1)
    assert (run.step, run.settings.epochs, run.settings.steps) == (4, 1, None)
    run = fit(run, steps=6)
    assert (run.step, run.settings.epochs, run.settings.steps) == (6, None, 6)


def test_the_old_run_stays_what_it_was(fit, old, same):
    state = jax.tree.map(np.array, old.state._replace(machine=None))
    entries = list(old.entries)
    fit(old, epochs=3)
    assert (old.step, old.settings.epochs, old.entries) == (8, 2, entries)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(old.state))
    same(state, jax.tree.map(np.asarray, old.state._replace(machine=None)))


def test_the_schedule_is_stretched_and_this_is_said(fit, old, capsys):
    """The rate is that of a longer run at this point, and the average leaves out what came before."""
    longer = fit(old, epochs=5)
    said = capsys.readouterr().err
    assert "5 epochs in place of 2 epochs: the learning rate jumps to that of 5 epochs at this point" in said
    assert "the average over the end of the run begins anew" in said
    assert longer.decided["averaged_from"] == 8
    whole = fit(genjax.rbm(hidden=4, chains=10, average=0.5), epochs=5)
    last = "learning_rate"  # of the steps 9 to 20 the mean, of all the other
    np.testing.assert_allclose(longer.history[last][-1], 0.2 * np.mean(1 - np.arange(8, 20) / 20), rtol=0.05)
    assert whole.history[last][-1] > longer.history[last][-1]


@pytest.mark.slow
def test_of_a_constant_rate_without_an_average_nothing_is_said(fit, capsys, same):
    """Then the longer run is what it would have been at once."""
    model = genjax.rbm(hidden=4, chains=10, schedule="constant", average=0.0)
    longer = fit(fit(model, epochs=2), epochs=4)
    assert capsys.readouterr().err == ""
    same(longer.parameters, fit(model, epochs=4).parameters)


@pytest.mark.slow
def test_the_last_stage_alone_is_longer(fit):
    """Pretraining is not done again."""
    model = genjax.dbm(layers=(4, 3), chains=10, pretraining=1)
    run = fit(model, steps=3)
    before = set(run.history["stage"])
    longer = fit(run, steps=5)
    assert len(before) > 1
    assert longer.step == 5
    assert list(longer.history["stage"][: len(run.history["stage"])]) == list(run.history["stage"])
    assert longer.history["stage"][-1] == "train"


def test_fewer_steps_than_are_done_are_refused(fit, old):
    with pytest.raises(UserError, match="`steps` 3 is less than the 8 steps"):
        fit(old, steps=3)


def test_the_history_goes_on(fit, old):
    longer = fit(old, epochs=3)
    np.testing.assert_array_equal(longer.history["step"], [8, 12])
    assert (np.diff(longer.history["seconds"]) > 0).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 3}, "`seed` 3 differs from the run's 0"),
        ({"batch_size": 7}, "`batch_size` 7 differs from the run's 20"),
        ({"binarisation": "threshold"}, "`binarisation` threshold differs from the run's sampled"),
        ({"validation": False}, "`validation` False differs from the run's True"),
        ({"start": 0}, "`start` begins a new run"),
        ({"devices": 3}, "`devices` 3"),
    ],
)
def test_other_options_are_refused(fit, old, options, words):
    with pytest.raises(UserError, match=words):
        fit(old, epochs=3, **options)


def test_the_same_options_may_be_given(fit, old):
    assert fit(old, epochs=3, seed=0, batch_size=20).step == 12


def test_its_data_may_be_given_again(fit, old, bits, same):
    same(fit(old, bits, epochs=3).state, fit(old, epochs=3).state)
    same(fit(old, bits.reshape(120, 12).astype(bool), epochs=3).state, fit(old, epochs=3).state)


def test_other_data_are_refused_and_the_remedy_named(fit, old, bits):
    """Fewer of them, others of the same number, and the same in another order."""
    for other in (bits[:100], 1 - bits, bits[::-1]):
        with pytest.raises(UserError, match=r"not the data.*genjax\.fit\(model, other, start=run\.parameters\)"):
            fit(old, other, epochs=3)
    run = fit(data=1 - bits, steps=3, start=old.parameters)
    assert run.step == 3


def test_a_run_on_arrays_takes_them_again_when_it_is_opened(fit, bits, tmp_path, same):
    fit(epochs=2).save(tmp_path / "mine")
    run = genjax.load(tmp_path / "mine")
    with pytest.raises(UserError, match=r"arrays.*give them again as `data`"):
        fit(run, epochs=3)
    longer = fit(run, bits, epochs=3)
    same(longer.state, fit(fit(epochs=2), epochs=3).state)
    assert genjax.load(tmp_path / "mine").step == 12  # its folder goes on with it


@pytest.mark.slow
def test_a_validation_split_of_its_own_is_given_again_too(fit, bits):
    own = bits[:10]
    run = fit(steps=2, validation=own)
    with pytest.raises(UserError, match="not the data"):
        fit(run, bits, steps=3)
    assert fit(run, bits, steps=3, validation=own).step == 3
    assert fit(run, steps=3).step == 3


@pytest.mark.slow
def test_a_run_on_a_named_set_reads_it_again(fit, tmp_path):
    fit(data="digits", steps=2).save(tmp_path / "digits")
    run = genjax.load(tmp_path / "digits")
    assert run.loaded is None
    assert fit(run, steps=3).step == 3
    assert fit(genjax.load(tmp_path / "digits"), "digits", steps=4).step == 4


def test_a_run_goes_on_into_another_folder(fit, old, tmp_path):
    """The new one holds the longer run, the old one stays as it is."""
    run = fit(epochs=2).save(tmp_path / "two")
    longer = fit(run, epochs=3, out=tmp_path / "three")
    assert [genjax.load(tmp_path / name).step for name in ("two", "three")] == [8, 12]
    assert longer.folder == tmp_path / "three"


def test_of_a_shipped_machine_the_remedy_is_named():
    """It has no state of its training."""
    run = genjax.load("rbm-mnist")
    assert run.state is None
    with pytest.raises(UserError, match=r"genjax\.fit\(model, data, start=run\.parameters\)"):
        genjax.fit(run, epochs=60)


@pytest.mark.slow
def test_a_shipped_machine_is_a_start(fit):
    """As for fine-tuning, on other images of its shape."""
    run = genjax.load("rbm-mnist")
    images = (np.random.default_rng(0).random((60, 28, 28)) < 0.1).astype(np.float32)
    model = genjax.rbm(hidden=run.machine.sizes[1], chains=10, learning_rate=1e-6)
    tuned = fit(model, images, steps=1, start=run.parameters)
    np.testing.assert_allclose(tuned.parameters.weights[0], run.parameters.weights[0], atol=1e-3)
    assert tuned.shape == (28, 28)
