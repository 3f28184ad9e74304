"""The table of numbers: what is exact is so on every device, and what is fast samples the rounded machine."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import numerics
from genjax.algorithms.contrastive import RBMConfig, contrastive
from genjax.algorithms.negative import sweeps
from genjax.boltzmann.hopfield import Hopfield
from genjax.boltzmann.machine import energy, for_sampling, marginal, rounded
from genjax.errors import UserError
from genjax.sampling.gibbs import Gibbs, initial_states, sample
from tests.algorithms.configs import made
from tests.machines import random_machine


def products(function, *arguments) -> list[tuple]:
    """Types of both sides and the precision of every product of matrices within a function."""
    found = []

    def walk(jaxpr) -> None:
        for equation in jaxpr.eqns:
            if equation.primitive.name == "dot_general":
                sides = tuple(str(x.aval.dtype) for x in equation.invars)
                found.append((*sides, equation.params["precision"]))
            for inner in jax.tree.leaves(equation.params, is_leaf=lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr")):
                if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                    walk(getattr(inner, "jaxpr", inner))

    walk(jax.make_jaxpr(function)(*arguments).jaxpr)
    return found


MACHINE = random_machine((5, 4, 3))
STATES = tuple(jnp.zeros((2, size), jnp.float32) for size in MACHINE.sizes)
KEY = jax.random.key(0)
FUNCTIONS = {
    "energy": (energy, MACHINE, STATES),
    "free energy": (marginal, MACHINE, STATES),
    "its gradient": (jax.grad(lambda machine: marginal(machine, STATES).sum()), MACHINE),
    "sampling": (lambda machine: sample(KEY, machine, STATES, 3).states, MACHINE),
    "AIS": (lambda m: m.log_ratio(m.uncoupled(), STATES, 1, jnp.float32(0.6), jnp.float32(0.5)), MACHINE),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_products_are_never_shortened(name):
    found = products(*FUNCTIONS[name])
    assert found
    assert all(precision == (numerics.EXACT, numerics.EXACT) for *_, precision in found)


@pytest.mark.slow
def test_fast_sampling_is_exact_sampling_of_the_rounded_machine():
    states = tuple(jnp.ones((7, size)) for size in MACHINE.sizes)
    fast = sample(KEY, MACHINE, states, 5, kernel=Gibbs("fast")).states
    slow = sample(KEY, rounded(rounded(MACHINE), jnp.float32), states, 5).states
    for a, b in zip(fast, slow):
        np.testing.assert_array_equal(a, b)
    sides = [
        sides
        for *sides, _ in products(lambda machine: sample(KEY, machine, states, 5, kernel=Gibbs("fast")).states, MACHINE)
    ]
    assert sides
    assert all(side == ["bfloat16", "bfloat16"] for side in sides)


@pytest.mark.slow
def test_fast_chains_leave_the_statistics_exact():
    chains, expected = sweeps(KEY, MACHINE, STATES, 2, "fast")
    np.testing.assert_allclose(expected[1], MACHINE.expected(chains)[1], rtol=1e-6)
    exact = rounded(rounded(MACHINE), jnp.float32).expected(chains)[1]
    assert np.abs(expected[1] - exact).max() > 1e-5  # which the rounded machine's would not be


def test_learning_takes_fast_chains_by_name():
    config = made(RBMConfig, hidden=3, chains=4, numbers="fast")
    assert config.negative.numbers == "fast"
    with pytest.raises(UserError, match="numbers"):
        made(RBMConfig, hidden=3, negative="tempered", numbers="fast")
    assert contrastive(config)


def test_compact_states_are_the_same_draws(monkeypatch):
    states = initial_states(KEY, MACHINE, 6)
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    bytes_each = initial_states(KEY, MACHINE, 6, compact=True)
    assert {x.dtype for x in bytes_each} == {jnp.dtype(jnp.int8)}
    for a, b in zip(sample(KEY, MACHINE, states, 4).states, sample(KEY, MACHINE, bytes_each, 4).states):
        assert b.dtype == jnp.int8
        np.testing.assert_array_equal(a, b)


def test_other_numbers_are_refused():
    with pytest.raises(UserError, match="layered"):
        for_sampling(Hopfield(jnp.zeros(3), jnp.zeros((3, 3))), "fast")
