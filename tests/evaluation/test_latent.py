"""Walks keep to where latents lie, for one dimension, few and many, and go along a generator's principal directions."""

import numpy as np
import pytest

from genjax.evaluation.latent import coordinates, interpolation, neighbourhoods, plane, principal_directions, traversals


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
    near, names = neighbourhoods(rng, latent)
    assert names == ("0", "0.1", "0.2", "0.4", "0.7", "1")
    assert np.ptp(near[0]) == pytest.approx(np.ptp(near[0, 0]))
    away = np.sqrt(np.mean((near - near[:1]) ** 2, (1, 2)))
    assert np.all(np.diff(away) > 0) or latent < 10


def directions_of(latent):
    return np.linalg.qr(np.random.default_rng(1).normal(size=(latent, latent)))[0].T


@pytest.mark.parametrize(("latent", "ways", "most"), [(1, 1, 2.5758), (2, 2, 2.1460), (3, 1, 3), (64, 2, 3)])
def test_coordinates_reach_where_latents_are(latent, ways, most):
    values = coordinates(latent, ways)
    np.testing.assert_allclose(values[[0, 6, 12]], [-most, 0, most], atol=1e-4)
    np.testing.assert_allclose(np.diff(values), most / 6, atol=1e-4)


@pytest.mark.parametrize("latent", [1, 2, 3, 64])
def test_traversals_change_one_coordinate_each(latent):
    directions, values = directions_of(latent), np.array([-3.0, -0.5, 3.0])
    z = traversals(np.random.default_rng(0), directions[:10], values)
    assert z.shape == (min(latent, 10), 3, latent)
    for row, found in enumerate(z @ directions.T):
        np.testing.assert_allclose(found[:, row], values, atol=1e-12)
        others = np.delete(found, row, axis=1)
        np.testing.assert_allclose(others, np.broadcast_to(others[:1], others.shape), atol=1e-12)
    assert latent < 3 or np.ptp(np.delete(z[0] @ directions.T, 0, axis=1)) > 0.5  # a point like any other


@pytest.mark.parametrize("latent", [2, 3, 10, 64])
def test_a_plane_has_its_coordinates_and_stays_where_latents_lie(latent):
    directions, values = directions_of(latent), np.array([-2.0, 0.0, 0.1, 3.0])
    z = plane(np.random.default_rng(0), directions[:2], values)
    found = z @ directions.T
    np.testing.assert_allclose(found[..., 0], np.broadcast_to(values, (4, 4)), atol=1e-12)  # along the columns
    np.testing.assert_allclose(found[..., 1].T, np.broadcast_to(values, (4, 4)), atol=1e-12)
    norms = np.linalg.norm(z, axis=-1)
    if latent == 64:
        np.testing.assert_allclose(norms, 8, rtol=1e-6)
    squares = values[:, None] ** 2 + values**2
    np.testing.assert_allclose(norms**2, squares if latent == 2 else np.maximum(squares, latent), rtol=1e-6)
    away = found[..., 2:] / np.linalg.norm(found[..., 2:], axis=-1, keepdims=True).clip(1e-12)
    if latent == 64:
        np.testing.assert_allclose(away, np.broadcast_to(away[:1, :1], away.shape), atol=1e-9)  # one point's


def test_principal_directions_change_the_first_layer_most():
    rng = np.random.default_rng(0)
    own, out = directions_of(5), np.linalg.qr(rng.normal(size=(7, 5)))[0].T
    kernel = own.T @ np.diag([1.0, 7.0, 0.1, 3.0, 2.0]) @ out
    found = principal_directions(kernel)
    for row, true in zip(found, own[[1, 3, 4, 0, 2]]):
        np.testing.assert_allclose(row, true * np.sign(true[np.argmax(np.abs(true))]), atol=1e-10)
    narrow = principal_directions(rng.normal(size=(5, 2)).astype(np.float32))  # three of five change nothing
    np.testing.assert_allclose(narrow @ narrow.T, np.eye(5), atol=1e-10)
