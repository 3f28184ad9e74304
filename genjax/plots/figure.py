"""The figure that all functions here return."""

import io
import warnings
from pathlib import Path

from matplotlib import figure


class Figure(figure.Figure):
    """A matplotlib Figure that a notebook shows by itself, whether or not pyplot has been imported."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        write(self, buffer, dpi=100)
        return buffer.getvalue()


def write(shown: figure.Figure, target: Path | io.BytesIO, dpi: int) -> None:
    """Write a PNG; letters that the font lacks become boxes without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        shown.savefig(target, format="png", dpi=dpi, bbox_inches="tight")
