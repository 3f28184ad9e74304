"""`fit`: exactly the steps asked for, arguments left as they are, folders, and Ctrl-C."""

import json
import signal
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import genjax
from genjax.boltzmann.units import Gaussian
from genjax.errors import UserError
from genjax.training import loop
from genjax.training.lock import hold

LONG = {"steps": 500}  # chunks are of 248 steps


def test_exactly_the_steps_asked_for(fit):
    """Shorter than an epoch, than a chunk, longer, and in epochs of four steps."""
    for given, steps in (({"steps": 1}, 1), ({"steps": 3}, 3), ({"steps": 251}, 251), ({"epochs": 2}, 8)):
        run = fit(**given)
        assert (run.step, int(run.state.step)) == (steps, steps)


def test_a_batch_larger_than_the_data_still_trains(fit):
    run = fit(batch_size=10_000, steps=2)
    assert run.step == int(run.state.step) == 2


def test_by_default_it_takes_about_eighteen_thousand_steps(fit, monkeypatch):
    monkeypatch.setattr("genjax.api.prepared.STEPS", 20)
    run = fit()
    assert run.settings.epochs * 4 == run.step >= 20


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "`steps` 0 is not positive"),
        ({"epochs": -1}, "`epochs` -1 is not positive"),
        ({"epochs": 1, "steps": 1}, "`epochs` 1 and `steps` 1 are both lengths"),
        ({"steps": 1, "devices": 2}, "`devices` 2"),
        ({"steps": 1, "seed": -1}, "seed"),
        ({"steps": 1, "binarisation": "sometimes"}, "`binarisation` sometimes"),
        ({"steps": 1, "batch_size": 0}, "`batch_size` 0 is not positive"),
    ],
)
def test_what_does_not_go_together_is_refused(fit, options, words):
    with pytest.raises(UserError, match=words):
        fit(**options)


def test_what_is_no_model_and_no_data_is_refused(bits):
    with pytest.raises(UserError, match="`model` 'rbm' is no model"):
        genjax.fit("rbm", bits)
    with pytest.raises(UserError, match="`data` is missing"):
        genjax.fit(genjax.rbm())


@pytest.mark.slow
def test_a_class_of_model_is_its_defaults(fit):
    from genjax.models.rbm import RBM

    assert fit(RBM, steps=1).config == genjax.rbm()


def test_arguments_are_left_as_they_are(fit, bits):
    """Arrays of numpy and JAX are not written to nor given away; the parameters to begin from live on."""
    x, before = jnp.asarray(bits), bits.copy()
    first = fit(data=x, steps=3)
    begun = first.parameters
    kept = jax.tree.map(np.array, begun)
    second = fit(data=bits, steps=3, start=begun)
    fit(first, x, steps=6)
    np.testing.assert_array_equal(bits, before)
    np.testing.assert_array_equal(np.asarray(x), before)
    for one, other in zip(jax.tree.leaves(begun), jax.tree.leaves(kept), strict=True):
        np.testing.assert_array_equal(np.asarray(one), other)
    assert not any(leaf.is_deleted() for run in (first, second) for leaf in jax.tree.leaves(run.state))


def test_twice_from_one_cell(fit, same):
    """The same call gives the same run, and trains without compiling anything anew."""
    run, sizes = fit(steps=3), (loop.run_chunk._cache_size(), loop.run_observation._cache_size())
    again = fit(genjax.rbm(hidden=4, chains=10), steps=3)
    same(run.state, again.state)
    assert sizes == (loop.run_chunk._cache_size(), loop.run_observation._cache_size())


