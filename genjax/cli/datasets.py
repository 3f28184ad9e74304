"""`genjax data`: the known datasets."""

from dataclasses import dataclass
from typing import Any

from genjax.cli.parsing import parse
from genjax.data import catalog


@dataclass(frozen=True)
class Options:
    """List the datasets that --dataset knows by name, with size, licence and citation."""

    json: bool = False
    """Print one JSON object."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax data`."""
    parse(Options, arguments, "genjax data")
    return {"datasets": [entry._asdict() for entry in catalog.CATALOG]}, catalog.table()
