"""The questions of a run: on a given `x` without its data, flat or shaped, and what each model answers."""

import itertools
import math

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

import genjax
from genjax.api.run import Run
from genjax.errors import UserError
from genjax.sampling.tempering import Tempered

HOLE = np.repeat([False, True], 6)  # the second half of an example is unknown


@pytest.fixture(scope="module")
def run(fit, bits, kinds):
    """An RBM on examples of shape (3, 4)."""
    return fit(data=genjax.Dataset.from_arrays(bits.reshape(-1, 3, 4), kinds), steps=200)


@pytest.fixture(scope="module")
def without_data(run, tmp_path_factory):
    """The same from its folder, unable to read any data."""
    run.save(tmp_path_factory.mktemp("runs") / "mine")
    opened = genjax.load(run.folder)
    opened.__class__ = _WithoutData
    return opened


class _WithoutData(Run):
    @property
    def prepared(self):
        raise AssertionError("its data are asked for")


@pytest.fixture(scope="module")
def generator(fit, bits, kinds):
    """A conditional GAN; no classifier is trained for it."""
    data = genjax.Dataset.from_arrays(bits.reshape(-1, 3, 4), kinds)
    model = genjax.gan(latent=3, layers=8, conditioning="concatenation")
    return fit(model, data, steps=2)


@pytest.fixture(scope="module")
def vae(fit, bits):
    return fit(genjax.vae(latents=2, layers=8), bits.reshape(-1, 3, 4), steps=2)


@pytest.fixture(scope="module")
def autoencoder(fit, bits):
    return fit(genjax.autoencoder(layers=(8, 2)), bits.reshape(-1, 3, 4), steps=2)


def log_p(machine, x):
    """By summing over every state of visible and hidden units."""
    w, b, c = np.asarray(machine.weights[0]), np.asarray(machine.biases[0]), np.asarray(machine.biases[1])
    hidden = np.array(list(itertools.product([0, 1], repeat=len(c))))

    def logs(v):
        return logsumexp(v @ b + v @ w @ hidden.T + hidden @ c)

    every = [logs(np.array(v)) for v in itertools.product([0, 1], repeat=len(b))]
    return np.array([logs(v) for v in x]) - logsumexp(every)


# A run without its data


def test_it_keeps_mean_shape_classes_counts_and_a_checksum(without_data, run, bits):
    record = without_data.record
    assert without_data.shape == (3, 4)
    assert without_data.class_names == ("0", "1")
    assert record.counts == {"train": 87, "validation": 9, "test": 24}
    assert record.unordered == run.record.unordered
    np.testing.assert_allclose(without_data.mean, run.prepared.dataset.train.mean(0), atol=1e-6)


def test_every_question_of_a_given_x_needs_no_training_data(without_data, bits, run):
    x = bits[:5].reshape(-1, 3, 4)
    np.testing.assert_array_equal(without_data.score_samples(x), run.score_samples(x))
    assert without_data.log_likelihood(x).mean == run.log_likelihood(x).mean
    for question in (
        lambda r: r.sample(3, sweeps=5),
        lambda r: r.sample(3, sweeps=5, given=x[0], missing=HOLE),
        lambda r: r.reconstruct(x, HOLE, sweeps=8),
        lambda r: r.reconstruct(x),
        lambda r: r.encode(x),
        lambda r: r.decode(np.ones((2, 4))),
        lambda r: r.features(x),
        lambda r: r.history["reconstruction_error"],
    ):
        np.testing.assert_array_equal(question(without_data), question(run))
    assert without_data.machine.sizes == (12, 4)
    assert without_data.about in without_data.plot.curves().get_suptitle()
    repr(without_data)


def test_without_x_it_needs_the_test_split_and_says_so(run):
    opened = genjax.load(run.folder)
    with pytest.raises(UserError, match="arrays, which it does not keep"):
        opened.log_likelihood()


def test_without_a_test_split_it_wants_x(fit, bits):
    run = fit(data=genjax.Dataset.from_arrays(bits[:96], test=0), steps=1)
    with pytest.raises(UserError, match="no test split; give the examples"):
        run.log_likelihood()
    assert run.log_likelihood(bits[:4]).kind == "exact"


# The likelihood


def test_the_likelihood_is_that_of_the_test_split(run):
    dataset = run.prepared.dataset
    answer = run.log_likelihood()
    assert (answer.kind, answer.standard_error, answer.trusted) == ("exact", 0.0, True)
    np.testing.assert_allclose(answer.mean, log_p(run.machine, dataset.test).mean(), rtol=1e-5)
    assert answer == run.log_likelihood(dataset.test)


