"""From what a source stores to intensities in [0, 1], and what is doubtful about them."""

import numpy as np
from jaxtyping import Float32, Shaped

from genjax.data.stored import Examples, Stored, floats, raw_blocks
from genjax.errors import UserError

ROUNDING = 1e-6
"""How far outside [0, 1] a float of an image file may lie, as resizing and averaging leave it."""
NEARLY = 1 / 8
"""Intensities no further than this from black, or from white, show next to nothing."""
FLAT = 0.02
"""Nor do those whose standard deviation is less: fewer than one white pixel among 2,500 black ones."""
MANY_BLANK = 0.1
SAMPLE = 4 * 10**6  # values whose spread is taken
SMALL = (np.dtype(np.uint8), np.dtype(np.bool_))
"""Types that stay as they are, a byte a value."""

Arrays = dict[str, Shaped[np.ndarray, "..."]]


def scaled(x: Arrays, place: str = "", bounded: bool = False, finite: bool = True) -> Arrays:
    """Arrays of one set by name: bytes as they are, for `intensities`; bool, and uint8 of zeros and ones, as bool that
    is not copied; everything else as new float32 arrays.

    uint8 whose maximum exceeds 1 is bytes; zeros and ones of any type keep their values, and so do floats, where they
    are not `bounded` to [0, 1]. Raises `UserError` that names the array for other integers, for bytes beside other
    types and, where they must be `finite`, for NaN and infinity; `place` is what its sentence begins with.
    """
    kinds = {name: array.dtype for name, array in x.items()}
    for name, kind in kinds.items():
        if kind.kind not in "buif":
            raise UserError(f"{place}{name} holds {kind}, not numbers; give uint8, or floats.")
    of_floats = [name for name, kind in kinds.items() if kind.kind == "f"]
    if finite and (bad := [name for name in of_floats if not np.isfinite(x[name]).all()]):
        raise UserError(f"{place}{bad[0]} holds NaN or infinity; replace them by numbers.")
    of_bytes = [array.dtype == np.uint8 and array.size and array.max() > 1 for array in x.values()]
    if any(of_bytes) and all(kind == np.uint8 for kind in kinds.values()):
        return x
    if any(of_bytes):
        said = " and ".join(f"{name} {kind}" for name, kind in kinds.items()).replace(" ", " is ", 1)
        raise UserError(f"{place}{said}; give all alike, as uint8 or as floats in [0, 1].")
    _refuse_bounds(x, place) if bounded else _refuse_integers(x, place)
    with np.errstate(over="ignore"):  # what becomes infinite is refused below
        result = {
            name: array.view(bool) if kinds[name] in SMALL else array.astype(np.float32) for name, array in x.items()
        }
    if finite and (bad := [name for name in of_floats if not np.isfinite(result[name]).all()]):
        raise UserError(f"{place}{bad[0]} holds numbers that float32 cannot hold; rescale them.")
    return result | {name: np.clip(result[name], 0, 1) for name in of_floats if bounded}


def _refuse_integers(x: Arrays, place: str) -> None:
    for name, array in x.items():
        if array.dtype.kind in "ui" and array.size and (array.min() < 0 or array.max() > 1):
            low, high = int(array.min()), int(array.max())
            as_bytes = "as uint8 where 255 is white, or " if low >= 0 and high <= 255 else ""
            raise UserError(
                f"{place}{name} holds integers ({array.dtype}) from {low} to {high}, and nothing says what they stand "
                f"for; give them {as_bytes}as floats, which keep their values."
            )


def _refuse_bounds(x: Arrays, place: str) -> None:
    low, high = (float(f([f(array) for array in x.values()])) for f in (np.min, np.max))
    if low < -ROUNDING or high > 1 + ROUNDING:
        kinds = [array.dtype for array in x.values()]
        kind = " and ".join(sorted({str(kind) for kind in kinds}))
        raise UserError(
            f"{place}intensities ({kind}) run from {low:g} to {high:g}, not within [0, 1]; "
            f"{_remedy(kinds[0], low, high)}."
        )


def _remedy(kind: np.dtype, low: float, high: float) -> str:
    if low < 0:
        return f"rescale them, for instance {_formula(low, high)}"
    if kind.kind in "ui" and high <= 255:
        return "save them as uint8 if 255 is white, or as floats divided by the value that is"
    return "divide them by the value that stands for white (255 for bytes)"


def _formula(low: float, high: float) -> str:
    """Which brings a negative `low` to 0 and `high` to 1, with as few digits as will do."""
    for digits in (6, 9, 17):
        add, divide = f"{-low:.{digits}g}", f"{high - low:.{digits}g}"
        ends = ((value + float(add)) / float(divide) for value in (low, high))
        if divide != "0" and all(-ROUNDING <= end <= 1 + ROUNDING for end in ends):
            break
    return f"(x + {add}) / {divide}"


def white(*images: Shaped[np.ndarray, "..."]) -> int:
    """What stands for intensity 1 in all splits of a set: 255 in bytes; 1 in floats, and in uint8 of zeros and ones."""
    return 255 if any(x.dtype == np.uint8 and x.size and x.max() > 1 for x in images) else 1


def intensities(images: Shaped[np.ndarray, "images ..."], white: int) -> Float32[np.ndarray, "images pixels"]:
    """Flat rows, divided by what is white."""
    flat = _flat(images)
    if white != 1:
        return np.divide(flat, np.float32(white), dtype=np.float32)
    return flat.astype(np.float32, copy=False)


def rows_of(images: Shaped[np.ndarray, "images ..."], white: int) -> Examples:
    """The same, where a value is a byte as it is stored; the array is not copied then."""
    flat = _flat(images)
    if flat.dtype == np.uint8 and white == 255:
        return Stored.whole(flat)
    return Stored.whole(flat.view(bool)) if flat.dtype in SMALL and white == 1 else intensities(images, white)


def _flat(images: Shaped[np.ndarray, "images ..."]) -> Shaped[np.ndarray, "images pixels"]:
    return images.reshape(len(images), int(np.prod(images.shape[1:])))


def doubts(x: Examples, which: str, pictures: bool = True) -> list[str]:
    """What to say of images that can hardly be meant so: constant, nearly black or white, or many of them blank.

    Of values outside [0, 1], and of examples that are no `pictures`, only that they are constant.
    """
    if not x.size:
        return []
    darkest, brightest = (np.concatenate(part) for part in zip(*((b.min(1), b.max(1)) for b in raw_blocks(x))))
    low, high = (float(x) for x in floats(np.array([darkest.min(), brightest.max()])))
    blank = int(np.count_nonzero(darkest == brightest))
    check = "check how they were saved: 0 is black and 1 is white, after bytes have been divided by 255"
    if low == high:
        return [f"every pixel of the {which} images is {low:.3g}, so there is nothing to learn; {check}."]
    if low < 0 or high > 1 or not pictures:
        return []
    if high < NEARLY:
        return [f"the {which} images are nearly black, their brightest pixel is {high:.3g}; {check}."]
    if low > 1 - NEARLY:
        return [f"the {which} images are nearly white, their darkest pixel is {low:.3g}; {check}."]
    if (spread := float(x[:: -(-x.size // SAMPLE)].std())) < FLAT:
        return [f"the {which} images hardly show anything, the standard deviation of pixels is {spread:.2g}; {check}."]
    if blank > MANY_BLANK * len(x):
        return [f"{blank} of {len(x)} {which} images are blank, one value in every pixel; {check}."]
    return []
