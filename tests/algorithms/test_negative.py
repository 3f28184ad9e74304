"""Tempered negative phases: chains that are at the target though their temperatures move."""

import jax
import jax.numpy as jnp
import numpy as np

from genjax.algorithms.contrastive import ContrastiveConfig, contrastive, trained_machine
from genjax.likelihood import exact
from genjax.sampling import tempering
from genjax.training import loop
from genjax.training.config import split
from tests.algorithms.test_contrastive import images_with_structure, score


def learned(**options):
    """A small machine on three noisy prototypes, 2000 steps."""
    images = images_with_structure(1000)
    total = 2000
    static, hyper = split(ContrastiveConfig(hidden=6, chains=200, average=0.0, **options), total)
    algorithm = contrastive(static)
    data = loop.TrainingSet(jnp.asarray(images), jnp.zeros(1000, jnp.int32), None)
    plan = loop.plan(1000, 100, "none")
    state = loop.initial(jax.random.key(0), algorithm, data, plan, hyper)
    seen = []
    state = loop.train(jax.random.key(0), algorithm, data, plan, state, total, 0, [lambda c: seen.append(c.metrics)])
    return state, images, seen


def test_tempered_chains_are_at_the_target():
    """Their temperatures move as the machine learns; at the end the top rung has the machine's moments."""
    state, images, _ = learned(negative="tempered", rungs=4)
    machine = trained_machine(state)
    plain, _, _ = learned()
    assert score(machine, images) > score(trained_machine(plain), images) - 0.1
    assert not np.allclose(state.chains.betas, np.linspace(0, 1, 4), atol=1e-3)
    ladder = tempering.path_ladder(state.chains.base, machine, state.chains.betas)
    _, _, top = jax.jit(
        lambda key: tempering.run(key, ladder, state.chains.chains, 2000, observe=lambda s: s.states[0][-1])
    )(jax.random.key(5))
    x = np.asarray(top[500:]).reshape(-1, 200, 9).mean(0)
    right = np.asarray(exact.moments(machine).biases[0])
    assert np.all(np.abs(x.mean(0) - right) < 6 * x.std(0, ddof=1) / np.sqrt(200))
