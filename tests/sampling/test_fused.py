"""The fused kernels, interpreted: words always those of the XLA path, states too where sums are exact.

Interpreting Mosaic GPU runs every thread of every block, and watches for races; shapes are small, and some do not
divide the tiles. Whether they are fast, and right where blocks do not wait for each other, only an H100 says.
"""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh

from genjax import random
from genjax.boltzmann.machine import Machine, rounded
from genjax.boltzmann.units import SPIN
from genjax.errors import UserError
from genjax.sampling import fused, fused_hopper, fused_resident, fused_triton, fused_weights
from genjax.sampling.fused import Fused
from genjax.sampling.gibbs import initial_states, sample
from tests.machines import random_machine

pytestmark = pytest.mark.skipif(not fused.available(), reason="this JAX has no Pallas")
Interpreted = getattr(fused_hopper.gpu, "InterpretGPUParams", None)
INTERPRETED = None if Interpreted is None else Interpreted(detect_races=True)
mosaic = pytest.mark.skipif(Interpreted is None, reason="this JAX's Mosaic GPU lacks what the kernels use")
interpreted = pytest.mark.skipif(
    jax.__version_info__ < (0, 12), reason="this JAX does not interpret Mosaic GPU, or only with a core for each thread"
)
HALVES = [
    pytest.param(fused_triton, True, id="triton"),
    pytest.param(fused_hopper, INTERPRETED, id="hopper", marks=[interpreted, pytest.mark.slow]),
]


def dyadic(machine: Machine, dtype=jnp.float32) -> Machine:
    """Weights and biases on multiples of 2^-6, so that every order of summation is exact, in bfloat16 as well."""
    return rounded(jax.tree.map(lambda x: jnp.round(x * 64) / 64, machine), dtype)


