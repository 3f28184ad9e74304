"""Functions of two inputs as maps."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from genjax.plots.figure import Figure


def surfaces(
    maps: Mapping[str, Float[np.ndarray, "y x"]],
    columns: int,
    extent: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 1.0),
    errors: Collection[str] = (),
) -> Figure:
    """Each in a panel, in rows of so many columns; those named in `errors` share one scale, white at zero."""
    rows = -(-len(maps) // columns)
    figure = Figure(figsize=(3.7 * columns, 3.4 * rows), layout="constrained")
    limit = max((np.abs(maps[name]).max() for name in errors), default=0.0)
    for place, (name, heights) in enumerate(maps.items(), 1):
        axes = figure.add_subplot(rows, columns, place)
        how: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if name in errors else {}
        figure.colorbar(axes.imshow(heights, origin="lower", extent=extent, **how), ax=axes, shrink=0.75)
        axes.set(title=name, xlabel="x", ylabel="y")
    return figure
