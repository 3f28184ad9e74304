"""Machines of every type learn: data of a known machine, whose likelihood is exact, and labels that can be told."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from genjax.algorithms.contrastive import DBMConfig, RBMConfig, contrastive, trained_machine
from genjax.algorithms.labels import class_log_probabilities, observed
from genjax.boltzmann.machine import Machine, fields, marginal
from genjax.boltzmann.rbm import free_energy, with_classes
from genjax.boltzmann.units import BERNOULLI, GAUSSIAN, RECTIFIED, SPIN, Categorical
from genjax.likelihood import exact
from genjax.training.config import split
from genjax.typing import Batch, Example
from tests.algorithms.configs import made
from tests.algorithms.test_contrastive import images_with_structure, slow
from tests.boltzmann.test_units import states_of
from tests.machines import all_states, energies, random_machine

HIDDEN = 3


def known_machine(name: str) -> Machine:
    """Each hidden unit pulls strongly at pixels of its own, and is on half of the time."""
    rng = np.random.default_rng(5)
    unit = {"gaussian": GAUSSIAN, "rectified": RECTIFIED, "spin": SPIN, "categorical": Categorical(3)}[name]
    visible, pull = {"gaussian": (6, 3.0), "rectified": (6, 3.0), "spin": (6, 0.8), "categorical": (9, 2.0)}[name]
    g = np.linspace(0.5, 2.0, visible) ** -2.0 if unit.curved else np.ones(visible)  # deviations from 0.5 to 2
    own = np.repeat(np.eye(HIDDEN), visible // HIDDEN, axis=0)
    signs = np.tile([[1.0], [0.0], [-1.0]], (3, 1)) if name == "categorical" else rng.choice([-1.0, 1.0], own.shape)
    weights = (pull * own * signs + 0.3 * rng.normal(size=own.shape)) * np.sqrt(g)[:, None]
    middle = np.zeros(visible) if name == "spin" else -0.5 * weights.sum(1)
    machine = Machine(
        (jnp.asarray(weights, jnp.float32),),
        (jnp.asarray(middle, jnp.float32), jnp.zeros(HIDDEN)),
        (unit, SPIN if name == "spin" else BERNOULLI),
        (jnp.asarray(g, jnp.float32), None) if unit.curved else (),
    )
    for _ in range(20):
        p, hidden = hidden_states(machine)
        on = (p @ (hidden > 0)).clip(0.01, 0.99)
        above = machine.biases[1] - jnp.asarray(0.3 * (np.log(on) - np.log1p(-on)), jnp.float32)
        machine = dataclasses.replace(machine, biases=(machine.biases[0], above))
    return machine


def hidden_states(machine: Machine) -> tuple[np.ndarray, np.ndarray]:
    """All of them, and their probabilities with the pixels summed or integrated out."""
    hidden = states_of(machine.units[1], machine.sizes[1])
    log_p = np.asarray(marginal(machine, (None, jnp.asarray(hidden, jnp.float32)), 0), np.float64)
    return special.softmax(log_p), hidden


def exact_draws(machine: Machine, count: int, seed: int) -> jax.Array:
    """Independent visible states: hidden ones by enumeration, then the pixels given them."""
    p, hidden = hidden_states(machine)
    h = jnp.asarray(hidden[np.random.default_rng(seed).choice(len(p), count, p=p)], jnp.float32)
    return machine.units[0].sample(jax.random.key(seed), fields(machine, (None, h), 0), machine.quadratic(0))


def log_likelihood(machine: Machine, x: jax.Array) -> float:
    return float(jnp.mean(-free_energy(machine, x))) - exact.log_z(machine)


def learn(config, x: jax.Array, label: jax.Array, steps: int, toward: tuple = ()) -> tuple[Machine, Machine]:
    """The machine before and after so many steps of a hundred images each; it may begin with other weights."""
    static, hyper = split(config, steps)
    algorithm = contrastive(static)

    @jax.jit
    def run(key, x, label):
        example = Example(Batch(x[:100], label[:100]), x.mean(0), x.var(0))
        state = algorithm.init(key, example, hyper)
        if toward:
            state = state._replace(machine=dataclasses.replace(state.machine, weights=toward))

        def one(number, state):
            here = jax.random.fold_in(key, number)
            index = jax.random.randint(jax.random.fold_in(here, 1), (100,), 0, len(x))
            return algorithm.step(here, state, Batch(x[index], label[index]))[0]

        return state.machine, trained_machine(jax.lax.fori_loop(0, steps, one, state))

    return run(jax.random.key(0), x, label)


ADAM = {"optimiser": "adam", "learning_rate": 0.03, "momentum": 0.9}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "margin"),
    [
        ("gaussian", ADAM, 0.4),
        slow("rectified", ADAM, 0.3),
        slow("spin", {"hidden_type": "spin"}, 0.03),
        slow("categorical", {"levels": 3}, 0.03),
    ],
)
def test_a_machine_of_this_type_learns_a_known_one(name, options, margin):
    """Exact log-likelihoods of fresh data, nats: it begins far below the truth's and ends within the margin of it."""
    truth = known_machine(name)
    x, fresh = (exact_draws(truth, 5000, seed) for seed in (0, 1))
    config = made(RBMConfig, visible_type=name, hidden=HIDDEN, chains=200, average=0.3, **options)
    shown = truth.units[0].intensities(x)
    before, after = learn(config, shown, jnp.zeros(len(x), jnp.int32), 800, (truth.weights[0] / 3,))
    best, found, begun = (log_likelihood(machine, fresh) for machine in (truth, after, before))
    assert begun < best - 5 * margin
    assert best - margin < found < best + 0.01


