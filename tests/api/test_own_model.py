"""A model defined in a cell goes through everything without a row anywhere: a mixture of Bernoullis, by EM."""

import textwrap

import numpy as np
import pytest
from scipy.special import logsumexp

import genjax
from genjax.errors import UserError

CELL = """
@dataclass(frozen=True)
class Mixture:
    parts: int = 2
    speed: float = 0.5

class State(NamedTuple):
    p: dict
    hyper: dict

def joint(p, x):
    return p["log_weights"] + x @ jnp.log(p["shares"]).T + (1 - x) @ jnp.log1p(-p["shares"]).T

def step(key, state, batch):
    p, speed = state.p, state.hyper["speed"]
    r = jax.nn.softmax(joint(p, batch.x), axis=1)
    shares = (1 - speed) * p["shares"] + speed * (r.T @ batch.x + 1) / (r.sum(0)[:, None] + 2)
    p = {"log_weights": jnp.log(r.mean(0) + 1e-3), "shares": shares}
    return state._replace(p=p), {"parameter_max": shares.max(), "fit": nn.logsumexp(joint(p, batch.x), 1).mean()}

def observe(key, state, train, held_out):
    return {} if held_out is None else {"held_out_fit": nn.logsumexp(joint(state.p, held_out.x), 1).mean()}

def stages(config, steps, steps_per_epoch):
    def init(key, example, hyper):
        shares = jax.random.uniform(key, (config.parts, len(example.mean)), minval=0.3, maxval=0.7)
        return State({"log_weights": jnp.zeros(config.parts), "shares": shares}, hyper)
    return (Stage("train", Algorithm(init, step, observe), {"speed": jnp.float32(config.speed)}, steps),)

def answer(key, p, mean, chains, progress=None):
    log_p = lambda x: nn.logsumexp(joint(p, x), 1) - nn.logsumexp(p["log_weights"])
    return Answer(lambda batch: np.asarray(log_p(batch.x), float), lambda scores: mean_over_examples(scores, "a sum"))

def sample(key, p, count, label=None):
    part = jax.random.categorical(jax.random.fold_in(key, 0), p["log_weights"], shape=(count,))
    return {"samples": np.asarray(jax.random.bernoulli(key, p["shares"][part]), np.float32)}

Mixture.model = Model(
    "mixture", Mixture, stages, lambda s: s.p, lambda s, p: s._replace(p=p), answer=answer, sample=sample
)
"""
IMPORTS = """
from dataclasses import dataclass
from typing import NamedTuple
import jax, jax.numpy as jnp, numpy as np
from jax import nn
from genjax.likelihood.estimate import mean_over_examples
from genjax.typing import Algorithm, Answer, Model, Stage
"""


@pytest.fixture(scope="module")
def mixture():
    """The class, and what else the cell leaves."""
    names = {"__name__": "__main__"}
    exec(textwrap.dedent(IMPORTS + CELL), names)
    return names["Mixture"]


@pytest.fixture(scope="module")
def run(mixture, fit):
    return fit(mixture(), steps=40)


def test_it_is_about_thirty_lines():
    assert len([line for line in CELL.splitlines() if line.strip()]) <= 36


def test_it_is_fitted(run, bits, kinds):
    """It finds the two kinds of examples."""
    assert run.step == 40
    first, second = (
        np.asarray(run.parameters["shares"])[:, :6].mean(1),
        np.asarray(run.parameters["shares"])[:, 6:].mean(1),
    )
    assert np.abs(first - second).min() > 0.4
    assert run.history["fit"][-1] > -8
    assert "mixture" in repr(run)


def test_it_answers_its_likelihood(run, bits):
    p = {name: np.asarray(value, np.float64) for name, value in run.parameters.items()}
    logs = bits @ np.log(p["shares"]).T + (1 - bits) @ np.log1p(-p["shares"]).T + p["log_weights"]
    truth = logsumexp(logs, axis=1) - logsumexp(p["log_weights"])
    np.testing.assert_allclose(run.score_samples(bits), truth, rtol=1e-5)
    assert run.log_likelihood(bits).kind == "exact"
    assert run.evaluation()["log_likelihood"]["test"]["mean"] == pytest.approx(run.log_likelihood().mean)


def test_it_is_sampled(run):
    x = run.sample(2000)
    assert x.shape == (2000, 12)
    np.testing.assert_array_equal(x, run.sample(2000))
    assert abs(x.mean() - 0.5) < 0.05


def test_what_it_does_not_answer_is_said(run, bits):
    with pytest.raises(UserError, match=r"A mixture has no codes.*it answers log_likelihood, sample"):
        run.encode(bits)


def test_it_is_saved_and_loaded(run, mixture, tmp_path, same, fit, bits):
    run.save(tmp_path / "mine")
    with pytest.raises(UserError, match=r"holds a model 'mixture'; .* give `model`"):
        genjax.load(tmp_path / "mine")
    for given in (mixture, mixture()):
        opened = genjax.load(tmp_path / "mine", model=given)
        same(opened.state, run.state)
        assert opened.config == run.config
    assert fit(opened, bits, steps=50).step == 50


def test_it_begins_from_parameters(run, mixture, fit):
    tuned = fit(mixture(), steps=1, start=run.parameters)
    assert tuned.history["fit"][-1] >= run.history["fit"][-1]  # which is a mean over all of its steps


def test_it_goes_on_in_its_folder(mixture, fit, tmp_path):
    fit(mixture(), steps=3, out=tmp_path / "mine")
    assert fit(mixture(), steps=5, out=tmp_path / "mine").step == 5


def test_it_is_trained_in_a_grid(mixture, bits, run, same):
    runs = genjax.grid(
        mixture(), bits, parts=[2, 3], speed=[0.2, 0.5], seeds=2, steps=40, batch_size=20, progress=False
    )
    assert [(r.config.parts, r.config.speed, r.settings.seed) for r in runs][:4] == [
        (2, 0.2, 0), (2, 0.2, 1), (2, 0.5, 0), (2, 0.5, 1),
    ]  # fmt: skip
    for name in ("shares", "log_weights"):
        np.testing.assert_allclose(runs[2].parameters[name], run.parameters[name], rtol=1e-5)
    assert len(genjax.compare(runs)) == 4