def test_each_example_by_the_same_estimator(run, bits):
    scores = run.score_samples(bits)
    np.testing.assert_allclose(scores, log_p(run.machine, bits), rtol=1e-5)
    np.testing.assert_allclose(run.log_likelihood(bits).mean, scores.mean(), rtol=1e-6)


@pytest.mark.slow
def test_binarised_as_trained_with_the_one_fixed_draw(fit, run, bits):
    """Grey is drawn, always alike; by threshold where the run was trained so."""
    grey = 0.25 * bits[:20] + 0.5
    np.testing.assert_array_equal(run.score_samples(grey), run.score_samples(grey))
    assert run.log_likelihood(grey) == run.log_likelihood(grey)
    threshold = fit(steps=3, binarisation="threshold")
    np.testing.assert_allclose(threshold.score_samples(0.9 * bits[:5]), threshold.score_samples(bits[:5]))


def test_log_z_is_estimated_once_and_kept(run, bits, monkeypatch):
    run.log_likelihood()
    monkeypatch.setattr("genjax.models.rbm.likelihood.boltzmann", None)
    run.log_likelihood()
    run.score_samples(bits)


@pytest.mark.slow
def test_an_rbm_too_large_to_enumerate_is_estimated(fit, bits):
    """By AIS, with an interval; both sides are kept."""
    run = fit(genjax.rbm(hidden=30, chains=10), np.repeat(bits, 2, axis=1), steps=2)
    answer = run.log_likelihood(temperatures=50, ais_chains=20)
    assert answer.kind == "estimate"
    assert answer.low < answer.mean < answer.high
    assert "AIS" in answer.estimator
    with pytest.raises(UserError, match="`draws` is no option by which a rbm is evaluated"):
        run.log_likelihood(draws=4)


@pytest.mark.slow
def test_a_vae_is_bounded_from_below(vae, bits):
    answer = vae.log_likelihood(draws=16)
    assert answer.kind == "lower_bound"
    assert answer.low <= answer.mean <= answer.high
    assert vae.score_samples(bits[:3].reshape(-1, 3, 4), draws=16).shape == (3,)


@pytest.mark.slow
def test_deep_machines_are_bounded_from_below(fit, bits):
    dbm = fit(genjax.dbm(layers=(4, 3), chains=10, pretraining=1), steps=2)
    dbn = fit(genjax.dbn(layers=(4, 3), chains=10, pretraining=1), steps=2)
    for run in (dbm, dbn):
        assert run.log_likelihood().kind == "lower_bound"
        assert run.sample(2, sweeps=3).shape == (2, 12)


@pytest.mark.slow
def test_what_has_no_likelihood_says_what_it_answers(generator, autoencoder, bits):
    with pytest.raises(UserError, match=r"A gan has no likelihood.*it answers sample, decode"):
        generator.log_likelihood()
    with pytest.raises(UserError, match=r"An ae has no likelihood.*it answers sample, reconstruct, encode, decode"):
        autoencoder.score_samples(bits)
    with pytest.raises(UserError, match=r"A gan has no codes.*it answers sample, decode"):
        generator.encode(bits)
    with pytest.raises(UserError, match="A gan has no machine"):
        generator.machine  # noqa: B018


# Samples


@pytest.mark.slow
def test_the_same_call_gives_the_same_answer(run, generator, vae, autoencoder):
    for model in (run, generator, vae, autoencoder):
        np.testing.assert_array_equal(model.sample(4), model.sample(4))
        assert not np.array_equal(model.sample(4, seed=1), model.sample(4))
        assert model.sample(4).shape == (4, 3, 4)


def test_samples_are_drawn_or_expected(run, vae):
    for model in (run, vae):
        assert set(np.unique(model.sample(4))) <= {0, 1}
        means = model.sample(4, means=True)
        assert means.shape == (4, 3, 4)
        assert ((means > 0) & (means < 1)).all()


def test_means_of_a_model_without_are_refused(generator):
    with pytest.raises(UserError, match="`means`: a gan draws without expected values"):
        generator.sample(2, means=True)


def test_a_label_is_a_number_or_a_name(generator, run):
    np.testing.assert_array_equal(generator.sample(2, label=1), generator.sample(2, label="1"))
    assert not np.array_equal(generator.sample(2, label=1), generator.sample(2, label=0))
    with pytest.raises(UserError, match="`label` 2 is none of them"):
        generator.sample(2, label=2)
    with pytest.raises(UserError, match="`label` 1: this rbm has not learned labels"):
        run.sample(2, label=1)


