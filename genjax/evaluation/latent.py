"""What is asked of a latent space, and walks through one (numpy)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float


class LatentSpace(NamedTuple):
    """The codes of a trained model.

    `encode(x, given)` gives posterior means (of a VAE: of its top layer) and `decode(codes, given)` expected pixels,
    `reconstruct(x, given)` those of an image itself (of a VAE: by its lowest layer);
    `condition(label)` is what a conditional model is given, of width 0 in others. `centre` and `spread` `(units,)`
    are those of the prior, or of the codes where there is none; `activity` is the codes' variance over images.
    """

    encode: Callable[[Array, Array], Array]
    decode: Callable[[Array, Array], Array]
    reconstruct: Callable[[Array, Array], Array]
    condition: Callable[[Array], Array]
    centre: Float[np.ndarray, " units"]
    spread: Float[np.ndarray, " units"]
    activity: Float[np.ndarray, " units"]


def spherical(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """Between two codes along the great circle (White 2016); along the line where they point the same way."""
    cosine = np.dot(a, b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12)
    angle = float(np.arccos(np.clip(cosine, -1, 1)))
    if np.sin(angle) < 1e-6:
        return (1 - share) * a + share * b
    return (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)
