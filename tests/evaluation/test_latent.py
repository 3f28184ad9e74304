"""Walks keep to where latents lie, for one dimension, few and many."""

import numpy as np
import pytest

from genjax.evaluation.latent import interpolation, neighbourhoods, plane, traversals


@pytest.mark.parametrize("latent", [1, 2, 3, 10, 784])
def test_walks(latent):
    rng = np.random.default_rng(0)
    path = interpolation(rng, latent).z
    assert path.shape == (8, 10, latent)
    if latent > 1:
        norms = np.linalg.norm(path, axis=-1)
        between = np.minimum(norms[:, :1], norms[:, -1:]), np.maximum(norms[:, :1], norms[:, -1:])
        steps = np.linalg.norm(np.diff(path, axis=1), axis=-1)
        if latent == 784:
            assert np.all(norms > 0.97 * between[0])
            assert np.all(norms < 1.03 * between[1])
            np.testing.assert_allclose(steps, np.broadcast_to(steps.mean(1, keepdims=True), steps.shape), rtol=0.1)
    walked, names = traversals(rng, latent)
    assert walked.shape == (min(latent, 10), 10, latent)
    changed = (walked != walked[:, :1]).any(1)
    np.testing.assert_array_equal(changed.sum(-1), 1)
    assert changed.any(0).sum() == min(latent, 10)
    assert [str(row[0]) for row in map(np.flatnonzero, changed)] == list(names)
    flat, names = plane(rng, latent)
    assert len(names) == len(flat) == len(set(names))
    if latent == 784:
        np.testing.assert_allclose(np.linalg.norm(flat, axis=-1), 28, rtol=1e-6)
    near, names = neighbourhoods(rng, latent)
    assert names == ("0", "0.1", "0.2", "0.4", "0.7", "1")
    assert np.ptp(near[0]) == pytest.approx(np.ptp(near[0, 0]))
    away = np.sqrt(np.mean((near - near[:1]) ** 2, (1, 2)))
    assert np.all(np.diff(away) > 0) or latent < 10
