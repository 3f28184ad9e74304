"""Learning: the gradient by hand, phases at their exact expectations, and a machine that learns what is there."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms.contrastive import (
    RBMConfig,
    contrastive,
    gradient,
    trained_machine,
)
from genjax.algorithms.negative import CD, PCD, expected, sweeps
from genjax.boltzmann.rbm import free_energy
from genjax.likelihood import exact
from genjax.likelihood.pseudo import pseudo_log_likelihood
from genjax.training import loop
from genjax.training.config import split
from genjax.training.update import parameter_max
from tests.algorithms.configs import made
from tests.machines import all_states, probabilities, random_machine

slow = partial(pytest.param, marks=pytest.mark.slow)


def states_of(rng: np.random.Generator, batch: int, sizes=(4, 3)) -> tuple:
    return tuple(jnp.asarray(rng.random((batch, n)), jnp.float32) for n in sizes)


@pytest.mark.parametrize("centred", [False, True])
def test_the_gradient_is_the_formula_of_the_paper(centred):
    """Melchior 2016, equations 8 to 11, in numpy: minus the ascent direction."""
    rng = np.random.default_rng(0)
    machine, positive, negative = random_machine((4, 3)), states_of(rng, 6), states_of(rng, 9)
    mu, lam = (rng.random(4), rng.random(3)) if centred else (np.zeros(4), np.zeros(3))
    found = gradient(machine, positive, negative, (jnp.asarray(mu, jnp.float32), jnp.asarray(lam, jnp.float32)))

    def moments(x, h):
        x, h = np.asarray(x, np.float64), np.asarray(h, np.float64)
        return (x - mu).T @ (h - lam) / len(x), x.mean(0), h.mean(0)

    (w1, b1, c1), (w0, b0, c0) = moments(*positive), moments(*negative)
    weights = w1 - w0
    np.testing.assert_allclose(-found.weights[0], weights, atol=1e-6)
    np.testing.assert_allclose(-found.biases[0], b1 - b0 - weights @ lam, atol=1e-6)
    np.testing.assert_allclose(-found.biases[1], c1 - c0 - mu @ weights, atol=1e-6)


def test_the_positive_phase_is_the_expectation():
    machine = random_machine((4, 3))
    visible = jnp.asarray(all_states((4,))[0], jnp.float32)
    p = probabilities(machine)
    joint = all_states((4, 3))
    right = [(p * np.all(joint[0] == v, 1)) @ joint[1] / p[np.all(joint[0] == v, 1)].sum() for v in np.asarray(visible)]
    np.testing.assert_allclose(expected(machine, (visible, None))[1], right, atol=1e-5)


def test_the_negative_phase_at_the_target_gives_the_models_moments():
    """Chains at exact draws stay there, and their statistics are the exact moments (chi-like bound, 5.5 sigma)."""
    machine = random_machine((4, 3), seed=7)
    p, joint, chains = probabilities(machine), all_states((4, 3)), 200_000
    start = np.random.default_rng(0).choice(len(p), chains, p=p)
    state = tuple(jnp.asarray(x[start], jnp.float32) for x in joint)
    _, negative = jax.jit(sweeps, static_argnums=3)(jax.random.key(0), machine, state, 3)
    statistics = gradient(machine, tuple(x * 0 for x in negative), negative, (jnp.zeros(4), jnp.zeros(3)))
    for found, truth in zip(jax.tree.leaves(statistics), jax.tree.leaves(exact.moments(machine))):
        assert np.all(np.abs(found - truth) < 5.5 * 0.5 / np.sqrt(chains))


def images_with_structure(count: int) -> np.ndarray:
    """Three prototypes of 9 pixels with a tenth of the pixels flipped."""
    rng = np.random.default_rng(0)
    prototypes = np.array([[1, 1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 0, 0, 0], [1, 0, 0, 1, 0, 0, 1, 1, 1]])
    chosen = prototypes[rng.integers(0, 3, count)]
    return np.where(rng.random(chosen.shape) < 0.1, 1 - chosen, chosen).astype(np.float32)


def learn(total=1500, **options):
    images = images_with_structure(1000)
    static, hyper = split(made(RBMConfig, **{"hidden": 6, **options}), total)
    algorithm = contrastive(static)
    data = loop.TrainingSet(jnp.asarray(images), jnp.zeros(1000, jnp.int32), None)
    plan = loop.plan(1000, 100, "none")
    state = loop.initial(jax.random.key(0), algorithm, data, plan, hyper)
    return loop.train(jax.random.key(0), algorithm, data, plan, state, total), images


def score(machine, images) -> float:
    return float(jnp.mean(-free_energy(machine, jnp.asarray(images)))) - exact.log_z(machine)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"chains": 100},
        slow({"chains": 100, "centred": False}),
        slow({"negative": "cd", "k": 5}),
        slow({"chains": 100, "optimiser": "adam", "learning_rate": 0.02}),
        slow({"chains": 100, "average": 0.2}),
    ],
)
def test_it_learns_the_structure(options):
    """Exact log-likelihood: from that of independent pixels at least half-way to the source's entropy."""
    state, images = learn(**options)
    rates = np.clip(images.mean(0), 1e-6, 1)
    independent = np.mean(np.sum(images * np.log(rates) + (1 - images) * np.log1p(-rates), 1))
    reachable = -(np.log(3) - 9 * (0.1 * np.log(0.1) + 0.9 * np.log(0.9)))
    assert score(trained_machine(state), images) > (independent + reachable) / 2


