"""From what a source stores to intensities in [0, 1], and what is doubtful about them."""

import numpy as np
from jaxtyping import Float32, Shaped

NEARLY = 1 / 8
"""Intensities no further than this from black, or from white, show next to nothing."""
FLAT = 0.02
"""Nor do those whose standard deviation is less: fewer than one white pixel among 2,500 black ones."""
MANY_BLANK = 0.1
SAMPLE = 5000  # images suffice for a standard deviation


def white(*images: Shaped[np.ndarray, "_ height width channels"]) -> int:
    """What stands for intensity 1 in all splits of a set: 255 in bytes; 1 in floats, and in uint8 of zeros and ones."""
    return 255 if any(x.dtype == np.uint8 and x.size and x.max() > 1 for x in images) else 1


def intensities(
    images: Shaped[np.ndarray, "images height width channels"], white: int
) -> Float32[np.ndarray, "images pixels"]:
    """Flat rows, divided by what is white."""
    flat = images.reshape(len(images), int(np.prod(images.shape[1:])))
    if white != 1:
        return np.divide(flat, np.float32(white), dtype=np.float32)
    return flat.astype(np.float32, copy=False)


def doubts(x: Float32[np.ndarray, "images pixels"], which: str) -> list[str]:
    """What to say of images that can hardly be meant so: constant, nearly black or white, or many of them blank."""
    low, high = float(x.min()), float(x.max())
    blank = int(np.count_nonzero(x.min(1) == x.max(1)))
    check = "check how they were saved: 0 is black and 1 is white, after bytes have been divided by 255"
    if low == high:
        return [f"every pixel of the {which} images is {low:.3g}, so there is nothing to learn; {check}."]
    if high < NEARLY:
        return [f"the {which} images are nearly black, their brightest pixel is {high:.3g}; {check}."]
    if low > 1 - NEARLY:
        return [f"the {which} images are nearly white, their darkest pixel is {low:.3g}; {check}."]
    if (spread := float(x[:: -(-len(x) // SAMPLE)].std())) < FLAT:
        return [f"the {which} images hardly show anything, the standard deviation of pixels is {spread:.2g}; {check}."]
    if blank > MANY_BLANK * len(x):
        return [f"{blank} of {len(x)} {which} images are blank, one value in every pixel; {check}."]
    return []