def test_class_probabilities_are_those_of_enumeration():
    plain = random_machine((4, 3), 1.5)
    machine = with_classes(jax.random.key(0), plain, 3, scale=3.0)
    states = all_states((4, 3))
    x = all_states((4,))[0]
    joint = []
    for label in range(3):
        log_p = -energies(plain, states) + states[1] @ np.asarray(machine.weights[1], np.float64)[:, label]
        log_p += float(machine.biases[2][label])
        joint.append([np.logaddexp.reduce(log_p[(states[0] == image).all(1)]) for image in x])
    truth = special.log_softmax(np.array(joint).T, axis=1)
    assert np.ptp(truth, axis=1).max() > 1
    np.testing.assert_allclose(class_log_probabilities(machine, jnp.asarray(x, jnp.float32)), truth, atol=1e-4)


def test_labels_are_told():
    """Three noisy prototypes: a tenth of all labels wrong at most, where guessing has two thirds wrong."""
    images = jnp.asarray(images_with_structure(1000))
    prototypes = np.array([[1, 1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 0, 0, 0], [1, 0, 0, 1, 0, 0, 1, 1, 1]])
    label = jnp.asarray(np.abs(np.asarray(images)[:, None] - prototypes).sum(-1).argmin(-1), jnp.int32)
    _, machine = learn(made(RBMConfig, hidden=6, classes=3, chains=100), images, label, 600)
    guess = jnp.argmax(class_log_probabilities(machine, observed(machine, Batch(images, label))[0]), axis=-1)
    assert float(jnp.mean(guess != label)) < 0.1


def test_upper_weights_learn_at_their_share_of_the_rate():
    """One step of plain descent without offsets: those above the lowest move by this share, the lowest as before."""
    batch = Batch(jnp.asarray(images_with_structure(50)), jnp.zeros(50, jnp.int32))
    example = Example(batch, batch.x.mean(0), batch.x.var(0))
    moved = []
    config = made(DBMConfig, layers=(5, 4), centred=False, weight_decay=0.0, average=0.0, chains=20)
    algorithm = contrastive(split(config, 10)[0])
    init, step = jax.jit(algorithm.init), jax.jit(algorithm.step)
    for share in (1.0, 0.25):
        _, hyper = split(made(config, upper_rate=share), 10)
        state = init(jax.random.key(0), example, hyper)
        state = state._replace(machine=jax.tree.map(lambda x: 10 * x, state.machine))
        new, _ = step(jax.random.key(1), state, batch)
        moved.append([np.asarray(a - b) for a, b in zip(new.machine.weights, state.machine.weights)])
    np.testing.assert_allclose(moved[1][0], moved[0][0], atol=1e-7)
    np.testing.assert_allclose(moved[1][1], 0.25 * moved[0][1], atol=1e-6)
    assert np.abs(moved[0][1]).max() > 1e-3
