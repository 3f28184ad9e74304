"""The Pallas kernel, interpreted: words always those of the XLA path, states too where sums are exact."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import random
from genjax.boltzmann.machine import Machine, rounded
from genjax.errors import UserError
from genjax.sampling import fused
from genjax.sampling.gibbs import initial_states, sample, sweep
from tests.machines import random_machine

pytestmark = pytest.mark.skipif(not fused.available(), reason="this JAX has no Pallas")


def dyadic(machine: Machine) -> Machine:
    """Weights and biases on multiples of 2^-8, so that every order of summation is exact."""
    return jax.tree.map(lambda x: jnp.round(x * 256) / 256, machine)


def test_words_are_those_of_the_xla_path():
    """Without inputs a unit of field 0 shows one bit of its word; fields of many sizes show them all."""
    chains, units = 70, 90
    key = jax.random.key(4)
    rows, columns = random.pairs(key, chains, units)
    word = np.asarray(random.words(key, chains, units))
    for field in (-3.0, -1.0, 0.0, 0.5, 2.0):
        nothing = jnp.zeros((chains, 5)), jnp.zeros((5, units))
        bias = jnp.full(units, field)
        drawn = fused.draw(rows, columns, *nothing, bias, 0 * bias, jnp.ones(chains), interpret=True)
        expected = random.below_sigmoid(jnp.asarray(word), jnp.full((chains, units), field))
        np.testing.assert_array_equal(np.asarray(drawn) == 1, expected)


@pytest.mark.parametrize(
    ("sizes", "dtype"),
    [
        ((33, 40, 20), jnp.float32),
        pytest.param((70, 65), jnp.bfloat16, marks=pytest.mark.slow),
        pytest.param((70, 65), jnp.float32, marks=pytest.mark.slow),
        pytest.param((33, 40, 20), jnp.bfloat16, marks=pytest.mark.slow),
    ],
)
def test_states_are_those_of_the_xla_path_where_sums_are_exact(sizes, dtype):
    machine = rounded(dyadic(random_machine(sizes, scale=0.2)), dtype)
    if dtype == jnp.bfloat16:
        machine = dataclasses.replace(machine, weights=tuple(jnp.round(w * 64) / 64 for w in machine.weights))
    state = tuple(x.astype(dtype) for x in initial_states(jax.random.key(0), machine, 67))
    ours, *_ = sample(jax.random.key(1), machine, state, 3, kernel=fused.Fused())
    theirs, *_ = sample(jax.random.key(1), machine, state, 3)
    for a, b in zip(ours, theirs):
        assert a.dtype == dtype
        np.testing.assert_array_equal(a, b)


def test_beta_base_and_clamp_act_as_in_the_xla_path():
    machine = dyadic(random_machine((40, 30), scale=0.2))
    base = jax.tree.map(lambda x: jnp.round(x * 256) / 256, machine.uncoupled(jnp.full((1, 40), 0.3)))
    state = initial_states(jax.random.key(0), machine, 64)
    clamp = (jnp.arange(40) < 11, None)
    for options in (
        {"beta": 0.5},
        {"beta": 0.25, "base": base},
        {"clamp": clamp},
        {"beta": 2.0 ** -jnp.arange(64) % 1},
    ):
        ours, theirs = (move(jax.random.key(1), machine, state, **options) for move in (fused.sweep, sweep))
        for a, b in zip(ours, theirs):
            np.testing.assert_array_equal(a, b)


def test_what_it_does_not_take_is_refused():
    machine = random_machine((4, 3))
    state = initial_states(jax.random.key(0), machine, 2)
    with pytest.raises(UserError, match="uncoupled base"):
        fused.sweep(jax.random.key(0), machine, state, 0.5, random_machine((4, 3), seed=1))
