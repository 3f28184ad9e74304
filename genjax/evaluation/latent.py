"""What is asked of a latent space, and walks through one of standard normal latents (numpy).

Normal latents of many dimensions lie near a sphere of radius sqrt(latent), and a network knows nothing of what lies
inside. So paths between two of them follow the sphere, and neighbours keep the distribution.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtri


class Walk(NamedTuple):
    """Latents in rows, and what each row is called."""

    z: Float[np.ndarray, "rows columns latent"]
    names: tuple[str, ...]


class LatentSpace(NamedTuple):
    """The codes, or latents, of a trained model.

    `encode(x, given)` gives posterior means (of a VAE: of its top layer) and `decode(codes, given)` expected pixels,
    `reconstruct(x, given)` those of an image itself (of a VAE: by its lowest layer);
    `condition(label)` is what a conditional model is given, of width 0 in others. `centre` and `spread` `(units,)`
    are those of the prior, or of the codes where there is none; `activity` is the codes' variance over images, in
    units of the spread squared where it is a prior's. A generator neither encodes nor reconstructs, and its latents are
    all as active. `below` are the layers under that one, the one next to the image first, their prior that at the
    centre of the layers above.
    """

    encode: Callable[[Array, Array], Array] | None
    decode: Callable[[Array, Array], Array]
    reconstruct: Callable[[Array, Array], Array] | None
    condition: Callable[[Array], Array]
    centre: Float[np.ndarray, " units"]
    spread: Float[np.ndarray, " units"]
    activity: Float[np.ndarray, " units"]
    below: tuple["LatentSpace", ...] = ()


def spherical(a: np.ndarray, b: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """Between latents `(*batch, units)` along the great circle (White 2016); on the line where they point one way."""
    lengths = np.linalg.norm(a, axis=-1, keepdims=True) * np.linalg.norm(b, axis=-1, keepdims=True)
    cosine = np.sum(a * b, -1, keepdims=True) / np.maximum(lengths, 1e-12)
    angle = np.arccos(np.clip(cosine, -1, 1))
    straight = np.sin(angle) < 1e-6
    angle = np.where(straight, 1.0, angle)
    circle = (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)
    return np.where(straight, (1 - share) * a + share * b, circle)


def interpolation(rng: np.random.Generator, latent: int, rows: int = 8, columns: int = 10) -> Walk:
    """From one point to another in each row, along the great circle."""
    start, end = rng.normal(size=(2, rows, 1, latent))
    return Walk(spherical(start, end, np.linspace(0, 1, columns)[:, None]), tuple(map(str, range(1, rows + 1))))


def traversals(rng: np.random.Generator, latent: int, columns: int = 10, most: int = 10) -> Walk:
    """One point, and in each row one of its coordinates, from 0, going from -3 to 3: all of them, or `most` drawn at
    random."""
    axes = np.sort(rng.permutation(latent)[:most])
    z = np.broadcast_to(rng.normal(size=latent), (len(axes), columns, latent)).copy()
    z[np.arange(len(axes)), :, axes] = np.linspace(-3, 3, columns)
    return Walk(z, tuple(map(str, axes)))


def plane(rng: np.random.Generator, latent: int, side: int = 10) -> Walk:
    """A square of equal probability on two directions at right angles; one row where there is one dimension.

    In more than two dimensions the directions are drawn, and a third one, at right angles to both, keeps every point
    on the sphere where the latents lie (or as near as it can).
    """
    places = ndtri((np.arange(side) + 0.5) / side)
    names = tuple(f"{place:.2g}" for place in places)
    if latent == 1:
        return Walk(places[None, :, None], ("",))
    across, down = np.meshgrid(places, places)
    directions = np.linalg.qr(rng.normal(size=(latent, min(3, latent))))[0].T
    z = across[..., None] * directions[0] + down[..., None] * directions[1]
    if latent > 2:
        z = z + np.sqrt(np.maximum(latent - across**2 - down**2, 0))[..., None] * directions[2]
    return Walk(z, names)


def neighbourhoods(
    rng: np.random.Generator, latent: int, radii: tuple[float, ...] = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0), columns: int = 10
) -> Walk:
    """Around one point a row for each radius: sqrt(1 - r^2) z + r noise, normal again; at 1 nothing is left of z."""
    z, noise, r = (
        rng.normal(size=latent),
        rng.normal(size=(len(radii), columns, latent)),
        np.array(radii)[:, None, None],
    )
    return Walk(np.sqrt(1 - r**2) * z + r * noise, tuple(f"{radius:g}" for radius in radii))
