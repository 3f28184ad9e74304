"""Every unit type against sums and quadrature in float64, at fields from far below to far above zero."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

from genjax import random
from genjax.boltzmann.machine import Machine, energy, marginal
from genjax.boltzmann.units import BERNOULLI, GAUSSIAN, RECTIFIED, SPIN, Categorical
from genjax.likelihood import exact
from genjax.sampling.gibbs import sample

FIELDS = np.array([-300.0, -40.0, -9.0, -3.1, -2.9, -1.0, 0.0, 0.3, 2.0, 7.0, 30.0])
PRECISION = 1.7
CURVED = {"gaussian": (GAUSSIAN, -np.inf), "rectified": (RECTIFIED, 0.0)}
TWO_VALUES = {"bernoulli": (BERNOULLI, (0, 1)), "spin": (SPIN, (-1, 1))}
ALL = [BERNOULLI, SPIN, GAUSSIAN, RECTIFIED, Categorical(3)]


def answers(unit, fields: np.ndarray, quadratic: float | None = None) -> tuple[np.ndarray, ...]:
    """Cumulant, mean, variance and mode of single variables, `(fields, ...)`."""
    field = jnp.asarray(fields, jnp.float32).reshape(len(fields), -1)
    g = None if quadratic is None else jnp.full(field.shape[1], quadratic, jnp.float32)
    names = ("cumulant", "mean", "variance", "mode")
    found = jax.jit(lambda field, g: [getattr(unit, name)(field, g) for name in names])(field, g)
    return tuple(np.asarray(x, np.float64) for x in found)


def moments(fields: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, ...]:
    """The same by summing over values, in float64."""
    log_p = fields[:, None] * values
    total = special.logsumexp(log_p, axis=1)
    p = np.exp(log_p - total[:, None])
    mean = p @ values
    return total, mean, p @ values**2 - mean**2


@pytest.mark.parametrize("name", TWO_VALUES)
def test_two_values(name):
    unit, values = TWO_VALUES[name]
    cumulant, mean, variance, mode = answers(unit, FIELDS)
    total, right_mean, right_variance = moments(FIELDS, np.array(values, np.float64))
    np.testing.assert_allclose(cumulant[:, 0], total, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mean[:, 0], right_mean, atol=1e-6)
    np.testing.assert_allclose(variance[:, 0], right_variance, atol=1e-6)
    away = FIELDS != 0
    np.testing.assert_array_equal(mode[away, 0], np.where(FIELDS > 0, *values[::-1])[away])
    np.testing.assert_array_equal(unit.encode(jnp.arange(2)), values)


def test_categorical():
    unit, rng = Categorical(4), np.random.default_rng(0)
    fields = np.concatenate([5 * rng.normal(size=(20, 8)), [[200.0, -300, 0, 1, 0, 0, 0, 0]]])
    cumulant, mean, variance, mode = answers(unit, fields)
    split = np.float32(fields).astype(np.float64).reshape(-1, 2, 4)
    p = special.softmax(split, axis=-1)
    np.testing.assert_allclose(cumulant, special.logsumexp(split, axis=-1), rtol=1e-5)
    np.testing.assert_allclose(mean.reshape(p.shape), p, atol=1e-6)
    np.testing.assert_allclose(variance.reshape(p.shape), p * (1 - p), atol=1e-6)
    np.testing.assert_array_equal(mode.reshape(p.shape).argmax(-1), p.argmax(-1))
    np.testing.assert_array_equal(mode.reshape(p.shape).sum(-1), 1)
    np.testing.assert_array_equal(unit.encode(jnp.asarray([[2, 0]])), [[0, 0, 1, 0, 1, 0, 0, 0]])


@pytest.mark.parametrize("name", CURVED)
def test_curved_types_by_quadrature(name):
    """Fields up to 300 to either side: the far tails are where naive formulas lose all digits."""
    unit, low = CURVED[name]
    cumulant, mean, variance, mode = (x[:, 0] for x in answers(unit, FIELDS, PRECISION))
    for i, t in enumerate(FIELDS):
        peak = t / PRECISION if low == -np.inf or t > 0 else 0.0
        width = 1 / np.sqrt(PRECISION) if peak or low == -np.inf else 1 / max(-t, np.sqrt(PRECISION))
        height = t * peak - PRECISION * peak**2 / 2
        points = (max(low, peak - 40 * width), peak + 40 * width)

        def density(x, power, t=t, height=height):
            return x**power * np.exp(t * x - PRECISION * x * x / 2 - height)

        parts = np.linspace(*points, 81)
        mass, first, second = (
            sum(
                integrate.quad(density, a, b, args=(power,), epsabs=0, epsrel=1e-9)[0]
                for a, b in itertools.pairwise(parts)
            )
            for power in range(3)
        )
        right = first / mass
        assert cumulant[i] == pytest.approx(np.log(mass) + height, rel=2e-6, abs=2e-6)
        assert mean[i] == pytest.approx(right, rel=3e-6)
        assert variance[i] == pytest.approx(second / mass - right**2, rel=2e-5 if t < -30 else 1e-4)
        assert mode[i] == pytest.approx(peak, rel=1e-6)


@pytest.mark.parametrize("unit", ALL, ids=repr)
def test_the_mean_is_the_slope_of_the_cumulant(unit):
    """And finite gradients everywhere: they are what learning by likelihood takes."""
    g = jnp.full(12, PRECISION) if unit.curved else None
    fields = jnp.asarray([-200.0, -20.0, -3.001, -2.999, -1.0, -0.01, 0.0, 0.5, 2.0, 5.0, 20.0, 200.0])
    slope, mean = jax.jit(lambda t: (jax.grad(lambda t: jnp.sum(unit.cumulant(t, g)))(t), unit.mean(t, g)))(fields)
    np.testing.assert_allclose(slope, mean, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("generator", ["counter", "threefry"])
@pytest.mark.parametrize("unit", [GAUSSIAN, RECTIFIED], ids=repr)
def test_draws_of_curved_types_follow_their_law(unit, generator):
    """Kolmogorov's distance of 100,000 draws: a right sampler passes 2.9 / sqrt(n) less than once in 1e7."""
    n, root = 100_000, np.sqrt(PRECISION)
    at = np.array([-60.0, -4.0, -1.9, 0.0, 1.0, 8.0])
    fields, g = jnp.broadcast_to(jnp.repeat(at, 2), (n // 2, 12)), jnp.full(12, PRECISION)
    drawn = jax.jit(unit.sample)(random.key(3, generator), fields, g)
    for field, own in zip(at, np.split(np.asarray(drawn, np.float64), len(at), axis=1)):
        a = field / root
        norm, cut = stats.norm(a / root, 1 / root), stats.truncnorm(-a, np.inf, a / root, 1 / root)
        assert np.all(np.isfinite(own))
        assert unit is GAUSSIAN or own.min() >= 0
        distance = stats.kstest(own.ravel(), (norm if unit is GAUSSIAN else cut).cdf).statistic
        assert distance < 2.9 / np.sqrt(n)


def test_draws_of_discrete_types_follow_their_law():
    n = 200_000
    fields = jnp.asarray([-3.0, -0.5, 0.0, 2.0, -np.inf, 1.0])
    drawn = np.asarray(jax.jit(SPIN.sample)(jax.random.key(0), jnp.broadcast_to(fields[:4], (n, 4)), None))
    assert set(np.unique(drawn)) == {-1, 1}
    mean = np.tanh(np.asarray(fields[:4], np.float64))
    assert np.all(np.abs(drawn.mean(0) - mean) < 5.5 * np.sqrt((1 - mean**2) / n))
    drawn = np.asarray(jax.jit(Categorical(3).sample)(jax.random.key(1), jnp.broadcast_to(fields, (n, 6)), None))
    np.testing.assert_array_equal(drawn.reshape(n, 2, 3).sum(-1), 1)
    p = special.softmax(np.asarray(fields, np.float64).reshape(2, 3), axis=-1).ravel()
    assert drawn[:, 4].sum() == 0
    assert np.all(np.abs(drawn.mean(0) - p) <= 5.5 * np.sqrt(p * (1 - p) / n))


@pytest.mark.parametrize("unit", ALL, ids=repr)
def test_field_of_mean_is_the_way_back(unit):
    g = jnp.full(3, PRECISION) if unit.curved else None
    mean = jnp.asarray([0.2, 0.5, 0.3])
    there_and_back = jax.jit(lambda mean: unit.mean(unit.field_of_mean(mean, g), g))
    np.testing.assert_allclose(there_and_back(mean), mean, atol=2e-5)


@pytest.mark.parametrize("unit", ALL, ids=repr)
def test_intensities_are_the_way_back(unit):
    x = jnp.asarray([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(unit.intensities(unit.of_intensities(x)), x, atol=1e-6)
    np.testing.assert_allclose(Categorical(5).intensities(Categorical(5).of_intensities(x / 4)), x / 4, atol=1e-6)


def mixed(units: tuple, variables: tuple[int, ...], seed: int = 0) -> Machine:
    """A random machine with these types; precisions about 2."""
    rng = np.random.default_rng(seed)
    sizes = [n * unit.width for n, unit in zip(variables, units)]
    weights = tuple(jnp.asarray(0.6 * rng.normal(size=s), jnp.float32) for s in itertools.pairwise(sizes))
    biases = tuple(jnp.asarray(0.5 * rng.normal(size=s), jnp.float32) for s in sizes)
    g = tuple(jnp.asarray(1.5 + rng.random(s), jnp.float32) if unit.curved else None for s, unit in zip(sizes, units))
    return Machine(weights, biases, units, g if any(unit.curved for unit in units) else ())


def states_of(unit, variables: int) -> np.ndarray:
    """All joint states of one discrete layer, `(states, units)`."""
    index = np.array(list(itertools.product(range(unit.states), repeat=variables)))
    return np.asarray(unit.encode(jnp.asarray(index)), np.float64)


def log_z_by_hand(machine: Machine) -> float:
    """Float64: discrete layers enumerated, a curved lowest layer integrated unit by unit in closed form."""
    layers = [states_of(unit, size // unit.width) for unit, size in zip(machine.units[1:], machine.sizes[1:])]
    weights, biases = ([np.asarray(x, np.float64) for x in xs] for xs in (machine.weights, machine.biases))
    total = []
    for combination in itertools.product(*layers):
        log_p = sum(x @ b for x, b in zip(combination, biases[1:]))
        log_p += sum(x @ w @ y for x, w, y in zip(combination, weights[1:], combination[1:]))
        t = biases[0] + weights[0] @ combination[0]
        if machine.units[0].curved:
            g = np.asarray(machine.quadratics[0], np.float64)
            log_p += np.sum(t**2 / (2 * g) + 0.5 * np.log(2 * np.pi / g))
            if machine.units[0] is RECTIFIED:
                log_p += np.sum(special.log_ndtr(t / np.sqrt(g)))
        else:
            below = states_of(machine.units[0], machine.sizes[0] // machine.units[0].width)
            log_p += special.logsumexp(below @ t)
        total.append(log_p)
    return float(special.logsumexp(total))


MIXTURES = [
    ((SPIN, SPIN), (4, 3)),
    ((GAUSSIAN, BERNOULLI), (3, 4)),
    ((RECTIFIED, SPIN), (3, 4)),
    ((Categorical(3), BERNOULLI), (3, 4)),
    ((BERNOULLI, Categorical(3)), (5, 2)),
    ((GAUSSIAN, BERNOULLI, Categorical(3)), (3, 3, 1)),
    ((BERNOULLI, SPIN, Categorical(3)), (3, 3, 1)),
]


@pytest.mark.parametrize(("units", "variables"), MIXTURES)
def test_log_z_of_mixed_machines(units, variables):
    machine = mixed(units, variables)
    assert exact.log_z(machine) == pytest.approx(log_z_by_hand(machine), abs=1e-4)


@pytest.mark.parametrize(("units", "variables"), MIXTURES)
def test_free_energy_sums_out_the_hidden_layer(units, variables):
    machine = mixed(units, variables)
    rng = np.random.default_rng(1)
    even = {layer: rng.random((5, machine.sizes[layer])) for layer in machine.layers(0)}  # any values: it is algebra
    hidden = states_of(units[1], variables[1])
    state = tuple(jnp.asarray(even[i], jnp.float32) if i % 2 == 0 else None for i in range(machine.depth))
    full = [np.repeat(even[i], len(hidden), 0) if i % 2 == 0 else np.tile(hidden, (5, 1)) for i in range(machine.depth)]
    full = tuple(jnp.asarray(x, jnp.float32) for x in full)
    own, summed = jax.jit(lambda m, x, even: (energy(m, x), marginal(m, even, 1)))(machine, full, state)
    by_hand = special.logsumexp(-np.asarray(own, np.float64).reshape(5, -1), axis=1)
    np.testing.assert_allclose(summed, by_hand, atol=1e-4)


@pytest.mark.parametrize(
    ("units", "variables"),
    [pytest.param(*x, marks=pytest.mark.slow) for x in MIXTURES],
)
def test_gibbs_has_the_exact_moments(units, variables):
    """Means and pairwise products against the derivatives of log Z, by chains' spread: 20,000 chains, 40 sweeps."""
    machine, chains = mixed(units, variables), 20_000

    @jax.jit
    def drawn(key, machine):
        state = tuple(
            unit.sample(jax.random.key(9 + i), jnp.zeros((chains, n)), machine.quadratic(i))
            for i, (unit, n) in enumerate(zip(units, machine.sizes))
        )
        return sample(key, machine, state, 40)[0]

    state = tuple(np.asarray(x, np.float64) for x in drawn(jax.random.key(1), machine))
    right = exact.moments(machine)
    pairs = [(x[:, :, None] * y[:, None, :], w) for x, y, w in zip(state, state[1:], right.weights)]
    squares = [(-0.5 * state[i] ** 2, g) for i, g in enumerate(right.quadratics) if g is not None]
    for values, expected in [*pairs, *zip(state, right.biases), *squares]:
        error = values.std(0) / np.sqrt(chains)
        assert np.all(np.abs(values.mean(0) - np.asarray(expected)) <= 5.5 * error + 1e-5)


def test_a_type_has_a_name_and_equal_values_are_one():
    kinds = [unit.kind for unit in (BERNOULLI, SPIN, GAUSSIAN, RECTIFIED, Categorical())]
    assert kinds == ["bernoulli", "spin", "gaussian", "rectified", "categorical"]
    assert Categorical() == Categorical(8)
    assert len({Categorical(3), Categorical(3), Categorical(4)}) == 2