@pytest.mark.slow
def test_an_rbm_with_classes_samples_one(fit, bits, kinds):
    """Its label is clamped."""
    data = genjax.Dataset.from_arrays(bits, kinds)
    run = fit(genjax.rbm(hidden=6, chains=20, classes=2), data, steps=300)
    first, second = (run.sample(100, label=label, sweeps=50) for label in (0, 1))
    assert first[:, :6].mean() > second[:, :6].mean() + 0.2
    assert run.classify(bits).shape == (120, 2)


@pytest.mark.slow
def test_chains_move_by_the_kernel_and_from_the_start_asked_for(run):
    plain = run.sample(8, sweeps=3)
    assert not np.array_equal(plain, run.sample(8, sweeps=3, kernel=Tempered()))
    assert not np.array_equal(plain, run.sample(8, sweeps=3, start="persistent"))
    assert not np.array_equal(plain, run.sample(8, sweeps=4))


@pytest.mark.slow
def test_diagnostics_stand_beside_the_samples(run):
    x, numbers = run.sample(8, sweeps=200, diagnostics=True)
    np.testing.assert_array_equal(x, run.sample(8, sweeps=200))
    assert numbers["r_hat"] < 1.5
    assert numbers["effective_samples"] > 50
    assert numbers["autocorrelation_time"] > 0


def test_what_has_no_chains_takes_no_options_of_chains(vae, generator):
    for options in ({"kernel": Tempered()}, {"start": "persistent"}, {"diagnostics": True}):
        with pytest.raises(UserError, match="has no chains"):
            vae.sample(2, **options)
    with pytest.raises(UserError, match="`n` 0 is not positive"):
        generator.sample(0)


@pytest.mark.parametrize("shape", [(12,), (3, 4)])
def test_completions_keep_what_was_given(run, bits, shape):
    drawn = run.sample(50, given=bits[0].reshape(shape), missing=HOLE.reshape(shape), sweeps=20)
    assert drawn.shape == (50, 3, 4)
    flat = drawn.reshape(50, 12)
    np.testing.assert_array_equal(flat[:, ~HOLE], np.tile(bits[0, ~HOLE], (50, 1)))
    assert set(np.unique(flat[:, HOLE])) == {0, 1}
    assert len(np.unique(flat, axis=0)) > 5


def test_completions_are_drawn_from_what_is_missing_given_the_rest(run, bits):
    """Their frequencies against the conditional, by summing over all completions."""
    halves = np.array(list(itertools.product([0, 1], repeat=6)))
    whole = np.concatenate([np.tile(bits[1, ~HOLE], (64, 1)), halves], axis=1)
    logs = log_p(run.machine, whole)
    truth = np.exp(logs - logsumexp(logs)) @ halves
    drawn = run.sample(4000, given=bits[1], missing=HOLE, sweeps=60).reshape(-1, 12)[:, HOLE]
    np.testing.assert_allclose(drawn.mean(0), truth, atol=5 * 0.5 / math.sqrt(4000))


def test_given_and_missing_go_together(run, generator, bits):
    with pytest.raises(UserError, match="`given` and `missing` go together"):
        run.sample(2, given=bits[0])
    with pytest.raises(UserError, match="`missing` holds int64, not booleans"):
        run.sample(2, given=bits[0], missing=HOLE.astype(int))
    with pytest.raises(UserError, match=r"`missing` has shape \(5,\)"):
        run.sample(2, given=bits[0], missing=HOLE[:5])
    with pytest.raises(UserError, match="`given` has shape"):
        run.sample(2, given=bits[0, :5], missing=HOLE)
    with pytest.raises(UserError, match="A gan has no way to complete"):
        generator.sample(2, given=bits[0], missing=HOLE)


@pytest.mark.slow
def test_what_is_unknown_may_be_nan(run, bits):
    unknown = np.where(HOLE, np.nan, bits[:2])
    np.testing.assert_array_equal(run.reconstruct(unknown, HOLE, sweeps=8), run.reconstruct(bits[:2], HOLE, sweeps=8))
    drawn = [run.sample(3, given=given[0], missing=HOLE, sweeps=8) for given in (unknown, bits)]
    np.testing.assert_array_equal(*drawn)
    with pytest.raises(UserError, match="`x` holds NaN or infinity where `missing` is False"):
        run.reconstruct(unknown, ~HOLE)


# Reconstruction, codes