def agree(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def options_of(machine: Machine, chains: int, case: str) -> dict:
    base = jax.tree.map(lambda x: jnp.round(x * 64) / 64, machine.uncoupled(jnp.full((1, machine.sizes[0]), 0.3)))
    return {
        "plain": {},
        "beta": {"beta": 0.5},
        "base": {"beta": 2.0 ** -jnp.arange(chains) % 1, "base": base},
        "clamp": {"clamp": (jnp.arange(machine.sizes[0]) < 11, jnp.zeros((chains, machine.sizes[1]), bool), None)[:2]},
    }[case]


@pytest.mark.parametrize(("form", "interpret"), HALVES)
def test_words_are_those_of_the_xla_path(form, interpret):
    """Without inputs a unit of field 0 shows one bit of its word; fields of many sizes show them all."""
    chains, units, key = form.CHAINS, 90, jax.random.key(4)
    rows, columns = random.pairs(key, chains, units)
    word, wide = random.words(key, chains, units), form.width(units)
    weights = form.laid_out([jnp.zeros((5, units), jnp.bfloat16)])
    nothing = jnp.zeros((chains, form.width(5)), jnp.bfloat16)
    columns = jnp.pad(columns, ((0, 0), (0, wide - units)))
    draw = jax.jit(lambda bias: form.draw(rows, columns, nothing, weights, bias, bias, one, False, interpret=interpret))
    one = jnp.ones(chains)
    for field in (-3.0, -1.0, 0.0, 0.5, 2.0)[:: 4 if form is fused_hopper else 1]:
        drawn = draw(jnp.full(wide, field))
        expected = random.below_sigmoid(word, jnp.full((chains, units), field))
        np.testing.assert_array_equal(drawn[:, :units] == 1, expected)


@pytest.mark.parametrize(("form", "interpret"), HALVES)
@pytest.mark.parametrize(
    ("sizes", "dtype", "case"),
    [
        pytest.param((33, 40, 20), jnp.float32, "plain", marks=pytest.mark.slow),
        pytest.param((70, 65), jnp.bfloat16, "base", marks=pytest.mark.slow),
        pytest.param((40, 30), jnp.float32, "clamp", marks=pytest.mark.slow),
        pytest.param((40, 30), jnp.bfloat16, "beta", marks=pytest.mark.slow),
        pytest.param((150, 70), jnp.bfloat16, "plain", marks=pytest.mark.slow),
    ],
)
def test_half_sweeps_are_those_of_the_xla_path_where_sums_are_exact(form, interpret, sizes, dtype, case):
    machine, chains = dyadic(random_machine(sizes, scale=0.2), dtype), 130
    state, options = initial_states(jax.random.key(0), machine, chains), options_of(machine, chains, case)
    ours = fused.by_layer(form, jax.random.key(1), machine, state, 2, interpret=interpret, **options)
    agree(ours, sample(jax.random.key(1), machine, state, 2, **options).states)


@interpreted
@pytest.mark.parametrize(
    ("sizes", "dtype", "case", "parts", "resident"),
    [
        pytest.param((20, 10), jnp.bfloat16, "plain", 1, True, marks=pytest.mark.slow),
        pytest.param((40, 20), jnp.float32, "base", 1, True, marks=pytest.mark.slow),
        pytest.param((70, 40, 20), jnp.bfloat16, "beta", 1, True, marks=pytest.mark.slow),
        pytest.param((150, 140), jnp.bfloat16, "plain", 2, True, marks=pytest.mark.slow),
        pytest.param((150, 140), jnp.bfloat16, "plain", 2, False, marks=pytest.mark.slow),
        pytest.param((40, 90, 70), jnp.float32, "plain", 2, False, marks=pytest.mark.slow),
    ],
)
def test_many_sweeps_a_launch_are_those_of_the_xla_path(sizes, dtype, case, parts, resident, monkeypatch):
    """Also over the blocks of a cluster, with weights that are brought for every sweep, and in two launches."""
    machine, chains = dyadic(random_machine(sizes, scale=0.2), dtype), 70
    plan = fused_resident.over(sizes, fused_weights.count(jnp.dtype(dtype)), parts)
    assert plan is not None
    assert plan.resident
    plan = plan if resident else plan._replace(resident=False, slots=3)
    monkeypatch.setattr(fused, "WORDS", 2 * 2 * 700)  # two sweeps a launch
    state, options = initial_states(jax.random.key(0), machine, chains), options_of(machine, chains, case)
    ours = fused.resident(plan, jax.random.key(1), machine, state, 3, interpret=INTERPRETED, **options)
    agree(ours, sample(jax.random.key(1), machine, state, 3, **options).states)


def test_three_bfloat16_pieces_are_a_float32_weight():
    weights = jnp.asarray(np.random.default_rng(0).normal(size=(50, 40)) * 10.0 ** np.arange(-6, 2, 0.2), jnp.float32)
    parts = jax.jit(fused_weights.pieces)(weights)
    assert parts.dtype == jnp.bfloat16
    np.testing.assert_array_equal(np.asarray(parts, np.float64).sum(0), np.asarray(weights, np.float64))
    assert len(fused_weights.pieces(weights.astype(jnp.bfloat16))) == 1


def test_slices_hold_all_pieces_of_their_inputs():
    """A product with every slice of states once for each piece is the product with the weights."""
    rng = np.random.default_rng(1)
    sides = [jnp.asarray(rng.normal(size=(n, 7)), jnp.float32) for n in (20, 9)]
    x = [jnp.asarray(rng.integers(0, 2, (5, n)), jnp.float32) for n in (20, 9)]
    rows = fused_weights.in_slices(sides, [24, 16], 8, 16).astype(jnp.float32)
    states = jnp.concatenate([jnp.pad(a, ((0, 0), (0, n - a.shape[1]))) for a, n in zip(x, (24, 16))], axis=1)
    repeated = jnp.repeat(states.reshape(5, -1, 8), 3, axis=1).reshape(5, -1)
    product = partial(jnp.matmul, precision="highest")
    np.testing.assert_allclose(product(repeated, rows)[:, :7], product(x[0], sides[0]) + product(x[1], sides[1]), 1e-5)
    assert not np.any(rows[:, 7:])


def test_shared_memory_holds_every_plan():
    """What is allocated, by hand, in bytes: never more than a block of an H100 has, and always enough to work with."""
    for units in (1, 16, 500, 784, 3000):
        n, slots = fused_hopper.tile(units), fused_hopper.stages(fused_hopper.tile(units))
        assert slots >= 2
        assert slots * (128 + n) * 64 * 2 + 2 * 64 * n * 2 + 1024 <= 232_448
        assert fused_hopper.width(units) >= units
        assert fused_hopper.width(units) % 64 == 0
    for sizes in ((64, 16), (784, 500), (200, 100), (784, 500, 250), (300, 300), (16, 8, 4)):
        for count in (1, 3):
            for parts in (1, 2, 4, 8):
                plan = fused_resident.over(sizes, count, parts)
                if plan is not None:
                    assert all(n * plan.unit >= size for n, size in zip(plan.tiles, sizes))
                    tile, slices = 64 * plan.unit * 2, 2 * plan.slots * plan.unit**2 * 2
                    assert sum(plan.tiles) * tile + slices + 4096 <= 232_448
                    assert plan.resident or plan.slots <= 16  # barriers: a bit each of a word


def test_which_plan_serves_which_machine():
    """Small machines in one block, with any number of chains; 784-500 over eight, if all chains find a place."""
    small = fused_resident.plan((64, 16), 1_000_000, 1)
    assert small is not None
    assert (small.parts, small.resident, small.unit) == (1, True, 16)
    large = fused_resident.plan((784, 500), 1000, 1)
    assert large is not None
    assert (large.parts, large.tiles, large.depth) == (8, (13, 8), (8, 13))
    assert fused_resident.plan((784, 500), 65_536, 1) is None
    assert fused_resident.plan((4000, 2000), 64, 1) is None


def on(name: str, multiprocessors: int):
    """As if this GPU were there, on a JAX of 0.11 or later."""
    device = jax.sharding.AbstractDevice(name, multiprocessors, "gpu")
    return jax.sharding.use_abstract_mesh(AbstractMesh((), (), abstract_device=device))


@mosaic
@pytest.mark.parametrize(
    ("sizes", "chains", "dtype", "beta", "kernels"),
    [
        ((64, 16), 256, jnp.float32, 1.0, 1),
        ((784, 500), 65_536, jnp.bfloat16, 0.5, 2),
        pytest.param((784, 500), 1000, jnp.bfloat16, 1.0, 1, marks=pytest.mark.slow),
        pytest.param((784, 500), 65_536, jnp.float32, 1.0, 2, marks=pytest.mark.slow),
        pytest.param((300, 200, 100), 5000, jnp.float32, 1.0, 3, marks=pytest.mark.slow),
    ],
)
def test_kernels_are_lowered_for_an_h100(sizes, chains, dtype, beta, kernels):
    """Mosaic GPU checks layouts, swizzles, barriers and shared memory when it lowers."""
    machine = rounded(random_machine(sizes), dtype)
    state = [jax.ShapeDtypeStruct((chains, n), jnp.float32) for n in sizes]

    def run(key, machine, state):
        return Fused().step(key, machine, tuple(state), 10, beta)[0]

    with on("NVIDIA H100 80GB HBM3", 132):
        text = jax.jit(run).trace(jax.random.key(0), machine, state).lower(lowering_platforms=("cuda",)).as_text()
    assert text.count("custom_call @mosaic_gpu") == kernels
    assert "triton" not in text


@mosaic
def test_without_hopper_the_triton_form_is_lowered():
    machine = rounded(random_machine((40, 30)))
    state = [jax.ShapeDtypeStruct((200, n), jnp.float32) for n in machine.sizes]
    run = jax.jit(lambda key, machine, state: Fused().step(key, machine, tuple(state), 10)[0])
    with on("NVIDIA A100-SXM4-80GB", 108):
        text = run.trace(jax.random.key(0), machine, state).lower(lowering_platforms=("cuda",)).as_text()
    assert text.count("triton") >= 2
    assert "mosaic" not in text


@pytest.mark.slow
def test_off_a_gpu_the_draws_are_those_of_gibbs():
    machine = random_machine((33, 20), scale=0.5)
    state = initial_states(jax.random.key(0), machine, 9)
    ours = jax.jit(lambda s: sample(jax.random.key(1), machine, s, 4, kernel=Fused()).states)(state)
    agree(ours, sample(jax.random.key(1), machine, state, 4).states)


def test_what_it_does_not_take_is_refused():
    machine, key = random_machine((4, 3)), jax.random.key(0)
    state = initial_states(key, machine, 2)
    with pytest.raises(UserError, match='uncoupled base; use `kernel="gibbs"`'):
        Fused().step(key, machine, state, base=random_machine((4, 3), seed=1))
    with pytest.raises(UserError, match="binary layers"):
        Fused().step(key, dataclasses.replace(machine, units=(SPIN, SPIN)), state)
    with pytest.raises(UserError, match="all coupled"):
        Fused().step(key, machine.uncoupled(), state)
    with pytest.raises(UserError, match="not from rbg"):
        Fused().step(random.key(0, "rbg"), machine, state)
