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
    entries = [entry._asdict() for entry in catalog.CATALOG]
    lines = ["\n".join(f"{key}: {value}" for key, value in entry.items()) for entry in entries]
    return {"datasets": entries}, "\n\n".join(lines)