@pytest.mark.parametrize("name", ["run", "vae", "autoencoder"])
def test_reconstruction_keeps_what_was_given(name, bits, request):
    model = request.getfixturevalue(name)
    x = bits[:4].reshape(-1, 3, 4)
    filled = model.reconstruct(x, HOLE.reshape(3, 4), sweeps=8)
    assert filled.shape == (4, 3, 4)
    np.testing.assert_array_equal(filled.reshape(4, 12)[:, ~HOLE], bits[:4, ~HOLE])
    inside = filled.reshape(4, 12)[:, HOLE]
    assert ((inside >= 0) & (inside < 1)).all()
    each = np.stack([HOLE, ~HOLE, HOLE, ~HOLE])  # a mask for each
    filled = model.reconstruct(bits[:4], each, sweeps=8)
    np.testing.assert_array_equal(filled[~each], bits[:4][~each])


@pytest.mark.parametrize("name", ["run", "vae", "autoencoder"])
def test_without_a_mask_it_goes_there_and_back(name, bits, request):
    model = request.getfixturevalue(name)
    x = bits[:4].reshape(-1, 3, 4)
    codes = model.encode(x)
    assert codes.shape[0] == 4
    assert codes.ndim == 2
    np.testing.assert_allclose(model.reconstruct(x), model.decode(codes), atol=1e-5)


def test_what_goes_in_shaped_comes_out_shaped(run, bits):
    shaped = bits[:4].reshape(-1, 3, 4)
    for flat, whole in (
        (run.reconstruct(bits[:4]), run.reconstruct(shaped)),
        (run.reconstruct(bits[:4], HOLE, sweeps=8), run.reconstruct(shaped, HOLE, sweeps=8)),
    ):
        assert flat.shape == (4, 12)
        assert whole.shape == (4, 3, 4)
        np.testing.assert_array_equal(flat, whole.reshape(4, 12))
    for question in (run.score_samples, run.encode, run.features):
        np.testing.assert_array_equal(question(bits[:4]), question(shaped))
        np.testing.assert_array_equal(question(bits[:4]), question(jnp.asarray(shaped)))
    assert run.decode(np.ones((2, 4))).shape == (2, 3, 4)


def test_flat_data_stay_flat(fit, bits):
    run = fit(steps=1)
    assert run.sample(2, sweeps=2).shape == (2, 12)
    assert run.reconstruct(bits[:2]).shape == (2, 12)


def test_other_shapes_are_refused(run, bits):
    for x in (bits[:, :5], bits.reshape(-1, 4, 3)):
        with pytest.raises(UserError, match="`x` has shape"):
            run.score_samples(x)


# The rest


@pytest.mark.slow
def test_the_history_has_arrays_of_one_length(fit):
    """`step` and `stage` always, NaN where a stage does not measure it."""
    run = fit(genjax.dbm(layers=(4, 3), chains=10, pretraining=1), steps=300)
    history = run.history
    assert {"step", "stage", "epoch", "seconds"} <= set(history)
    assert len({len(values) for values in history.values()}) == 1
    assert history["step"][-1] == 300 + 8  # all stages count
    assert history["stage"][-1] == "train"
    assert history["stage"][0] != "train"
    assert any(np.isnan(values).any() for name, values in history.items() if name != "stage")
    assert not np.isnan(history["step"]).any()


def test_the_evaluation_is_what_evaluate_prints(run):
    numbers = run.evaluation()
    assert numbers["log_likelihood"]["test"]["mean"] == run.log_likelihood().mean
    assert {"log_likelihood", "log_z", "binarisation", "seconds", "peak_memory_mb"} <= set(numbers)
    assert set(numbers["log_likelihood"]) == {"test", "train"}
    assert run.evaluated == numbers


def test_figures_are_those_of_matplotlib(run, generator):
    from matplotlib.figure import Figure

    for figure in (run.plot.curves(), run.plot.samples(sweeps=5), generator.plot.samples(4)):
        assert isinstance(figure, Figure)


def test_arrays_by_name(run, vae):
    arrays = run.model.arrays(run.parameters)
    assert {name: value.shape for name, value in arrays.items()} == {
        "weights_0": (12, 4),
        "bias_0": (12,),
        "bias_1": (4,),
    }
    assert all(isinstance(value, np.ndarray) for value in vae.model.arrays(vae.parameters).values())


def test_representations_are_of_a_few_lines(run, vae, generator, autoencoder, fit):
    shown = [run, vae, generator, run.machine, run.config, run.model, run.log_likelihood(), run.prepared.dataset]
    shown += [run.record, *(trained.parameters for trained in (run, vae, generator, autoencoder)), genjax.dbn()]
    for thing in shown:
        lines = repr(thing).splitlines()
        assert len(lines) <= 6, type(thing)
        assert all(len(line) <= 400 for line in lines), type(thing)
    assert "rbm(chains=10, hidden=4)" in repr(run)
    assert repr(run.machine) == "Machine(bernoulli 12 - bernoulli 4)"
    assert "exact" in repr(run.log_likelihood())
