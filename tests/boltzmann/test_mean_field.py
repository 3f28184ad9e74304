"""Mean field against brute force: the bound at any q, below the truth, never falling, exact where q can be."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.boltzmann.machine import Machine, marginal
from genjax.boltzmann.mean_field import bound, conditional, coupled, log_density, mean_field, means, recognition
from genjax.boltzmann.rbm import with_classes
from tests.machines import all_states, energies, random_machine

DEEP = [(4, 3, 3), (3, 2, 3, 2)]
passes = jax.jit(mean_field, static_argnums=(2, 3, 4))  # op by op they compile far more
bounds_of = jax.jit(bound)
means_of = jax.jit(means)


def images(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2, (count, size)).astype(np.float32)


def data_of(machine: Machine, x: np.ndarray) -> tuple:
    return (jnp.asarray(x), *[None] * (machine.depth - 1))


def exact(machine: Machine, x: np.ndarray) -> np.ndarray:
    """log p*(x) of each image, by summing every hidden state."""
    states = all_states(machine.sizes)
    log_p = -energies(machine, states)
    return np.array([np.logaddexp.reduce(log_p[(states[0] == image).all(1)]) for image in x])


def brute_bound(machine: Machine, x: np.ndarray, q: list[np.ndarray]) -> np.ndarray:
    """E_q[-E] + H(q) summed over every hidden state; q holds the probabilities of each hidden unit, image by image."""
    answers = []
    for n, image in enumerate(x):
        p = np.concatenate([layer[n] for layer in q]).astype(np.float64)
        hidden = np.array(list(itertools.product((0.0, 1.0), repeat=len(p))))
        weights = np.prod(np.where(hidden == 1, p, 1 - p), axis=1)
        parts = np.split(hidden, np.cumsum(machine.sizes[1:])[:-1], axis=1)
        states = [np.broadcast_to(image, (len(hidden), len(image))), *parts]
        log_weights = np.log(np.where(weights > 0, weights, 1.0))
        answers.append(np.sum(weights * (-energies(machine, states) - log_weights)))
    return np.array(answers)


@pytest.mark.parametrize("sizes", DEEP)
@pytest.mark.parametrize("iterations", [0, 1, 50])
def test_the_bound_is_brute_forces_at_the_same_q(sizes, iterations):
    machine, x = random_machine(sizes), images(6, sizes[0])
    data = data_of(machine, x)
    found = passes(machine, data, iterations)
    q = means_of(machine, data, found.fields)[1:]
    np.testing.assert_allclose(bounds_of(machine, data, found.fields), brute_bound(machine, x, list(q)), atol=2e-5)
    if iterations == 0:
        jax.tree.map(np.testing.assert_array_equal, found.fields, jax.jit(recognition)(machine, data))


@pytest.mark.parametrize("sizes", DEEP)
@pytest.mark.parametrize("damping", [0.0, 0.5])
def test_it_never_exceeds_the_truth_and_undamped_never_falls(sizes, damping):
    machine, x = random_machine(sizes, scale=1.5, seed=3), images(8, sizes[0])
    data, truth = data_of(machine, x), exact(machine, x)
    rounds = (0, 1, 2, 3, 5, 8, 11)
    bounds = np.stack([bounds_of(machine, data, passes(machine, data, n, 0.0, damping).fields) for n in rounds])
    assert (bounds <= truth + 1e-5).all()
    if damping == 0.0:
        assert (np.diff(bounds[1:], axis=0) > -1e-5).all()  # from the first round on: the recognition pass is no round
    assert (bounds[-1] > truth - 1.0).all()


def test_it_stops_at_its_tolerance_and_says_so():
    machine = random_machine((4, 3, 3), scale=0.5)
    data = data_of(machine, images(5, 4))
    found = passes(machine, data, 500, 1e-5)
    assert 1 < int(found.iterations) < 500
    assert float(found.residual) <= 1e-5
    assert int(passes(machine, data, 3, 0.0).iterations) == 3


def test_a_damped_pass_ends_where_an_undamped_one_does():
    machine = random_machine((5, 3, 4), scale=0.5)
    data = data_of(machine, images(5, 5))
    plain, damped = (passes(machine, data, 500, 1e-6, damping).fields for damping in (0.0, 0.6))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), plain, damped)


def test_the_recognition_pass_doubles_what_nothing_is_above():
    machine = random_machine((3, 2, 2))
    x = images(4, 3)
    (w, u), (_, b, c) = machine.weights, machine.biases
    fields = jax.jit(recognition)(machine, data_of(machine, x))
    np.testing.assert_allclose(fields[1], b + 2 * x @ w, atol=1e-5)
    np.testing.assert_allclose(fields[2], c + jax.nn.sigmoid(b + 2 * x @ w) @ u, atol=1e-5)


def test_where_no_hidden_layers_touch_one_pass_is_exact():
    machine, x = random_machine((4, 3)), images(5, 4)
    data = data_of(machine, x)
    assert not coupled(machine, data)
    exactly = marginal(machine, data, 1)
    np.testing.assert_allclose(bounds_of(machine, data, passes(machine, data).fields), exactly, atol=1e-5)
    np.testing.assert_allclose(jax.jit(log_density)(machine, data), exactly, atol=1e-6)


def test_known_labels_on_top_send_their_message():
    machine = with_classes(jax.random.key(0), random_machine((4, 3, 3)), 3, scale=1.0)
    x = images(6, 4)
    label = machine.units[-1].encode(jnp.arange(6)[:, None] % 3)
    data = (jnp.asarray(x), None, None, label)
    rest = conditional(machine, data)
    np.testing.assert_allclose(rest.biases[2], machine.biases[2] + label @ machine.weights[2].T, atol=1e-5)
    assert rest.weights[0] is None
    assert rest.weights[2] is None
    states = all_states((4, 3, 3))
    density = jax.jit(log_density)
    for n, image in enumerate(x):
        own = -energies(random_machine((4, 3, 3)), states) + states[2] @ np.asarray(label[n] @ machine.weights[2].T)
        truth = np.logaddexp.reduce(own[(states[0] == image).all(1)]) + float(label[n] @ machine.biases[3])
        found = float(density(machine, jax.tree.map(lambda a, n=n: a[n : n + 1], data))[0])
        assert truth - 1 < found < truth + 1e-5
