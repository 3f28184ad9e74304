"""Attention against its definition, and what a transformer cannot tell apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.errors import UserError
from genjax.networks.mlp import parameter_count
from genjax.networks.transformer import STEPS, SelfAttention, VisionTransformer, attend, attention_steps

SMALL = VisionTransformer((8, 8, 1), 10, patch=4, width=8, depth=2, heads=2, hidden=12)


def test_attention_is_means_of_the_values():
    rng = np.random.default_rng(0)
    queries, keys, values = rng.normal(size=(3, 4)), rng.normal(size=(5, 4)), rng.normal(size=(5, 2))
    found = attend(*(jnp.asarray(a, jnp.float32) for a in (queries, keys, values)))
    for query, shares, mean in zip(queries, found.matrix, found.values):
        weights = np.array([np.exp(query @ key / 2) for key in keys])
        np.testing.assert_allclose(shares, weights / weights.sum(), rtol=1e-5)
        np.testing.assert_allclose(mean, weights @ values / weights.sum(), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_heads_see_parts_of_the_width_and_tokens_in_another_order_are_answered_in_that_order():
    module, x = SelfAttention(2), jax.random.normal(jax.random.key(0), (3, 5, 6))
    variables = module.init(jax.random.key(1), x)
    order = jnp.array([3, 0, 4, 1, 2])
    y = module.apply(variables, x)
    np.testing.assert_allclose(module.apply(variables, x[:, order]), y[:, order], atol=1e-5)
    split = x @ variables["params"]["Dense_0"]["kernel"]  # queries, keys, values; in each the heads side by side
    heads = [attend(*(split[..., part * 6 + 3 * head :][..., :3] for part in range(3))).values for head in range(2)]
    np.testing.assert_allclose(jnp.concatenate(heads, -1) @ variables["params"]["Dense_1"]["kernel"], y, atol=1e-5)


@pytest.mark.slow
def test_without_positions_patches_may_change_places():
    x = jax.random.uniform(jax.random.key(0), (2, 8, 8))
    variables = SMALL.init(jax.random.key(1), x.reshape(2, -1))
    turned = jnp.concatenate([x[:, 4:], x[:, :4]], 1)

    def apart(variables):
        a, b = (SMALL.apply(variables, images.reshape(2, -1)) for images in (x, turned))
        return float(jnp.abs(a - b).max())

    nowhere = {"params": variables["params"] | {"positions": jnp.zeros_like(variables["params"]["positions"])}}
    assert apart(nowhere) < 1e-5 < 1e-4 < apart(variables)


def test_parameters_are_counted_and_steps_of_every_block_are_kept():
    x = jax.random.uniform(jax.random.key(0), (2, 64))
    variables = SMALL.init(jax.random.key(1), x)
    block = (8 + 1) * 24 + (8 + 1) * 8 + (8 + 1) * 12 + (12 + 1) * 8 + 4 * 8
    assert set(variables) == {"params"}
    assert parameter_count(variables) == (16 + 1) * 8 + 4 * 8 + 2 * block + 2 * 8 + (8 + 1) * 10
    blocks = attention_steps(SMALL, variables, x)
    assert len(blocks) == 2
    for steps in blocks:
        assert [steps[name].shape for name in STEPS] == [(2, 2, 4, 4)] * 4
        matrix = attend(steps["queries"], steps["keys"], steps["values"]).matrix
        np.testing.assert_allclose(steps["attention"], matrix, atol=1e-6)
        np.testing.assert_allclose(matrix.sum(-1), 1.0, atol=1e-5)


def test_heads_have_to_divide_the_width():
    with pytest.raises(UserError, match="`width` 8 cannot be divided among `heads` 3"):
        VisionTransformer((8, 8, 1), 10, patch=4, width=8, heads=3).init(jax.random.key(0), jnp.zeros((1, 64)))
