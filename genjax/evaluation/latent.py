"""Walks through a space of standard normal latents (numpy): lines, axes, a plane, and neighbourhoods.

Normal latents of many dimensions lie near a sphere of radius sqrt(latent), and a network knows nothing of what lies
inside. So paths between two of them follow the sphere, and neighbours keep the distribution.
"""

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

Latents = Float[np.ndarray, "rows columns latent"]


def interpolation(rng: np.random.Generator, latent: int, rows: int = 8, columns: int = 10) -> Latents:
    """From one point to another in each row: straight where there is one dimension, else along the great circle."""
    start, end = rng.normal(size=(2, rows, 1, latent))
    share = np.linspace(0, 1, columns)[:, None]
    if latent == 1:
        return start + share * (end - start)
    lengths = [np.linalg.norm(z, axis=-1, keepdims=True) for z in (start, end)]
    angle = np.arccos(np.clip(np.sum(start * end, -1, keepdims=True) / (lengths[0] * lengths[1]), -1, 1))
    return (np.sin((1 - share) * angle) * start + np.sin(share * angle) * end) / np.sin(angle)


def traversals(rng: np.random.Generator, latent: int, columns: int = 10, most: int = 10) -> Latents:
    """One point, and in each row one of its coordinates going from -3 to 3: all of them, or `most` drawn at random."""
    axes = np.sort(rng.permutation(latent)[:most])
    z = np.broadcast_to(rng.normal(size=latent), (len(axes), columns, latent)).copy()
    z[np.arange(len(axes)), :, axes] = np.linspace(-3, 3, columns)
    return z


def plane(rng: np.random.Generator, latent: int, side: int = 10) -> Latents:
    """A square of equal probability on two directions at right angles; one row where there is one dimension.

    In more than two dimensions the directions are drawn, and a third one, at right angles to both, keeps every point
    on the sphere where the latents lie (or as near as it can).
    """
    places = norm.ppf((np.arange(side) + 0.5) / side)
    if latent == 1:
        return places[None, :, None]
    across, down = np.meshgrid(places, places)
    directions = np.linalg.qr(rng.normal(size=(latent, min(3, latent))))[0].T
    z = across[..., None] * directions[0] + down[..., None] * directions[1]
    if latent > 2:
        z = z + np.sqrt(np.maximum(latent - across**2 - down**2, 0))[..., None] * directions[2]
    return z


def neighbourhoods(
    rng: np.random.Generator, latent: int, radii: tuple[float, ...] = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0), columns: int = 10
) -> Latents:
    """Around one point a row for each radius: sqrt(1 - r^2) z + r noise, normal again; at 1 nothing is left of z."""
    z, noise, r = (
        rng.normal(size=latent),
        rng.normal(size=(len(radii), columns, latent)),
        np.array(radii)[:, None, None],
    )
    return np.sqrt(1 - r**2) * z + r * noise