def test_from_any_thread(fit, same):
    """Two at once, which have no signals to themselves."""
    made = {}

    def train(seed):
        made[seed] = fit(steps=3, seed=seed)

    threads = [threading.Thread(target=train, args=(seed,)) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in (0, 1):
        same(made[seed].state, fit(steps=3, seed=seed).state)


def test_another_seed_is_another_run(fit):
    first, second = (fit(steps=3, seed=seed).parameters.weights[0] for seed in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.slow
def test_binarisation_is_what_the_model_takes(fit, bits):
    """Drawn pixels of grey for Bernoulli units, intensities for Gaussian ones; recorded either way."""
    assert fit(steps=1).settings.binarisation == "sampled"
    assert fit(steps=1, binarisation="threshold").settings.binarisation == "threshold"
    grey = bits * 0.5 + 0.1
    gaussian = genjax.rbm(hidden=4, chains=10, visible_type=Gaussian())
    assert fit(gaussian, grey, steps=1).settings.binarisation == "none"
    with pytest.raises(UserError, match="binarisation"):
        fit(data=grey, steps=1, binarisation="none")


@pytest.mark.slow
def test_validation(fit, bits):
    """A tenth of what is left by a fifth for the test, none, a share, or a split of one's own."""
    counts = {given: fit(steps=1, validation=given).record.counts for given in (True, False, 0.25)}
    assert [counts[given]["validation"] for given in counts] == [9, 0, 24]
    assert all(count["test"] == 24 for count in counts.values())
    run = fit(steps=1, validation=bits[:7])
    assert run.record.counts == {"train": 96, "validation": 7, "test": 24}
    run = fit(steps=1, data=genjax.Dataset.from_arrays(bits, validation=0.5), validation=False)
    assert run.record.counts["validation"] == 0


@pytest.mark.slow
def test_validation_of_a_named_set(monkeypatch, fit):
    """Its own split, or an array in its place."""
    whole = fit(data="digits", steps=1).record.counts
    given = genjax.data.load("digits").validation[:5]
    run = fit(data="digits", steps=1, validation=given)
    assert run.record.counts == {"train": sum(whole.values()) - whole["test"], "validation": 5, "test": whole["test"]}
    longer = genjax.fit(run, "digits", steps=2, validation=given, progress=False)
    assert longer.step == 2


def test_without_out_nothing_is_written(fit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = fit(steps=3)
    assert not list(tmp_path.rglob("*"))
    assert run.folder is None


def test_out_is_kept_as_train_keeps_it(fit, tmp_path):
    run = fit(steps=3, out=tmp_path / "mine")
    assert run.folder == tmp_path / "mine"
    found = {path.name for path in (tmp_path / "mine").iterdir()}
    assert found >= {"config.json", "environment.json", "metrics.jsonl", "checkpoints"}
    assert json.loads((tmp_path / "mine" / "config.json").read_text())["run"]["steps"] == 3
    assert json.loads((tmp_path / "mine" / "metrics.jsonl").read_text())["step"] == 3


class Interrupt:
    """Ctrl-C within the first chunk that it sees, as a callable or as a signal; then it only counts."""

    def __init__(self, signals: int = 0):
        self.signals, self.steps = signals, []

    def __call__(self, chunk: loop.Chunk) -> None:
        self.steps.append(chunk.step)
        if len(self.steps) == 1:
            for _ in range(self.signals):
                signal.raise_signal(signal.SIGINT)
            if not self.signals:
                raise KeyboardInterrupt


@pytest.mark.parametrize("signals", [0, 1, 2])
def test_an_interrupted_call_returns_the_run_so_far(fit, signals, same):
    """By an exception, Ctrl-C once, and twice; and afterwards the signal is what it was."""
    before, interrupt = signal.signal(signal.SIGINT, signal.default_int_handler), Interrupt(signals)
    try:  # a process of a distributed test run ignores the signal
        run = fit(on_chunk=interrupt, **LONG)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert interrupt.steps == [248]
    assert run.step == int(run.state.step) == 248
    run.score_samples(np.zeros((1, 12)))  # it is a run as any other
    same(fit(run).state, fit(**LONG).state)  # and what is left of it is done


def test_an_interrupt_within_a_chunk_is_not_swallowed(fit, monkeypatch):
    """The state is within the chunk then, so that there is no run to return."""
    whole, calls = loop.run_chunk, []

    def interrupted(*args):
        calls.append(0)
        if len(calls) == 2:
            for leaf in jax.tree.leaves(args[1]):
                leaf.delete()  # as when it is given to the chunk
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr(loop, "run_chunk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(**LONG)


def test_other_handlers_of_signals_are_left_alone(fit):
    """Those of the command line, which saves and ends by its own."""
    noted = []
    before = signal.signal(signal.SIGINT, lambda *_: noted.append(True))
    try:
        run = fit(on_chunk=Interrupt(1), **LONG)
    finally:
        signal.signal(signal.SIGINT, before)
    assert noted
    assert run.step == 500


def test_an_interrupted_call_goes_on(fit, tmp_path, same):
    """With the same `out` it ends as the uninterrupted run, bit for bit; and once more does nothing."""
    interrupted = fit(out=tmp_path / "mine", on_chunk=Interrupt(), **LONG)
    assert interrupted.step == 248
    run, seen = None, Interrupt(3)
    seen.steps.append(0)
    run = fit(out=tmp_path / "mine", on_chunk=seen, **LONG)
    assert seen.steps == [0, 496, 500]
    whole = fit(**LONG)
    same(run.state, whole.state)
    for name in ("step", "pseudo_likelihood", "gradient_norm"):
        np.testing.assert_array_equal(run.history[name], whole.history[name])
    same(fit(out=tmp_path / "mine", **LONG).state, whole.state)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 1}, "`seed` 1 differs from 0"),
        ({"model": genjax.rbm(hidden=5, chains=10)}, "`hidden` 5 differs from 4"),
        ({"model": genjax.rbm(hidden=4, chains=11)}, "`chains` 11 differs"),
        ({"batch_size": 10}, "`batch_size` 10 differs from 20"),
        ({"data": np.zeros((120, 12), np.float32)}, "not the data"),
        ({"model": genjax.dbm(layers=(3, 2))}, "holds a run of rbm, not dbm"),
        ({"steps": 2}, "`steps` 2 is less than the 3 steps"),
    ],
)
def test_a_folder_of_another_run_is_refused(fit, tmp_path, options, words):
    fit(steps=3, out=tmp_path / "mine")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "mine").rglob("*")}
    with pytest.raises(UserError, match=words):
        fit(**{"steps": 3, "out": tmp_path / "mine"} | options)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "mine").rglob("*")} == before


