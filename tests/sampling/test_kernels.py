"""What every kernel keeps: parts of a run are the run, infos add up, what cannot be served is refused."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from genjax.boltzmann.machine import Machine
from genjax.boltzmann.units import SPIN
from genjax.errors import UserError
from genjax.likelihood import ais, exact
from genjax.likelihood.bidirectional import long_run
from genjax.sampling import fused, gibbs, tempering
from genjax.sampling.diagnostics import diagnose, measure
from genjax.sampling.fused import Fused
from genjax.sampling.gibbs import Gibbs, initial_states, sample
from genjax.sampling.inpainting import inpaint
from genjax.sampling.tempering import Tempered
from genjax.typing import Kernel
from tests.machines import all_states, probabilities, random_machine
from tests.sampling.test_tempering import two_modes

needs_pallas = pytest.mark.skipif(not fused.available(), reason="this JAX has no Pallas")
KERNELS = [Gibbs(), Tempered(rungs=3, burn_in=4), pytest.param(Fused(), marks=needs_pallas)]


def two_far_modes() -> Machine:
    """Spins, all up or all down: Gibbs seldom goes from one to the other, and without weights there are no modes."""
    biases = np.split(0.1 * np.random.default_rng(3).normal(size=7), [4])
    return Machine((jnp.full((4, 3), 1.2),), tuple(jnp.asarray(b, jnp.float32) for b in biases), (SPIN, SPIN))


def all_up(chains: int) -> tuple:
    return tuple(jnp.ones((chains, n)) for n in (4, 3))


def has_the_exact_means(visible, machine: Machine) -> bool:
    mean, chains = np.asarray(exact.moments(machine).biases[0], np.float64), len(visible)
    return bool(np.all(np.abs(np.asarray(visible).mean(0) - mean) < 5.5 * np.sqrt((1 - mean**2) / chains)))


def fresh(machine, chains: int):
    return jax.jit(initial_states, static_argnums=2)(jax.random.key(0), machine, chains)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.slow
def test_a_kernel_is_a_value_and_its_parts_are_the_whole(kernel, monkeypatch):
    monkeypatch.setattr(tempering, "ADAPT_EVERY", 2)  # temperatures move, and then stay
    assert isinstance(kernel, Kernel)
    assert kernel == type(kernel)(**vars(kernel))
    assert hash(kernel) == hash(type(kernel)(**vars(kernel)))
    machine, key = random_machine((4, 3)), jax.random.key(1)
    states = fresh(machine, 6)

    @partial(jax.jit, static_argnums=1)
    def part(state, sweeps, first):
        return kernel.step(key, machine, state, sweeps, first=first)

    start = kernel.init(jax.random.key(2), machine, states)
    jax.tree.map(np.testing.assert_array_equal, kernel.states(start), states)
    whole, info = part(start, 8, 0)
    middle, early = part(start, 3, 0)
    last, late = part(middle, 5, 3)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(last), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    for a, b, c in zip(*map(jax.tree.leaves, (info, early, late)), strict=True):
        np.testing.assert_allclose(a, b + c, rtol=1e-6)
    assert [x.shape for x in kernel.states(whole)] == [(6, 4), (6, 3)]


@pytest.mark.parametrize("kernel", KERNELS[:2], ids=repr)
@pytest.mark.slow
def test_sample_is_the_kernels_steps(kernel):
    machine, key = random_machine((4, 3)), jax.random.key(1)
    states = fresh(machine, 6)
    run = jax.jit(lambda states: sample(key, machine, states, 7, every=3, observe=lambda s: s[0], kernel=kernel))
    plain = jax.jit(lambda states: sample(key, machine, states, 7, kernel=kernel))
    (last, observed, info), (alone, nothing, total) = run(states), plain(states)
    jax.tree.map(np.testing.assert_array_equal, last, alone)
    assert observed.shape == (2, 6, 4)
    assert nothing is None
    for a, b in zip(jax.tree.leaves(info), jax.tree.leaves(total), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    if isinstance(kernel, Tempered):
        assert int(info.rounds) == 7


def test_what_a_kernel_cannot_serve_is_refused():
    machine, key = random_machine((4, 3)), jax.random.key(0)
    states, base = fresh(machine, 4), machine.uncoupled()
    tempered: Any = partial(sample, key, machine, states, 2, kernel=Tempered(rungs=3))
    for options in ({"beta": 0.5}, {"beta": jnp.asarray(1.0)}, {"base": base}):
        with pytest.raises(UserError, match="leave `beta` and `base` out"):
            tempered(**options)
    with pytest.raises(UserError, match="`clamp` holds units of layer 1"):
        tempered(clamp=(None, jnp.ones(3, bool)))
    with pytest.raises(UserError, match="`mesh` is served by Gibbs sampling alone"):
        tempered(mesh=Mesh(np.array(jax.devices()[:1]), ("data",)))
    with pytest.raises(UserError, match="`rungs` is at least 2"):
        Tempered(rungs=1)
    with pytest.raises(UserError, match="its own temperatures"):
        ais.upward(key, (base, machine), ais.temperatures(3), 4, kernel=Tempered(rungs=3))


@pytest.mark.slow
def test_tempered_chains_find_the_mode_that_gibbs_does_not():
    """All begin in one mode. The temperatures are placed while it burns in and stay from then on."""
    machine, kernel, states = two_far_modes(), Tempered(rungs=4, burn_in=200), all_up(2000)

    @jax.jit
    def run(key, state, first):
        return kernel.step(key, machine, state, 200, first=first)

    state, _ = run(jax.random.key(1), kernel.init(jax.random.key(0), machine, states), 0)
    after, info = run(jax.random.key(1), state, 200)
    assert has_the_exact_means(kernel.states(after)[0], machine)
    plain = jax.jit(sample, static_argnums=3)(jax.random.key(1), machine, states, 400).states
    assert np.all(np.asarray(plain[0]).mean(0) > 0.9)
    np.testing.assert_array_equal(after.betas, state.betas)
    assert not np.allclose(state.betas, np.linspace(0, 1, 4), atol=1e-2)
    summary = kernel.summary(after, info)
    assert int(summary["round_trips"]) > 1000
    assert np.ptp(summary["swap_rate"]) < 0.1  # placed evenly


@pytest.mark.slow
def test_inpainting_by_tempering_has_the_exact_expectations():
    machine = two_modes((4, 3), weight=2.0, tilt=0.3, seed=0)
    image, missing = jnp.asarray([1.0, 0.0, 0.0, 1.0]), jnp.asarray([False, True, True, True])
    p, visible = probabilities(machine), all_states((4, 3))[0]
    match = visible[:, 0] == 1
    truth = p[match] @ visible[match] / p[match].sum()
    x, gone = jnp.tile(image, (400, 1)), jnp.tile(missing, (400, 1))
    filled = np.asarray(inpaint(jax.random.key(0), machine, x, gone, 100, 50, Tempered(rungs=3)))
    np.testing.assert_array_equal(filled[:, 0], 1)
    error = filled[:, 1:].std(0) / np.sqrt(400)
    assert np.all(np.abs(filled[:, 1:].mean(0) - truth[1:]) < 5.5 * error)


@pytest.mark.parametrize("sizes", [(5, 4), (4, 5)])
@pytest.mark.slow
def test_transitions_of_ais_by_a_kernel_are_unbiased(sizes):
    """Either side summed out: the mean of the weights is Z."""
    machine = random_machine(sizes, 1.5, seed=1)
    base = machine.uncoupled(jnp.full((1, sizes[0]), 0.5))
    run = ais.upward(jax.random.key(0), (base, machine), ais.temperatures(8), 20_000, kernel=Gibbs())
    ratio = np.exp(run.log_weights - exact.log_z(machine))
    assert abs(ratio.mean() - 1) < 5.5 * ratio.std() / np.sqrt(20_000)
    assert ratio.std() > 0.1


@pytest.mark.slow
def test_long_runs_take_a_kernel():
    machine = two_far_modes()
    last = long_run(jax.random.key(0), machine, all_up(2000), 200, kernel=Tempered(rungs=4))
    assert has_the_exact_means(last[0], machine)


@pytest.mark.slow
def test_diagnosed_chains_are_those_of_sample():
    machine, key = random_machine((6, 5), seed=2), jax.random.key(1)
    states = fresh(machine, 16)
    last, answer = diagnose(key, machine, states, 400)
    jax.tree.map(
        np.testing.assert_array_equal, last, jax.jit(sample, static_argnums=3)(key, machine, states, 400).states
    )
    assert set(answer) == {"r_hat", "effective_samples", "autocorrelation_time"}
    assert 0.99 < float(answer["r_hat"]) < 1.02
    tau = float(answer["autocorrelation_time"])
    assert 1 < tau < 5
    assert float(answer["effective_samples"]) == pytest.approx(16 * 200 / tau)
    half = jax.jit(lambda s: gibbs.GIBBS.step(key, machine, s, 200)[0])(states)
    shifted = measure(key, machine, half, 200)[1]
    assert shifted.mean.shape == (5,)


@pytest.mark.slow
def test_chains_that_have_not_mixed_are_diagnosed():
    """Half of them begin in either mode: Gibbs keeps them there, tempering does not; and a ladder says more."""
    machine = two_far_modes()
    states = tuple(jnp.where(jnp.arange(40)[:, None] < 20, x, -x) for x in all_up(40))
    _, stuck = diagnose(jax.random.key(0), machine, states, 600)
    _, mixed = diagnose(jax.random.key(0), machine, states, 600, Tempered(rungs=4, burn_in=300))
    assert float(stuck["r_hat"]) > 1.5
    assert float(mixed["r_hat"]) < 1.05
    assert float(mixed["effective_samples"]) > 10 * float(stuck["effective_samples"])
    assert mixed["betas"].shape == (4,)
    assert mixed["swap_rate"].shape == (3,)
    assert int(mixed["round_trips"]) > 100
