"""`genjax runs`: the runs in a folder, with their settings, dates and results."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from genjax.api.compare import lines_of
from genjax.api.runs import rows_in
from genjax.cli.parsing import parse


@dataclass(frozen=True, kw_only=True)
class Options:
    """List the runs in a folder: model, data, length, sizes, when they were last trained, and what they reached."""

    folder: Annotated[str, tyro.conf.Positional] = "runs"
    """Where the runs are."""
    json: bool = False
    """Print one JSON object."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax runs`."""
    folder = Path(parse(Options, arguments, "genjax runs").folder)
    rows = rows_in(folder)
    return {"runs": rows}, "\n".join(lines_of(rows)) if rows else f"{folder} holds no runs yet: genjax train rbm"
