"""With 64-bit types allowed (JAX_ENABLE_X64=1) everything stays in float32, as where JAX knows no others."""

import jax
import jax.numpy as jnp
import pytest

from genjax import typing
from genjax.algorithms import updown
from genjax.likelihood import ais, exact, pseudo
from genjax.sampling import diagnostics, gibbs, tempering
from genjax.sampling.imputation import impute
from genjax.sampling.inpainting import inpaint
from genjax.training import loop
from genjax.training.config import split
from tests.algorithms.configs import made
from tests.algorithms.test_contract import CASES, training_set
from tests.machines import random_machine

WIDE = (jnp.float64, jnp.int64, jnp.uint64)
LEARNERS = CASES | {"belief": (updown.updown, made(updown.DBNConfig, layers=(5, 4), chains=7))}


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def types(tree) -> dict:
    return {jax.tree_util.keystr(path): x.dtype for path, x in jax.tree_util.tree_leaves_with_path(tree)}


FAST = ("tempered", "trajectory", "deep", "recommender", "vae", "gan, wasserstein")


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in LEARNERS])
def test_states_and_metrics_keep_their_types(name):
    """By shapes alone: nothing is compiled or run."""
    factory, config = LEARNERS[name]
    static, hyper = split(config, 10)
    algorithm, data, key = factory(static), training_set(), jax.random.key(0)
    seen = loop.example(data, loop.plan(43, 10, "sampled"))
    state = jax.eval_shape(algorithm.init, key, seen, hyper)
    assert not {path: kind for path, kind in types(state).items() if kind in WIDE}
    new, metrics = jax.eval_shape(algorithm.step, key, state, seen.batch)
    assert types(new) == types(state)
    observed = jax.eval_shape(algorithm.observe, key, state, seen.batch, data.held_out)
    assert set(types((metrics, observed)).values()) == {jnp.dtype("float32")}


def narrow(function, *arguments) -> bool:
    return not any(kind in WIDE for kind in types(jax.eval_shape(function, *arguments)).values())


@pytest.mark.slow
def test_samplers_and_estimators_keep_theirs():
    key, x = jax.random.key(0), jnp.zeros((7, 5), jnp.float32)
    base, state = random_machine((5, 4)).uncoupled(x), gibbs.initial_states(key, random_machine((5, 4)), 7)
    machine = random_machine((5, 4))
    ladder = tempering.path_ladder(base, machine, jnp.linspace(0, 1, 3, dtype=jnp.float32))
    for kernel in (gibbs.Gibbs(), tempering.Tempered(rungs=3)):
        assert narrow(lambda kernel=kernel: gibbs.sample(key, machine, state, 3, kernel=kernel))
        assert narrow(lambda kernel=kernel: diagnostics.diagnose(key, machine, state, 8, kernel))
    assert narrow(lambda: tempering.run(key, ladder, tempering.init(key, ladder, 7), 3)[:2])
    assert narrow(lambda: diagnostics.measure(key, machine, state, 3))
    assert narrow(lambda: inpaint(key, machine, x, x == 0))
    assert narrow(lambda: pseudo.pseudo_log_likelihood(machine, (x, None)))
    assert narrow(lambda: pseudo.one_pixel_pseudo_log_likelihood(key, machine, (x, None)))
    assert exact.log_z(machine) == pytest.approx(ais.log_z(key, machine, base, 300, 100).mean, abs=0.2)


def test_imputation_keeps_its_own():
    factory, config = CASES["vae"]
    data, key = training_set(), jax.random.key(0)
    seen = loop.example(data, loop.plan(43, 10, "sampled"))
    model = jax.eval_shape(factory(config).init, key, seen, split(config, 10)[1]).model
    assert narrow(impute, key, model, seen.batch.x, seen.batch.x == 0)


def test_a_hyper_of_another_type_is_float32():
    factory, config = CASES["pcd"]
    seen = loop.example(training_set(), loop.plan(43, 10, "sampled"))
    hyper: typing.Hyper = {"learning_rate": jnp.asarray(0.5, jnp.float64), "total_steps": jnp.asarray(10)}
    state = jax.eval_shape(factory(config).init, jax.random.key(0), seen, hyper)
    assert set(types(state.hyper).values()) == {jnp.dtype("float32")}