def test_the_tail_average_is_the_mean_of_the_last_machines():
    options = {"average": 0.25, "schedule": "constant"}
    machines = []
    static, hyper = split(made(RBMConfig, hidden=6, **options), 20)
    algorithm = contrastive(static)
    images = images_with_structure(100)
    data = loop.TrainingSet(jnp.asarray(images), jnp.zeros(100, jnp.int32), None)
    plan = loop.plan(100, 100, "none")
    state = loop.initial(jax.random.key(0), algorithm, data, plan, hyper)
    step = jax.jit(algorithm.step)
    for i in range(20):
        state, _ = step(jax.random.key(i), state, loop.example(data, plan).batch)
        machines.append(state.machine)
    mean = jax.tree.map(lambda *x: np.mean(np.stack(x), 0), *machines[15:])
    for a, b in zip(jax.tree.leaves(trained_machine(state)), jax.tree.leaves(mean)):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.slow
def test_persistent_chains_go_on_and_cd_chains_restart():
    batch = loop.Batch(jnp.ones((10, 9)), jnp.zeros(10, jnp.int32))
    example = loop.Example(batch, jnp.full(9, 0.5), jnp.full(9, 0.25))
    for negative, chains in ((PCD(chains=17), 17), (CD(), 10)):
        static, hyper = split(RBMConfig(hidden=6, negative=negative, learning_rate=0.0), 5)
        algorithm = contrastive(static)
        state = jax.jit(algorithm.init)(jax.random.key(0), example, hyper)
        assert state.chains[0].shape == (chains, 9)
        pinned = state._replace(machine=jax.tree.map(lambda x: 0 * x, state.machine))
        # With rate 0 and huge hidden-to-visible pull, one sweep shows where the chains started.
        strong = pinned.machine.weights[0].at[:, 0].set(20.0)
        biases = (jnp.full(9, -10.0), pinned.machine.biases[1].at[0].set(-90.0))
        machine = type(pinned.machine)((strong,), biases, pinned.machine.units)
        zeros = tuple(jnp.zeros_like(x) for x in state.chains)
        new, _ = jax.jit(algorithm.step)(jax.random.key(1), pinned._replace(machine=machine, chains=zeros), batch)
        assert float(new.chains[0].mean()) == (0.0 if negative.chains_of(new.chains) else 1.0)


