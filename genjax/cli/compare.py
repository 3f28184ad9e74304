"""`genjax compare RUN...`: runs side by side, as a table and as one HTML page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from genjax.api.compare import compare
from genjax.api.load import load
from genjax.api.writing import refuse_file
from genjax.cli.parsing import parse
from genjax.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Options:
    """Compare runs: where their settings differ, their results, curves and pictures, in one page for a browser."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN ...")]
    """The runs' folders."""
    out: str = "compare.html"
    """The page; one that is there is replaced."""
    json: bool = False
    """Print one JSON object."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax compare`."""
    options = parse(Options, arguments, "genjax compare")
    if not options.runs:
        raise UserError("genjax compare RUN ...: name the folders of the runs to compare.")
    refuse_file(Path(options.out), "--out", ".html", overwrite=True)
    table = compare([load(folder) for folder in options.runs])
    Path(options.out).write_text(table.html(), encoding="utf-8")
    return {"page": options.out, "rows": list(table)}, f"{table!r}\n{options.out}"
