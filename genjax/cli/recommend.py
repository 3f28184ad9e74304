"""`genjax recommend RUN --user ID`: the items that a user would like best."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from genjax.cli.options import parse, positive
from genjax.cli.run import load
from genjax.errors import UserError


@dataclass(frozen=True)
class Options:
    """List the items with the highest expected ratings, of those that the user has not rated."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run's folder."""
    user: str
    """The user, as the file of ratings writes it."""
    top: int = 10
    """How many items."""
    json: bool = False
    """Print one JSON object."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax recommend`."""
    options = parse(Options, arguments, "genjax recommend")
    positive(options, "top")
    run = load(Path(options.run))
    if run.family.recommend is None:
        raise UserError(f"A {run.model} does not recommend; train one with genjax train recommender.")
    best = run.family.recommend(run.state, run.prepared.dataset, options.user, options.top)
    lines = [f"{entry['rating']:.2f}  item {entry['item']}" for entry in best]
    return {"user": options.user, "items": best}, "\n".join(lines) or f"User {options.user} has rated every item."
