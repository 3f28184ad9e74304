"""Hopfield nets against energies written out, and as machines of the interface `Energy` against enumeration."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from genjax.boltzmann.hopfield import DenseHopfield, Hopfield, Spins, all_states, scaled
from genjax.errors import UserError
from genjax.likelihood import ais
from genjax.sampling.gibbs import sample
from genjax.typing import Energy

SPINS = 5
STATES = np.array(all_states(SPINS), np.float64)
RNG = np.random.default_rng(0)
PATTERNS = np.where(RNG.random((3, SPINS)) < 0.5, -1.0, 1.0)
BIASES = 0.3 * RNG.normal(size=SPINS)
HALF = RNG.normal(size=(SPINS, SPINS))
FLOATS = [jnp.asarray(x, jnp.float32) for x in (BIASES, 0.5 * (HALF + HALF.T), PATTERNS)]
NETS: dict[str, Spins] = {
    "pairwise": Hopfield(*FLOATS[:2]),
    "coupled to itself": Hopfield(*FLOATS[:2], self_coupling=True),
    "degree 2": DenseHopfield(FLOATS[0], FLOATS[2], jnp.ones(())),
    "degree 3": DenseHopfield(FLOATS[0], FLOATS[2], jnp.ones(()), degree=3),
    "exponential": DenseHopfield(FLOATS[0], FLOATS[2], jnp.float32(1.5), jnp.float32(0.7), 0),
}
FAST = [name if name == "exponential" else pytest.param(name, marks=pytest.mark.slow) for name in NETS]


def energies(name: str, x: np.ndarray) -> np.ndarray:
    """By their definitions, float64."""
    overlaps = x @ PATTERNS.T
    symmetric = 0.5 * (HALF + HALF.T)
    own = -x @ BIASES
    match name:
        case "pairwise":
            return own - 0.5 * np.einsum("si,ij,sj->s", x, symmetric - np.diag(np.diag(symmetric)), x)
        case "coupled to itself":
            return own - 0.5 * np.einsum("si,ij,sj->s", x, symmetric, x)
        case "degree 2" | "degree 3":
            n = int(name[-1])
            return own - SPINS * ((overlaps / SPINS) ** n).sum(1) / n
    return own - 1.5 * np.log(np.exp(0.7 * overlaps).sum(1)) / 0.7


class Changes(NamedTuple):
    """For each spin the field on it and, of states with it turned over, energies and sums, kept up to date and anew."""

    fields: Any
    energies: Any
    kept: Any
    anew: Any


@jax.jit
def changes(net, x) -> Changes:
    def one(spin) -> Changes:
        sums, turned = net.sums(x), x.at[:, spin].mul(-1)
        kept = net.changed(sums, spin, turned[:, spin] - x[:, spin])
        return Changes(net.field(sums, x, spin), net.energy((turned,)), kept, net.sums(turned))

    return jax.vmap(one)(jnp.arange(SPINS))


@pytest.mark.parametrize("name", FAST)
def test_energy_field_and_sums(name):
    """The field is half of E(-1) - E(1) at every state and spin, also after sums were kept up to date."""
    net, x = NETS[name], jnp.asarray(STATES, jnp.float32)
    assert isinstance(net, Energy)
    np.testing.assert_allclose(net.energy((x,)), energies(name, STATES), atol=1e-5)
    after = changes(net, x)
    for spin in range(SPINS):
        low, high, turned = (STATES.copy() for _ in range(3))
        low[:, spin], high[:, spin] = -1, 1
        turned[:, spin] *= -1
        truth = 0.5 * (energies(name, low) - energies(name, high))
        np.testing.assert_allclose(after.fields[spin], truth, atol=1e-5)
        np.testing.assert_allclose(after.energies[spin], energies(name, turned), atol=1e-5)
        np.testing.assert_allclose(after.kept[spin], after.anew[spin], atol=1e-5)
    real = jnp.asarray(RNG.normal(size=(4, SPINS)), jnp.float32)
    slope = jax.jit(jax.vmap(jax.grad(lambda x: net.energy((x,)))))(real)
    np.testing.assert_allclose(net.drive(real), -slope, atol=1e-5)
    np.testing.assert_allclose(scaled(net, 2.0).energy((x,)), 2 * net.energy((x,)), rtol=1e-5)


def test_a_quadratic_dense_net_is_hebbian():
    weights = jnp.asarray(PATTERNS.T @ PATTERNS / SPINS, jnp.float32)
    x = jnp.asarray(STATES, jnp.float32)
    hebbian = Hopfield(jnp.asarray(BIASES, jnp.float32), weights).energy((x,))
    differences = np.asarray(NETS["degree 2"].energy((x,)) - hebbian)
    np.testing.assert_allclose(differences, differences[0], atol=1e-5)  # self-couplings are a constant of spins


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coupled to itself", "exponential"])
def test_gibbs_sampling_stays_at_the_density(name):
    """Chains that start with exact draws keep the exact shares, with a clamp those given the clamped spin."""
    net, chains = NETS[name], 20_000
    for clamped in (False, True):
        log_p = -energies(name, STATES) - (1e9 * (STATES[:, 1] < 0) if clamped else 0)
        p = np.exp(log_p - np.logaddexp.reduce(log_p))
        start = STATES[np.random.default_rng(1).choice(len(p), chains, p=p)]
        clamp = (jnp.arange(SPINS) == 1,) if clamped else None
        after = sample(jax.random.key(0), net, (jnp.asarray(start, jnp.float32),), 3, clamp=clamp).states[0]
        rows = (np.asarray(after) > 0) @ 2 ** np.arange(SPINS)
        counts, expected = np.bincount(rows, minlength=len(p)), chains * p
        assert counts[p < 1e-12].sum() == 0
        some = expected > 5
        statistic = np.sum((counts[some] - expected[some]) ** 2 / expected[some])
        assert statistic < chi2.isf(1e-7, some.sum())


@pytest.mark.slow
def test_without_couplings_log_z_is_exact():
    for net in NETS.values():
        alone = net.uncoupled(jnp.asarray(PATTERNS, jnp.float32))
        truth = np.logaddexp.reduce(np.asarray(-alone.energy((jnp.asarray(STATES, jnp.float32),)), np.float64))
        np.testing.assert_allclose(alone.log_z(), truth, atol=1e-4)
        (drawn,) = alone.draw(jax.random.key(0), 20_000)
        mean = np.tanh(np.asarray(alone.biases))
        assert np.all(np.abs(np.asarray(drawn).mean(0) - mean) < 5.5 * np.sqrt((1 - mean**2) / 20_000 + 1e-9))
    with pytest.raises(UserError, match="cannot be summed out"):
        NETS["pairwise"].marginal((FLOATS[2],), 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pairwise", "degree 3", "exponential"])
def test_annealed_importance_sampling_takes_it(name):
    net = NETS[name]
    if isinstance(net, DenseHopfield):
        net = dataclasses.replace(net, strength=2 * net.strength)
    truth = np.logaddexp.reduce(np.asarray(-net.energy((jnp.asarray(STATES, jnp.float32),)), np.float64))
    found = ais.log_z(jax.random.key(0), net, net.uncoupled(jnp.asarray(PATTERNS, jnp.float32)), 300, 2000)
    assert found.trusted
    assert abs(found.mean - truth) < 5.5 * found.standard_error + 1e-4
