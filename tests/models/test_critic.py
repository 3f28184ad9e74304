"""A Wasserstein critic's own estimate: its scores in whole packs, and none of other discriminators."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import genjax
from genjax.models import gan
from genjax.training.config import split

X = np.random.default_rng(0).random((7, 4)).astype(np.float32)


def state_of(**options):
    static, hyper = split(genjax.gan(layers=(3,), batch_norm=False, **options), 10)
    return gan.gan(static, (2, 2, 1), 0).init(jax.random.key(0), genjax.example(X), hyper)


@pytest.mark.slow
def test_it_scores_whole_packs_in_blocks(monkeypatch):
    state = state_of(loss="wasserstein", penalty="clipping", packing=2)
    whole = gan.critic(state, X)
    labels = jnp.zeros(6, jnp.int32)
    np.testing.assert_allclose(
        whole, state.game.score(state.discriminator.network, jnp.asarray(X[:6]), labels)[0], atol=1e-6
    )
    assert whole.shape == (3,)
    monkeypatch.setattr(gan, "BLOCK", 3)
    np.testing.assert_allclose(gan.critic(state, X), whole, atol=1e-6)


@pytest.mark.slow
def test_scores_of_other_games_estimate_no_distance():
    assert gan.critic(state_of(loss="hinge"), X) is None