def test_weight_decay_and_schedule_act_as_said():
    batch = loop.Batch(jnp.ones((10, 9)), jnp.zeros(10, jnp.int32))
    example = loop.Example(batch, jnp.full(9, 0.2), jnp.full(9, 0.16))  # biases far from zero
    moved = {}
    config = made(RBMConfig, hidden=6, learning_rate=0.1, schedule="linear")
    algorithm = contrastive(split(config, 10)[0])
    init, step = jax.jit(algorithm.init), jax.jit(algorithm.step)
    for decay in (0.0, 0.5):
        _, hyper = split(made(config, weight_decay=decay), 10)
        state = init(jax.random.key(0), example, hyper)._replace(step=jnp.asarray(5))
        moved[decay], metrics = step(jax.random.key(1), state, batch)
        assert float(metrics["learning_rate"]) == pytest.approx(0.05)
    difference = np.asarray(moved[0.0].machine.weights[0] - moved[0.5].machine.weights[0])
    np.testing.assert_allclose(difference, 0.05 * 0.5 * np.asarray(state.machine.weights[0]), atol=1e-7)
    np.testing.assert_array_equal(moved[0.0].machine.biases[0], moved[0.5].machine.biases[0])


def test_observe_says_what_it_names():
    rng = np.random.default_rng(0)
    images = [jnp.asarray(rng.integers(0, 2, (n, 9)), jnp.float32) for n in (300, 200)]
    train, held_out = (loop.Batch(x, jnp.zeros(len(x), jnp.int32)) for x in images)
    example = loop.Example(train, jnp.mean(train.x, 0), jnp.var(train.x, 0))
    static, hyper = split(made(RBMConfig, hidden=6), 10)
    algorithm = contrastive(static)
    state = jax.jit(algorithm.init)(jax.random.key(0), example, hyper)
    machine = jax.tree.map(lambda x: x + 0.3 * jax.random.normal(jax.random.key(1), x.shape), state.machine)
    state = state._replace(machine=machine, average=machine)
    seen = jax.jit(algorithm.observe)(jax.random.key(2), state, train, held_out)
    free, pseudo = jax.jit(free_energy), jax.jit(pseudo_log_likelihood)
    for prefix, x in (("", train.x), ("held_out_", held_out.x)):
        assert float(seen[prefix + "free_energy"]) == pytest.approx(float(free(machine, x).mean()), abs=1e-4)
        exact_pseudo = float(pseudo(machine, (x, None)).mean())
        assert float(seen[prefix + "pseudo_likelihood"]) == pytest.approx(exact_pseudo, rel=0.05)
        assert 0 < float(seen[prefix + "reconstruction_error"]) < 0.5
    gap = float(seen["held_out_free_energy"]) - float(seen["free_energy"])
    assert float(seen["free_energy_gap"]) == pytest.approx(gap, abs=1e-5)
    assert float(parameter_max(dataclasses.replace(machine, biases=(machine.biases[0], machine.biases[1] - 99)))) > 90


def test_offsets_are_the_datas_means():
    x = jnp.asarray(np.random.default_rng(0).integers(0, 2, (30, 9)), jnp.float32)
    example = loop.Example(loop.Batch(x, jnp.zeros(30, jnp.int32)), jnp.linspace(0.1, 0.9, 9), jnp.ones(9))
    static, hyper = split(made(RBMConfig, hidden=6), 10)
    algorithm = contrastive(static)
    state = jax.jit(algorithm.init)(jax.random.key(0), example, hyper)
    new, _ = jax.jit(algorithm.step)(jax.random.key(1), state, example.batch)
    np.testing.assert_array_equal(new.offsets[0], example.mean)
    hidden = np.asarray(expected(state.machine, (x, None))[1]).mean(0)
    np.testing.assert_allclose(new.offsets[1], 0.5 + 0.01 * (hidden - 0.5), atol=1e-6)