def test_a_folder_that_holds_no_run_is_refused(fit, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="exists"):
        fit(steps=1, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_several_are_called_with_each_chunk(fit):
    first, second = [], []
    fit(steps=3, on_chunk=[lambda chunk: first.append(chunk.step), lambda chunk: second.append(chunk.metrics)])
    assert first == [3]
    assert "reconstruction_error" in second[0]


def test_progress_is_shown_unless_unwanted(fit, capsys):
    fit(steps=3, progress=True)
    assert "training 100 %" in capsys.readouterr().err
    fit(steps=3)
    assert capsys.readouterr() == ("", "")


def test_nothing_is_evaluated_and_no_classifier_is_trained(fit, bits, kinds, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError

    monkeypatch.setattr("genjax.api.run.classifier_of", refuse)
    monkeypatch.setattr("genjax.api.run.report", refuse)
    run = fit(data=genjax.Dataset.from_arrays(bits, kinds), steps=3)
    assert run.evaluated is None


@pytest.mark.slow
def test_parameters_of_other_sizes_are_no_start(fit):
    with pytest.raises(UserError, match="`start` holds parameters of other sizes"):
        fit(steps=1, start=fit(genjax.rbm(hidden=5, chains=10), steps=1).parameters)


def test_a_start_is_where_it_begins(fit):
    """At a learning rate of next to nothing it stays there."""
    first = fit(steps=20)
    run = fit(genjax.rbm(hidden=4, chains=10, learning_rate=1e-12, weight_decay=0.0), steps=1, start=first.parameters)
    np.testing.assert_allclose(run.parameters.weights[0], first.parameters.weights[0], atol=1e-6)
    assert run.step == 1


def test_a_folder_that_is_trained_is_refused_to_others(fit, tmp_path):
    folder, tried = tmp_path / "run", []

    def others(chunk):
        for call in (lambda: fit(steps=3, out=folder), lambda: genjax.load(folder).save(folder)):
            with pytest.raises(UserError, match=f"{folder} is being trained by another process"):
                call()
            tried.append(chunk.step)

    fit(steps=3, out=folder, on_chunk=others)
    assert tried == [3, 3]
    hold(folder).release()


@pytest.mark.slow
def test_a_folder_is_free_again_however_its_training_ends(fit, tmp_path):
    def stop(chunk):
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    run = fit(steps=2, out=folder, on_chunk=stop)
    hold(folder).release()
    run = fit(run, steps=3)
    with pytest.raises(UserError, match="`steps` 1 is less"):
        fit(steps=1, out=folder)
    hold(folder).release()
    with pytest.raises(ZeroDivisionError):
        fit(run, steps=4, on_chunk=lambda chunk: 1 / 0)
    hold(folder).release()
    assert fit(steps=4, out=folder).step == 4
