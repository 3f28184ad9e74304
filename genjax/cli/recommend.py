"""`genjax recommend RUN --user ID`: the items that a user would like best."""

from dataclasses import dataclass
from typing import Any

from genjax.cli.options import OpenOptions, open_run, say
from genjax.cli.parsing import parse
from genjax.data.places import refuse_missing
from genjax.errors import UserError
from genjax.models.table import MODELS
from genjax.training.config import positive


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions):
    """List the items with the highest expected ratings, of those that the user has not rated."""

    user: str
    """The user, as the file of ratings writes it."""
    top: int = 10
    """How many items."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax recommend`."""
    options = parse(Options, arguments, "genjax recommend")
    positive(options, "top")
    run = open_run(options)
    if run.model.recommend is None:
        others = " or ".join(name for name, model in MODELS.items() if model.recommend)
        raise UserError(f"A {run.model.name} does not recommend; train a {others}.")
    refuse_missing(run.settings, run.folder, f" for what user {options.user} has rated", splits=())
    best, said = run.model.recommend(run.settings, run.parameters, run.record, options.user, options.top)
    for sentence in said:
        say(sentence)
    lines = [f"{entry['rating']:.2f}  item {entry['item']}  {entry.get('title', '')}".rstrip() for entry in best]
    return {"user": options.user, "items": best}, "\n".join(lines) or f"User {options.user} has rated every item."
