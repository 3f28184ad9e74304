"""`genjax/models/README.md`: every skeleton runs as it stands, in a cell, and the library takes what it defines."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import genjax
from genjax.errors import UserError
from genjax.likelihood import ais
from genjax.sampling import gibbs
from genjax.sampling.tempering import Tempered
from tests.machines import all_states, exact_draws, probabilities, random_machine

README = Path(genjax.__file__).parent / "models" / "README.md"
QUIET: dict[str, Any] = {"batch_size": 10, "progress": False}


@cache
def cells() -> dict[str, str]:
    """The code of every part, by its letter."""
    parts = re.split(r"^## \((\w)\) ", README.read_text(), flags=re.M)[1:]
    return {
        letter: "\n".join(re.findall(r"```python\n(.*?)```", part, re.S)) for letter, part in zip(*[iter(parts)] * 2)
    }


@cache
def cell(letter: str) -> Any:
    """What the skeleton defines, after it has run; its source is not at hand, as in a bare interpreter."""
    names: dict[str, Any] = {"__name__": "cell"}
    exec(compile(cells()[letter], f"<{letter}>", "exec"), names)
    return type("Cell", (), names)


def images(count: int = 40, values: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2, (count, values)).astype(np.float32)


def test_every_part_has_a_skeleton_a_checklist_and_pairs():
    assert list(cells()) == list("abcdefgh")
    assert all(cells().values())
    for part in re.split(r"^## ", README.read_text(), flags=re.M)[2:]:
        assert "- [ ] " in part
        assert "| wrong | right |" in part
    assert all(len(line) <= 120 for line in README.read_text().splitlines())


@pytest.mark.parametrize("letter", "abcdefgh")
def test_a_skeleton_runs(letter):
    """Its own assertions hold."""
    assert cell(letter)


@pytest.mark.slow
def test_a_unit_type_and_a_negative_phase_learn_and_the_likelihood_is_that_of_enumeration():
    unit, refreshed = cell("a").Ternary(), cell("c").Refreshed(chains=8, fresh=3)
    x = np.random.default_rng(0).integers(0, 3, (40, 4)) / 2
    config = genjax.rbm(visible_type=unit, negative=refreshed, hidden=3)
    run = genjax.fit(config, x, steps=20, binarisation="none", **QUIET)
    machine = run.machine
    assert machine.units[0] == unit
    values = np.array(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 4)).reshape(4, -1).T
    density = np.asarray(genjax.boltzmann.free_energy(machine, jnp.asarray(values, jnp.float32)), np.float64)
    log_z = np.logaddexp.reduce(-density)
    test = run.prepared.dataset.test
    truth = -np.asarray(genjax.boltzmann.free_energy(machine, unit.of_intensities(jnp.asarray(test)))) - log_z
    found = run.log_likelihood()
    assert found.kind == "exact"
    assert found.mean == pytest.approx(truth.mean(), abs=1e-3)
    drawn = run.sample(8, sweeps=20, start="persistent")
    assert drawn.shape == (8, 4)
    assert set(np.unique(drawn)) <= {0.0, 0.5, 1.0}
    with pytest.raises(UserError, match="`fresh` 30"):
        cell("c").Refreshed(chains=20, fresh=30)


@pytest.mark.slow
def test_a_kernel_leaves_the_target_and_serves_every_caller():
    jumping, machine, chains = cell("b").Jumping(), random_machine((4, 3), seed=3), 20_000
    start = exact_draws(machine, chains)
    moved, _, info = gibbs.sample(jax.random.key(0), machine, start, 3, kernel=jumping)
    mean = probabilities(machine) @ all_states((4, 3))[0]
    assert np.all(np.abs(np.asarray(moved[0]).mean(0) - mean) < 5.5 * 0.5 / np.sqrt(chains))
    assert int(info.tried) == 3
    assert 0 < float(info.accepted) < 3
    whole = jax.jit(lambda key: jumping.step(key, machine, start, 5)[0])(jax.random.key(1))
    first = jumping.step(jax.random.key(1), machine, start, 2)[0]
    again = jumping.step(jax.random.key(1), machine, first, 3, first=2)[0]
    for a, b in zip(whole, again):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(UserError, match="jumping"):
        gibbs.sample(jax.random.key(0), machine, start, 1, kernel=jumping, clamp=(start[0] > 0, None))


@pytest.mark.slow
def test_a_negative_phase_learns_what_there_is():
    refreshed = cell("c").Refreshed(chains=20, fresh=5)
    x = np.repeat(images(4), 25, axis=0)  # four images: much to be learned
    run = genjax.fit(genjax.rbm(hidden=6, negative=refreshed), x, steps=400, **QUIET)
    independent = np.mean(np.sum(x * np.log(x.mean(0)) + (1 - x) * np.log1p(-x.mean(0)), 1))
    assert run.log_likelihood(x).mean > independent + 0.2  # of 1.5 that there are


@pytest.mark.slow
def test_a_model_goes_through_the_whole_door(tmp_path):
    mixture, x = cell("d"), np.repeat(images(3), 30, axis=0)
    run = genjax.fit(mixture.MixtureConfig(components=4), x, steps=60, **QUIET)
    assert run.sample(7).shape == (7, 5)
    grid = all_states((5,))[0].astype(np.float32)
    assert np.exp(run.score_samples(grid)).sum() == pytest.approx(1, abs=1e-3)  # it is a distribution
    assert run.log_likelihood(x).mean > np.log(1 / 3) - 0.5
    assert run.history["log_likelihood"][-1] > -2
    run.save(tmp_path / "mine")
    again = genjax.load(tmp_path / "mine", model=mixture.MixtureConfig)
    np.testing.assert_array_equal(again.sample(7), run.sample(7))
    runs = genjax.grid(mixture.MixtureConfig(components=2), x, forgetting=[0.6, 0.9], seeds=2, steps=10, **QUIET)
    assert len(runs) == 4
    assert len(genjax.compare(runs)) == 2
    with pytest.raises(UserError, match="encode"):
        run.encode(x)


@pytest.mark.slow
def test_a_data_set_is_split_and_the_same_each_time():
    bars = cell("e").bars_and_stripes
    one, two = bars(), bars()
    assert one.train.shape[1:] == (16,)
    assert len(np.unique(np.concatenate([one.train, one.validation, one.test]), axis=0)) == 30
    np.testing.assert_array_equal(one.train, two.train)
    assert one.classes == 2
    assert genjax.fit(genjax.rbm(hidden=2, chains=4), one, steps=2, **QUIET).step == 2


@pytest.mark.slow
def test_a_loss_a_penalty_and_a_backbone_play():
    f = cell("f")
    penalty, x = f.FakeSlope(weight=3.0), jnp.asarray(images(4))
    weights = jnp.arange(5.0)
    found = penalty.penalty(lambda x: x @ weights, x, x, x[:, :1], 1)
    assert float(found) == pytest.approx(0.5 * 3 * float(weights @ weights))
    config = genjax.gan(loss=f.Margin(margin=0.5), penalty=penalty, backbone=f.Narrow(units=6), latent=3)
    run = genjax.fit(config, images().reshape(-1, 5, 1), steps=3, **QUIET)
    assert run.sample(4).shape == (4, 5, 1)
    assert np.isfinite(run.history["discriminator_loss"]).all()
    with pytest.raises(UserError, match="normalisation"):
        genjax.fit(genjax.gan(penalty=penalty, normalisation="batch"), images(), steps=1, **QUIET)


@pytest.mark.slow
def test_a_machine_of_other_connections_is_sampled_tempered_and_estimated():
    ring, pairs = cell("g").ring, cell("g").pairs
    log_z = float(cell("g").log_z)
    found = ais.log_z(jax.random.key(0), ring, ring.uncoupled(), 300, 200)
    assert found.low - 0.02 < log_z < found.high + 0.02
    p = np.exp(-np.asarray(ring.energy(pairs), np.float64) - log_z)
    chains = 4000
    start = tuple(x[np.random.default_rng(0).choice(256, chains, p=p / p.sum())] for x in pairs)
    for kernel in (gibbs.Gibbs(), Tempered(rungs=3)):
        states = gibbs.sample(jax.random.key(1), ring, start, 5, kernel=kernel)[0]
        assert np.all(np.abs(np.asarray(states[0]).mean(0) - p @ np.asarray(pairs[0])) < 5.5 * 0.5 / np.sqrt(chains))
    slope = jax.grad(lambda ring: ring.energy(start).mean())(ring)  # the gradient's half: minus the statistics
    np.testing.assert_allclose(slope.visible_biases, -start[0].mean(0), atol=1e-5)


@pytest.mark.slow
def test_a_network_and_a_loss_learn_from_targets():
    x = images(60, 3)
    h = cell("h")
    data = genjax.Dataset.from_arrays(x, x.sum(1) - 1.5)
    model = genjax.supervised(network=h.Noisy(), loss=h.Huber(), learning_rate=0.05)
    run = genjax.fit(model, data, steps=200, **QUIET)
    assert run.evaluation()["test"]["absolute_error"]["mean"] < 0.3
    np.testing.assert_array_equal(run.predict(x), run.predict(x))  # no noise after training
