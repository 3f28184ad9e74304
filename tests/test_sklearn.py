"""The estimator against scikit-learn's: its checks, its own tests, its numbers, its company."""

import pickle

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from sklearn import neural_network
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network.tests import test_rbm as theirs
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import genjax
from genjax.boltzmann import free_energy
from genjax.data.binarisation import binarise
from genjax.errors import UserError
from genjax.sklearn import BernoulliRBM
from genjax.training import loop

X = load_digits().data / 16
SMALL = {"n_components": 16, "batch_size": 5, "n_iter": 2, "random_state": 0}
DRAWN = {"check_methods_sample_order_invariance", "check_methods_subset_invariance"}
"""Checks of `score_samples`, which draws a pixel of each example: scikit-learn's own machine fails them, too."""
NUMPYS = {"test_fit_gibbs"}  # compares weights with numbers out of numpy's stream


@pytest.fixture(name="fitted", scope="module")
def fitted_fixture() -> BernoulliRBM:
    return BernoulliRBM(**SMALL).fit(X[:60].astype(np.float32))


def test_arguments_and_attributes_are_scikit_learns(fitted):
    plain = neural_network.BernoulliRBM(**SMALL).fit(X[:60].astype(np.float32))
    ours = BernoulliRBM().get_params()
    assert {name: ours[name] for name in plain.get_params()} == neural_network.BernoulliRBM().get_params()
    for name, value in vars(plain).items():
        if isinstance(value, np.ndarray):
            own = getattr(fitted, name)
            assert (own.shape, own.dtype, own.flags.writeable) == (value.shape, value.dtype, True), name
    assert fitted.n_features_in_ == 64
    assert list(fitted.get_feature_names_out())[:2] == ["bernoullirbm0", "bernoullirbm1"]
    assert fitted.transform(X[:60]).dtype == np.float64


def test_both_ways_to_scikit_learn_the_answers_are_the_same_numbers(fitted):
    there = fitted.to_sklearn()
    assert type(there) is neural_network.BernoulliRBM
    back = BernoulliRBM.from_sklearn(there, n_sweeps=2)
    assert back.get_params() == {**fitted.get_params(), "n_sweeps": 2}
    for rbm in (there, back):
        assert (rbm.transform(X[:9]) == fitted.transform(X[:9])).all()
        assert (rbm.score_samples(X[:9]) == fitted.score_samples(X[:9])).all()
        assert rbm.components_ is not fitted.components_
    machine_energy = free_energy(fitted.machine_, jnp.asarray(X[:9], jnp.float32))
    np.testing.assert_allclose(machine_energy, fitted._free_energy(X[:9]), rtol=1e-4)


@pytest.mark.slow
def test_a_step_of_partial_fit_is_the_centred_gradient_and_goes_on_from_what_there_is(fitted):
    """A rate so small that the step is the gradient times it: the positive phase is exact, the negative one a draw."""
    rbm = clone(fitted).set_params(learning_rate=1e-3, centred=False, n_chains=4000, n_components=3)
    before = rbm.partial_fit(X[:20]).components_.copy()
    h = rbm.transform(X[:20])
    rbm.partial_fit(X[:20])
    step = (rbm.components_ - before) / 1e-3
    v = X[:20].mean(0)  # the machine has hardly any weights: its pixels are independent of its hidden units
    base = 1 / (1 + np.exp(-rbm.intercept_visible_))
    np.testing.assert_allclose(step, h.T @ X[:20] / 20 - np.outer(np.full(3, 0.5), base), atol=0.06)
    assert np.abs(v - base).max() < 0.02
    assert rbm.h_samples_.shape == (4000, 3)
    assert rbm.partial_fit(X[:20]) is rbm


def test_sparse_examples_are_the_same_examples_and_any_finite_numbers_are_taken():
    dense = BernoulliRBM(**SMALL).fit(X[:60])
    sparse = BernoulliRBM(**SMALL).fit(scipy.sparse.csc_matrix(X[:60]))
    np.testing.assert_array_equal(dense.components_, sparse.components_)
    assert np.isfinite(BernoulliRBM(**SMALL).fit(3 * X[:60] - 1).components_).all()
    with pytest.raises(ValueError, match="float32 cannot hold"):
        BernoulliRBM(**SMALL).fit(1e300 * X[:60])
    with pytest.raises(ValueError, match="infinity"):
        BernoulliRBM(**SMALL).fit(np.where(X[:60] > 0, np.inf, 0))


def test_means_are_a_binarisation_of_the_estimator_alone():
    x = jnp.array([-2.0, 0.3])
    assert (binarise(genjax.random.key(0), x, "means") == x).all()
    with pytest.raises(UserError, match="`binarisation`"):
        genjax.fit(genjax.rbm(hidden=2), X[:20], steps=1, binarisation="means", progress=False)


def test_it_is_cloned_pickled_and_no_program_is_compiled_twice(fitted):
    assert clone(fitted).get_params() == fitted.get_params()
    again = pickle.loads(pickle.dumps(fitted))
    assert (again.transform(X[:9]) == fitted.transform(X[:9])).all()
    before = loop.run_chunk._cache_size()
    other = clone(fitted).set_params(learning_rate=0.01, n_iter=3, random_state=None, weight_decay=0.1)
    assert not (other.fit(X[60:120]).components_ == fitted.components_).any()
    assert loop.run_chunk._cache_size() == before


@pytest.mark.slow
def test_check_estimator():
    found = check_estimator(BernoulliRBM(), on_fail=None)
    assert {check["check_name"] for check in found if check["status"] == "failed"} == DRAWN
    assert all("score_samples" in str(check["exception"]) for check in found if check["status"] == "failed")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(name for name in vars(theirs) if name.startswith("test_")))
def test_scikit_learns_own_tests(name, monkeypatch, request):
    test = getattr(theirs, name)
    if name in NUMPYS:
        pytest.skip("numbers out of numpy's stream")
    monkeypatch.setattr(theirs, "BernoulliRBM", BernoulliRBM)
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    names = [word.strip() for mark in marks for word in mark.args[0].split(",")]
    for values in [value if isinstance(value, tuple) else (value,) for mark in marks for value in mark.args[1]] or [()]:
        fixtures = {"capsys": request.getfixturevalue("capsys")} if name == "test_sparse_and_verbose" else {}
        test(**dict(zip(names, values)), **fixtures)


@pytest.mark.slow
def test_in_a_pipeline_under_a_grid_search_over_processes():
    """The better rate is found, and digits are told apart as well as with scikit-learn's machine."""
    labels, axes = load_digits().target, {"bernoullirbm__learning_rate": [0.001, 0.1]}
    found = {}
    for kind in (BernoulliRBM, neural_network.BernoulliRBM):
        rbm = kind(n_components=32, n_iter=20, random_state=0)
        pipeline = make_pipeline(rbm, LogisticRegression(max_iter=500))
        found[kind] = GridSearchCV(pipeline, axes, cv=2, n_jobs=2).fit(X[:400], labels[:400])
    assert found[BernoulliRBM].best_params_["bernoullirbm__learning_rate"] == 0.1
    assert found[BernoulliRBM].best_score_ > found[neural_network.BernoulliRBM].best_score_ - 0.02
