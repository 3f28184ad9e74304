"""What is asked of a latent space, its active units, and walks through one of standard normal latents.

Normal latents of many dimensions lie near a sphere of radius sqrt(latent), and a network knows nothing of what lies
inside. So paths between two of them follow the sphere, and neighbours keep the distribution.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from scipy.special import chdtri

from genjax.networks.latent import LatentModel, condition, draw
from genjax.typing import Batch

ACTIVE = 0.01  # variance over images of a latent's posterior mean, from which it counts as active
REACH = 3.0  # standard deviations, as far as a walk goes along one direction where there are many


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
    all as active; it has `directions` instead, of length 1 and at right angles, the strongest first. `below` are the
    layers under that one, the one next to the image first, their prior that at the centre of the layers above.
    """

    encode: Callable[[Array, Array], Array] | None
    decode: Callable[[Array, Array], Array]
    reconstruct: Callable[[Array, Array], Array] | None
    condition: Callable[[Array], Array]
    centre: Float[np.ndarray, " units"]
    spread: Float[np.ndarray, " units"]
    activity: Float[np.ndarray, " units"]
    below: tuple["LatentSpace", ...] = ()
    directions: Float[np.ndarray, "directions units"] | None = None


@partial(jax.jit, static_argnames=("draws",))
def _means(key: Key[Array, ""], model: LatentModel, batch: Batch, draws: int) -> tuple[Array, ...]:
    layers = draw(key, model, batch.x, condition(model, batch.target), draws)[1]
    return tuple(q.mean if q.mean.ndim == 2 else jnp.mean(q.mean, 0) for q in layers)


def latent_activity(
    key: Key[Array, ""], model: LatentModel, batch: Batch, draws: int = 10, block: int = 500
) -> list[Float[np.ndarray, " _"]]:
    """Of each latent the variance over images of its posterior mean, a vector a layer (Burda et al. 2016, section 5.2).

    The means of upper layers are taken over draws of those below.
    """
    parts = []
    for number, start in enumerate(range(0, len(batch.x), block)):
        here = jax.tree.map(lambda leaf, start=start: leaf[start : start + block], batch)
        parts.append([np.asarray(m) for m in _means(jax.random.fold_in(key, number), model, here, draws)])
    return [np.concatenate(layer).var(0) for layer in zip(*parts)]


def active_units(activity: list[Float[np.ndarray, " _"]]) -> list[int]:
    """How many latents of each layer are active: their posterior means vary by more than 0.01."""
    return [int(np.sum(layer > ACTIVE)) for layer in activity]


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


def principal_directions(kernel: Float[np.ndarray, "latent features"]) -> Float[np.ndarray, "latent latent"]:
    """Directions of length 1, in rows, in which latents change the first layer `z @ kernel` most, the strongest first.

    The eigenvectors of `kernel @ kernel.T` (SeFa: Shen and Zhou 2021); the largest coordinate of each is positive.
    """
    vectors = np.linalg.svd(kernel.astype(np.float64), full_matrices=True)[0].T
    largest = np.take_along_axis(vectors, np.argmax(np.abs(vectors), 1)[:, None], 1)
    return vectors * np.sign(largest)


def coordinates(latent: int, ways: int = 1, count: int = 13) -> Float[np.ndarray, " count"]:
    """Where to go along so many directions at once: from -3 to 3, or less far where 99 % of all latents are nearer."""
    most = min(REACH, np.sqrt(chdtri(latent, 0.01) / ways))
    return np.linspace(-most, most, count)


def traversals(
    rng: np.random.Generator,
    directions: Float[np.ndarray, "directions latent"],
    values: Float[np.ndarray, " steps"],
) -> Float[np.ndarray, "directions steps latent"]:
    """One point, in each row with these coordinates along one of the directions, and all else unchanged."""
    point, along = rng.normal(size=directions.shape[1]), directions[:, None]
    return point - np.sum(point * along, -1, keepdims=True) * along + values[:, None] * along


def plane(
    rng: np.random.Generator, directions: Float[np.ndarray, "2 latent"], values: Float[np.ndarray, " side"]
) -> Float[np.ndarray, "side side latent"]:
    """A square through the latents: these coordinates along the first direction in the columns, the second in the rows.

    The other coordinates, those of one point, are scaled so that all are on the sphere where the latents lie, or as
    near as they can be.
    """
    latent = directions.shape[1]
    across, up = np.meshgrid(values, values)
    point = rng.normal(size=latent)
    rest = point - directions.T @ (directions @ point)
    length = np.sqrt(np.maximum(latent - across**2 - up**2, 0)) / (np.linalg.norm(rest) if latent > 2 else np.inf)
    return across[..., None] * directions[0] + up[..., None] * directions[1] + length[..., None] * rest


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
